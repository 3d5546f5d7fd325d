//! Views and their fields. Their records are read as those of tables.

use reqwest::Method;

use crate::model::{Criteria, Operator, Query, Row, SchemaKind, TableSchema, Value};

use super::classify::Subject;
use super::envelope::{self, FieldJson};
use super::paths::{self, Path};
use super::tables::field;
use super::transport::Call;
use super::{CallContext, Caspio, CaspioError};

impl Caspio {
    /// Names of the views that the Web services profile may see.
    ///
    /// # Errors
    /// As of any call.
    pub async fn views(&self, context: &CallContext) -> Result<Vec<String>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::views(), &[])?;
        envelope::result(&self.body(context, &self.call(Method::GET, url)).await?)
    }

    /// The fields of a view, without `PK_ID`.
    ///
    /// # Errors
    /// When there is no such view, and as of any call.
    pub async fn view_fields(&self, context: &CallContext, view: &str) -> Result<TableSchema, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::view_fields(view)?, &[])?;
        let subject = Subject { table: Some(view), noun: "view", ..Subject::default() };
        let call = Call { subject, ..self.call(Method::GET, url) };
        let fields: Vec<FieldJson> = envelope::result(&self.body(context, &call).await?)?;
        let fields = fields.into_iter().filter_map(field).collect();
        Ok(TableSchema { table: view.to_owned(), kind: SchemaKind::View, fields })
    }

    /// One record of a view by its `PK_ID` as text; none when it does not exist.
    ///
    /// # Errors
    /// As of any call.
    pub async fn view_record(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        key: &str,
    ) -> Result<Option<Row>, CaspioError> {
        let operator = Operator::Equals(Value::Text(key.to_owned()));
        let criteria = Criteria::Compare { field: "PK_ID".to_owned(), operator };
        let query = Query { criteria: Some(criteria), limit: Some(1), ..Query::default() };
        Ok(self.list(context, schema, &query).await?.into_iter().next())
    }
}
