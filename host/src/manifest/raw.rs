//! The file as it is written, with positions.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{
    Chain, DirectoryOp, Effects, FileOp, LimitSettings, Missed, Op, Order, Retry, RunSettings, ViewOp,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) name: Spanned<String>,
    pub(super) component: Spanned<String>,
    pub(super) connection: Option<Spanned<String>>,
    #[serde(default, rename = "trigger")]
    pub(super) triggers: Vec<Spanned<RawTrigger>>,
    #[serde(default)]
    pub(super) grants: RawGrants,
    pub(super) limits: Option<Spanned<LimitSettings>>,
    pub(super) retry: Option<Spanned<Retry>>,
    pub(super) effects: Option<Spanned<Effects>>,
    #[serde(rename = "loop")]
    pub(super) chain: Option<Spanned<Chain>>,
    pub(super) order: Option<Spanned<Order>>,
    pub(super) run: Option<Spanned<RunSettings>>,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrigger {
    pub(super) event: Spanned<String>,
    pub(super) table: Option<Spanned<String>>,
    pub(super) fields: Option<Spanned<Vec<String>>>,
    pub(super) sources: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) batch: bool,
    pub(super) reconcile: Option<Spanned<RawReconcile>>,
    pub(super) cron: Option<Spanned<String>>,
    pub(super) time_zone: Option<Spanned<String>>,
    pub(super) missed: Option<Spanned<Missed>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReconcile {
    pub(super) every: String,
    pub(super) max_calls: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawGrants {
    pub(super) tables: BTreeMap<String, Spanned<Vec<Op>>>,
    pub(super) views: BTreeMap<String, Vec<ViewOp>>,
    pub(super) attachments: BTreeMap<String, Spanned<Vec<String>>>,
    pub(super) files: Vec<FileOp>,
    pub(super) directories: BTreeMap<String, Vec<DirectoryOp>>,
    pub(super) tasks: Vec<String>,
    pub(super) state: bool,
}
