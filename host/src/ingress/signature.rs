//! Caspio's signature: HMAC-SHA256 of the raw body under the webhook's secret.
//!
//! Since Caspio 73.0 every call carries one, but header name, encoding and form of the key are not
//! documented. So every header is tried, in hex and base64, with the key as text, hex and base64;
//! which header and key it was is pinned at the webhook's first signed message and required since.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secrets::Secret;

/// How the secret is read as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KeyForm {
    Text,
    Hex,
    Base64,
}

/// What a webhook's signatures look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pinned {
    /// Name of the header, lower case.
    pub(super) header: String,
    /// Form of the key.
    pub(super) key: KeyForm,
}

impl Pinned {
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Header names in lower case, with their values.
pub(super) type Headers = [(String, Vec<u8>)];

/// Looks for a header that is the body's signature.
pub(super) fn find(headers: &Headers, body: &[u8], secret: &Secret) -> Option<Pinned> {
    for key in [KeyForm::Text, KeyForm::Hex, KeyForm::Base64] {
        let Some(mac) = mac(key, secret, body) else { continue };
        // No early end: how long it takes must not tell which header was how close.
        let mut found = None;
        for (name, value) in headers {
            if matches(value, &mac) {
                found = Some(Pinned { header: name.clone(), key });
            }
        }
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Whether a message has the signature that its webhook's messages have.
pub(super) enum Checked {
    Valid,
    Wrong,
    Missing,
}

pub(super) fn check(pinned: &Pinned, headers: &Headers, body: &[u8], secret: &Secret) -> Checked {
    let Some(mac) = mac(pinned.key, secret, body) else { return Checked::Wrong };
    let mut seen = Checked::Missing;
    for (name, value) in headers {
        if *name == pinned.header {
            if matches(value, &mac) {
                return Checked::Valid;
            }
            seen = Checked::Wrong;
        }
    }
    seen
}

fn mac(form: KeyForm, secret: &Secret, body: &[u8]) -> Option<[u8; 32]> {
    let text = secret.expose();
    let key = match form {
        KeyForm::Text => text.as_bytes().to_vec(),
        KeyForm::Hex => hex::decode(text).ok()?,
        KeyForm::Base64 => STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?,
    };
    if key.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(body);
    Some(mac.finalize().into_bytes().into())
}

/// Whether a header's value is this MAC, in hex or base64, with or without `sha256=` before it.
fn matches(value: &[u8], mac: &[u8; 32]) -> bool {
    let value = value.trim_ascii();
    let bare = match value.split_at_checked(7) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"sha256=") => rest,
        _ => value,
    };
    let decoded = match bare.len() {
        64 => hex::decode(bare).ok(),
        44 => STANDARD.decode(bare).or_else(|_| URL_SAFE.decode(bare)).ok(),
        43 => STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok(),
        _ => None,
    };
    decoded.is_some_and(|bytes| bytes.as_slice().ct_eq(mac.as_slice()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_guess_is_found_and_pinned() {
        let secret = Secret::new(hex::encode([7_u8; 32]));
        let body = br#"{"a":1}"#;
        for form in [KeyForm::Text, KeyForm::Hex, KeyForm::Base64] {
            let mac = mac(form, &secret, body).unwrap();
            for text in [
                hex::encode(mac),
                hex::encode_upper(mac),
                STANDARD.encode(mac),
                URL_SAFE_NO_PAD.encode(mac),
                format!("sha256={}", hex::encode(mac)),
                format!("SHA256={}", STANDARD.encode(mac)),
            ] {
                let headers = [
                    ("content-type".to_owned(), b"application/json".to_vec()),
                    ("x-signature".to_owned(), text.into_bytes()),
                ];
                let pinned = find(&headers, body, &secret).unwrap();
                assert_eq!(pinned, Pinned { header: "x-signature".to_owned(), key: form });
                assert_eq!(Pinned::parse(&pinned.to_text()), Some(pinned.clone()));
                assert!(matches!(check(&pinned, &headers, body, &secret), Checked::Valid));
                assert!(matches!(check(&pinned, &headers, b"{}", &secret), Checked::Wrong));
                assert!(matches!(check(&pinned, &headers[..1], body, &secret), Checked::Missing));
                assert!(find(&headers, b"other", &secret).is_none());
            }
        }
    }
}
