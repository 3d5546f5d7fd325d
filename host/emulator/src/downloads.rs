//! Download URLs of files in messages: `[@field:F/]` of a payload template.
//!
//! A URL holds a random token, needs no other one, and is good for some minutes (reference, section 15). The
//! file is the one of the moment of the message. URLs that have run out are forgotten when the next is made.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data::StoredFile;
use crate::error::ApiError;
use crate::http::Reply;

/// The path below which downloads are.
pub const PATH: &str = "downloads";

/// Files by token, each until its time.
#[derive(Default)]
pub struct Downloads(HashMap<String, (Arc<StoredFile>, Instant)>);

impl std::fmt::Debug for Downloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Downloads").field("files", &self.0.len()).finish()
    }
}

impl Downloads {
    /// Offers a file under a token.
    pub fn offer(&mut self, token: &str, file: Arc<StoredFile>, seconds: u64, now: Instant) {
        self.0.retain(|_, (_, ends)| *ends > now);
        self.0.insert(token.to_owned(), (file, now + Duration::from_secs(seconds)));
    }

    /// The file behind a token.
    pub fn get(&self, token: &str, now: Instant) -> Result<Reply, ApiError> {
        let found = self.0.get(token).filter(|(_, ends)| *ends > now);
        found.map(|(file, _)| Reply::download(file)).ok_or_else(|| ApiError::file("file"))
    }
}
