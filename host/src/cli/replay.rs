//! `caspian run replay`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};
use crate::manifest::Manifest;
use crate::model::RunState;
use crate::runtime::ComponentDigest;

/// Exit codes: a run differs; a replay could not be carried to its end.
const DIFFERENT: u8 = 4;
const INCOMPLETE: u8 = 5;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["id", "workflow"])))]
pub(super) struct ReplayArgs {
    /// Id of the run
    id: Option<String>,
    /// The latest runs of this workflow
    #[arg(long, value_name = "W")]
    workflow: Option<String>,
    /// So many of them, up to 1000
    #[arg(long, default_value_t = 20, value_name = "N", requires = "workflow")]
    limit: u32,
    /// Only those in this state
    #[arg(long, value_name = "S", requires = "workflow")]
    state: Option<RunState>,
    /// With another build of the component, which is not deployed
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// As this manifest would be deployed: with its settings, its limits and its component
    #[arg(long, value_name = "PATH/workflow.toml")]
    manifest: Option<PathBuf>,
    /// With another version of the workflow
    #[arg(long, value_name = "V", conflicts_with_all = ["component", "manifest"])]
    version: Option<u32>,
    /// Show values of records and what guests wrote (audited)
    #[arg(long, alias = "values")]
    show_values: bool,
    #[command(flatten)]
    format: Format,
}

/// How many replays ended how.
#[derive(Default)]
struct Summary {
    same: u32,
    different: u32,
    incomplete: u32,
    refused: u32,
}

pub(super) async fn run(api: &Api, args: ReplayArgs) -> Result<(), CliError> {
    let request = request(api, &args).await?;
    match &args.id {
        Some(id) => {
            let replayed = replay(api, id, &request).await?;
            output::answer(args.format, &replayed, show);
            match cell(&replayed, "verdict").as_str() {
                "same" => Ok(()),
                "incomplete" => Err(CliError::found(
                    INCOMPLETE,
                    "the replay was not carried to its end; raise limits.wall_seconds in a manifest and give that by --manifest",
                )),
                _ => Err(different("the run")),
            }
        }
        None => many(api, &args, &request).await,
    }
}

fn different(what: &str) -> CliError {
    CliError::found(
        DIFFERENT,
        format!(
            "the replay differs from what is recorded of {what}; where that is not wanted, mend the component"
        ),
    )
}

async fn replay(api: &Api, id: &str, request: &Value) -> Result<Value, CliError> {
    api.post(&format!("runs/{}/replay", segment(id)), request).await
}

async fn many(api: &Api, args: &ReplayArgs, request: &Value) -> Result<(), CliError> {
    let mut query = vec![("limit", args.limit.to_string())];
    query.extend(args.workflow.clone().map(|w| ("workflow", w)));
    query.extend(args.state.map(|s| ("state", s.to_string())));
    let list = api.get("runs", &query).await?;
    let mut sum = Summary::default();
    let mut views = Vec::new();
    for run in list.as_array().into_iter().flatten() {
        let id = cell(run, "id");
        match replay(api, &id, request).await {
            Ok(replayed) => {
                match cell(&replayed, "verdict").as_str() {
                    "same" => sum.same += 1,
                    "incomplete" => sum.incomplete += 1,
                    _ => sum.different += 1,
                }
                if !args.format.json {
                    show(&replayed);
                }
                views.push(replayed);
            }
            // This one; another may be replayed.
            Err(error) if error.is_conflict() => {
                sum.refused += 1;
                if !args.format.json {
                    output::line(&format!("run {id}: not replayed: {}", error.message()));
                }
                views.push(json!({"run": id, "verdict": "refused", "reason": error.message()}));
            }
            Err(error) => return Err(error),
        }
    }
    let Summary { same, different: differ, incomplete, refused } = sum;
    let counts = json!({"same": same, "different": differ, "incomplete": incomplete, "refused": refused});
    if args.format.json {
        output::json(&json!({"runs": views, "summary": counts}));
    } else {
        output::line(&format!(
            "replayed {} runs: {same} same, {differ} different, {incomplete} incomplete; {refused} could not be replayed",
            same + differ + incomplete
        ));
    }
    match (differ, incomplete) {
        (0, 0) => Ok(()),
        (0, n) => {
            Err(CliError::found(INCOMPLETE, format!("{n} replays were not carried to their end; see above")))
        }
        (n, _) => Err(different(&format!("{n} runs"))),
    }
}

