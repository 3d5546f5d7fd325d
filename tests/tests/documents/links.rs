//! What the documents point to is there.

use std::path::Path;

use caspian_e2e::repository;

use crate::markdown::{documents, links, read, spans};

/// Paths in the documents that are not of the repository.
const ELSEWHERE: &[&str] = &["DATA/", "target/", "caspian-data/", "components/", "compiled/"];

#[test]
fn relative_links_lead_somewhere() {
    let mut count = 0;
    for file in documents() {
        for (line, target) in links(&file) {
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = repository().join(Path::new(&file).parent().unwrap());
            let there = if path.is_empty() { repository().join(&file) } else { folder.join(path) };
            assert!(there.exists(), "{file}, line {line}: {target} does not exist");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&there).unwrap();
                let headings = text.lines().filter(|l| l.starts_with('#'));
                let slug = |l: &str| {
                    let text = l.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                    text.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect::<String>()
                };
                assert!(headings.map(slug).any(|s| s == anchor), "{file}, line {line}: no heading {target}");
            }
            count += 1;
        }
    }
    assert!(count >= 4, "the README links to the documents");
}

/// `server/listen.rs`, `host/src/lib.rs`, `docs/architecture.md`, `runtime/capabilities/`: from the top, beside the
/// document, or within the host.
#[test]
fn paths_in_the_text_exist() {
    let is_path = |span: &str| {
        let plain = span.chars().all(|c| c.is_alphanumeric() || "._-/".contains(c));
        let parts: Vec<&str> = span.trim_end_matches('/').split('/').collect();
        let file =
            [".rs", ".md", ".toml", ".sh", ".py", ".sql", ".json"].iter().any(|end| span.ends_with(end));
        plain
            && !span.starts_with('/')
            && span.contains('/')
            && (parts.len() > 1 || span.ends_with('/') || file)
    };
    let (mut count, mut wrong) = (0, Vec::new());
    for file in documents() {
        let beside = Path::new(&file).parent().unwrap().to_owned();
        for (line, span) in spans(&file) {
            if !is_path(&span) || ELSEWHERE.iter().any(|start| span.starts_with(start)) {
                continue;
            }
            count += 1;
            let folders = [Path::new(""), &beside, Path::new("host/src"), Path::new("host")];
            if !folders.iter().any(|folder| repository().join(folder).join(&span).exists()) {
                wrong.push(format!("{file}, line {line}: {span}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not there: {wrong:#?}");
    assert!(count > 30, "{count}");
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let readme = read("README.md");
    let missing: Vec<String> = documents()
        .into_iter()
        .filter(|file| file.starts_with("docs/") && !readme.contains(&format!("]({file})")))
        .collect();
    assert!(missing.is_empty(), "README.md does not link to {missing:?}");
}
