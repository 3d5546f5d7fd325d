//! Outgoing webhooks and their events: the objects in Caspio that make it send us messages.
//!
//! Requests say `EventType` and `Enabled`, answers say `Type` and `Status`. The secret is shown once,
//! when a webhook is made: an answer without it is an undecided call. Deleting what is gone is done.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::secrets::Secret;

use super::envelope;
use super::error::ErrorKind;
use super::paths::{self, Path};
use super::transport::Call;
use super::{CallContext, Caspio, CaspioError};

/// A webhook to be made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewWebhook {
    /// Name, unique in the account.
    pub name: String,
    /// What people read in Caspio.
    pub description: String,
    /// Where messages go; HTTPS, unique in the account.
    pub outgoing_urls: Vec<String>,
}

/// A webhook just made.
#[derive(Debug, Clone)]
pub struct MadeWebhook {
    /// Caspio's id.
    pub id: String,
    /// What its messages are signed with. Never shown again.
    pub secret: Secret,
}

/// A webhook as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWebhook {
    /// Caspio's id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Where messages go.
    pub outgoing_urls: Vec<String>,
    /// At least one of its events is active.
    pub active: bool,
}

/// An event as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSpec {
    /// `table.recordInsert`, `table.recordUpdate` or `table.recordDelete`.
    pub event_type: String,
    /// The table.
    pub object_name: String,
    /// Updates only: fields that matter; empty: all.
    pub object_fields: Vec<String>,
    /// What changes count, e.g. `DataPages`; empty: all.
    pub event_sources: Vec<String>,
}

