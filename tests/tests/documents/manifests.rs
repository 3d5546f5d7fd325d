//! Manifests and settings in the documents are what the host takes.

use std::collections::{BTreeMap, BTreeSet};

use caspian_e2e::{Site, guest};

use crate::markdown::{blocks, read};

/// The probe under the name that a manifest of the documents has, and the manifest.
fn write(site: &Site, component: &str, manifest: &str) -> String {
    std::fs::copy(guest("caspian_probe"), site.folder().join(component)).unwrap();
    let path = site.folder().join("workflow.toml");
    std::fs::write(&path, manifest).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn the_manifest_of_the_readme_can_be_deployed() {
    let site = Site::start().await;
    let block = blocks("README.md").into_iter().find(|b| b.language == "toml").expect("a manifest");
    let path = write(&site, "welcome.wasm", &block.text());
    site.host.cli(&["deploy", &path, "--activate"]).await.ok();
    let shown = site.workflow("welcome").await;
    assert_eq!(shown["state"], "active", "{shown:#}");
}

/// A key of `docs/manifest.md`, with the cells beside it.
type Keys = BTreeMap<String, Vec<String>>;

/// The keys that `docs/manifest.md` names, by section; "" is the top.
fn documented() -> BTreeMap<String, Keys> {
    let mut found: BTreeMap<String, Keys> = BTreeMap::new();
    let mut section = String::new();
    for paragraph in read("docs/manifest.md").split("\n\n") {
        // `[limits]` of one attempt: …; `[retry]` of a run: `attempts` (6), …
        if let Some(name) = paragraph.strip_prefix("`[").and_then(|rest| rest.split(']').next()) {
            section = name.trim_start_matches('[').to_owned();
            let keys = found.entry(section.clone()).or_default();
            let parts: Vec<&str> = paragraph.split('`').collect();
            for (index, span) in parts.iter().enumerate().filter(|(n, _)| n % 2 == 1).skip(1) {
                // Of grants only `tables = …` is a key; the rest are operations.
                let (key, is_key) =
                    (span.split(" =").next().unwrap(), section != "grants" || span.contains(" = "));
                if is_key && key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    let after = parts.get(index + 1).copied().unwrap_or_default();
                    keys.insert(key.to_owned(), vec![after.to_owned()]);
                }
            }
        }
        for row in paragraph.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<String> =
                row.trim_matches('|').split(" | ").map(|c| c.trim().to_owned()).collect();
            let keys = found.entry(section.clone()).or_default();
            keys.insert(cells[0].trim_matches('`').to_owned(), cells[1..].to_vec());
        }
    }
    found
}

/// A manifest with these sections; the ones that must be there are.
fn manifest(sections: &BTreeMap<&str, String>) -> String {
    let part = |name: &str| sections.get(name).cloned().unwrap_or_default();
    format!(
        "name = \"documented\"\ncomponent = \"documented.wasm\"\nconnection = \"clinic\"\n{}\n[[trigger]]\n\
         event = \"record-update\"\ntable = \"Patients\"\n{}\n[grants]\ntables = {{ Tasks = [\"create\"] }}\n{}\n\
         [limits]\n{}\n[retry]\n{}\n[effects]\n{}\n[loop]\n{}\n[order]\n{}\n[run]\n{}\n",
        part(""),
        part("trigger"),
        part("grants"),
        part("limits"),
        part("retry"),
        part("effects"),
        part("loop"),
        part("order"),
        part("run"),
    )
}

#[tokio::test]
async fn the_keys_of_the_manifest_are_all_documented_and_all_taken() {
    let site = Site::start().await;
    let documented = documented();
    for section in ["", "trigger", "grants", "limits", "retry", "effects", "loop", "order", "run"] {
        let text = manifest(&BTreeMap::from([(section, "no_such_key = 1".to_owned())]));
        let path = write(&site, "documented.wasm", &text);
        let refused = site.host.cli(&["deploy", &path]).await.refused("unknown field `no_such_key`");
        let expected = refused.stderr.split("expected").nth(1).expect("the keys that there are").to_owned();
        let mut taken: BTreeSet<&str> = expected.split('`').skip(1).step_by(2).collect();
        if section.is_empty() {
            taken = taken
                .difference(
                    &["trigger", "grants", "limits", "retry", "effects", "loop", "order", "run", "settings"]
                        .into(),
                )
                .copied()
                .collect();
        }
        let keys: BTreeSet<&str> = documented[section].keys().map(String::as_str).collect();
        assert_eq!(keys, taken, "left: docs/manifest.md, right: the host; section '{section}'");
    }
    assert!(documented.contains_key("settings"), "{documented:#?}");
}

