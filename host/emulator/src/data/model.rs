//! A field definition as a request or a seed writes it.
//!
//! Members are those of the contract's FieldModel and UpdateFieldModel; another one is refused. What
//! they may say is judged in [`super::field`].

use serde::Deserialize;
use serde_json::Value as Json;

/// A field definition in a request body; a member that is missing stays as it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct FieldModel {
    pub name: Option<String>,
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    pub unique: Option<bool>,
    pub unique_allow_nulls: Option<bool>,
    pub label: Option<String>,
    pub description: Option<String>,
    pub display_order: Option<i64>,
    pub on_insert: Option<bool>,
    pub on_update: Option<bool>,
    pub time_zone: Option<String>,
    pub format: Option<String>,
    pub prefix: Option<String>,
    pub length: Option<u32>,
    pub is_formula: Option<bool>,
    pub list_field: Option<Vec<Json>>,
    pub attachment_permitted_file_types: Option<Vec<String>>,
    pub attachment_min_file_size: Option<i64>,
    pub attachment_max_file_size: Option<i64>,
    pub attachment_smart_resizer: Option<bool>,
    pub attachment_smart_resizer_for_retina: Option<bool>,
    pub attachment_alt_text: Option<String>,
    pub attachment_title: Option<String>,
}
