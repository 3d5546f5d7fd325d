//! The signature of a message: HMAC-SHA256 over the raw body, keyed by the webhook's secret.
//!
//! Caspio documents neither header nor encoding, so both are knobs ([`Signature`]). A secret that
//! does not read in the wanted key form is used as text; generated secrets read in all of them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::settings::{Encoding, KeyForm, Signature};

/// The value of the signature header; `None` never happens with a key of bytes.
pub fn sign(how: &Signature, secret: &str, body: &[u8]) -> Option<String> {
    let text = || secret.as_bytes().to_vec();
    let key = match how.key_form {
        KeyForm::Text => text(),
        KeyForm::Hex => hex::decode(secret).unwrap_or_else(|_| text()),
        KeyForm::Base64 => STANDARD.decode(secret).unwrap_or_else(|_| text()),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let written = match how.encoding {
        Encoding::Hex => hex::encode(digest),
        Encoding::Base64 => STANDARD.encode(digest),
        Encoding::Base64Url => URL_SAFE_NO_PAD.encode(digest),
    };
    Some(format!("{}{written}", how.prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_digest() {
        // RFC 4231, test case 2.
        let how = Signature { prefix: "sha256=".into(), ..Signature::default() };
        assert_eq!(
            sign(&how, "Jefe", b"what do ya want for nothing?").as_deref(),
            Some("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        let how = Signature { key_form: KeyForm::Hex, ..Signature::default() };
        assert_eq!(sign(&how, "4a656665", b"x"), sign(&Signature::default(), "Jefe", b"x"));
    }
}
