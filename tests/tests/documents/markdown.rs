//! As much of Markdown as the documents use: code blocks, code spans, links.

use std::path::{Path, PathBuf};

use caspian_e2e::repository;

/// Code that stands apart, fenced or indented by four spaces.
#[derive(Debug, Clone)]
pub struct Block {
    /// Path in the repository.
    pub file: String,
    /// Line of its first line of code, from 1.
    pub line: usize,
    /// Of a fenced block; empty for an indented one.
    pub language: String,
    pub lines: Vec<String>,
}

impl Block {
    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    pub fn place(&self) -> String {
        format!("{}, line {}", self.file, self.line)
    }
}

/// All Markdown files of the repository, by path.
pub fn documents() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                walk(&path, found);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository(), &mut found);
    let relative = |path: &PathBuf| path.strip_prefix(repository()).unwrap().display().to_string();
    let mut found: Vec<String> = found.iter().map(relative).collect();
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

/// Those that people read to use Caspian; the probe's is about tests.
pub fn user_documents() -> Vec<String> {
    documents().into_iter().filter(|file| !file.starts_with("tests/") && file != "CHANGELOG.md").collect()
}

pub fn read(file: &str) -> String {
    std::fs::read_to_string(repository().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The file's blocks, and its lines without them (empty where a block was).
fn parts(file: &str) -> (Vec<Block>, Vec<String>) {
    let (mut blocks, mut prose) = (Vec::<Block>::new(), Vec::new());
    let block = |line: usize, language: &str| Block {
        file: file.to_owned(),
        line,
        language: language.to_owned(),
        lines: Vec::new(),
    };
    let (mut fenced, mut indented, mut before_is_empty) = (false, false, true);
    for (index, line) in read(file).lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            if !fenced {
                blocks.push(block(index + 2, language.trim()));
            }
            fenced = !fenced;
            prose.push(String::new());
        } else if fenced {
            blocks.last_mut().unwrap().lines.push(line.to_owned());
            prose.push(String::new());
        } else if let Some(code) = line.strip_prefix("    ").filter(|_| indented || before_is_empty) {
            if !indented {
                blocks.push(block(index + 1, ""));
            }
            indented = true;
            blocks.last_mut().unwrap().lines.push(code.to_owned());
            prose.push(String::new());
        } else {
            indented = false;
            prose.push(line.to_owned());
        }
        before_is_empty = line.trim().is_empty();
    }
    assert!(!fenced, "{file}: a fence is not closed");
    (blocks, prose)
}

pub fn blocks(file: &str) -> Vec<Block> {
    parts(file).0
}

/// Code within text: `so`, with its line.
pub fn spans(file: &str) -> Vec<(usize, String)> {
    let (mut found, mut line) = (Vec::new(), 1);
    let prose = parts(file).1.join("\n");
    for (index, part) in prose.split('`').enumerate() {
        if index % 2 == 1 {
            assert!(!part.contains("\n\n"), "{file}, line {line}: a code span is not closed");
            found.push((line, part.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        line += part.matches('\n').count();
    }
    found
}

/// Targets of links and images, with their lines.
pub fn links(file: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in parts(file).1.iter().enumerate() {
        for after in line.split("](").skip(1) {
            found.push((index + 1, after.split(')').next().unwrap().to_owned()));
        }
    }
    found
}
