//! Files on their way: the form that an upload is, and how large one may be.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use reqwest::header::HeaderValue;

use super::classify::Subject;
use super::error::ErrorKind;
use super::transport::Call;
use super::{CallContext, Caspio, CaspioError};

/// Longest name of a file, as file systems have it.
const LONGEST_NAME: usize = 255;

impl Caspio {
    /// A file may be sent under this name.
    ///
    /// # Errors
    /// When it is too large, or its name is none.
    pub fn check_upload(&self, name: &str, size: usize) -> Result<(), CaspioError> {
        check_file_name(name)?;
        if size > self.shared.settings.max_file_bytes {
            return Err(self.file_too_large());
        }
        Ok(())
    }

    /// The content of a file.
    pub(super) async fn download(
        &self,
        context: &CallContext,
        url: Url,
        subject: Subject<'_>,
    ) -> Result<Vec<u8>, CaspioError> {
        let max_bytes = self.shared.settings.max_file_bytes;
        let call = Call { wants_bytes: true, max_bytes, subject, ..self.call(reqwest::Method::GET, url) };
        self.body(context, &call).await.map_err(|error| match error.kind {
            ErrorKind::AnswerTooLarge => self.file_too_large(),
            _ => error,
        })
    }

    fn file_too_large(&self) -> CaspioError {
        CaspioError::too_large(format!(
            "the file is larger than the {} bytes that this host takes; make it smaller, or raise caspio.max_file_bytes",
            self.shared.settings.max_file_bytes
        ))
    }
}

/// A name of a file: one line, no path.
///
/// # Errors
/// When it is anything else.
pub(super) fn check_file_name(name: &str) -> Result<(), CaspioError> {
    let unfit = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if name.is_empty() || name.encode_utf16().count() > LONGEST_NAME || name.contains(unfit) {
        return Err(CaspioError::invalid(
            "",
            "a file's name has 1 to 255 characters, none of which is a slash, a backslash or a line end",
        ));
    }
    Ok(())
}

/// A form with one file (RFC 7578): its content type and its bytes. The name is written as browsers do.
pub(super) fn form(
    part: &str,
    file_name: &str,
    content: &[u8],
) -> Result<(HeaderValue, Vec<u8>), CaspioError> {
    // Random, so that it is not in the content.
    let boundary = format!("caspian-{}", uuid::Uuid::new_v4().simple());
    let name = file_name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    // What servers of Caspio's kind prefer where the plain form can't say it.
    let exact = if name == file_name && name.is_ascii() {
        String::new()
    } else {
        format!("; filename*=UTF-8''{}", utf8_percent_encode(file_name, NON_ALPHANUMERIC))
    };
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"{exact}\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
        .map_err(|_| CaspioError::misuse("an upload has no content type"))?;
    Ok((kind, [head.as_bytes(), content, tail.as_bytes()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_end_its_header() {
        let (kind, body) = form("File", "a\"; name=\"x é.pdf", b"\r\n--x").expect("a form");
        let boundary = kind.to_str().expect("text").rsplit('=').next().expect("a boundary").to_owned();
        let text = String::from_utf8(body).expect("text");
        let head = "name=\"File\"; filename=\"a%22; name=%22x é.pdf\"; filename*=UTF-8''a%22%3B%20name%3D%22x%20%C3%A9%2Epdf\r\n";
        assert!(text.contains(head), "{text}");
        assert!(text.ends_with(&format!("\r\n\r\n\r\n--x\r\n--{boundary}--\r\n")), "{text}");
        for name in ["", "a/b", "a\\b", "a\r\nb", "\0", &"x".repeat(256)] {
            assert!(check_file_name(name).is_err(), "{name:?}");
        }
    }
}
