//! What an alert says: as JSON for programs, with one sentence for people.

use serde::Serialize;

use crate::clock::Time;
use crate::model::{AlertId, AlertKind, Cause, RunId};
use crate::store::AlertRecord;

/// Member by member what receivers get. Members are only ever added.
#[derive(Serialize)]
struct Body<'a> {
    /// The same when it is told once more.
    id: AlertId,
    kind: AlertKind,
    /// Public URL of this host.
    caspian: Option<&'a str>,
    tenant: Option<&'a str>,
    workflow: Option<&'a str>,
    /// Of the runs.
    state: Option<&'a str>,
    /// Cause, reason or code.
    cause: Option<&'a str>,
    /// The integration host, when it is about that.
    caspio: Option<&'a str>,
    count: u64,
    first_at: String,
    last_at: String,
    first_run: Option<RunId>,
    last_run: Option<RunId>,
    text: String,
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn body(id: AlertId, alert: &AlertRecord, caspian: Option<&str>) -> Vec<u8> {
    let about_host = matches!(alert.kind, AlertKind::BreakerOpen | AlertKind::BreakerClosed);
    let about_runs = matches!(alert.kind, AlertKind::Dead | AlertKind::Parked);
    let body = Body {
        id,
        kind: alert.kind,
        caspian,
        tenant: some(&alert.tenant),
        workflow: some(&alert.workflow),
        state: about_runs.then(|| alert.kind.as_str()),
        cause: some(&alert.cause).filter(|_| !about_host),
        caspio: some(&alert.cause).filter(|_| about_host),
        count: alert.count,
        first_at: alert.first_at.to_string(),
        last_at: alert.last_at.to_string(),
        first_run: alert.first_run,
        last_run: alert.last_run,
        text: text(alert),
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// An alert about nothing.
pub(super) fn test(caspian: Option<&str>) -> (AlertId, Vec<u8>) {
    let (id, now) = (AlertId::new(), Time::now());
    let alert = AlertRecord {
        id: Some(id),
        kind: AlertKind::Test,
        tenant: String::new(),
        workflow: String::new(),
        cause: String::new(),
        count: 1,
        first_at: now,
        last_at: now,
        first_run: None,
        last_run: None,
        done: String::new(),
        tries: 0,
        error: None,
        due_at: now,
    };
    (id, body(id, &alert, caspian))
}

/// What happened; what to do.
fn text(alert: &AlertRecord) -> String {
    let (n, workflow, cause) = (alert.count, &alert.workflow, &alert.cause);
    let many = |one: &str, more: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {more}") };
    let run = alert.last_run.map(|run| run.to_string()).unwrap_or_default();
    match alert.kind {
        AlertKind::Dead => format!(
            "{} dead ({cause}); see `caspian run show {run}`, mend it, then `caspian run redrive --workflow {workflow} --cause {cause}`",
            many(&format!("run of '{workflow}' is"), &format!("runs of '{workflow}' are")),
        ),
        AlertKind::Parked => {
            let next = match cause.parse() {
                Ok(Cause::Undecided) => {
                    "look in Caspio whether it did what was sent, and say so with `caspian run resolve`"
                }
                Ok(Cause::Restored) => {
                    "let it go on with `caspian run resume --cause restored` where the original did not"
                }
                Ok(Cause::Diverged) => {
                    "deploy a component that calls what is recorded, then `caspian run redrive`"
                }
                _ => "see the log of the host",
            };
            format!(
                "{} parked ({cause}); see `caspian run show {run}`, and {next}",
                many(&format!("run of '{workflow}' is"), &format!("runs of '{workflow}' are")),
            )
        }
        AlertKind::Rejected => format!(
            "{} to '{workflow}' refused ({cause}); see `caspian workflow show {workflow}`, and `caspian trigger check`",
            many("message was", "messages were")
        ),
        AlertKind::Unparsable => format!(
            "{} to '{workflow}' authentic but can't be read ({cause}), and kept; see what Caspio sends with \
             `caspian trigger check`",
            many("message is", "messages are")
        ),
        AlertKind::BreakerOpen => format!(
            "Caspio at {cause} does not answer, so its runs wait and go on by themselves; look at the network, and whether \
             Caspio is down"
        ),
        AlertKind::BreakerClosed => {
            format!("Caspio at {cause} answers again, runs go on; nothing is to be done")
        }
        AlertKind::WebhookTrouble => format!(
            "the webhook of '{workflow}' is not as it should be, and can't be put right; see `caspian status`, then \
             `caspian trigger repair {workflow}`"
        ),
        AlertKind::SweepFailing => format!(
            "a sweep of '{workflow}' fails ({cause}) and is tried again, while changes that have no webhook are not found; see \
             `caspian coverage`"
        ),
        AlertKind::BackfillFailing => {
            format!("a backfill of '{workflow}' fails ({cause}) and is tried again; see `caspian coverage`")
        }
        AlertKind::Test => "this is a test, alerts arrive; nothing is to be done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_to_do() {
        for kind in AlertKind::ALL {
            let (id, test) = (AlertId::new(), test(None));
            assert!(!test.1.is_empty());
            let (run, now) = (RunId::new(), Time::now());
            let alert = AlertRecord {
                id: Some(id),
                kind: *kind,
                tenant: "default".to_owned(),
                workflow: "welcome".to_owned(),
                cause: "undecided".to_owned(),
                count: 3,
                first_at: now,
                last_at: now,
                first_run: Some(run),
                last_run: Some(run),
                done: String::new(),
                tries: 0,
                error: None,
                due_at: now,
            };
            let body: serde_json::Value =
                serde_json::from_slice(&body(id, &alert, Some("https://caspian.example.com"))).unwrap();
            let text = body["text"].as_str().unwrap();
            assert!(text.contains("; "), "{kind}: {text}");
            assert_eq!((&body["count"], &body["kind"]), (&3.into(), &kind.as_str().into()));
        }
    }
}
