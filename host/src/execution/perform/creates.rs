//! Creates, by the manifest's policy for those of which nobody knows whether Caspio did them.

use crate::caspio::{CallContext, CaspioError};
use crate::journal::Plan;
use crate::manifest::Undecided;
use crate::model::{Criteria, Operator, Query, Row, TableSchema, Value};
use crate::secrets::random_bytes;

use super::Performer;

impl Performer {
    /// How a record is created.
    pub(super) fn create_plan(&self, table: &str, row: &Row) -> Result<Plan, CaspioError> {
        Ok(match self.manifest.effects.of_creates(table) {
            Undecided::Park => Plan::Create,
            Undecided::Retry => Plan::CreateAgain,
            Undecided::Verify(field) if row.get(field).is_some() => {
                let why = "the host writes this field, by which it verifies creates; leave it out";
                return Err(CaspioError::invalid(field, why));
            }
            Undecided::Verify(field) => {
                let random =
                    random_bytes::<16>().map_err(|_| CaspioError::misuse("the system has no randomness"))?;
                Plan::CreateStamped {
                    field: field.clone(),
                    stamp: format!("caspian-{}", hex::encode(random)),
                }
            }
        })
    }

    /// `repeated`: an earlier try may have done it, or may be done yet. With a stamp Caspio refuses the second of them as
    /// not unique, and the first is found by it.
    pub(super) async fn create(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        row: &Row,
        plan: &Plan,
        repeated: bool,
    ) -> Result<Row, CaspioError> {
        let Plan::CreateStamped { field, stamp } = plan else {
            return self.caspio.create(context, schema, row).await;
        };
        let mut stamped = row.clone();
        stamped.0.push((field.clone(), Value::Text(stamp.clone())));
        let error = match self.caspio.create(context, schema, &stamped).await {
            Err(error) if repeated && error.code() == "conflict" => error,
            other => return other,
        };
        let operator = Operator::Equals(Value::Text(stamp.clone()));
        let criteria = Some(Criteria::Compare { field: field.clone(), operator });
        let query = Query { criteria, limit: Some(1), ..Query::default() };
        // When it can't be looked up now, the create stays undecided, and is done again later.
        let found = self.caspio.list(context, schema, &query).await?;
        found.into_iter().next().ok_or(error)
    }
}