/// The first number in a text, without separators.
fn number(text: &str) -> u64 {
    let digits: String = text
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .collect();
    digits.replace(',', "").parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

#[tokio::test]
async fn defaults_and_bounds_of_the_manifest_are_as_documented() {
    let site = Site::start().await;
    let documented = documented();
    let deploy = async |section: &str, lines: String| {
        let path = write(&site, "documented.wasm", &manifest(&BTreeMap::from([(section, lines)])));
        site.host.cli(&["deploy", &path]).await
    };
    let mut defaults = String::new();
    for (key, cells) in &documented["limits"] {
        let [_, default, most] = cells.as_slice() else { panic!("{key}: {cells:?}") };
        defaults.push_str(&format!("{key} = {}\n", number(default)));
        let beyond = deploy("limits", format!("{key} = {}", number(most) + 1)).await.refused(key);
        let said = beyond.stderr.replace(',', "");
        assert!(
            said.contains(&number(most).to_string()),
            "docs/manifest.md: {key}, {most}; the host: {said}"
        );
    }
    deploy("limits", defaults).await.ok();
    let retry: String =
        documented["retry"].iter().map(|(key, after)| format!("{key} = {}\n", number(&after[0]))).collect();
    deploy("retry", retry.clone()).await.ok();
    assert_eq!(retry, "attempts = 6\ninitial_seconds = 2\nmax_seconds = 600\n");
    let mut chain = String::new();
    for (key, cells) in &documented["loop"] {
        let [_, default, most] = cells.as_slice() else { panic!("{key}: {cells:?}") };
        chain.push_str(&format!("{key} = {}\n", number(default)));
        // Of `self_depth` another key is the bound, with its default here.
        let most = if key == "self_depth" { &documented["loop"]["max_depth"][1] } else { most };
        deploy("loop", format!("{key} = {}", number(most) + 1)).await.refused(key);
    }
    deploy("loop", chain).await.ok();
    let mut run = "cache_reads = true\n".to_owned();
    for (key, cells) in documented["run"].iter().filter(|(key, _)| *key != "cache_reads") {
        run.push_str(&format!("{key} = {}\n", number(&cells[2])));
        deploy("run", format!("{key} = {}", number(&cells[2]) + 1)).await.refused(key);
    }
    deploy("run", run).await.ok();
    for order in ["by = \"record\"\non_failure = \"go-on\"", "by = { field = \"Email\" }\nstale = \"skip\""] {
        deploy("order", order.to_owned()).await.ok();
    }
    deploy("effects", "creates = { Tasks = \"retry\" }".to_owned()).await.ok();
    deploy("trigger", "fields = [\"Email\"]\nbatch = true\nsources = [\"Datasheet\"]".to_owned()).await.ok();
    for source in documented["trigger"]["sources"][0].split('`').skip(1).step_by(2).take(7) {
        deploy("trigger", format!("sources = [\"{source}\"]")).await.ok();
    }
}

#[test]
fn the_settings_of_the_plugins_are_all_documented() {
    for plugin in ["patient-onboarding", "appointment-audit"] {
        let manifest = read(&format!("plugins/{plugin}/workflow.toml"));
        let settings = manifest.split("[settings]\n").nth(1).unwrap();
        let taken: BTreeSet<&str> =
            settings.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
        let readme = read(&format!("plugins/{plugin}/README.md"));
        let table = readme.split("## Settings").nth(1).unwrap().split("\n## ").next().unwrap();
        let keys: BTreeSet<&str> =
            table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(keys, taken, "left: README, right: workflow.toml of {plugin}");
    }
}

#[tokio::test]
async fn the_configuration_of_the_documents_is_valid() {
    let site = Site::start().await;
    let block = blocks("docs/configuration.md").remove(0);
    let path = site.folder().join("documented.toml");
    std::fs::write(&path, block.text()).unwrap();
    site.host.cli(&["config", "check", &path.display().to_string()]).await.ok();
}
