//! Events: listed, shown, and sent by hand.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caspio::{CallContext, row_from_json, row_mistake, row_to_plain};
use crate::clock::{Time, event_date_in_utc};
use crate::ingress::{Accepted, MOST_ROWS, persist_by_hand};
use crate::manifest::Manifest;
use crate::model::{Event, EventId, TenantId, TriggerKind};
use crate::store::{EventFilter, EventRecord, StoreError};

use super::runs::RunView;
use super::{Control, ControlError, Result, contents_gone};

/// Longest list.
const MAX_LIST: u32 = 1000;

/// Which events to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// Older than the event of this id.
    pub before: Option<String>,
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
    /// `webhook`, `person`, or `sweep` (also rows of a backfill).
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
    /// Its rows, when values were asked for, as `event send` takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Value>,
    /// Runs that it started.
    pub runs: Vec<RunView>,
}

/// An event to send by hand, as it came: its mistakes are told one by one.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct NewEvent(serde_json::Map<String, Value>);

/// An event to send, without mistakes.
struct Wanted {
    kind: TriggerKind,
    table: String,
    rows: Vec<serde_json::Map<String, Value>>,
    event_date: String,
}

/// Members of a shown event that say nothing about a new one; so a shown event can be sent as it is.
const OF_SHOWN: [&str; 7] = ["id", "workflow", "pk_id", "message_id", "from", "created_at", "runs"];

fn wrong<T>(text: String) -> Result<T> {
    Err(ControlError::invalid("event", text))
}

impl NewEvent {
    fn checked(mut self) -> Result<Wanted> {
        self.0.retain(|name, _| !OF_SHOWN.contains(&name.as_str()));
        let unset = |date: &Value| date.is_null() || date.as_str() == Some("");
        let date = match self.0.remove("event_date").filter(|date| !unset(date)) {
            None => Some(Time::now().event_date()),
            Some(Value::String(text)) => event_date_in_utc(&text),
            Some(_) => None,
        };
        let (kind, table) = (self.0.remove("event"), self.0.remove("table"));
        let kind = kind.as_ref().and_then(Value::as_str).and_then(TriggerKind::parse);
        let Some(kind) = kind.filter(|kind| kind.to_caspio().is_some()) else {
            return wrong(
                "\"event\" is missing or no kind of event; give record-insert, record-update or record-delete"
                    .to_owned(),
            );
        };
        let Some(Value::String(table)) = table else {
            return wrong(
                "\"table\" is missing or no text; give the table of the workflow's trigger".to_owned(),
            );
        };
        let Some(Value::Array(given)) = self.0.remove("rows") else {
            return wrong(
                "\"rows\" is missing or no list; give at least one row, as an object of fields".to_owned(),
            );
        };
        if given.is_empty() {
            return wrong("the event has no rows; give at least one under \"rows\"".to_owned());
        }
        if given.len() > MOST_ROWS {
            return wrong(format!("the event has more than {MOST_ROWS} rows; send them as several events"));
        }
        let mut rows = Vec::with_capacity(given.len());
        for (at, row) in given.into_iter().enumerate() {
            let Value::Object(row) = row else {
                return wrong(format!(
                    "row {} is no object; give its fields as {{\"Name\": value, …}}",
                    at + 1
                ));
            };
            rows.push(row);
        }
        let Some(event_date) = date else {
            return wrong(
                "\"event_date\" is no date with time; give e.g. 2026-01-16T19:52:55 (UTC), or leave it out"
                    .to_owned(),
            );
        };
        if !self.0.is_empty() {
            return wrong(
                "the event has members that none has; give only event, table, rows and event_date".to_owned(),
            );
        }
        Ok(Wanted { kind, table, rows, event_date })
    }
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
            from: match (x.by_host, x.reconciled) {
                (false, _) => "webhook",
                _ if x.kind == TriggerKind::Schedule => "schedule",
                (true, true) => "sweep",
                (true, false) => "person",
            },
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
        let before = query.before.as_deref().map(|id| super::id(id, "event")).transpose()?;
        let filter = EventFilter { workflow, before, limit };
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
            let key = self.data_key(tenant, record.message).await?.ok_or_else(contents_gone)?;
            self.audit(tenant, "event.show-values", &id.to_string()).await?;
            let typed = key.open("events", "typed", id.as_bytes(), &record.sealed_typed)?;
            let typed: Event = serde_json::from_slice(&typed)
                .map_err(|_| StoreError::Corrupt("a typed event".to_owned()))?;
            Some(typed.rows.iter().map(row_to_plain).map(Value::Object).collect())
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
        let new = new.checked()?;
        let alike =
            |t: &&crate::manifest::Trigger| t.kind == new.kind && t.table.eq_ignore_ascii_case(&new.table);
        let Some(trigger) = manifest.triggers.iter().find(alike) else {
            return Err(ControlError::invalid(
                "event-not-wanted",
                format!(
                    "the workflow '{workflow}' has no trigger for {} of this table; see `caspian workflow show {workflow}`",
                    new.kind.as_str()
                ),
            ));
        };
        let caspio = self.connector.connect(version.connection).await?;
        let schema =
            caspio.fields(&CallContext::of_host(Some(record.id), "tables.fields"), &trigger.table).await?;
        for (at, row) in new.rows.iter().enumerate() {
            if let Some(mistake) = row_mistake(&schema, row) {
                return wrong(format!("row {}: {mistake}", at + 1));
            }
        }
        let rows: Vec<_> = new.rows.iter().map(|row| row_from_json(&schema, row)).collect();
        let event = |rows| Event {
            kind: new.kind,
            connection: caspio.name().to_owned(),
            table: trigger.table.clone(),
            rows,
            event_date: new.event_date.clone(),
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
