//! The commands of the documents, run in their order.

use std::collections::BTreeSet;

use caspian_e2e::repository;

use crate::help;
use crate::markdown::{Block, blocks, read, spans, user_documents};
use crate::stage::{Stage, line_with};

/// Documents whose commands the tests below run.
const RUN: &[&str] = &["README.md", "docs/operations.md"];

/// Commands that no test can run, by how they begin, with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("make demo", "a part of what runs before a change lands, beside these tests"),
    ("make test", "it runs these tests"),
    ("make lint", "a part of what runs before a change lands, beside these tests"),
    ("make conformance", "a part of make test, beside these tests"),
    ("make chaos", "a part of make test, beside these tests"),
    ("make bench", "it takes minutes, and needs a quiet machine"),
    ("make release", "it takes minutes; the code is that of the binary under test"),
    ("caspian emulator --set ", "see emulator.rs"),
    ("curl -X PATCH http://127.0.0.1:8090/emulator/settings ", "see emulator.rs"),
    ("install -", "it changes the machine"),
    ("useradd ", "it changes the machine"),
    ("cp packaging/caspian.service ", "it changes the machine"),
    ("systemctl ", "it changes the machine; the unit's command is run instead"),
    ("rustup target add ", "it changes the machine; make tools does it"),
    ("cargo test", "make test runs it"),
    ("cargo build --profile guest ", "make guests runs it"),
    ("cargo build -p caspian ", "make build runs it"),
    ("cargo check -p ", "make lint runs more"),
    ("cargo nextest run -p ", "make test runs it"),
    ("cp target/wasm32-wasip2/guest/", "make guests runs it"),
];

/// Indented blocks that are no commands, by how they begin.
const NO_COMMANDS: &[&str] = &[
    "Caspio ──POST /hooks/…──▶",     // README.md: the way of an event
    "let running = Emulator::start", // host/emulator/README.md: every test here starts it so
    "{ \"Clients\":",                // host/emulator/README.md: see emulator.rs
];

/// What is done with a command.
#[derive(Debug, PartialEq)]
enum Kind {
    Run,
    Serve,
    NotRun(usize),
}

fn kind(command: &str) -> Option<Kind> {
    let command = command.strip_prefix("sudo -u caspian ").unwrap_or(command);
    if let Some(index) = NOT_RUN.iter().position(|(start, _)| command.starts_with(start)) {
        return Some(Kind::NotRun(index));
    }
    if command.starts_with("caspian serve") {
        return Some(Kind::Serve);
    }
    ["caspian ", "export ", "curl "].iter().any(|start| command.starts_with(start)).then_some(Kind::Run)
}

fn is_shell(block: &Block) -> bool {
    let first = block.lines.first().map_or("", |line| line.trim_start());
    matches!(block.language.as_str(), "" | "sh" | "bash")
        && !NO_COMMANDS.iter().any(|start| first.starts_with(start))
}

/// The commands of a document, with their places.
fn commands(file: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for block in blocks(file).into_iter().filter(is_shell) {
        for line in block.lines.iter().filter(|line| !line.trim().is_empty()) {
            let command = line.split(" #").next().unwrap();
            let parts = command.split(" && ").map(|part| (block.place(), part.trim().to_owned()));
            found.extend(parts.filter(|(_, command)| !command.is_empty() && !command.starts_with('#')));
        }
    }
    found
}

/// Code spans of documents and help that are commands of `caspian`.
fn command_spans() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in user_documents() {
        found.extend(spans(&file).into_iter().map(|(line, span)| (format!("{file}, line {line}"), span)));
    }
    for (path, text) in help::commands() {
        let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
        found.extend(quoted.map(|span| (format!("caspian {path} --help"), span)));
    }
    found.retain(|(_, span)| span.starts_with("caspian "));
    assert!(found.len() > 10, "{found:?}");
    found
}

#[test]
fn every_command_is_run_or_listed_with_a_reason() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for file in user_documents() {
        let all = commands(&file);
        let inline = spans(&file).into_iter().map(|(line, span)| (format!("{file}, line {line}"), span));
        let inline = inline.filter(|(_, s)| ["make ", "cargo "].iter().any(|start| s.starts_with(start)));
        let inline = inline.flat_map(|(place, span)| {
            span.split(" && ").map(|part| (place.clone(), part.to_owned())).collect::<Vec<_>>()
        });
        for (place, command) in all.into_iter().chain(inline) {
            match kind(&command) {
                Some(Kind::NotRun(index)) => {
                    used.insert(index);
                    wrong.extend(what_is_wrong(&command).map(|why| format!("{place}: {command}: {why}")));
                }
                Some(_) if RUN.contains(&file.as_str()) => {}
                _ => wrong.push(format!("{place}: {command}")),
            }
        }
    }
    assert!(wrong.is_empty(), "neither run nor listed, or wrong: {wrong:#?}");
    let unused: Vec<_> = NOT_RUN.iter().enumerate().filter(|(n, _)| !used.contains(n)).collect();
    assert!(unused.is_empty(), "listed, but in no document: {unused:?}");
}

