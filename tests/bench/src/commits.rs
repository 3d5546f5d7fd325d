//! (e) Commits a run, from the webhook to the finished run, by the host's own count of commits that wrote something.
//!
//! Of runs without an effect (one read), with one and with three; each run alone, which is what its promises cost, and as
//! many as go at once, which share their commits.

use std::sync::Arc;

use anyhow::Context as _;

use crate::Bench;
use crate::journey::{AT_ONCE, until_finished};
use crate::load::send;
use crate::message::Target;
use crate::report::{Bar, say};
use crate::site::Site;

/// Runs one after the other, and at once.
const ALONE: usize = 50;
const TOGETHER: usize = 2_000;

/// Name of the figure, event that starts such a run, and its name in messages.
const KINDS: [(&str, &str, &str); 3] = [
    ("commits-no-effect", "record-update", "table.recordUpdate"),
    ("commits-one-effect", "record-insert", "table.recordInsert"),
    ("commits-three-effects", "record-delete", "table.recordDelete"),
];

const COMMITS: &str = "caspian_commit_commands_count";

async fn per_run(
    site: &Site,
    target: &Target,
    prefix: &str,
    each: usize,
    times: usize,
) -> anyhow::Result<f64> {
    let store = site.store()?;
    let before = site.counted(COMMITS).await?;
    for round in 0..times {
        let requests = Arc::new(target.requests(&format!("{prefix}-{round}"), each)?);
        send(site.address(), &requests, AT_ONCE).await?;
        until_finished(&store).await?;
    }
    Ok((site.counted(COMMITS).await? - before) / (each * times) as f64)
}

/// See the module's text.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let site = Site::start(bench, "").await?;
    let workflows = KINDS.iter().map(|(name, event, _)| ((*name).to_owned(), *event)).collect();
    site.deploy_on(&bench.guest, workflows).await?;
    let targets = site.targets().await?;
    for (name, _, event_type) in KINDS {
        let target = targets.iter().find(|target| target.event_type == event_type);
        let target = target.with_context(|| format!("no webhook tells of {event_type}"))?;
        // The first one learns the form of the signature and the fields of tables.
        per_run(&site, target, &format!("{name}-first"), 1, 1).await?;
        let alone = per_run(&site, target, &format!("{name}-alone"), 1, ALONE).await?;
        let together = per_run(&site, target, &format!("{name}-together"), TOGETHER, 1).await?;
        say(&format!("{name}: {alone:.2} commits a run alone, {together:.3} of {TOGETHER} at once"));
        bench.report.add(name, alone, "per_run", together, Bar::None);
    }
    Ok(())
}
