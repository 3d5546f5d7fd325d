//! `[triggers]` of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How webhooks in Caspio are looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriggerSettings {
    /// Seconds between two looks at a webhook. Default 21600 (6 hours), connections spread over the last quarter of it.
    /// A look costs one integration call a connection and one a webhook: with 10 workflows 44 calls a day. Changes made
    /// while a webhook is away are not sent by Caspio, so a longer time loses more; a shorter one spends more.
    pub check_seconds: u64,
    /// What is found wrong is put right. Default true; false: it is only said, in `caspian status` and the log.
    pub mend: bool,
    /// Seconds for which a webhook goes on firing beside the one that takes its place. Default 600: what Caspio had queued
    /// for the old one has arrived by then. What both tell of starts one run.
    pub retire_seconds: u64,
}

impl Default for TriggerSettings {
    fn default() -> Self {
        Self { check_seconds: 6 * 3600, mend: true, retire_seconds: 600 }
    }
}

impl TriggerSettings {
    pub(super) fn retire(&self) -> Duration {
        Duration::from_secs(self.retire_seconds)
    }
}
