//! A request and an answer, as the rest of the crate sees them.
//!
//! [`Request`] is read whole before anything happens, so handlers are plain functions that run under
//! one lock. Path segments and query are decoded here; names of query parameters match in any case,
//! as ASP.NET binds them. A body is JSON or refused.

use axum::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::data::StoredFile;
use crate::data::value::text_truth;
use crate::error::ApiError;

/// A request, read whole.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// As sent, still encoded.
    pub path: String,
    /// As sent, still encoded.
    pub query_text: String,
    /// Decoded, without empty ones.
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub authorization: Option<String>,
    pub content_type: Option<String>,
    pub body: Bytes,
    /// `http://host:port` that the client used.
    pub origin: String,
}

impl Request {
    /// Decoded segments of an encoded path.
    pub fn segments_of(path: &str) -> Vec<String> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
    }

    /// Pairs of an encoded query or form.
    pub fn pairs_of(text: &str) -> Vec<(String, String)> {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            })
            .collect()
    }

    /// A query parameter that is there and not blank.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// A parameter that is a whole number.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.param(name)
            .map(|text| {
                text.trim().parse().map_err(|_| ApiError::query(format!("{name} must be a whole number.")))
            })
            .transpose()
    }

    /// The body as a JSON object. Duplicate names: the last one counts.
    pub fn object(&self) -> Result<Map<String, Json>, ApiError> {
        match self.json()? {
            Json::Object(members) => Ok(members),
            Json::Array(_) => Err(ApiError::body("The body must be one JSON object, not an array.")),
            _ => Err(ApiError::body("The body must be a JSON object.")),
        }
    }

    /// The body as JSON of any shape.
    pub fn json(&self) -> Result<Json, ApiError> {
        if self.body.is_empty() {
            return Err(ApiError::body("The body is missing. Send JSON."));
        }
        let kind = self.content_type.as_deref().unwrap_or("").to_ascii_lowercase();
        if !kind.starts_with("application/json") && !kind.starts_with("text/json") {
            return Err(ApiError::media("application/json"));
        }
        serde_json::from_slice(&self.body).map_err(|_| ApiError::body("The body is no JSON."))
    }

    /// The condition of a PUT or DELETE: `q.where`, or `where` as Caspio's own client sends it.
    pub fn condition(&self) -> Result<&str, ApiError> {
        self.param("q.where").or_else(|| self.param("where")).ok_or_else(|| {
            ApiError::query("q.where is missing. Say which records are meant; PK_ID>0 means all.")
        })
    }

    /// Whether the caller asks for the rows that it wrote.
    pub fn wants_rows(&self) -> bool {
        self.param("response").is_some_and(|value| value.eq_ignore_ascii_case("rows"))
    }

    /// A parameter that is true or false; false when it is not there.
    pub fn truth(&self, name: &str) -> Result<bool, ApiError> {
        self.param(name).map_or(Ok(false), |text| {
            text_truth(text).ok_or_else(|| ApiError::query(format!("{name} must be true or false.")))
        })
    }

    /// The body as a known shape.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let members = Json::Object(self.object()?);
        serde_json::from_value(members)
            .map_err(|error| ApiError::body(format!("The body does not fit: {error}.")))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Body>,
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Json(Json),
    Text(String),
    /// A download: content type and bytes.
    Bytes(String, Bytes),
}

impl Reply {
    /// JSON with a status.
    pub fn json(status: u16, body: Json) -> Self {
        Self { status, headers: Vec::new(), body: Some(Body::Json(body)) }
    }

    /// The content of a file, to be saved under its name.
    pub fn download(file: &StoredFile) -> Self {
        let plain: String =
            file.name.chars().map(|c| if c == '"' || c == '\\' || !c.is_ascii() { '_' } else { c }).collect();
        let exact = utf8_percent_encode(&file.name, NON_ALPHANUMERIC);
        let named = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}");
        Self {
            status: 200,
            headers: vec![("content-disposition", named)],
            body: Some(Body::Bytes(file.content_type.clone(), file.bytes.clone())),
        }
    }

    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }
}
