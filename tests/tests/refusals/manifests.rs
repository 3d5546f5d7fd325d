//! Malformed manifests: line, column, what to write instead, from the command and from the API alike.

use caspian_e2e::{ManifestBuilder, Site};
use reqwest::Method;
use serde_json::json;

/// A mistake: text to replace, its replacement, line and column, part of the message.
struct Mistake(&'static str, &'static str, usize, usize, &'static str);

/// In the manifest of [`base`].
const MISTAKES: &[Mistake] = &[
    Mistake("name = \"w\"", "name = \"Two Words\"", 1, 8, "`name` must be 1 to 63 of a-z, 0-9 and -"),
    Mistake("name = \"w\"", "name = 7", 1, 8, "expected a string"),
    Mistake("name = \"w\"\n", "", 1, 1, "missing field `name`"),
    Mistake("name = \"w\"", "name = \"w", 1, 10, ""),
    Mistake("name = \"w\"", "name = \"w\"\nname = \"w\"", 2, 1, "duplicate key"),
    Mistake(
        "component = \"x.wasm\"",
        "component = \"x.exe\"",
        2,
        13,
        "must be the path of a .wasm component",
    ),
    Mistake("component", "componant", 2, 1, "unknown field `componant`"),
    Mistake(
        "connection = \"clinic\"",
        "connection = \" \"",
        3,
        14,
        "must name one of `caspian connection list`",
    ),
    Mistake("\"record-insert\"", "\"record-inserted\"", 5, 9, "`event` must be \"record-insert\""),
    Mistake("\"record-insert\"", "\"http\"", 5, 9, "not supported by this version"),
    Mistake("table = \"Patients\"", "table = \"\"", 6, 9, "`table` must name a table"),
    Mistake(
        "table = \"Patients\"",
        "table = \"Patients\"\nfields = [\"Email\"]",
        7,
        10,
        "goes with event = \"record-update\" only",
    ),
    Mistake(
        "table = \"Patients\"",
        "table = \"Patients\"\nsources = [\"Web\"]",
        7,
        11,
        "something else than Datasheet",
    ),
    Mistake("table = \"Patients\"", "table = \"Patients\"\nbatches = true", 7, 1, "unknown field `batches`"),
    Mistake(
        "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\n",
        "",
        1,
        1,
        "there is no [[trigger]]",
    ),
    Mistake("Tasks = [\"read\"]", "Tasks = [\"reed\"]", 8, 21, "unknown variant `reed`"),
    Mistake(
        "Tasks = [\"read\"]",
        "Patients = [\"update\"]",
        4,
        1,
        "say with `sources` whose changes start it",
    ),
    Mistake("fuel = 1000000", "fuel = 10", 9, 1, "`limits.fuel` must be 100000 to 1000000000000"),
    Mistake("fuel = 1000000", "fule = 1000000", 10, 1, "unknown field `fule`"),
    Mistake("fuel = 1000000", "fuel = -1", 10, 8, ""),
    Mistake("attempts = 3", "attempts = 0", 11, 1, "`retry.attempts` must be 1 to 100"),
    Mistake(
        "attempts = 3",
        "attempts = 3\nmax_seconds = nan",
        11,
        1,
        "`retry.max_seconds` must be 0 to 86400",
    ),
    Mistake("mode = \"echo\"", "mode = echo", 14, 8, ""),
];

fn base() -> String {
    "name = \"w\"\ncomponent = \"x.wasm\"\nconnection = \"clinic\"\n\
     [[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\n\
     [grants]\ntables = { Tasks = [\"read\"] }\n\
     [limits]\nfuel = 1000000\n[retry]\nattempts = 3\n[settings]\nmode = \"echo\"\n"
        .to_owned()
}

#[tokio::test]
async fn mistakes_are_shown_with_line_and_column() {
    let site = Site::start().await;
    let path = site.folder().join("workflow.toml");
    for Mistake(old, new, line, column, part) in MISTAKES {
        assert!(base().contains(old), "{old}");
        let text = base().replacen(old, new, 1);
        std::fs::write(&path, &text).unwrap();
        let answer = site.host.cli(&["deploy", &path.display().to_string()]).await;
        let answer = answer.refused(part);
        let place = format!("workflow.toml, line {line}, column {column}: ");
        assert!(answer.stderr.contains(&place), "{new}: '{place}' is not in: {}", answer.stderr);

        let body = json!({"manifest": text, "component": "0".repeat(64)});
        let error = site.host.refusal(site.host.api(Method::POST, "workflows").json(&body)).await;
        assert_eq!((error.status, error.code.as_str()), (422, "manifest"), "{new}: {error:?}");
        assert!(error.message.contains(&place), "{new}: {error:?}");
        assert!(!error.next.is_empty(), "{new}: {error:?}");
    }
    assert_eq!(site.host.cli(&["workflow", "list", "--json"]).await.json(), json!([]));
    site.still_serves().await;
}

#[tokio::test]
async fn two_triggers_that_caspio_would_not_take_are_refused() {
    let site = Site::start().await;
    let insert = "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\n";
    let twice =
        ManifestBuilder::probe("w", "echo").triggers(&format!("{insert}{}", insert.replace('P', "p")));
    site.deploy(&twice).await.refused("two triggers have the same event and table");
    let update = "[[trigger]]\nevent = \"record-update\"\ntable = \"Patients\"\n";
    let shared = format!("{update}fields = [\"Email\", \"Phone\"]\n{update}fields = [\"phone\"]\n");
    let shared = ManifestBuilder::probe("w", "echo").triggers(&shared);
    site.deploy(&shared).await.refused("two record-update triggers of this table share a field");
}

#[tokio::test]
async fn a_setting_that_is_data_is_refused() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("w", "echo").setting("data", &"x".repeat(65 << 10));
    let answer = site.deploy(&manifest).await.refused("setting `data` is longer than 64 KiB");
    assert!(!answer.stderr.contains("xxxx"), "{}", answer.stderr);
}
