//! Bodies of `multipart/form-data` (RFC 7578), which is how files come.
//!
//! A body is read whole and cut at its boundary. A part keeps its form name, file name, content type
//! and bytes; a body without a proper boundary or end is refused. `filename*` (RFC 5987) wins over
//! `filename`, since it carries names beyond ASCII.

use axum::body::Bytes;
use percent_encoding::percent_decode_str;

use crate::data::StoredFile;
use crate::data::stored::is_name;
use crate::error::ApiError;
use crate::http::Request;

struct Part {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    bytes: Bytes,
}

/// The files in the parts of one form name, in order; at least one.
pub fn files(request: &Request, part: &str, largest: usize) -> Result<Vec<StoredFile>, ApiError> {
    let mut found = Vec::new();
    for part in parts(request)?.into_iter().filter(|own| own.name.eq_ignore_ascii_case(part)) {
        let name = part.file_name.filter(|name| is_name(name)).ok_or_else(|| {
            ApiError::body("A file has no usable name. Send filename in Content-Disposition.")
        })?;
        if part.bytes.len() > largest {
            return Err(ApiError::new(413, "PayloadTooLarge", "The file is too large. Send a smaller one."));
        }
        let kind = part.content_type.filter(|kind| kind.contains('/'));
        let kind = kind.as_deref().unwrap_or("application/octet-stream");
        found.push(StoredFile::new(&name, kind, part.bytes));
    }
    if found.is_empty() {
        return Err(ApiError::body(format!("There is no part named {part} with a file. Send one.")));
    }
    Ok(found)
}

fn parts(request: &Request) -> Result<Vec<Part>, ApiError> {
    let kind = request.content_type.as_deref().unwrap_or("");
    if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(ApiError::media("multipart/form-data"));
    }
    let broken = || ApiError::body("The multipart body cannot be read. Check its boundary.");
    let boundary = parameter(kind, "boundary").filter(|text| !text.is_empty()).ok_or_else(broken)?;
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let body = &request.body;
    // The first boundary may stand at the very beginning, without a line break before it.
    let opening = delimiter.get(2..).unwrap_or_default();
    let mut at = if body.starts_with(opening) {
        opening.len()
    } else {
        find(body, &delimiter, 0).ok_or_else(broken)? + delimiter.len()
    };
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        let line_end = find(body, b"\r\n", at).ok_or_else(broken)?;
        let end = find(body, &delimiter, line_end).ok_or_else(broken)?;
        // Without headers the blank line is the line break that ends the boundary.
        let head_end = find(body, b"\r\n\r\n", line_end).filter(|at| at + 4 <= end).ok_or_else(broken)?;
        let head = String::from_utf8_lossy(body.get(line_end + 2..head_end).unwrap_or_default()).into_owned();
        parts.push(part(&head, body.slice(head_end + 4..end)));
        at = end + delimiter.len();
    }
}

fn part(head: &str, bytes: Bytes) -> Part {
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let disposition = header("content-disposition").unwrap_or_default();
    let exact = parameter(&disposition, "filename*").and_then(|text| {
        let encoded = text.get(7..).filter(|_| text.to_ascii_lowercase().starts_with("utf-8''"))?;
        Some(percent_decode_str(encoded).decode_utf8().ok()?.into_owned())
    });
    Part {
        name: parameter(&disposition, "name").unwrap_or_default(),
        file_name: exact.or_else(|| parameter(&disposition, "filename")),
        content_type: header("content-type"),
        bytes,
    }
}

fn find(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.windows(wanted.len()).position(|window| window == wanted).map(|at| at + from)
}

/// A parameter of a header value, quoted or not.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (name, value) = rest.split_once('=')?;
        let name = name.trim().trim_start_matches(';').trim();
        let (value, after) = match value.trim_start().strip_prefix('"') {
            None => {
                let (value, after) = value.split_once(';').unwrap_or((value, ""));
                (value.trim().to_owned(), after)
            }
            Some(quoted) => {
                let mut value = String::new();
                let mut chars = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, c)) = chars.next() {
                    match c {
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        '\\' => value.extend(chars.next().map(|(_, c)| c)),
                        c => value.push(c),
                    }
                }
                (value, quoted.get(end..).unwrap_or(""))
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, body: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query_text: String::new(),
            segments: Vec::new(),
            query: Vec::new(),
            authorization: None,
            content_type: Some(kind.to_owned()),
            body: Bytes::copy_from_slice(body.as_bytes()),
            origin: String::new(),
        }
    }

    #[test]
    fn parts_are_cut_at_the_boundary() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"Files\"; filename=\"a \\\"1\\\".txt\"\r\n\
                    Content-Type: text/plain\r\n\r\none\r\n--two\r\n--b\r\n\
                    content-disposition: form-data; filename=x; name=Files; filename*=UTF-8''%C3%A4.txt\r\n\r\n\
                    \r\n--b\r\nContent-Disposition: form-data; name=Other\r\n\r\nz\r\n--b--\r\n";
        let request = request("multipart/form-data; boundary=\"b\"", body);
        let parts = parts(&request).unwrap();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0].file_name.as_deref(), Some("a \"1\".txt"));
        assert_eq!(&parts[0].bytes[..], b"one\r\n--two");
        assert_eq!(parts[1].file_name.as_deref(), Some("ä.txt"));
        assert_eq!((parts[1].name.as_str(), parts[1].bytes.len()), ("Files", 0));
        assert_eq!(parts[2].file_name, None);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (kind, body, status) in [
            ("application/json", "{}", 415),
            ("multipart/form-data", "--b--", 400),
            ("multipart/form-data; boundary=b", "", 400),
            ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=Files", 400),
            ("multipart/form-data; boundary=b", "--b--\r\n", 400),
        ] {
            let error = files(&request(kind, body), "Files", 100).unwrap_err();
            assert_eq!(error.status, status, "{kind} {body}");
        }
    }
}
