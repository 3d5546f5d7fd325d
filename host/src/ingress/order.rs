//! What events have in common that run one after another (`[order]` of the manifest), as a keyed fingerprint; no value is kept.

use crate::manifest::{Manifest, Order, OrderBy};
use crate::model::{Event, Row, Value, WorkflowId};
use crate::secrets::TenantKey;
use crate::store::{Store, StoreError};

/// How the events of a workflow are ordered.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    by: Option<OrderBy>,
    /// Some event of this table may be a whole message; of none: of no table.
    batches: Vec<String>,
}

impl Sequence {
    /// As the active version of a workflow says.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of_workflow(store: &dyn Store, workflow: WorkflowId) -> Result<Self, StoreError> {
        let Some(version) = store.active_version(workflow).await? else { return Ok(Self::default()) };
        let manifest = Manifest::parse(&version.manifest)
            .map_err(|_| StoreError::Corrupt("the manifest of a version".to_owned()))?;
        let Order { by, .. } = manifest.order;
        let batches = manifest.triggers.into_iter().filter(|trigger| trigger.batch);
        Ok(Self { by, batches: batches.map(|trigger| trigger.table).collect() })
    }

    /// The same for events that run one after another; none: it waits for no other.
    pub(super) fn key(&self, key: &TenantKey, event: &Event) -> Option<[u8; 32]> {
        let by = self.by.as_ref()?;
        if event.rows.is_empty() {
            return None;
        }
        let table = event.table.to_ascii_lowercase();
        let text = match by {
            // A message of many records comes after what came before of each of them, and before what comes after.
            OrderBy::Field(_) if !self.batches.is_empty() => "batches".to_owned(),
            OrderBy::Record if self.batches.iter().any(|batch| batch.eq_ignore_ascii_case(&table)) => {
                format!("table {table}")
            }
            OrderBy::Record => of_record(&table, event.rows.first()?)?,
            OrderBy::Field(field) => {
                let row = event.rows.first()?;
                match row.get(field).and_then(of_value) {
                    Some(value) => format!("field {} {value}", field.to_ascii_lowercase()),
                    None => of_record(&table, row)?,
                }
            }
        };
        Some(key.fingerprint("order 1", text.as_bytes()))
    }
}

fn of_record(table: &str, row: &Row) -> Option<String> {
    Some(format!("record {} {table}", row.pk_id()?))
}

/// None when there is none to go by. Numbers are the same whatever type their field has.
fn of_value(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) if text.is_empty() => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(text) | Value::Decimal(text) => Some(text.clone()),
        other => serde_json::to_string(other).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TriggerKind;
    use crate::secrets::MasterKey;

    fn event(table: &str, rows: &[(i64, &str)]) -> Event {
        let row = |(pk_id, patient): &(i64, &str)| {
            Row(vec![
                ("PK_ID".to_owned(), Value::Integer(*pk_id)),
                ("Patient".to_owned(), Value::Text((*patient).to_owned())),
            ])
        };
        Event {
            kind: TriggerKind::RecordUpdate,
            connection: String::new(),
            table: table.to_owned(),
            rows: rows.iter().map(row).collect(),
            event_date: String::new(),
            message_id: String::new(),
            reconciled: false,
        }
    }

    #[test]
    fn events_share_a_key_when_they_share_what_the_manifest_says() {
        let key = MasterKey::generate().unwrap().new_tenant_key("default").unwrap().0;
        let of =
            |sequence: &Sequence, table: &str, rows: &[(i64, &str)]| sequence.key(&key, &event(table, rows));
        let record = Sequence { by: Some(OrderBy::Record), batches: vec!["Notes".to_owned()] };
        assert_eq!(of(&record, "Visits", &[(1, "a")]), of(&record, "VISITS", &[(1, "b")]));
        assert_ne!(of(&record, "Visits", &[(1, "a")]), of(&record, "Visits", &[(2, "a")]));
        assert_ne!(of(&record, "Visits", &[(1, "a")]), of(&record, "Patients", &[(1, "a")]));
        assert_eq!(of(&record, "Notes", &[(1, "a"), (2, "b")]), of(&record, "notes", &[(3, "c")]));
        assert_eq!(of(&record, "", &[]), None, "a schedule's");

        let field = Sequence { by: Some(OrderBy::Field("patient".to_owned())), batches: Vec::new() };
        assert_eq!(of(&field, "Visits", &[(1, "a")]), of(&field, "Patients", &[(2, "a")]));
        assert_ne!(of(&field, "Visits", &[(1, "a")]), of(&field, "Visits", &[(1, "b")]));
        assert_eq!(of(&field, "Visits", &[(1, "")]), of(&record, "Visits", &[(1, "x")]), "then by record");
        let batches = Sequence { batches: vec!["Visits".to_owned()], ..field };
        assert_eq!(of(&batches, "Visits", &[(1, "a")]), of(&batches, "Patients", &[(2, "b")]));

        let none = Sequence::default();
        assert_eq!(of(&none, "Visits", &[(1, "a")]), None);
    }
}
