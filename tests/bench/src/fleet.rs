//! (d) Memory of the host, idle and with 1,000 workflows; (e) from its start to its first answered webhook.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::Bench;
use crate::ingress::baseline;
use crate::load::{Pace, send};
use crate::message::Target;
use crate::report::{Bar, least, say};
use crate::site::Site;

const WORKFLOWS: usize = 1_000;
/// How long a host is left alone before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(2);
const ONE: Pace = Pace { connections: 1, per_second: None, at_most: Duration::from_secs(60) };

/// Kills the host, starts it and sends a message; how long it took until it was answered, in ms. The start ends
/// when the host says that it listens, and it listens when it can answer.
pub async fn first_answer(site: &mut Site, target: &Target, id: String) -> anyhow::Result<f64> {
    site.stop_host();
    let request = Arc::new(vec![target.request(id, 1)?]);
    let began = Instant::now();
    site.start_host()?;
    send(site.address(), &request, ONE).await?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

async fn first_answers(bench: &Bench, site: &mut Site, name: &str) -> anyhow::Result<f64> {
    let target = site.target().await?;
    let mut took = Vec::new();
    for round in 0..bench.rounds {
        took.push(first_answer(site, &target, format!("{name}-{round}")).await?);
    }
    say(&format!("{name}: first answer after {took:.0?} ms"));
    Ok(least(&took))
}

pub async fn settled_mb(site: &Site) -> anyhow::Result<f64> {
    tokio::time::sleep(SETTLE).await;
    site.host()?.resident_mb()
}

/// See the module's text.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut site = Site::start(bench, "").await?;
    site.start_host()?;
    let idle = settled_mb(&site).await?;
    // What a server of the same parts takes that keeps nothing and runs nothing.
    let (baseline, _) = baseline(&mut site, None)?;
    tokio::time::sleep(SETTLE).await;
    let bare = baseline.resident_mb()?;
    drop(baseline);
    site.deploy(&bench.guest, vec!["fleet-0000".to_owned()]).await?;
    let alone = first_answers(bench, &mut site, "one workflow").await?;

    let began = Instant::now();
    site.deploy(&bench.guest, (1..WORKFLOWS).map(|n| format!("fleet-{n:04}")).collect()).await?;
    let listed = site.api()?.get("workflows").await?;
    let count = listed.as_array().context("no list of workflows")?.len();
    say(&format!("{count} workflows deployed in {:.0} s", began.elapsed().as_secs_f64()));
    let deployed = settled_mb(&site).await?;
    // Each gets a message, so that all that is kept of a workflow once it is used is in memory.
    let requests: anyhow::Result<Vec<_>> =
        site.targets().await?.iter().enumerate().map(|(n, t)| t.request(format!("each-{n}"), n)).collect();
    send(site.address(), &Arc::new(requests?), Pace { connections: 4, ..ONE }).await?;
    let used = settled_mb(&site).await?;
    say(&format!("memory: idle {idle:.1} MB, all deployed {deployed:.1} MB, all used {used:.1} MB"));
    let many = first_answers(bench, &mut site, "1,000 workflows").await?;

    bench.report.add("memory-idle", idle, "MB", bare, Bar::AtMost(60.0));
    bench.report.add("memory-1000-workflows", deployed.max(used), "MB", idle, Bar::AtMost(250.0));
    bench.report.add("start-1000-workflows", many, "ms", alone, Bar::AtMost(500.0));
    Ok(())
}
