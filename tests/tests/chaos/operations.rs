//! What people do to the host while faults strike: each is begun again until it is done, as a person would.
//!
//! Those in the middle of a workload must not change what comes out of it; those at its end have results of their own.

use anyhow::{Result, ensure};
use caspian_e2e::ManifestBuilder;
use serde_json::{Value, json};

use crate::run::Life;

/// See the file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The host gets another public URL.
    Move,
    /// A workflow is deployed with other triggers.
    Change,
    /// A workflow is deployed with other triggers, and goes back to the version before.
    Rollback,
    /// A webhook gets a new secret: another one takes its place.
    Renew,
    /// A workflow is deactivated.
    Deactivate,
    /// The connection is removed with all that uses it.
    Cascade,
    /// Webhooks that belong to nobody are removed.
    Orphans,
    /// Rows that no webhook told of are found.
    Sweep,
    /// A workflow is run over rows that were there before.
    Backfill,
    /// Contents of what has ended are removed.
    Purge,
}

impl Operation {
    /// The operation that passes this point; none: the workload does.
    pub fn of(point: &str) -> Option<Self> {
        let (part, place) = point.split_once('.')?;
        match (part, place) {
            ("cascade", _) => Some(Self::Cascade),
            ("orphans", _) => Some(Self::Orphans),
            ("sweep", _) => Some(Self::Sweep),
            ("backfill", _) => Some(Self::Backfill),
            ("purge", _) => Some(Self::Purge),
            ("rollback", _) => Some(Self::Rollback),
            ("trigger", "before-point" | "after-point") => Some(Self::Move),
            ("trigger", "before-change" | "after-change") => Some(Self::Change),
            ("trigger", "before-retire" | "after-retire") => Some(Self::Renew),
            ("trigger", "before-remove" | "after-remove") => Some(Self::Deactivate),
            _ => None,
        }
    }

    /// Whether it is done in the middle of the workload.
    pub fn is_in_the_middle(self) -> bool {
        matches!(self, Self::Move | Self::Change | Self::Rollback | Self::Renew)
    }

    /// Does it, whatever happens to the host meanwhile.
    pub async fn carry_out(self, life: &mut Life) -> Result<()> {
        let subject = life.kinds()[0];
        match self {
            Self::Move => {
                let url = life.host.url().replace("127.0.0.1", "localhost");
                life.host.options().public_url = Some(url.clone());
                life.begin().await?;
                life.until("webhooks send to the new URL", async |life: &mut Life| {
                    let hooks = life.account.webhooks().await;
                    let moved =
                        |hook: &Value| hook["OutgoingUrls"][0].as_str().unwrap_or_default().starts_with(&url);
                    Ok(hooks.iter().all(moved).then_some(()))
                })
                .await
            }
            Self::Rollback => {
                Box::pin(Self::Change.carry_out(life)).await?;
                life.command(&["workflow", "rollback", subject.name, "1"], &["is the active one"]).await?;
                life.deployed().await
            }
            Self::Change => {
                let more = if subject.triggers.contains("sources") {
                    ""
                } else {
                    "sources = [\"Datasheet\", \"DataPages\", \"RESTAPIs\"]\n"
                };
                let manifest = subject.manifest(more);
                life.deploy(&manifest).await
            }
            Self::Renew => {
                life.command(&["trigger", "repair", subject.name, "--new-secret"], &[]).await?;
                life.until("the old webhook has retired", async |life: &mut Life| {
                    let list = life.get("triggers").await?;
                    Ok(list
                        .as_array()
                        .is_some_and(|list| list.iter().all(|one| one["stage"] == "ready"))
                        .then_some(()))
                })
                .await
            }
            Self::Deactivate => {
                life.command(&["workflow", "deactivate", subject.name], &[]).await?;
                life.until("its webhook is gone", async |life: &mut Life| {
                    let list = life.get("triggers").await?;
                    let left = list.as_array().map_or(0, Vec::len);
                    Ok((left < life.kinds().len() && life.account.webhooks().await.len() == left)
                        .then_some(()))
                })
                .await
            }
            Self::Cascade => {
                let cascade = ["connection", "remove", "clinic", "--cascade", "--discard-runs"];
                life.command(&cascade, &["there is no connection"]).await?;
                let left = life.account.webhooks().await;
                ensure!(left.is_empty(), "lost: webhooks are left in Caspio: {}", left.len());
                Ok(())
            }
            Self::Orphans => {
                let before = life.account.webhooks().await.len();
                for name in ["one", "two"] {
                    let url = format!("{}/hooks/{name}", life.public_url());
                    let body = json!({"Name": name, "OutgoingUrls": [url]});
                    let (status, _) = life.account.rest("POST", "outgoingWebhooks", body).await;
                    ensure!(status == 201, "a webhook can't be made: {status}");
                }
                life.command(&["orphans", "remove", "--all"], &[]).await?;
                let left = life.account.webhooks().await.len();
                ensure!(
                    left == before,
                    "diverged: {before} webhooks before, {left} after orphans were removed"
                );
                Ok(())
            }
            Self::Sweep => sweep(life).await,
            Self::Backfill => backfill(life).await,
            Self::Purge => purge(life).await,
        }
    }
}

