//! Directories: people who may sign in, each a row with a few attributes beside it.
//!
//! A directory is a table of its own (`UserGUID` and `Email` first, then what the seed names) that no view,
//! datasheet or webhook sees. Reads show three attributes more, `_status`, `_sign_in_method` and
//! `_2fa_status`; conditions of PUT and DELETE cannot name them (contract). A user who is made by REST is
//! inactive until activated: REST asks for an activation, the person follows its link.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use crate::data::{Field, FieldModel, FieldType, Table, Value, Writer};
use crate::environment::{self, Environment};
use crate::error::ApiError;
use crate::hooks::Stamps;

/// The attributes that reads show.
pub const ATTRIBUTES: [&str; 3] = ["_status", "_sign_in_method", "_2fa_status"];

/// The values of `_status`.
pub const STATUSES: [&str; 7] = [
    "Active",
    "Inactive",
    "ActivationPending",
    "ActivationExpired",
    "Locked",
    "Suspended",
    "PasswordExpired",
];

/// A directory.
#[derive(Debug)]
pub struct Directory {
    pub id: String,
    pub table: Table,
    pub stamps: Stamps,
    /// `_status` by key of the row; inactive when it is not there.
    statuses: HashMap<i64, &'static str>,
}

impl Directory {
    /// An empty directory with further fields.
    pub fn new(name: &str, fields: &[FieldModel], by: &str, env: &mut Environment) -> Result<Self, ApiError> {
        let mut table = Table::new(name, env.short_id());
        for (name, kind) in [("UserGUID", FieldType::Guid), ("Email", FieldType::String)] {
            let mut field = Field::plain(name, kind);
            field.unique = true;
            table.add_field(field, env)?;
        }
        for model in fields {
            table.add_field(Field::create(model)?, env)?;
        }
        let stamps = Stamps { created: environment::now_text(), created_by: by.to_owned(), modified: None };
        Ok(Self { id: env.short_id(), table, stamps, statuses: HashMap::new() })
    }

    /// Adds a user; `_status` counts only where generated fields may be set.
    pub fn insert(&mut self, body: &Map<String, Json>, writer: &mut Writer<'_>) -> Result<i64, ApiError> {
        let mut body = body.clone();
        let status = if writer.free { body.remove("_status") } else { None };
        let email = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("Email"));
        if email.and_then(|(_, value)| value.as_str()).is_none_or(|text| text.trim().is_empty()) {
            return Err(ApiError::body("Email is missing. Every user needs one."));
        }
        let status = match status.as_ref().map(Json::as_str) {
            None => "Inactive",
            Some(text) => STATUSES
                .into_iter()
                .find(|known| Some(*known) == text)
                .ok_or_else(|| ApiError::values(&["_status"]))?,
        };
        let row = self.table.insert(&body, writer)?;
        self.statuses.insert(row.pk_id, status);
        Ok(row.pk_id)
    }

    /// `_status` of a user.
    pub fn status(&self, key: i64) -> &'static str {
        self.statuses.get(&key).copied().unwrap_or("Inactive")
    }

    /// Gives a user another `_status`.
    pub fn set_status(&mut self, key: i64, status: &'static str) {
        self.statuses.insert(key, status);
    }

    /// The key of a user by `UserGUID`.
    pub fn user(&self, guid: &str) -> Option<i64> {
        let at = self.table.position("UserGUID")?;
        let is = |value: &Value| value.as_text().is_some_and(|text| text.eq_ignore_ascii_case(guid.trim()));
        self.table.rows().find(|row| row.values.get(at).is_some_and(is)).map(|row| row.pk_id)
    }

    /// Forgets what belongs to users that are gone.
    pub fn forget(&mut self, keys: &[i64]) {
        for key in keys {
            self.statuses.remove(key);
        }
    }

    /// Notes who changed something.
    pub fn touch(&mut self, by: &str) {
        self.stamps.modified = Some((environment::now_text(), by.to_owned()));
    }

    /// The users with their attributes.
    pub fn shown(&self) -> Table {
        let attributes = ATTRIBUTES.map(|name| Field::plain(name, FieldType::String));
        let fields = self.table.fields.iter().cloned().chain(attributes).collect();
        let rows = self.table.rows().map(|row| {
            let extra = [self.status(row.pk_id), "Caspio", "Disabled"];
            let extra = extra.map(|text| Value::Text(text.to_owned()));
            (row.pk_id, row.values.iter().cloned().chain(extra).collect())
        });
        Table::shown(&self.table.name, fields, None, rows)
    }
}
