//! Tests of the client as a whole, against a small server on this machine.

use crate::model::{Choice, Field, FieldType, SchemaKind, TableSchema};

/// A table with a field of every type that matters.
pub(super) fn schema() -> TableSchema {
    let field = |name: &str, token: &str| {
        let kind = FieldType::from_token(token);
        let choices: &[(u32, &str)] = match token {
            "LIST-STRING" => &[(2, "English"), (4, "French")],
            "LIST-NUMBER" => &[(1, "10"), (2, "20.5")],
            "LIST-DATE/TIME" => &[(7, "2026-03-04T00:00:00")],
            _ => &[],
        };
        Field {
            name: name.to_owned(),
            writable: !kind.written_by_caspio() && name != "Total",
            unique: name == "Email",
            label: String::new(),
            choices: choices
                .iter()
                .map(|(key, label)| Choice { key: *key, label: (*label).to_owned() })
                .collect(),
            time_zone: String::new(),
            kind,
        }
    };
    TableSchema {
        table: "Patients".to_owned(),
        kind: SchemaKind::Table,
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
            field("Rooms", "LIST-NUMBER"),
            field("Holidays", "LIST-DATE/TIME"),
            field("File", "FILE"),
            field("Guid", "GUID"),
            field("Code", "PREFIXED AUTONUMBER"),
            field("Random", "RANDOM ID"),
        ],
    }
}

mod calls;
mod injection;
pub(in crate::caspio) mod nasty;
pub(in crate::caspio) mod server;
