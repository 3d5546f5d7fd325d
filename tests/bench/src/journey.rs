//! (c) The whole way: webhook → run → one journalled create → finished.
//!
//! Against a small program that verifies, parses and creates in one go, without journal, queue or sandbox:
//! it answers the webhook after the create, and what was under way when it dies is lost or done twice. Two
//! measurements: as much as goes at once, for events a second and CPU time; and at a quiet pace, for latency.
//! And, as much as goes at once, against the same inbox, sandbox and client without a journal (`unjournalled`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::Bench;
use crate::client::Client;
use crate::ingress::{baseline, other_server};
use crate::load::{Answered, Pace, send};
use crate::report::{Bar, least, most, quantile, say};
use crate::site::Site;

/// Events of one measurement of throughput.
const EVENTS: usize = 2_000;
/// The quiet pace, and how long it is kept.
const PER_SECOND: f64 = 50.0;
const QUIET: Duration = Duration::from_secs(3);
/// Far longer than any measurement takes.
const DEADLINE: Duration = Duration::from_secs(120);

pub const AT_ONCE: Pace = Pace { connections: 16, per_second: None, at_most: DEADLINE };
const QUIETLY: Pace = Pace { connections: 16, per_second: Some(PER_SECOND), at_most: DEADLINE };

#[derive(Default)]
struct Values {
    rate: Vec<f64>,
    cpu_ms: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Values {
    fn throughput(&mut self, count: usize, took: Duration, cpu: Duration) {
        self.rate.push(count as f64 / took.as_secs_f64());
        self.cpu_ms.push(cpu.as_secs_f64() * 1e3 / count as f64);
    }

    fn latency(&mut self, mut ms: Vec<f64>) {
        ms.sort_by(f64::total_cmp);
        self.p50.push(quantile(&ms, 0.5));
        self.p99.push(quantile(&ms, 0.99));
    }

    fn say(&self, name: &str) {
        say(&format!(
            "{name}: events/s {:.0?}, CPU ms/event {:.3?}, p50 ms {:.1?}, p99 ms {:.1?}",
            self.rate, self.cpu_ms, self.p50, self.p99
        ));
    }
}

/// Waits until no run is unfinished.
pub async fn until_finished(store: &rusqlite::Connection) -> anyhow::Result<()> {
    let began = Instant::now();
    let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE state IN ('queued', 'sleeping'))
                 OR EXISTS (SELECT 1 FROM runs WHERE state = 'running')";
    while store.query_row(sql, [], |row| row.get::<_, bool>(0))? {
        if began.elapsed() > DEADLINE {
            bail!("runs are not finished after {} s", DEADLINE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let failed: u32 =
        store.query_row("SELECT COUNT(*) FROM runs WHERE state <> 'succeeded'", [], |r| r.get(0))?;
    if failed > 0 {
        bail!("{failed} runs failed");
    }
    Ok(())
}

/// How long each event took from its sending to the end of its run, in ms.
fn latencies(
    store: &rusqlite::Connection,
    requests: &[crate::message::Request],
    answered: &Answered,
    prefix: &str,
) -> anyhow::Result<Vec<f64>> {
    let mut query = store.prepare(
        "SELECT m.message_id, r.finished_at FROM runs r JOIN messages m ON m.id = r.message
         WHERE m.message_id LIKE ?1",
    )?;
    let rows =
        query.query_map([format!("{prefix}-%")], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    let finished: HashMap<String, i64> = rows.collect::<Result<_, _>>()?;
    let mut ms = Vec::new();
    for sent in &answered.sent {
        let at = requests.get(sent.index).and_then(|request| finished.get(&request.id));
        match at {
            Some(at) => ms.push((at - sent.at) as f64 / 1e3),
            None => bail!("an answered message has no run"),
        }
    }
    Ok(ms)
}

/// Runs that the server without a journal has finished.
async fn finished(server: &Client) -> anyhow::Result<u64> {
    server.get("finished").await?.as_u64().context("no number of runs")
}

/// See the module's text.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut site = Site::start(bench, "").await?;
    site.deploy(&bench.guest, vec!["journey".to_owned()]).await?;
    let target = site.target().await?;
    send(site.address(), &Arc::new(target.requests("first", 1)?), AT_ONCE).await?;
    until_finished(&site.store()?).await?;
    let account = site.account_url.clone();
    let (small, small_address) = baseline(&mut site, Some(&account))?;
    let (off, off_address) =
        other_server(&mut site, "unjournalled", &[bench.guest.as_os_str(), bench.caspian.as_os_str()])?;
    let off_api = Client::new(&format!("http://{off_address}"), None);
    let store = site.store()?;

    let mut without = Values::default();
    let (mut host, mut base) = (Values::default(), Values::default());
    for round in 0..bench.rounds {
        let requests = Arc::new(target.requests(&format!("many{round}"), EVENTS)?);
        let (began, before) = (Instant::now(), site.host()?.cpu()?);
        send(site.address(), &requests, AT_ONCE).await?;
        until_finished(&store).await?;
        host.throughput(EVENTS, began.elapsed(), site.host()?.cpu()?.saturating_sub(before));

        let before = small.cpu()?;
        let answered = send(small_address, &requests, AT_ONCE).await?;
        base.throughput(EVENTS, answered.took, small.cpu()?.saturating_sub(before));

        let (began, before) = (Instant::now(), off.cpu()?);
        let done = finished(&off_api).await?;
        send(off_address, &requests, AT_ONCE).await?;
        while finished(&off_api).await? < done + EVENTS as u64 {
            if began.elapsed() > DEADLINE {
                bail!("runs without a journal are not finished after {} s", DEADLINE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        without.throughput(EVENTS, began.elapsed(), off.cpu()?.saturating_sub(before));

        let prefix = format!("quiet{round}");
        let requests = Arc::new(target.requests(&prefix, (PER_SECOND * QUIET.as_secs_f64()) as usize)?);
        let answered = send(site.address(), &requests, QUIETLY).await?;
        until_finished(&store).await?;
        host.latency(latencies(&store, &requests, &answered, &prefix)?);
        let answered = send(small_address, &requests, QUIETLY).await?;
        base.latency(answered.sent.iter().map(|sent| sent.took_ms).collect());
    }
    host.say("host");
    base.say("small program");
    say(&format!("without journal: events/s {:.0?}, CPU ms/event {:.3?}", without.rate, without.cpu_ms));
    bench.report.add(
        "journey-cpu",
        least(&host.cpu_ms),
        "ms_per_event",
        least(&base.cpu_ms),
        Bar::AtMost(0.3),
    );
    bench.report.add("journey", most(&host.rate), "events_per_s", most(&base.rate), Bar::None);
    bench.report.add("journey-p50", least(&host.p50), "ms", least(&base.p50), Bar::None);
    bench.report.add("journey-p99", least(&host.p99), "ms", least(&base.p99), Bar::None);
    bench.report.add(
        "journal",
        most(&host.rate),
        "events_per_s",
        most(&without.rate),
        Bar::RatioAtLeast(0.5),
    );
    bench.report.add("journal-cpu", least(&host.cpu_ms), "ms_per_event", least(&without.cpu_ms), Bar::None);
    Ok(())
}
