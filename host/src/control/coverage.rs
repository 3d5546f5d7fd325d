//! Sweeps and backfills: shown, begun, ended.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::caspio::{CallContext, row_from_json};
use crate::clock::Time;
use crate::coverage::NewBackfill;
use crate::manifest::Manifest;
use crate::model::{
    BackfillId, BackfillState, Criteria, Operator, TableSchema, TenantId, TriggerKind, Value, WorkflowState,
};
use crate::store::{BackfillRecord, StoreError, SweepRecord};

use super::{Control, ControlError, Kind, Result};

/// Rows a minute, unless the person says otherwise: one a second leaves most of an account's calls to others.
const PER_MINUTE: u32 = 60;
/// Most rows a minute: one page.
const MOST_PER_MINUTE: u32 = 1000;

/// What finds changes that no webhook told of.
#[derive(Debug, Serialize)]
pub struct CoverageView {
    /// Tables that are swept.
    pub sweeps: Vec<SweepView>,
    /// Backfills, newest first.
    pub backfills: Vec<BackfillView>,
}

/// A table that is swept.
#[derive(Debug, Serialize)]
pub struct SweepView {
    /// Workflow.
    pub workflow: String,
    /// Table.
    pub table: String,
    /// Seconds from round to round.
    pub every_seconds: u64,
    /// Calls of one round at most.
    pub max_calls: u32,
    /// Finished rounds; the first one only takes stock.
    pub rounds: u64,
    /// Rows known.
    pub rows: u64,
    /// Inserts that no webhook told of in time, within the last 30 days.
    pub inserts: u64,
    /// Updates.
    pub updates: u64,
    /// Deletes.
    pub deletes: u64,
    /// Of these, those of which a webhook told later.
    pub late: u64,
    /// Calls spent in all.
    pub calls: u64,
    /// `PK_ID` up to which the round under way has come.
    pub reached: Option<i64>,
    /// End of the last round.
    pub finished_at: Option<String>,
    /// When it goes on.
    pub next_at: String,
    /// Code of what stopped it last.
    pub error: Option<String>,
}

/// A workflow being run over existing rows.
#[derive(Debug, Serialize)]
pub struct BackfillView {
    /// Id.
    pub id: BackfillId,
    /// Workflow.
    pub workflow: String,
    /// Table.
    pub table: String,
    /// What the rows are given as.
    pub event: String,
    /// State.
    pub state: BackfillState,
    /// Rows that have their runs.
    pub rows: u64,
    /// `PK_ID` of the last of them.
    pub reached: i64,
    /// `PK_ID` of the last row that it takes.
    pub last: i64,
    /// Rows a minute.
    pub per_minute: u32,
    /// Code of what stopped it last.
    pub error: Option<String>,
    /// When it was begun.
    pub created_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// Rows to run a workflow over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// The table; may be left out when the triggers are of one.
    pub table: Option<String>,
    /// What the rows are given as; the kind of the first trigger of the table for rows that exist, when left out.
    pub event: Option<String>,
    /// Conditions that all hold, e.g. `Status=Active`, `PK_ID>=100`.
    #[serde(default)]
    pub conditions: Vec<String>,
    /// Rows a minute.
    pub per_minute: Option<u32>,
}

impl From<BackfillRecord> for BackfillView {
    fn from(x: BackfillRecord) -> Self {
        Self {
            id: x.id,
            workflow: x.workflow_name,
            table: x.table,
            event: x.kind.as_str().to_owned(),
            state: x.state,
            rows: x.rows,
            reached: x.reached,
            last: x.last,
            per_minute: x.per_minute,
            error: x.error,
            created_at: x.created_at.to_string(),
            finished_at: x.finished_at.map(|at| at.to_string()),
        }
    }
}

impl From<SweepRecord> for SweepView {
    fn from(x: SweepRecord) -> Self {
        let reconcile = x.triggers.iter().find_map(|t| t.reconcile);
        let found = |kind| x.progress.found.iter().find(|(k, _)| *k == kind).map_or(0, |(_, n)| *n);
        Self {
            every_seconds: reconcile.map_or(0, |r| r.every_seconds),
            max_calls: reconcile.map_or(0, |r| r.max_calls),
            rounds: x.progress.rounds,
            rows: x.progress.rows,
            inserts: found(TriggerKind::RecordInsert),
            updates: found(TriggerKind::RecordUpdate),
            deletes: found(TriggerKind::RecordDelete),
            late: x.progress.late,
            calls: x.progress.all_calls,
            reached: x.progress.reached,
            finished_at: x.progress.finished_at.map(|at| at.to_string()),
            next_at: x.progress.next_at.to_string(),
            error: x.progress.error.clone(),
            workflow: x.workflow_name,
            table: x.table,
        }
    }
}

