//! Whether a message is from Caspio.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use crate::model::Event;

use super::cut::{Cut, cut};
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

impl VerifiedMessage {
    /// The events in it, typed, as [`persist`](super::persist) would store them; none when it holds none.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        match &self.content {
            Content::Object(object) => match cut(&self.hook, object) {
                Cut::Events(events, _) => events,
                Cut::Nothing(_) | Cut::Unparsable(_) => Vec::new(),
            },
            Content::Unparsable(_) => Vec::new(),
        }
    }
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
    let mut pin = None;
    match &hook.pinned {
        Some(pinned) => match signature::check(pinned, &headers, &body, secret) {
            Checked::Valid => {}
            Checked::Wrong => return Ok(Verified::Rejected(Rejection::WrongSignature)),
            Checked::Missing => return Ok(Verified::Rejected(Rejection::Unsigned)),
        },
        None => {
            pin = signature::find(&headers, &body, secret);
            let by_secret = || match claimed_secret(&body) {
                Some(text) => bool::from(text.as_bytes().ct_eq(secret.expose().as_bytes())),
                None => false,
            };
            if pin.is_none() && !by_secret() {
                return Ok(Verified::Rejected(Rejection::Unauthentic));
            }
        }
    }
    // Only now, when it is known to be Caspio's, is it worth memory.
    let mut object = parse(&body);
    if let Some(object) = &mut object {
        // It must not be kept.
        object.shift_remove("secret");
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
        None => Content::Unparsable(without(body, secret.expose().as_bytes())),
    };
    Ok(Verified::Authentic(Box::new(VerifiedMessage { hook, content, size, pin })))
}

/// The secret that a body claims, read without keeping the rest; the last one when there are several.
fn claimed_secret(body: &[u8]) -> Option<String> {
    struct Claim;
    impl<'de> Visitor<'de> for Claim {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut secret = None;
            while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
                if name == "secret" {
                    secret = map.next_value::<Value>()?.as_str().map(str::to_owned);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(secret)
        }
    }
    serde_json::Deserializer::from_slice(without_mark(body)).deserialize_map(Claim).ok().flatten()
}

/// What can't be read may still hold the secret: every occurrence is overwritten with '*'.
fn without(mut body: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut from = 0;
    while let Some(rest) = body.get_mut(from..)
        && let Some(at) = rest.windows(secret.len().max(1)).position(|window| window == secret)
    {
        if let Some(found) = rest.get_mut(at..at + secret.len()) {
            found.fill(b'*');
        }
        from += at + secret.len().max(1);
    }
    body
}

fn parse(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(without_mark(body)).ok()
}

/// Without a byte order mark.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::model::{ConnectionId, TenantId, WebhookId, WorkflowId};
    use crate::secrets::{MasterKey, Secret};
    use crate::store::{Rejected, WebhookRecord, WebhookStage};

    const SECRET: &str = "5eC4e7";

    fn hook() -> Arc<Hook> {
        let tenant: TenantId = TenantId::DEFAULT.parse().unwrap();
        let (key, _) = MasterKey::generate().unwrap().new_tenant_key(tenant.as_str()).unwrap();
        let record = WebhookRecord {
            id: WebhookId::new(),
            tenant,
            workflow: WorkflowId::new(),
            workflow_name: String::new(),
            connection: ConnectionId::new(),
            connection_name: String::new(),
            name: String::new(),
            url_hash: [0; 32],
            sealed_url_id: Vec::new(),
            stage: WebhookStage::Ready,
            caspio_id: None,
            sealed_secret: None,
            pinned_signature: None,
            tombstone_until: None,
            public_url: None,
            twinned: false,
            checked_at: None,
            trouble: None,
            rejected: Rejected::default(),
            triggers: Vec::new(),
            created_at: Time::now(),
        };
        let (secret, sequence) = (Some(Secret::new(SECRET.to_owned())), crate::ingress::Sequence::default());
        Arc::new(Hook { record, secret, pinned: None, key, sequence })
    }

    fn content(body: &str) -> Option<Content> {
        match verify(RawMessage { hook: hook(), headers: Vec::new(), body: body.into() }).unwrap() {
            Verified::Authentic(message) => Some(message.content),
            Verified::Rejected(_) => None,
        }
    }

    #[test]
    fn the_secret_is_not_part_of_what_is_kept() {
        for body in [
            format!("{{\"secret\":\"{SECRET}\",\"data\":[]}}"),
            format!("\u{feff}{{\"data\":[],\"secret\":\"\",\"secret\":\"{SECRET}\"}}"),
        ] {
            let Some(Content::Object(object)) = content(&body) else { panic!("{body}") };
            assert_eq!(serde_json::to_string(&object).unwrap(), "{\"data\":[]}");
        }
        assert!(content("{\"secret\":\"other\"}").is_none());
    }

    #[test]
    fn the_secret_is_overwritten_in_what_can_not_be_read() {
        let clean = |body: &str| String::from_utf8(without(body.as_bytes().to_vec(), b"s3c")).unwrap();
        assert_eq!(clean("s3c {s3cs3c s3 s3c"), "*** {****** s3 ***");
        assert_eq!(clean(""), "");
        assert_eq!(clean("s3"), "s3");
    }
}
