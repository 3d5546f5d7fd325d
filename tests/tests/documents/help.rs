//! `--help` of every command, and that every command is written about.

use std::collections::BTreeSet;
use std::process::Command;

use caspian_e2e::binary;

use crate::markdown::{blocks, documents, spans};

/// A command by its path, e.g. `workflow show`, with its help. The first one is `caspian` itself.
pub fn commands() -> Vec<(String, String)> {
    fn walk(path: &[String], found: &mut Vec<(String, String)>) {
        let output = Command::new(binary()).args(path).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "caspian {path:?} --help: {help}");
        found.push((path.join(" "), help.clone()));
        let mut lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let Some(line) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
            let name = line.split(' ').next().unwrap();
            if name != "help" {
                walk(&[path, &[name.to_owned()]].concat(), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&[], &mut found);
    assert!(found.len() > 25, "{found:?}");
    found
}

/// All options of all commands.
pub fn options() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, help) in commands() {
        found.extend(flags(&help));
    }
    found
}

/// `--like-this`, without values.
pub fn flags(text: &str) -> Vec<String> {
    let is_flag = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_flag(c));
    words.filter(|w| w.starts_with("--") && w.len() > 3).map(|w| w.trim_end_matches('-').to_owned()).collect()
}

#[test]
fn every_command_and_every_option_says_what_it_is() {
    for (path, help) in commands() {
        let mut lines = help.lines();
        let first = lines.next().unwrap_or_default();
        assert!(first.len() > 3 && !first.starts_with("Usage"), "caspian {path} says nothing:\n{help}");
        assert!(help.contains(&format!("Usage: caspian {path}").trim_end().to_owned()), "{help}");
        // An argument or option is followed by its text on the same line, or on the next.
        let lines: Vec<&str> = help.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let entry = line.trim_start();
            if line.starts_with(' ') && (entry.starts_with('-') || entry.starts_with('<')) {
                let next = lines.get(index + 1).copied().unwrap_or_default();
                let text = entry.split_once("  ").map_or("", |(_, text)| text.trim());
                assert!(
                    !text.is_empty() || next.starts_with("          "),
                    "caspian {path}: {entry} says nothing"
                );
            }
        }
    }
}

#[test]
fn every_command_is_mentioned_in_a_document() {
    let mut mentioned = Vec::new();
    for file in documents() {
        for (_, span) in spans(&file) {
            mentioned.extend(alternatives(&span));
        }
        for block in blocks(&file) {
            mentioned.extend(block.lines);
        }
    }
    let words: Vec<Vec<&str>> = mentioned
        .iter()
        .map(|text| text.split_whitespace().skip_while(|w| *w == "sudo").collect::<Vec<_>>())
        .map(|words| if words.first() == Some(&"caspian") { words[1..].to_vec() } else { words })
        .collect();
    let missing: Vec<String> = commands()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| !path.is_empty())
        .filter(|path| !words.iter().any(|words| words.starts_with(&path.split(' ').collect::<Vec<_>>())))
        .collect();
    assert!(missing.is_empty(), "no document mentions: {missing:?}");
}

/// `run list|show` is `run list` and `run show`.
fn alternatives(span: &str) -> Vec<String> {
    match span.split_once(' ') {
        Some((first, rest)) if rest.contains('|') && !rest.contains(' ') => {
            rest.split('|').map(|second| format!("{first} {second}")).collect()
        }
        _ => vec![span.to_owned()],
    }
}

#[test]
fn what_documents_and_help_say_about_commands_and_options_exists() {
    let commands = commands();
    let (paths, options) = (commands.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), options());
    let mut said: Vec<(String, String)> = Vec::new();
    for file in documents() {
        said.extend(spans(&file).into_iter().map(|(line, span)| (format!("{file}, line {line}"), span)));
        for block in blocks(&file) {
            said.extend(block.lines.iter().map(|line| (block.place(), line.clone())));
        }
    }
    for (path, help) in &commands {
        let quoted = help.split('`').skip(1).step_by(2);
        said.extend(quoted.map(|span| (format!("caspian {path} --help"), span.replace('\n', " "))));
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for (place, text) in said {
        let ours = text.starts_with("--")
            || text.contains("caspian ")
            || paths.iter().any(|p| !p.is_empty() && text.starts_with(p));
        if ours && !text.starts_with("cargo ") && !text.starts_with("useradd") {
            let unknown: Vec<String> = flags(text.split(" # ").next().unwrap())
                .into_iter()
                .filter(|flag| !options.contains(flag))
                .collect();
            if !unknown.is_empty() {
                wrong.push(format!("{place}: {unknown:?} in {text}"));
            }
        }
        for part in text.split("caspian ").skip(1).filter(|_| text.starts_with("caspian ")) {
            count += 1;
            let word = part.split_whitespace().next().unwrap_or_default();
            if word != "COMMAND"
                && !word.starts_with("--")
                && !paths.iter().any(|p| p.split(' ').next() == Some(word))
            {
                wrong.push(format!("{place}: no command '{word}' in {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 15, "{count}");
}