impl Control {
    /// Sweeps and backfills of a tenant, or of one workflow.
    ///
    /// # Errors
    /// When there is no such workflow.
    pub async fn coverage(&self, tenant: &TenantId, workflow: Option<&str>) -> Result<CoverageView> {
        if let Some(name) = workflow {
            self.workflow_named(tenant, name).await?;
        }
        let wanted = |name: &str| workflow.is_none_or(|wanted| wanted == name);
        let mut sweeps = Vec::new();
        for mut sweep in self.store.sweeps().await? {
            if sweep.tenant == *tenant && wanted(&sweep.workflow_name) {
                sweep.progress = self.store.sweep_progress(sweep.workflow, &sweep.table).await?;
                sweeps.push(sweep.into());
            }
        }
        let backfills = self.store.backfills(Some(tenant), None).await?;
        let backfills = backfills.into_iter().filter(|b| wanted(&b.workflow_name));
        Ok(CoverageView { sweeps, backfills: backfills.map(BackfillView::from).collect() })
    }

    /// Begins a round of a workflow's sweeps now; how many there are.
    ///
    /// # Errors
    /// When there is no such workflow, or nothing of it is swept.
    pub async fn sweep_now(&self, tenant: &TenantId, workflow: &str) -> Result<u64> {
        let record = self.workflow_named(tenant, workflow).await?;
        let begun = self.store.sweep_now(record.id, Time::now()).await?;
        if begun == 0 {
            return Err(ControlError::new(
                Kind::Conflict,
                "not-swept",
                format!(
                    "no table of '{workflow}' is swept; give a trigger of it `reconcile = {{ every = \"1h\" }}`, deploy \
                     and activate it"
                ),
            ));
        }
        self.coverage.wake();
        self.audit(tenant, "coverage.sweep", workflow).await?;
        Ok(begun)
    }

    /// Runs a workflow over rows that are there already.
    ///
    /// # Errors
    /// When it has no trigger for them, the conditions are wrong, or a backfill of it is under way.
    pub async fn begin_backfill(
        &self,
        tenant: &TenantId,
        workflow: &str,
        request: BackfillRequest,
    ) -> Result<BackfillView> {
        let record = self.workflow_named(tenant, workflow).await?;
        if record.state == WorkflowState::Inactive {
            return Err(ControlError::new(
                Kind::Conflict,
                "inactive",
                format!("the workflow '{workflow}' is inactive; first: caspian workflow activate {workflow}"),
            ));
        }
        let version = self.store.version(record.id, record.active_version).await?;
        let version = version.ok_or(StoreError::Missing("version"))?;
        let manifest = Manifest::parse(&version.manifest)?;
        let (kind, table) = wanted(&manifest, &request)?;
        let per_minute = request.per_minute.unwrap_or(PER_MINUTE);
        if !(1..=MOST_PER_MINUTE).contains(&per_minute) {
            let text = format!("the rows a minute are out of range; give 1 to {MOST_PER_MINUTE}");
            return Err(ControlError::invalid("backfill-rate", text));
        }
        let caspio = self.connector.connect(version.connection).await?;
        let schema = caspio.fields(&CallContext::of_host(Some(record.id), "tables.fields"), &table).await?;
        let criteria = match request.conditions.as_slice() {
            [] => None,
            some => {
                Some(Criteria::All(some.iter().map(|text| condition(&schema, text)).collect::<Result<_>>()?))
            }
        };
        let new = NewBackfill {
            tenant: tenant.clone(),
            workflow: record.id,
            connection: version.connection,
            kind,
            schema,
            criteria,
            per_minute,
        };
        let id = self.coverage.begin_backfill(new).await?;
        self.audit(tenant, "workflow.backfill", workflow).await?;
        let all = self.store.backfills(Some(tenant), None).await?;
        let begun = all.into_iter().find(|b| b.id == id).ok_or(StoreError::Missing("backfill"))?;
        Ok(begun.into())
    }

