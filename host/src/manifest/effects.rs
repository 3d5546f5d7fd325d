//! `[effects]`: what becomes of a create of which nobody knows whether Caspio did it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What becomes of such a create.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undecided {
    /// The run is parked for a person: at most once.
    #[default]
    Park,
    /// It is sent again: at least once.
    Retry,
    /// The host writes a text that no other record has into this field, which is Unique in Caspio, and sends it again: what
    /// Caspio then refuses as not unique was done. Exactly once.
    Verify(String),
}

/// `[effects]` of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Effects {
    /// By table.
    pub creates: BTreeMap<String, Undecided>,
}

impl Effects {
    /// What becomes of creates in a table. Names are compared as Caspio does, without regard to case.
    #[must_use]
    pub fn of_creates(&self, table: &str) -> &Undecided {
        let found = self.creates.iter().find(|(name, _)| name.eq_ignore_ascii_case(table));
        found.map_or(&Undecided::Park, |(_, policy)| policy)
    }

    /// Tables whose creates are verified, with the field.
    pub fn verified(&self) -> impl Iterator<Item = (&str, &str)> {
        self.creates.iter().filter_map(|(table, policy)| match policy {
            Undecided::Verify(field) => Some((table.as_str(), field.as_str())),
            _ => None,
        })
    }
}
