//! Events: listed, shown, and sent by hand.

use serde::{Deserialize, Serialize};

use crate::caspio::{CallContext, row_from_json};
use crate::clock::Time;
use crate::ingress::{Accepted, persist_by_hand};
use crate::manifest::Manifest;
use crate::model::{Event, EventId, TenantId, TriggerKind};
use crate::store::{EventFilter, EventRecord, StoreError};

use super::runs::RunView;
use super::{Control, ControlError, Result};

/// Longest list.
const MAX_LIST: u32 = 1000;

/// Which events to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// Older than this event.
    pub before: Option<EventId>,
    /// At most so many; default 100, at most 1000.
    pub limit: Option<u32>,
}

/// An event, as listed.
#[derive(Debug, Serialize)]
pub struct EventView {
    /// Id.
    pub id: EventId,
    /// Workflow.
    pub workflow: String,
    /// Kind.
    pub event: String,
    /// Table.
    pub table: String,
    /// `PK_ID` of its row.
    pub pk_id: Option<i64>,
    /// Caspio's `eventDate`.
    pub event_date: String,
    /// Caspio's `messageId`.
    pub message_id: Option<String>,
    /// `webhook` or `person`.
    pub from: &'static str,
    /// When it was stored.
    pub created_at: String,
}

/// An event with its rows and runs.
#[derive(Debug, Serialize)]
pub struct EventDetail {
    /// As listed.
    #[serde(flatten)]
    pub event: EventView,
    /// Its rows, when values were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<serde_json::Value>,
    /// Runs that it started.
    pub runs: Vec<RunView>,
}

/// An event to send by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// Kind, e.g. `record-insert`.
    pub event: TriggerKind,
    /// The table whose fields the rows have.
    pub table: String,
    /// Rows as Caspio would send them.
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// `eventDate`, UTC; default now.
    pub event_date: Option<String>,
}

/// What a sent event started.
#[derive(Debug, Serialize)]
pub struct SentView {
    /// Ids of the runs.
    pub runs: Vec<crate::model::RunId>,
}

impl From<EventRecord> for EventView {
    fn from(x: EventRecord) -> Self {
        Self {
            id: x.id,
            workflow: x.workflow_name,
            event: x.kind.as_str().to_owned(),
            table: x.table,
            pk_id: x.pk_id,
            event_date: x.event_date,
            message_id: x.caspio_message_id,
            from: if x.by_person { "person" } else { "webhook" },
            created_at: x.created_at.to_string(),
        }
    }
}

impl Control {
    /// Lists events, newest first.
    ///
    /// # Errors
    /// When the workflow does not exist.
    pub async fn events(&self, tenant: &TenantId, query: EventQuery) -> Result<Vec<EventView>> {
        let workflow = match &query.workflow {
            Some(name) => Some(self.workflow_named(tenant, name).await?.id),
            None => None,
        };
        let limit = query.limit.unwrap_or(100).clamp(1, MAX_LIST);
        let filter = EventFilter { workflow, before: query.before, limit };
        Ok(self.store.events(tenant, filter).await?.into_iter().map(EventView::from).collect())
    }

    /// One event with its runs. `values`: with its rows in clear, which is audited.
    ///
    /// # Errors
    /// When there is none, or its key is gone.
    pub async fn event(&self, tenant: &TenantId, id: EventId, values: bool) -> Result<EventDetail> {
        let found = self.store.event(tenant, id).await?;
        let (record, runs) = found.ok_or_else(|| {
            ControlError::not_found(
                "event-not-found",
                format!("there is no event {id}; see `caspian event list`"),
            )
        })?;
        let rows = if values {
            self.audit(tenant, "event.show-values", &id.to_string()).await?;
            let key = self.keys.data(tenant, record.message).await?;
            let typed = key.open("events", "typed", id.as_bytes(), &record.sealed_typed)?;
            let typed: Event = serde_json::from_slice(&typed)
                .map_err(|_| StoreError::Corrupt("a typed event".to_owned()))?;
            serde_json::to_value(&typed.rows).ok()
        } else {
            None
        };
        let mut shown = Vec::with_capacity(runs.len());
        for run in runs {
            shown.extend(self.store.run(tenant, run).await?.map(RunView::from));
        }
        Ok(EventDetail { event: record.into(), rows, runs: shown })
    }

    /// Starts a workflow over an event made by hand, typed by the table's fields as a webhook's is.
    ///
    /// # Errors
    /// When the workflow or the table does not exist, or no trigger wants such an event.
    pub async fn send_event(&self, tenant: &TenantId, workflow: &str, new: NewEvent) -> Result<SentView> {
        let record = self.workflow_named(tenant, workflow).await?;
        let version = self.store.version(record.id, record.active_version).await?;
        let version = version.ok_or(StoreError::Missing("version"))?;
        let manifest = Manifest::parse(&version.manifest)?;
        let alike =
            |t: &&crate::manifest::Trigger| t.kind == new.event && t.table.eq_ignore_ascii_case(&new.table);
        let Some(trigger) = manifest.triggers.iter().find(alike) else {
            return Err(ControlError::invalid(
                "event-not-wanted",
                format!(
                    "the workflow '{workflow}' has no trigger for {} of this table; see `caspian workflow show {workflow}`",
                    new.event.as_str()
                ),
            ));
        };
        if new.rows.is_empty() {
            return Err(ControlError::invalid(
                "event-empty",
                "the event has no rows; give at least one under \"rows\"",
            ));
        }
        let caspio = self.connector.connect(version.connection).await?;
        let schema =
            caspio.fields(&CallContext::of_host(Some(record.id), "tables.fields"), &trigger.table).await?;
        let rows: Vec<_> = new.rows.iter().map(|row| row_from_json(&schema, row)).collect();
        let now: String = Time::now().to_string().chars().take(19).collect();
        let event_date = new.event_date.unwrap_or(now);
        let event = |rows| Event {
            kind: new.event,
            connection: caspio.name().to_owned(),
            table: trigger.table.clone(),
            rows,
            event_date: event_date.clone(),
            message_id: String::new(),
            reconciled: false,
        };
        let events = if trigger.batch {
            vec![event(rows)]
        } else {
            rows.into_iter().map(|row| event(vec![row])).collect()
        };
        let key = self.keys.tenant(tenant).await?;
        let accepted = persist_by_hand(&*self.store, &key, tenant, record.id, &events).await?;
        self.audit(tenant, "event.send", workflow).await?;
        let runs = match accepted {
            Accepted::Stored(events) => events.iter().map(crate::ingress::StoredEvent::run).collect(),
            _ => Vec::new(),
        };
        self.wake.notify_one();
        Ok(SentView { runs })
    }
}
