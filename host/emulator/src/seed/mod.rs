//! What an account starts with, read from JSON.
//!
//! A seed names API clients, tables with fields and rows, views, directories, files and tasks
//! ([`objects`]), and settings that differ from the defaults.
//! Rows may set what REST may not: `PK_ID`, generated fields and timestamps. Without a file the
//! embedded clinic (`seeds/clinic.json`) is used. A seed that breaks a rule is refused as a whole,
//! and the error names the place.

mod objects;

use std::path::Path;

use objects::{DirectorySeed, FileSeed, TaskSeed, ViewSeed};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::account::Account;
use crate::auth::Client;
use crate::data::FieldModel;
use crate::data::{Field, Table, Writer};
use crate::environment::Environment;
use crate::error::ApiError;
use crate::settings::Settings;

const CLINIC: &str = include_str!("../../seeds/clinic.json");

/// Why a seed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file cannot be read.
    #[error("the seed file {path} cannot be read: {source}. Check the path and its permissions.")]
    File {
        /// As it was given.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not the JSON of a seed.
    #[error("the seed is malformed: {0}. Correct the JSON.")]
    Json(#[from] serde_json::Error),
    /// A table, field or row breaks a rule of the account.
    #[error("the seed is refused at {place}: {code}. Correct the definition or the row.")]
    Refused {
        /// Table, and row where there is one.
        place: String,
        /// Caspio's code for the broken rule.
        code: String,
    },
}

/// The start of an account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Seed {
    #[serde(default = "account_id")]
    account_id: String,
    #[serde(default)]
    clients: Vec<Client>,
    #[serde(default)]
    settings: Map<String, Json>,
    #[serde(default)]
    tables: Vec<TableSeed>,
    #[serde(default)]
    views: Vec<ViewSeed>,
    #[serde(default)]
    directories: Vec<DirectorySeed>,
    #[serde(default)]
    files: Vec<FileSeed>,
    #[serde(default)]
    tasks: Vec<TaskSeed>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TableSeed {
    name: String,
    #[serde(default)]
    note: String,
    fields: Vec<FieldModel>,
    #[serde(default)]
    rows: Vec<Map<String, Json>>,
}

fn account_id() -> String {
    "c1emu000".to_owned()
}

impl Seed {
    /// From the text of a seed.
    pub fn from_json(text: &str) -> Result<Self, SeedError> {
        Ok(serde_json::from_str(text)?)
    }

    /// From a file.
    pub fn from_file(path: &Path) -> Result<Self, SeedError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SeedError::File { path: path.display().to_string(), source })?;
        Self::from_json(&text)
    }

    /// The embedded clinic, with the client `demo-client` / `demo-secret`.
    pub fn clinic() -> Result<Self, SeedError> {
        Self::from_json(CLINIC)
    }

    /// The defaults with the seed's own settings in place.
    pub fn settings(&self) -> Result<Settings, SeedError> {
        Ok(Settings::default().patched(&Json::Object(self.settings.clone()))?)
    }

    /// Makes the account.
    pub(crate) fn build(self, settings: Settings) -> Result<Account, SeedError> {
        let mut env = Environment::new(settings.random_seed);
        let mut tables = Vec::new();
        for seed in self.tables {
            tables.push(table(seed, &mut env)?);
        }
        let mut account = Account::new(self.account_id, self.clients, tables, settings, env);
        let refused = |place: String, error: ApiError| SeedError::Refused { place, code: error.code };
        for seed in self.views {
            let place = format!("view {}", seed.name);
            objects::view(&mut account, seed).map_err(|error| refused(place, error))?;
        }
        for seed in self.directories {
            objects::directory(&mut account, &seed)
                .map_err(|error| refused(format!("directory {}", seed.name), error))?;
        }
        for seed in self.files {
            let place = format!("file {}", seed.path);
            objects::file(&mut account, seed).map_err(|error| refused(place, error))?;
        }
        for seed in self.tasks {
            objects::task(&mut account, seed);
        }
        Ok(account)
    }
}

fn table(seed: TableSeed, env: &mut Environment) -> Result<Table, SeedError> {
    let refused = |place: String, error: ApiError| SeedError::Refused { place, code: error.code };
    let mut table = Table::new(&seed.name, env.short_id());
    table.note = seed.note;
    for model in &seed.fields {
        let place = || format!("{}.{}", seed.name, model.name.as_deref().unwrap_or("?"));
        let field = Field::create(model).map_err(|error| refused(place(), error))?;
        table.add_field(field, env).map_err(|error| refused(place(), error))?;
    }
    for (at, row) in seed.rows.iter().enumerate() {
        let mut writer = Writer { env, free: true, unique_code: "duplicate" };
        table
            .insert(row, &mut writer)
            .map_err(|error| refused(format!("{}, row {}", seed.name, at + 1), error))?;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clinic_is_sound() {
        let seed = Seed::clinic().unwrap();
        let settings = seed.settings().unwrap();
        let account = seed.build(settings).unwrap();
        assert!(account.table("patients").is_some_and(|table| table.rows().count() > 0));
    }

    #[test]
    fn a_broken_seed_names_the_place() {
        let bad = r#"{"Tables":[{"Name":"T","Fields":[{"Name":"N","Type":"INTEGER"}],"Rows":[{"N":1},{"N":"x"}]}]}"#;
        let error = Seed::from_json(bad).unwrap().build(Settings::default()).unwrap_err();
        assert!(error.to_string().contains("T, row 2"), "{error}");
        assert!(Seed::from_json("{\"Tabels\":[]}").is_err());
    }
}
