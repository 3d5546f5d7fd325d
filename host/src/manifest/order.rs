//! `[order]`: events of one record one after another, and what becomes of those that are older than what is done.

use serde::Deserialize;

/// What events have in common that run one after another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderBy {
    /// The record: same table and `PK_ID`.
    Record,
    /// The value of this field, in whatever table of the triggers.
    Field(String),
}

/// What the next event waits for when the run before it is dead or parked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// For a person's decision about it: no event overtakes another.
    #[default]
    Block,
    /// For nothing: it is passed over.
    GoOn,
}

impl OnFailure {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::GoOn => "go-on",
        }
    }
}

/// What becomes of an event that is older than the newest one of its record that is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stale {
    /// It runs like any other.
    #[default]
    Run,
    /// Its run is skipped.
    Skip,
}

/// `[order]` of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// Which events run one after another; none: no event waits for another.
    pub by: Option<OrderBy>,
    /// Whether a dead or parked run holds up those behind it. Default `block`: who wants an order wants it also when
    /// something goes wrong.
    pub on_failure: OnFailure,
    /// What becomes of stale events. Default `run`: nothing is left out unless the manifest says so.
    pub stale: Stale,
}

impl Order {
    /// The first thing that is wrong with it.
    pub(super) fn mistake(&self) -> Option<&'static str> {
        match &self.by {
            None if self.on_failure != OnFailure::Block => {
                Some("`order.on_failure` goes with `order.by` only; add by = \"record\", or remove it")
            }
            Some(OrderBy::Field(name)) if name.trim().is_empty() => {
                Some("`order.by` must be \"record\" or { field = \"NAME\" } with the name of a field")
            }
            _ => None,
        }
    }
}
