//! Tests of the client as a whole, against a small server on this machine.

use crate::model::{Choice, Field, FieldType, TableSchema};

/// A table with a field of every type that matters.
pub(super) fn schema() -> TableSchema {
    let field = |name: &str, token: &str| {
        let kind = FieldType::from_token(token);
        Field {
            name: name.to_owned(),
            writable: !kind.written_by_caspio() && name != "Total",
            unique: name == "Email",
            label: String::new(),
            choices: if token.starts_with("LIST") {
                [(2, "English"), (4, "French")]
                    .map(|(key, label)| Choice { key, label: label.to_owned() })
                    .to_vec()
            } else {
                Vec::new()
            },
            kind,
        }
    };
    TableSchema {
        table: "Patients".to_owned(),
        fields: vec![
            field("Email", "STRING"),
            field("Notes", "TEXT"),
            field("Visits", "INTEGER"),
            field("Balance", "CURRENCY"),
            field("Score", "NUMBER"),
            field("Total", "NUMBER"),
            field("Active", "YES/NO"),
            field("Born", "DATE/TIME"),
            field("Created", "TIMESTAMP"),
            field("Number", "AUTONUMBER"),
            field("Languages", "LIST-STRING"),
            field("Secret", "PASSWORD"),
            field("Photo", "ATTACHMENT"),
            field("Odd [name]", "STRING"),
        ],
    }
}

mod calls;
mod server;
