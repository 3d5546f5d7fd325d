//! Where a Caspio account answers: the integration URL, normalised.
//!
//! People copy it in several forms: with and without scheme, with a path of the REST base or of the
//! token endpoint. Kept are scheme, host and port. Plain http is for a server on this machine only.

use std::fmt;

use reqwest::Url;

/// A text that is not an integration URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// No host can be found in it.
    #[error("this is no integration URL; give it as Caspio shows it, e.g. https://c1abc123.caspio.com")]
    Form,
    /// Plain http to another machine.
    #[error("plain http is accepted for this machine (localhost, 127.0.0.1, [::1]) only; use https://")]
    PlainHttp,
    /// It holds a user name or password.
    #[error("the integration URL holds a user name or password; give the host alone")]
    UserInfo,
}

/// An account's base: `https://host[:port]`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    text: String,
    host: String,
}

impl BaseUrl {
    /// Reads what a person typed: blanks, scheme and path may be there or not.
    ///
    /// # Errors
    /// When there is no host in it, it would be plain http to another machine, or it holds credentials.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| BaseUrlError::Form)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BaseUrlError::Form)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(BaseUrlError::PlainHttp),
            _ => return Err(BaseUrlError::Form),
        }
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self { text: format!("{}://{host}", url.scheme()), host })
    }

    /// `https://host[:port]`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and, when it is not the usual one, port. What shares it shares a rate limit.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl BaseUrl {
    /// The server is on this machine.
    pub(super) fn is_here(&self) -> bool {
        Url::parse(&self.text).is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_the_same_account() {
        for text in [
            "c1abc123.caspio.com",
            " https://c1abc123.caspio.com/ ",
            "https://C1ABC123.caspio.com/integrations/rest/v3",
            "c1abc123.caspio.com/oauth/token",
            "https://c1abc123.caspio.com:443/rest/v2?x=1#y",
        ] {
            let base = BaseUrl::parse(text).expect(text);
            assert_eq!(base.to_string(), "https://c1abc123.caspio.com", "{text}");
            assert_eq!(base.host(), "c1abc123.caspio.com");
        }
        assert_eq!(
            BaseUrl::parse("host.example:8443/x").expect("port").to_string(),
            "https://host.example:8443"
        );
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for text in
            ["http://127.0.0.1:4010", "http://localhost:4010", "http://[::1]:4010", "http://127.9.9.9"]
        {
            assert_eq!(BaseUrl::parse(text).expect(text).to_string(), text);
        }
        for text in
            ["http://c1abc123.caspio.com", "http://128.0.0.1", "http://localhost.example", "http://10.0.0.1"]
        {
            assert_eq!(BaseUrl::parse(text), Err(BaseUrlError::PlainHttp), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "  ", "https://", "ftp://host", "file:///etc", "https://ho st", "://x"] {
            assert_eq!(BaseUrl::parse(text), Err(BaseUrlError::Form), "{text}");
        }
        assert_eq!(BaseUrl::parse("https://me:pw@host"), Err(BaseUrlError::UserInfo));
    }
}