    /// Ends the backfill of a workflow that is under way; runs that it queued go on.
    ///
    /// # Errors
    /// When there is none.
    pub async fn cancel_backfill(&self, tenant: &TenantId, workflow: &str) -> Result<()> {
        let record = self.workflow_named(tenant, workflow).await?;
        match self.store.cancel_backfill(record.id, Time::now()).await {
            Err(StoreError::Missing(_)) => {
                return Err(ControlError::not_found(
                    "backfill-not-found",
                    format!("no backfill of '{workflow}' is under way; see: caspian coverage {workflow}"),
                ));
            }
            other => other?,
        }
        self.audit(tenant, "workflow.backfill-cancel", workflow).await
    }
}

/// Kind and table of the rows' events.
fn wanted(manifest: &Manifest, request: &BackfillRequest) -> Result<(TriggerKind, String)> {
    let exists = |kind: TriggerKind| matches!(kind, TriggerKind::RecordInsert | TriggerKind::RecordUpdate);
    let kind = match request.event.as_deref().map(TriggerKind::parse) {
        None => None,
        Some(Some(kind)) if exists(kind) => Some(kind),
        Some(_) => {
            return Err(ControlError::invalid(
                "backfill-event",
                "rows that exist can't be given as such an event; give record-insert or record-update",
            ));
        }
    };
    let fits = |t: &&crate::manifest::Trigger| {
        exists(t.kind)
            && kind.is_none_or(|kind| kind == t.kind)
            && request.table.as_ref().is_none_or(|table| table.eq_ignore_ascii_case(&t.table))
    };
    let mut fitting = manifest.triggers.iter().filter(fits);
    let Some(first) = fitting.next() else {
        return Err(ControlError::invalid(
            "event-not-wanted",
            format!(
                "the workflow '{0}' has no trigger for such rows; see `caspian workflow show {0}`",
                manifest.name
            ),
        ));
    };
    if fitting.any(|other| !other.table.eq_ignore_ascii_case(&first.table)) {
        return Err(ControlError::invalid(
            "backfill-table",
            "the workflow has triggers of several tables; say which rows are meant with --table",
        ));
    }
    Ok((first.kind, first.table.clone()))
}

/// `FIELD=VALUE`, with `!=`, `<`, `<=`, `>`, `>=` in place of `=`. The value is typed by the field, and never shown.
fn condition(schema: &TableSchema, text: &str) -> Result<Criteria> {
    type Make = fn(Value) -> Operator;
    const OPERATORS: [(&str, Make); 6] = [
        ("!=", Operator::NotEquals),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equals),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = text.get(name.len()..).unwrap_or_default().trim_start();
    let found = OPERATORS.iter().find_map(|(sign, make)| Some((rest.strip_prefix(sign)?.trim(), make)));
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let (Some((value, make)), true) = (found, is_name) else {
        return Err(ControlError::invalid(
            "backfill-condition",
            "a condition is not FIELD=VALUE; give e.g. --where Status=Active --where \"PK_ID>=100\" (signs: = != < <= > >=)",
        ));
    };
    let json = serde_json::Map::from_iter([(name.clone(), Json::String(value.to_owned()))]);
    let typed = row_from_json(schema, &json);
    let value = typed.get(&name).cloned().unwrap_or(Value::Null);
    let is_field = name.eq_ignore_ascii_case("PK_ID") || schema.field(&name).is_some();
    if !is_field {
        return Err(ControlError::invalid(
            "backfill-condition",
            format!("the table {} has no field '{name}'; see its fields in Caspio", schema.table),
        ));
    }
    Ok(Criteria::Compare { field: name, operator: make(value) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Field, FieldType};

    #[test]
    fn conditions() {
        let field = |name: &str, kind| Field {
            name: name.to_owned(),
            kind,
            unique: false,
            writable: true,
            label: String::new(),
            choices: Vec::new(),
            time_zone: String::new(),
        };
        let schema = TableSchema {
            table: "T".to_owned(),
            kind: crate::model::SchemaKind::Table,
            fields: vec![field("Status", FieldType::TextShort), field("Age", FieldType::Integer)],
        };
        let parsed = |text: &str| condition(&schema, text).ok();
        let compare = |field: &str, operator| Some(Criteria::Compare { field: field.to_owned(), operator });
        assert_eq!(parsed("Status=a=b"), compare("Status", Operator::Equals(Value::Text("a=b".into()))));
        assert_eq!(parsed("Age >= 18"), compare("Age", Operator::GreaterOrEqual(Value::Integer(18))));
        assert_eq!(parsed("PK_ID<5"), compare("PK_ID", Operator::Less(Value::Integer(5))));
        for wrong in ["", "=1", "Status", "Nope=1", "Status ~ x", "1=1 OR Status=x"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