/// An event in Caspio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Caspio's id of the event definition.
    pub id: String,
    /// As in [`EventSpec`].
    pub event_type: String,
    /// The table.
    pub object_name: String,
    /// Fields that matter; empty: all.
    pub object_fields: Vec<String>,
    /// What changes count; empty: all, also when Caspio names each of them.
    pub event_sources: Vec<String>,
    /// The only fields of a row that its messages hold; empty: not limited so.
    pub payload_fields: Vec<String>,
    /// Its messages have a form of their own.
    pub has_template: bool,
    /// It fires.
    pub active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WebhookJson {
    id: Option<String>,
    status: Option<String>,
    name: Option<String>,
    outgoing_urls: Option<Vec<String>>,
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EventJson {
    id: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    status: Option<String>,
    object_name: Option<String>,
    object_fields: Option<Vec<String>>,
    event_sources: Option<Vec<String>>,
    custom_payload_fields: Option<Vec<String>>,
    custom_payload_template: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventRequest<'a> {
    event_type: &'a str,
    object_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_fields: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_sources: Option<&'a [String]>,
    /// Said, empty, when there is one to be taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_payload_fields: Option<[String; 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_payload_template: Option<Option<String>>,
    enabled: bool,
}

impl<'a> EventRequest<'a> {
    /// Empty lists are left out of a new event. In a change they are said, since leaving them out could mean
    /// "as before"; fields only of updates, for which alone Caspio takes them.
    fn of(spec: &'a EventSpec, change: bool) -> Self {
        let said =
            |list: &'a [String], may_be_empty: bool| (!list.is_empty() || may_be_empty).then_some(list);
        let is_update = spec.event_type == "table.recordUpdate";
        Self {
            event_type: &spec.event_type,
            object_name: &spec.object_name,
            object_fields: said(&spec.object_fields, change && is_update),
            event_sources: said(&spec.event_sources, change),
            custom_payload_fields: None,
            custom_payload_template: None,
            enabled: true,
        }
    }

    /// As [`of`](Self::of) a change that takes a payload of its own away.
    fn of_default_payload(spec: &'a EventSpec) -> Self {
        Self { custom_payload_fields: Some([]), custom_payload_template: Some(None), ..Self::of(spec, true) }
    }
}

impl WebhookJson {
    fn into_listed(self) -> Option<ListedWebhook> {
        // Some accounts list secrets; nobody needs them.
        drop(self.secret.map(Secret::new));
        Some(ListedWebhook {
            id: self.id.filter(|id| !id.is_empty())?,
            name: self.name.unwrap_or_default(),
            outgoing_urls: self.outgoing_urls.unwrap_or_default(),
            active: is_active(self.status.as_deref()),
        })
    }
}

impl EventJson {
    fn into_event(self) -> Option<WebhookEvent> {
        Some(WebhookEvent {
            id: self.id.filter(|id| !id.is_empty())?,
            event_type: self.kind.unwrap_or_default(),
            object_name: self.object_name.unwrap_or_default(),
            object_fields: self.object_fields.unwrap_or_default(),
            event_sources: sources(self.event_sources.unwrap_or_default()),
            payload_fields: self.custom_payload_fields.unwrap_or_default(),
            has_template: self.custom_payload_template.is_some_and(|text| !text.trim().is_empty()),
            active: is_active(self.status.as_deref()),
        })
    }
}

/// Every source that is known of. An event for which none was named may be shown with all of them.
const ALL_SOURCES: [&str; 7] =
    ["Datasheet", "DataPages", "RESTAPIs", "TriggeredActions", "Tasks", "DataParts", "Extensions"];

fn sources(named: Vec<String>) -> Vec<String> {
    let all = ALL_SOURCES.iter().all(|source| named.iter().any(|name| name.eq_ignore_ascii_case(source)));
    if all { Vec::new() } else { named }
}

fn is_active(status: Option<&str>) -> bool {
    status.is_some_and(|status| status.eq_ignore_ascii_case("active"))
}

impl Caspio {
    /// Makes a webhook.
    ///
    /// # Errors
    /// When Caspio refuses, e.g. since name or URL are taken. With [`CaspioError::is_undecided`] it may exist, with a
    /// secret that nobody knows.
    pub async fn create_webhook(
        &self,
        context: &CallContext,
        new: &NewWebhook,
    ) -> Result<MadeWebhook, CaspioError> {
        let body = self.write(context, Method::POST, &Path::webhooks(), new).await?;
        let unreadable = || CaspioError::from(ErrorKind::Unreadable).of_effect(true);
        let made: WebhookJson = envelope::bare(&body).map_err(|error| error.of_effect(true))?;
        let secret = made.secret.map(Secret::new).filter(|secret| !secret.expose().is_empty());
        let id = made.id.filter(|id| !id.is_empty());
        Ok(MadeWebhook { id: id.ok_or_else(unreadable)?, secret: secret.ok_or_else(unreadable)? })
    }

    /// All webhooks of the account that the Web services profile may see.
    ///
    /// # Errors
    /// As of any call.
    pub async fn list_webhooks(&self, context: &CallContext) -> Result<Vec<ListedWebhook>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::webhooks(), &[])?;
        let list: Vec<WebhookJson> =
            envelope::list(&self.body(context, &self.call(Method::GET, url)).await?)?;
        Ok(list.into_iter().filter_map(WebhookJson::into_listed).collect())
    }

    /// One webhook; none when Caspio does not have it.
    ///
    /// # Errors
    /// As of any call.
    pub async fn webhook(
        &self,
        context: &CallContext,
        id: &str,
    ) -> Result<Option<ListedWebhook>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::webhook(id)?, &[])?;
        match self.body(context, &self.call(Method::GET, url)).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => Ok(None),
            other => Ok(envelope::bare::<WebhookJson>(&other?)?.into_listed()),
        }
    }

    /// Lets a webhook send to another URL; its secret, events and queue stay.
    ///
    /// # Errors
    /// As of any call. It may be done again.
    pub async fn point_webhook(&self, context: &CallContext, id: &str, url: &str) -> Result<(), CaspioError> {
        let target = paths::url(&self.credentials.base, &Path::webhook(id)?, &[])?;
        let body = serde_json::to_vec(&serde_json::json!({ "OutgoingUrls": [url] }))
            .map_err(|_| CaspioError::misuse("a URL has no JSON"))?;
        let call = Call { body: Some(body), ..self.call(Method::PUT, target) };
        self.send(context, &call).await.map(drop)
    }

    /// Deletes a webhook with its events. One that is gone already is no error.
    ///
    /// # Errors
    /// When Caspio does not do it: the webhook may still fire.
    pub async fn delete_webhook(&self, context: &CallContext, id: &str) -> Result<(), CaspioError> {
        self.remove(context, &Path::webhook(id)?).await
    }

    /// The events of a webhook.
    ///
    /// # Errors
    /// As of any call.
    pub async fn list_events(
        &self,
        context: &CallContext,
        hook: &str,
    ) -> Result<Vec<WebhookEvent>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::events(hook)?, &[])?;
        let list: Vec<EventJson> = envelope::list(&self.body(context, &self.call(Method::GET, url)).await?)?;
        Ok(list.into_iter().filter_map(EventJson::into_event).collect())
    }

    /// Makes an event, active.
    ///
    /// # Errors
    /// When Caspio refuses. With [`CaspioError::is_undecided`] it may exist; list the events.
    pub async fn create_event(
        &self,
        context: &CallContext,
        hook: &str,
        spec: &EventSpec,
    ) -> Result<WebhookEvent, CaspioError> {
        let body =
            self.write(context, Method::POST, &Path::events(hook)?, &EventRequest::of(spec, false)).await?;
        event_made(&body)
    }

    /// Changes an event in place and sets it active; `default_payload` takes away a payload of its own.
    ///
    /// # Errors
    /// When Caspio refuses. With [`CaspioError::is_undecided`] it may be changed; doing it again is safe.
    pub async fn update_event(
        &self,
        context: &CallContext,
        hook: &str,
        id: &str,
        spec: &EventSpec,
        default_payload: bool,
    ) -> Result<WebhookEvent, CaspioError> {
        let path = Path::event(hook, id)?;
        let request = if default_payload {
            EventRequest::of_default_payload(spec)
        } else {
            EventRequest::of(spec, true)
        };
        let body = self.write(context, Method::PUT, &path, &request).await?;
        event_made(&body)
    }

    /// Deletes an event. One that is gone already is no error.
    ///
    /// # Errors
    /// When Caspio does not do it: the event may still fire.
    pub async fn delete_event(&self, context: &CallContext, hook: &str, id: &str) -> Result<(), CaspioError> {
        self.remove(context, &Path::event(hook, id)?).await
    }

    async fn write(
        &self,
        context: &CallContext,
        method: Method,
        path: &Path,
        body: &impl Serialize,
    ) -> Result<Vec<u8>, CaspioError> {
        let url = paths::url(&self.credentials.base, path, &[])?;
        let body = serde_json::to_vec(body).map_err(|_| CaspioError::misuse("a request has no JSON"))?;
        self.body(context, &Call { body: Some(body), ..self.call(method, url) }).await
    }

    async fn remove(&self, context: &CallContext, path: &Path) -> Result<(), CaspioError> {
        let url = paths::url(&self.credentials.base, path, &[])?;
        match self.send(context, &self.call(Method::DELETE, url)).await {
            Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => Ok(()),
            other => other.map(drop),
        }
    }
}

fn event_made(body: &[u8]) -> Result<WebhookEvent, CaspioError> {
    let json: EventJson = envelope::bare(body).map_err(|error| error.of_effect(true))?;
    json.into_event().ok_or_else(|| CaspioError::from(ErrorKind::Unreadable).of_effect(true))
}
