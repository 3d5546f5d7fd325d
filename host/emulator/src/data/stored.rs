//! The bytes of one file with its name, type and dates.
//!
//! Attachments of records and files of the account are both one of these. A seed or an import writes
//! it as `{"FileName":"x.pdf","ContentType":"…","Base64":"…"}`, or with `Text` in place of `Base64`.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value as Json;

use super::value::Misfit;
use crate::environment;

/// A file. Dates are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// With its extension.
    pub name: String,
    pub content_type: String,
    pub bytes: Bytes,
    pub created: String,
    pub modified: String,
}

/// How a seed writes content.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct FileModel {
    file_name: Option<String>,
    content_type: Option<String>,
    text: Option<String>,
    base64: Option<String>,
}

impl StoredFile {
    /// A file that is new now.
    pub fn new(name: &str, content_type: &str, bytes: Bytes) -> Self {
        let now = environment::now_text();
        Self {
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            bytes,
            created: now.clone(),
            modified: now,
        }
    }

    /// From the form of a seed.
    pub fn from_model(model: &FileModel) -> Option<Self> {
        let name = model.file_name.as_deref().filter(|name| is_name(name))?;
        let bytes = match (&model.base64, &model.text) {
            (Some(text), None) => STANDARD.decode(text).ok()?,
            (None, Some(text)) => text.clone().into_bytes(),
            _ => return None,
        };
        let kind = model.content_type.as_deref().unwrap_or("application/octet-stream");
        Some(Self::new(name, kind, bytes.into()))
    }

    /// From the JSON of a seed's row.
    pub fn from_json(json: &Json) -> Result<Self, Misfit> {
        let model: FileModel = serde_json::from_value(json.clone()).map_err(|_| Misfit)?;
        Self::from_model(&model).ok_or(Misfit)
    }

    /// The name without its extension, and the extension without its point.
    pub fn parts(&self) -> (&str, &str) {
        match self.name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, extension),
            _ => (&self.name, ""),
        }
    }

    /// The same content under another name; the extension stays.
    pub fn renamed(&self, name: &str) -> Self {
        let (_, extension) = self.parts();
        let kept = format!(".{extension}");
        let has_it = extension.is_empty() || name.to_lowercase().ends_with(&kept.to_lowercase());
        let name = if has_it { name.to_owned() } else { format!("{name}{kept}") };
        Self { name, modified: environment::now_text(), ..self.clone() }
    }
}

/// Whether a file or folder may have this name.
pub fn is_name(name: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    !name.trim().is_empty()
        && name.chars().count() <= 255
        && !name.contains(odd)
        && name != "."
        && name != ".."
}
