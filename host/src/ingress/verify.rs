//! Whether a message is from Caspio.

use std::sync::Arc;

use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::signature::{self, Checked, Pinned};
use super::{Hook, IngressError, Rejection};

/// A message as it came.
pub struct RawMessage {
    /// The webhook whose URL it was sent to.
    pub hook: Arc<Hook>,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What an authentic body is.
pub(super) enum Content {
    /// A JSON object, without the webhook's secret.
    Object(Map<String, Value>),
    /// Anything else.
    Unparsable(Vec<u8>),
}

/// A message that is from Caspio. Only [`verify`] makes one.
pub struct VerifiedMessage {
    pub(super) hook: Arc<Hook>,
    pub(super) content: Content,
    pub(super) size: usize,
    /// A signature was seen for the first time.
    pub(super) pin: Option<Pinned>,
}

/// What [`verify`] says.
pub enum Verified {
    /// It is authentic.
    Authentic(Box<VerifiedMessage>),
    /// It is not.
    Rejected(Rejection),
}

/// Checks signature or secret.
///
/// # Errors
/// When the webhook has no secret yet.
pub fn verify(raw: RawMessage) -> Result<Verified, IngressError> {
    let RawMessage { hook, headers, body } = raw;
    let Some(secret) = &hook.secret else { return Err(IngressError::NotReady) };
    let mut object = parse(&body);
    // Taken out in any case: it must not be kept.
    let body_secret = object.as_mut().and_then(|o| o.shift_remove("secret"));
    let mut pin = None;
    match &hook.pinned {
        Some(pinned) => match signature::check(pinned, &headers, &body, secret) {
            Checked::Valid => {}
            Checked::Wrong => return Ok(Verified::Rejected(Rejection::WrongSignature)),
            Checked::Missing => return Ok(Verified::Rejected(Rejection::Unsigned)),
        },
        None => {
            pin = signature::find(&headers, &body, secret);
            let by_secret = || match &body_secret {
                Some(Value::String(text)) => bool::from(text.as_bytes().ct_eq(secret.expose().as_bytes())),
                _ => false,
            };
            if pin.is_none() && !by_secret() {
                return Ok(Verified::Rejected(Rejection::Unauthentic));
            }
        }
    }
    if let (Some(Value::String(named)), Some(ours)) =
        (object.as_ref().and_then(|o| o.get("webhookId")), &hook.record.caspio_id)
        && !named.is_empty()
        && !named.eq_ignore_ascii_case(ours)
    {
        return Ok(Verified::Rejected(Rejection::OtherWebhook));
    }
    let size = body.len();
    let content = match object {
        Some(object) => Content::Object(object),
        None => Content::Unparsable(body),
    };
    Ok(Verified::Authentic(Box::new(VerifiedMessage { hook, content, size, pin })))
}

fn parse(body: &[u8]) -> Option<Map<String, Value>> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(text).ok()
}