/// What the host is asked; uploads the component first.
async fn request(api: &Api, args: &ReplayArgs) -> Result<Value, CliError> {
    let (manifest, mut component) = match &args.manifest {
        Some(path) => {
            let (text, component) = manifest(path)?;
            (Some(text), Some(component))
        }
        None => (None, None),
    };
    component = args.component.clone().or(component);
    let digest = match component {
        Some(file) => {
            let bytes = std::fs::read(&file).map_err(|e| {
                CliError::failed(format!(
                    "the component {} can't be read ({e}); check the path",
                    file.display()
                ))
            })?;
            let digest = ComponentDigest::of(&bytes).to_string();
            api.put_once(&format!("components/{digest}"), bytes).await?;
            Some(digest)
        }
        None => None,
    };
    Ok(json!({
        "component": digest,
        "manifest": manifest,
        "version": args.version,
        "show_values": args.show_values,
    }))
}

/// Its text and where its component lies.
fn manifest(path: &Path) -> Result<(String, PathBuf), CliError> {
    let path = if path.is_dir() { path.join("workflow.toml") } else { path.to_owned() };
    let text = std::fs::read_to_string(&path)
        .map_err(|e| CliError::failed(format!("{} can't be read ({e}); check the path", path.display())))?;
    let manifest =
        Manifest::parse(&text).map_err(|e| CliError::failed(format!("{e}; correct {}", path.display())))?;
    let component = path.parent().map(|dir| dir.join(&manifest.component)).unwrap_or_default();
    Ok((text, component))
}

fn list<'v>(x: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    x.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn show(x: &Value) {
    output::line(&format!(
        "run {} of {}, version {}, {}: {}",
        cell(x, "run"),
        cell(x, "workflow"),
        cell(x, "version"),
        cell(x, "state"),
        cell(x, "verdict")
    ));
    let detail = |head: &str, text: &str| output::line(&format!("  {head:<9} {text}"));
    detail("calls", &format!("{} same, {} different", cell(x, "same_calls"), list(x, "calls").count()));
    for call in list(x, "calls") {
        let what = match cell(call, "kind").as_str() {
            "not-called" => "is not called any more",
            "other" => "is another call",
            _ => "differs",
        };
        let names: Vec<&str> = list(call, "differs").filter_map(Value::as_str).collect();
        let names = if names.is_empty() { String::new() } else { format!(" in {}", names.join(", ")) };
        detail(&format!("step {}", cell(call, "step")), &format!("{what}{names}"));
        for (sign, side) in [("-", "recorded"), ("+", "called")] {
            if let Some(side) = call.get(side).filter(|side| side.is_object()) {
                output::line(&format!("    {sign} {}", called(side)));
            }
        }
    }
    if let Some(next) = x.get("next").filter(|next| next.is_object()) {
        detail("next", &format!("would call next: {}", called(next)));
    }
    let end = |name: &str| x.get(name).filter(|end| end.is_object()).map_or("(not known)".to_owned(), ended);
    match x.get("same_end").and_then(Value::as_bool) {
        Some(true) => detail("end", &format!("same, {}", end("end"))),
        Some(false) => {
            detail("end", &format!("differs, recorded: {}; now: {}", end("recorded_end"), end("end")))
        }
        None => {
            detail("end", &format!("not compared, recorded: {}; now: {}", end("recorded_end"), end("end")))
        }
    }
    if let Some(lines) = x.get("lines").and_then(Value::as_u64) {
        let count = list(x, "output").count();
        detail("output", &format!("{lines} lines recorded, {count} differ"));
    }
    for line in list(x, "output") {
        for (sign, there, text) in [("-", "recorded", "recorded_line"), ("+", "written", "written_line")] {
            if cell(line, there) == "true" {
                let text = line.get(text).map(|l| format!(": {} {}", cell(l, "source"), cell(l, "text")));
                output::line(&format!("    {sign} line {}{}", cell(line, "line"), text.unwrap_or_default()));
            }
        }
    }
    for note in list(x, "notes").filter_map(Value::as_str) {
        detail("note", note);
    }
}

fn called(x: &Value) -> String {
    let mut text = cell(x, "action");
    let (table, pk_id) = (cell(x, "table"), cell(x, "pk_id"));
    if !table.is_empty() {
        text.push_str(&format!(" {table}"));
    }
    if !pk_id.is_empty() {
        text.push_str(&format!(" PK_ID {pk_id}"));
    }
    match x.get("request") {
        Some(request) => text.push_str(&format!(" {request}")),
        None => {
            let names: Vec<&str> = list(x, "arguments").filter_map(Value::as_str).collect();
            text.push_str(&format!(" ({})", names.join(", ")));
        }
    }
    text
}

fn ended(x: &Value) -> String {
    match x.get("text").and_then(Value::as_str) {
        Some(text) => format!("{}: {text}", cell(x, "kind")),
        None => format!("{} ({} bytes)", cell(x, "kind"), cell(x, "bytes")),
    }
}