/// What a command that isn't run names must exist all the same.
fn what_is_wrong(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let after = |option: &'static str| {
        words
            .windows(2)
            .filter(move |pair| pair[0] == option)
            .map(|pair| pair[1].to_owned())
            .collect::<Vec<_>>()
    };
    if words[0] == "make" && !read("Makefile").contains(&format!("\n{}:", words[1])) {
        return Some(format!("the Makefile has no {}", words[1]));
    }
    if words[0] == "cargo" {
        let packages = packages();
        // The reader's own.
        let missing = after("-p").into_iter().find(|p| !packages.contains(p) && p != "my-workflow");
        if let Some(missing) = missing {
            return Some(format!("there is no package {missing}"));
        }
        let tests = read("tests/Cargo.toml");
        return after("--test").into_iter().find(|name| !tests.contains(&format!("name = \"{name}\"")));
    }
    // The guest is copied to where its manifest looks for it.
    if let ["cp", from, to] = words[..]
        && to.starts_with("plugins/")
    {
        let component = format!("component = \"{}\"", from.rsplit('/').next().unwrap());
        let manifest = read(&format!("{}workflow.toml", to));
        return (!manifest.contains(&component)).then(|| format!("{to}workflow.toml has another component"));
    }
    if let ["cp", from, ..] = words[..] {
        return (!repository().join(from).exists()).then(|| format!("{from} does not exist"));
    }
    None
}

fn packages() -> Vec<String> {
    let members = read("Cargo.toml");
    let members = members.split("members = [").nth(1).unwrap().split(']').next().unwrap().to_owned();
    let name = |member: &str| {
        let text = read(&format!("{member}/Cargo.toml"));
        text.split("name = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    members.split('"').skip(1).step_by(2).map(name).collect()
}

impl Stage {
    /// One command of a document.
    async fn carry_out(&mut self, command: &str) {
        match kind(command).unwrap() {
            Kind::Run => {
                self.run(command).await;
            }
            Kind::Serve => {
                self.serve(command).await;
            }
            Kind::NotRun(_) => {}
        }
    }
}

#[tokio::test]
async fn the_commands_of_the_readme_work_and_those_within_texts_do_too() {
    let mut stage = Stage::new().await;
    let mut shown = String::new();
    for (_, command) in commands("README.md") {
        if command == "caspian run list" {
            stage.patient("Ada").await;
        }
        if command == "caspian run show ID" {
            shown = stage.run(&command).await.stdout;
            continue;
        }
        stage.carry_out(&command).await;
    }
    assert!(shown.contains("succeeded") && shown.contains("records.create"), "{shown}");
    assert_eq!(stage.account.webhooks().await.len(), 1);

    let paths: Vec<String> =
        help::commands().into_iter().map(|(path, _)| format!("caspian {path}")).collect();
    let (mut later, mut wrong) = (BTreeSet::new(), Vec::new());
    for (place, span) in command_spans() {
        match span.as_str() {
            // `help.rs` runs it for every command, `emulator.rs` that one.
            "caspian COMMAND --help" | "caspian emulator" => {}
            "caspian tail" => {
                let mut output = stage.start("caspian tail");
                // Runs that ended before it was connected are not shown to it.
                let patients = async {
                    for n in 0.. {
                        stage.patient(&format!("Tail {} {n}", place.len())).await;
                    }
                };
                tokio::select! {
                    _ = line_with(&mut output, "caspian tail", "patient-onboarding") => {}
                    () = patients => {}
                }
            }
            "caspian status" | "caspian connection list" => {
                stage.run(&span).await;
            }
            _ if span.starts_with("caspian serve --config") => {
                later.insert(span);
            }
            // A command's name without what it needs.
            _ if paths.contains(&span) => {
                stage.run(&format!("{span} --help")).await;
            }
            _ if span.ends_with(" --help") || span.ends_with(" NAME") => {
                stage.run(&span).await;
            }
            _ => wrong.push(format!("{place}: {span}")),
        }
    }
    assert!(wrong.is_empty(), "neither run nor listed: {wrong:#?}");
    // With another configuration: the same host, started again.
    for command in later {
        stage.stop().await;
        stage.serve(&command).await;
        stage.run("caspian config check caspian.toml").await;
        stage.patient("Eve").await;
    }
    let tasks = stage.account.rows("Tasks").await;
    assert!(tasks.iter().filter(|task| task["Title"] == "Welcome call").count() >= 3, "{tasks:#?}");
}

#[tokio::test]
async fn the_commands_of_operations_work() {
    let mut stage = Stage::new().await;
    let (mut runs, mut restored) = (String::new(), false);
    for (_, command) in commands("docs/operations.md") {
        if command.starts_with("caspian backup") {
            stage.patient("Ada").await;
            runs = stage.run("caspian run list").await.stdout;
        }
        stage.carry_out(&command).await;
        if command.starts_with("systemctl enable --now caspian") {
            // What the unit starts, and what its file of the environment is for.
            let unit = read("packaging/caspian.service");
            let value = |key: &str| {
                unit.split(&format!("\n{key}=")).nth(1).unwrap().lines().next().unwrap().to_owned()
            };
            stage.run("export CASPIAN_PUBLIC_URL=https://hooks.example.com").await;
            stage.serve(&format!("{} {}", value("Environment"), value("ExecStart"))).await;
            stage.run("export CASPIAN_TOKEN=$(cat /var/lib/caspian/admin.token)").await;
            for (_, command) in commands("README.md") {
                if command.starts_with("caspian connection add") || command.starts_with("caspian deploy") {
                    stage.carry_out(&command).await;
                }
            }
        }
        if command.starts_with("caspian restore") {
            // "Put `master.key` into the new folder."
            stage.stop().await;
            stage.run("cp /var/lib/caspian/master.key /var/lib/caspian-new/").await;
            stage.serve("caspian serve --data /var/lib/caspian-new").await;
            assert_eq!(stage.run("caspian run list").await.stdout, runs);
            stage.patient("Eve").await;
            restored = true;
        }
    }
    assert!(restored && runs.contains("patient-onboarding"), "{runs}");
}
