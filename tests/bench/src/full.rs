//! (f) A store that is full: 100,000 sleeping and 1,000,000 finished runs, against an empty one.
//!
//! Two sites stand beside each other, and are measured in turns: from the start to the first answered webhook; how long
//! claims take, and events from webhook to finished, at a quiet pace; the memory after that. What people and
//! scrapers ask (`status`, metrics) is told besides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use rusqlite::Connection;

use crate::Bench;
use crate::fill;
use crate::fleet::{first_answer, settled_mb};
use crate::load::{Answered, Pace, send};
use crate::message::{Request, Target};
use crate::report::{Bar, least, quantile, say};
use crate::site::Site;

const WORKFLOWS: usize = 10;
const QUIETLY: Pace = Pace { connections: 4, per_second: Some(50.0), at_most: DEADLINE };
/// Events of one measurement of latency.
const EVENTS: usize = 100;
const DEADLINE: Duration = Duration::from_secs(60);

/// A site, and what was measured of it.
struct Measured {
    name: &'static str,
    site: Site,
    target: Target,
    start_ms: Vec<f64>,
    claim_ms: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    status_ms: Vec<f64>,
    metrics_ms: Vec<f64>,
    memory_mb: f64,
}

impl Measured {
    async fn start(bench: &Bench, name: &'static str) -> anyhow::Result<Self> {
        let site = Site::start(bench, "").await?;
        let names = (0..WORKFLOWS).map(|n| format!("store-{n}")).collect();
        site.deploy(&bench.guest, names).await?;
        let target = site.target().await?;
        let (start_ms, claim_ms, p50, p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (status_ms, metrics_ms) = (Vec::new(), Vec::new());
        Ok(Self {
            name,
            site,
            target,
            start_ms,
            claim_ms,
            p50,
            p99,
            status_ms,
            metrics_ms,
            memory_mb: f64::NAN,
        })
    }

    async fn round(&mut self, round: usize) -> anyhow::Result<()> {
        let began = now_ms();
        let first = format!("start-{round}");
        self.start_ms.push(first_answer(&mut self.site, &self.target, first.clone()).await?);
        let store = self.site.store()?;
        finished(&store, began, &[first]).await?;

        let count = async || {
            let (sum, count) = ("caspian_claim_seconds_sum", "caspian_claim_seconds_count");
            anyhow::Ok((self.site.counted(sum).await?, self.site.counted(count).await?))
        };
        let (sum, claims) = count().await?;
        let began = now_ms();
        let requests = Arc::new(self.target.requests(&format!("quiet-{round}"), EVENTS)?);
        let answered = send(self.site.address(), &requests, QUIETLY).await?;
        let ids: Vec<String> = requests.iter().map(|request| request.id.clone()).collect();
        let mut ms = latencies(&requests, &answered, &finished(&store, began, &ids).await?)?;
        ms.sort_by(f64::total_cmp);
        let after = count().await?;
        self.claim_ms.push((after.0 - sum) / (after.1 - claims) * 1e3);
        self.p50.push(quantile(&ms, 0.5));
        self.p99.push(quantile(&ms, 0.99));

        let began = Instant::now();
        self.site.api()?.get("status").await?;
        self.status_ms.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        self.site.counted("caspian_runs").await?;
        self.metrics_ms.push(began.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }

    fn say(&self) {
        say(&format!(
            "{}: start ms {:.1?}, claim ms {:.2?}, event p50 ms {:.1?}, p99 ms {:.1?}, status ms {:.1?}, metrics ms {:.1?}, \
             memory {:.1} MB",
            self.name,
            self.start_ms,
            self.claim_ms,
            self.p50,
            self.p99,
            self.status_ms,
            self.metrics_ms,
            self.memory_mb
        ));
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Waits until the runs of these messages have succeeded; when each did. Ids of runs begin with their time, so that only
/// those since then are looked at.
async fn finished(
    store: &Connection,
    since_ms: u64,
    messages: &[String],
) -> anyhow::Result<HashMap<String, i64>> {
    let began = Instant::now();
    let mut earliest = [0_u8; 16];
    let bytes = (since_ms << 16).to_be_bytes();
    earliest.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    let mut query = store.prepare_cached(
        "SELECT m.message_id, r.state, r.finished_at FROM runs r JOIN messages m ON m.id = r.message
         WHERE r.id >= ?1 AND r.state NOT IN ('queued', 'running')",
    )?;
    loop {
        let rows = query.query_map([earliest], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, i64>(2)?))
        })?;
        let mut found = HashMap::new();
        for row in rows {
            let (message, state, at) = row?;
            if state != "succeeded" {
                bail!("a run is {state}");
            }
            found.insert(message, at);
        }
        if messages.iter().all(|id| found.contains_key(id)) {
            return Ok(found);
        }
        if began.elapsed() > DEADLINE {
            bail!("runs are not finished after {} s", DEADLINE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn latencies(
    requests: &[Request],
    answered: &Answered,
    finished: &HashMap<String, i64>,
) -> anyhow::Result<Vec<f64>> {
    let of = |sent: &crate::load::Sent| {
        let request = requests.get(sent.index)?;
        Some((finished.get(&request.id)? - sent.at) as f64 / 1e3)
    };
    answered.sent.iter().map(|sent| of(sent).context("an answered message has no run")).collect()
}

/// See the module's text.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut empty = Measured::start(bench, "empty store").await?;
    let mut full = Measured::start(bench, "full store").await?;
    full.site.stop_host();
    let began = Instant::now();
    let file = fill::fill(&full.site.data())?;
    say(&format!("store filled in {:.0} s: {:.1} GB", began.elapsed().as_secs_f64(), file as f64 / 1e9));
    for round in 0..bench.rounds {
        empty.round(round).await?;
        full.round(round).await?;
    }
    for of in [&mut empty, &mut full] {
        of.memory_mb = settled_mb(&of.site).await?;
        of.say();
    }
    let report = &mut bench.report;
    let pair = |get: fn(&Measured) -> &Vec<f64>| (least(get(&full)), least(get(&empty)));
    let (value, base) = pair(|m| &m.start_ms);
    report.add("full-start", value, "ms", base, Bar::RatioAtMost(2.0));
    let (value, base) = pair(|m| &m.claim_ms);
    report.add("full-claim", value, "ms", base, Bar::RatioAtMost(2.0));
    let (value, base) = pair(|m| &m.p50);
    report.add("full-p50", value, "ms", base, Bar::RatioAtMost(2.0));
    let (value, base) = pair(|m| &m.p99);
    report.add("full-p99", value, "ms", base, Bar::None);
    report.add("full-memory", full.memory_mb, "MB", empty.memory_mb, Bar::RatioAtMost(1.5));
    let (value, base) = pair(|m| &m.status_ms);
    report.add("full-status", value, "ms", base, Bar::None);
    let (value, base) = pair(|m| &m.metrics_ms);
    report.add("full-metrics", value, "ms", base, Bar::None);
    Ok(())
}
