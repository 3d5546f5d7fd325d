//! A stretch of a table, read in the order of `PK_ID`.

use crate::caspio::{CallContext, Caspio, CaspioError};
use crate::model::{Criteria, Operator, Query, Row, TableSchema, Value};

/// Caspio's largest page, and one call.
pub(super) const ROWS: u32 = 1000;

/// Rows after a `PK_ID`, at most `limit`, that fulfil the criteria.
pub(super) async fn rows_after(
    caspio: &Caspio,
    context: &CallContext,
    schema: &TableSchema,
    after: i64,
    criteria: Option<Criteria>,
    limit: u32,
) -> Result<Vec<Row>, CaspioError> {
    let later =
        Criteria::Compare { field: "PK_ID".to_owned(), operator: Operator::Greater(Value::Integer(after)) };
    let criteria = match criteria {
        Some(criteria) => Criteria::All(vec![later, criteria]),
        None => later,
    };
    let query = Query { select: Vec::new(), criteria: Some(criteria), order: Vec::new(), limit: Some(limit) };
    caspio.list(context, schema, &query).await
}
