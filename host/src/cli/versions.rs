//! `caspian workflow history|rollback`

use serde_json::{Value, json};

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};

pub(super) async fn history(api: &Api, name: &str, format: Format) -> Result<(), CliError> {
    let history = api.get(&format!("workflows/{}/history", segment(name)), &[]).await?;
    output::answer(format, &history, show);
    Ok(())
}

pub(super) async fn roll_back(api: &Api, name: &str, version: Option<u32>) -> Result<(), CliError> {
    let path = format!("workflows/{}/rollback", segment(name));
    let done = api.post(&path, &json!({"version": version})).await?;
    output::line(&format!(
        "workflow {} version {} is the active one again, {}",
        cell(&done, "workflow"),
        cell(&done, "version"),
        cell(&done, "state")
    ));
    Ok(())
}

fn show(x: &Value) {
    for version in x.get("versions").and_then(Value::as_array).into_iter().flatten() {
        let is = |name: &str| version.get(name).and_then(Value::as_bool).unwrap_or_default();
        let active = if is("active") { ", active" } else { "" };
        output::line(&format!("version {}{active}", cell(version, "version")));
        let detail = |head: &str, text: &str| output::line(&format!("  {head:<10} {text}"));
        detail("deployed", &format!("{} by {}", cell(version, "deployed_at"), cell(version, "by")));
        let size = match cell(version, "size").as_str() {
            "" => "its file is missing".to_owned(),
            bytes => format!("{bytes} bytes"),
        };
        let same = if is("same_component") { ", the same as before" } else { "" };
        detail("component", &format!("{} ({size}{same})", cell(version, "component")));
        detail("contract", &cell(version, "contract"));
        detail("connection", &cell(version, "connection"));
        detail("runs", &output::counts(version, "runs"));
        let changes = version.get("changes").and_then(Value::as_array).into_iter().flatten();
        let mut head = format!("since {}", cell(version, "before"));
        for change in changes.filter_map(Value::as_str) {
            detail(&head, change);
            head.clear();
        }
    }
    if cell(x, "unbound") != "0" {
        output::line(&format!(
            "{} runs wait for their first claim, and bind to the active version",
            cell(x, "unbound")
        ));
    }
}
