//! Tables and field types as Caspio describes them (REST v3, `/tables/{t}/fields`).

use serde::{Deserialize, Serialize};

use super::Choice;

/// A field's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// STRING, up to 255 characters.
    TextShort,
    /// TEXT, up to 64,000 characters.
    TextLong,
    /// NUMBER.
    Number,
    /// INTEGER.
    Integer,
    /// CURRENCY, four decimals.
    Currency,
    /// YES/NO.
    YesNo,
    /// DATE/TIME.
    DateTime,
    /// TIMESTAMP.
    Timestamp,
    /// AUTONUMBER.
    Autonumber,
    /// PREFIXED AUTONUMBER.
    PrefixedAutonumber,
    /// RANDOM ID.
    RandomId,
    /// GUID.
    Guid,
    /// PASSWORD.
    Password,
    /// FILE.
    File,
    /// ATTACHMENT.
    Attachment,
    /// LIST-STRING.
    ListString,
    /// LIST-NUMBER.
    ListNumber,
    /// LIST-DATE/TIME.
    ListDateTime,
    /// What this host does not know yet, as Caspio names it.
    Other(String),
}

impl FieldType {
    /// From Caspio's `Type` token.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        match token.to_ascii_uppercase().as_str() {
            "STRING" => Self::TextShort,
            "TEXT" => Self::TextLong,
            "NUMBER" => Self::Number,
            "INTEGER" => Self::Integer,
            "CURRENCY" => Self::Currency,
            "YES/NO" => Self::YesNo,
            "DATE/TIME" => Self::DateTime,
            "TIMESTAMP" => Self::Timestamp,
            "AUTONUMBER" => Self::Autonumber,
            "PREFIXED AUTONUMBER" => Self::PrefixedAutonumber,
            "RANDOM ID" => Self::RandomId,
            "GUID" => Self::Guid,
            "PASSWORD" => Self::Password,
            "FILE" => Self::File,
            "ATTACHMENT" => Self::Attachment,
            "LIST-STRING" => Self::ListString,
            "LIST-NUMBER" => Self::ListNumber,
            "LIST-DATE/TIME" => Self::ListDateTime,
            _ => Self::Other(token.to_owned()),
        }
    }

    /// Unset, it has no value; unset text is "".
    #[must_use]
    pub fn is_null_when_unset(&self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::Integer
                | Self::Currency
                | Self::DateTime
                | Self::File
                | Self::ListString
                | Self::ListNumber
                | Self::ListDateTime
        )
    }

    /// Caspio writes it itself, or it has routes of its own.
    #[must_use]
    pub fn written_by_caspio(&self) -> bool {
        matches!(
            self,
            Self::Timestamp
                | Self::Autonumber
                | Self::PrefixedAutonumber
                | Self::RandomId
                | Self::Guid
                | Self::Attachment
        )
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name, as used in rows and criteria.
    pub name: String,
    /// Type; of a formula, the type of its result.
    pub kind: FieldType,
    /// No two records may have the same value.
    pub unique: bool,
    /// False: Caspio writes it (not `Editable`, formula, autonumber, …).
    pub writable: bool,
    /// Label, "" when there is none.
    pub label: String,
    /// The choices of a LIST field.
    pub choices: Vec<Choice>,
    /// The zone in which Caspio writes a TIMESTAMP, in Caspio's words; "" when there is none.
    #[serde(default)]
    pub time_zone: String,
}

impl Field {
    /// Its value stays until somebody writes it, and is shown alike by a webhook and a read: not so those of formulas,
    /// timestamps, passwords and attachments.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        let own = matches!(self.kind, FieldType::Timestamp | FieldType::Password | FieldType::Attachment);
        // A formula is neither written by people nor of a kind that Caspio fills in once.
        !own && (self.writable || self.kind.written_by_caspio())
    }
}

/// What has the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaKind {
    /// A table.
    #[default]
    Table,
    /// A view: its `PK_ID` is text, one number a table.
    View,
    /// A directory of users.
    Directory {
        /// Caspio's id.
        id: String,
    },
}

impl SchemaKind {
    /// The word for it, for texts.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Directory { .. } => "directory",
        }
    }
}

/// The fields of one table (or view, or directory), without `PK_ID`, which every table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The table's name.
    pub table: String,
    /// What it is.
    #[serde(default)]
    pub kind: SchemaKind,
    /// Its fields in Caspio's order.
    pub fields: Vec<Field>,
}

impl TableSchema {
    /// A field by name, without regard to ASCII case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }
}
