//! Tables and their fields.

use reqwest::Method;

use crate::model::{Field, FieldType, SchemaKind, TableSchema};

use super::classify::Subject;
use super::envelope::{self, FieldJson};
use super::paths::{self, Path};
use super::transport::Call;
use super::values::choices_of_field;
use super::{CallContext, Caspio, CaspioError};

impl Caspio {
    /// Proves that the credentials work: gets a token and reads the names of tables.
    ///
    /// # Errors
    /// As of any call; wrong credentials have a case of their own.
    pub async fn check(&self, context: &CallContext) -> Result<(), CaspioError> {
        self.tables(context).await.map(drop)
    }

    /// Names of the tables that the Web services profile may see.
    ///
    /// # Errors
    /// As of any call.
    pub async fn tables(&self, context: &CallContext) -> Result<Vec<String>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::tables(), &[])?;
        envelope::result(&self.body(context, &self.call(Method::GET, url)).await?)
    }

    /// The fields of a table, without `PK_ID`, which every table has.
    ///
    /// # Errors
    /// When there is no such table, and as of any call.
    pub async fn fields(&self, context: &CallContext, table: &str) -> Result<TableSchema, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::fields(table)?, &[])?;
        let subject = Subject { table: Some(table), ..Subject::default() };
        let call = Call { subject, ..self.call(Method::GET, url) };
        let fields: Vec<FieldJson> = envelope::result(&self.body(context, &call).await?)?;
        let fields = fields.into_iter().filter_map(field).collect();
        Ok(TableSchema { table: table.to_owned(), kind: SchemaKind::Table, fields })
    }
}

/// A field without a name is none.
pub(super) fn field(json: FieldJson) -> Option<Field> {
    let name = json.name.filter(|name| !name.is_empty())?;
    let kind = FieldType::from_token(json.kind.as_deref().unwrap_or_default());
    let writable =
        json.editable.unwrap_or(true) && !json.is_formula.unwrap_or(false) && !kind.written_by_caspio();
    Some(Field {
        name,
        writable,
        kind,
        unique: json.unique.unwrap_or(false),
        label: json.label.unwrap_or_default(),
        choices: choices_of_field(json.list_field.as_ref()),
        time_zone: json.time_zone.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_writable_when_everything_says_so() {
        let read = |json: &str| field(serde_json::from_str(json).expect("JSON"));
        let email = read(
            r#"{"Name":"Email","TableFieldName":null,"Type":"STRING","Unique":true,"Editable":true,"Label":null,
                "Description":"","DisplayOrder":3,"UniqueAllowNulls":false,"IsFormula":false,"New":[1]}"#,
        )
        .expect("a field");
        assert!(
            email.writable && email.unique && email.kind == FieldType::TextShort && email.label.is_empty()
        );
        for json in [
            r#"{"Name":"A","Type":"STRING","Editable":false}"#,
            r#"{"Name":"A","Type":"NUMBER","Editable":true,"IsFormula":true}"#,
            r#"{"Name":"A","Type":"AUTONUMBER","Editable":true}"#,
        ] {
            assert!(!read(json).expect("a field").writable, "{json}");
        }
        let list =
            read(r#"{"Name":"L","Type":"LIST-STRING","ListField":{"1":"Cat","3":"Dog"}}"#).expect("a field");
        assert_eq!(list.choices.iter().map(|c| c.key).collect::<Vec<_>>(), [1, 3]);
        assert!(read(r#"{"Type":"STRING"}"#).is_none());
    }
}