fn imported() -> Value {
    json!([{"Text": "one"}, {"Text": "two"}, {"Text": "three"}])
}

/// Every row that comes by an import is found once.
async fn sweep(life: &mut Life) -> Result<()> {
    let manifest = ManifestBuilder::probe("swept", "echo").triggers(
        "[[trigger]]\nevent = \"record-insert\"\ntable = \"Imported\"\nreconcile = { every = \"1d\" }\n",
    );
    life.deploy(&manifest).await?;
    let rounds = async |life: &mut Life| -> Result<u64> {
        Ok(life.json(&["coverage", "swept", "--json"]).await?["sweeps"][0]["rounds"].as_u64().unwrap_or(0))
    };
    life.until("stock is taken", async |life: &mut Life| Ok((rounds(life).await? > 0).then_some(()))).await?;
    life.account.import("Imported", imported()).await;
    for _ in 0..2 {
        let before = rounds(life).await?;
        life.command(&["coverage", "swept", "--now"], &[]).await?;
        life.until("a round is finished", async |life: &mut Life| {
            Ok((rounds(life).await? > before).then_some(()))
        })
        .await?;
    }
    let runs = life.quiet().await?;
    let found = runs.iter().filter(|run| run["workflow"] == "swept").count();
    ensure!(found >= 3, "lost: {found} of 3 rows were found by the sweep");
    ensure!(found == 3, "doubled: 3 rows were found {found} times by the sweep");
    Ok(())
}

/// Every row gets one run, whose record is there once.
async fn backfill(life: &mut Life) -> Result<()> {
    life.account.import("Imported", imported()).await;
    let manifest = ManifestBuilder::probe("filled", "create")
        .triggers("[[trigger]]\nevent = \"record-insert\"\ntable = \"Imported\"\n")
        .grant("Filled", "create read")
        .setting("table", "Filled")
        .setting("field", "Text")
        .sections("[effects]\ncreates = { Filled = { verify = \"Mark\" } }\n");
    life.deploy(&manifest).await?;
    let begin = ["workflow", "backfill", "filled", "--per-minute", "1000"];
    // A command whose answer was lost was carried out: given again it would begin another backfill.
    life.until("the backfill is begun", async |life: &mut Life| {
        let shown = life.json(&["coverage", "filled", "--json"]).await?;
        if shown["backfills"].as_array().is_some_and(|all| !all.is_empty()) {
            return Ok(Some(()));
        }
        life.host.cli(&begin).await;
        Ok(None)
    })
    .await?;
    life.until("the backfill is done", async |life: &mut Life| {
        let shown = life.json(&["coverage", "filled", "--json"]).await?;
        Ok((shown["backfills"][0]["state"] == "done").then_some(()))
    })
    .await?;
    life.quiet().await?;
    let made = life.account.rows("Filled").await.len();
    ensure!(made >= 3, "lost: {made} of 3 rows were filled");
    ensure!(made == 3, "doubled: 3 rows were filled {made} times");
    Ok(())
}

/// Nobody can read any more what succeeded; a message that comes again is known all the same.
async fn purge(life: &mut Life) -> Result<()> {
    life.command(&["retention", "set", "--succeeded", "0s"], &[]).await?;
    life.command(&["retention", "purge"], &[]).await?;
    let runs = life.quiet().await?;
    for run in runs.iter().filter(|run| run["state"] == "succeeded") {
        let shown = life.run(run["id"].as_str().unwrap_or_default()).await?;
        ensure!(shown["contents"] == "deleted", "diverged: contents are left: run {}", run["id"]);
    }
    for message in life.account.messages().await {
        life.account.redeliver(message["MessageId"].as_str().unwrap_or_default()).await;
    }
    let again = life.quiet().await?.len();
    ensure!(again == runs.len(), "doubled: {} runs, and {again} after their messages came again", runs.len());
    Ok(())
}
