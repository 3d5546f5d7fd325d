//! (b) Taking messages in durably at 64 connections, against the server that keeps nothing.
//!
//! The host is at its limit of concurrency: its only run waits for an answer that does not come. So
//! messages are verified, encrypted, committed and queued, and nothing of their runs is in the figures.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::Bench;
use crate::baseline::READY;
use crate::load::{Answered, Pace, send};
use crate::process::Process;
use crate::report::{Bar, least, most, say};
use crate::site::Site;

const CONNECTIONS: usize = 64;
/// Messages of one measurement at most; on a slow machine its time ends it before.
const MESSAGES: usize = 20_000;
const LONG: Duration = Duration::from_secs(3);

/// One run at a time, and a call that may take longer than we do.
const AT_ITS_LIMIT: &str = "[scheduler]\nconcurrency = 1\n";

/// Starts the server that keeps nothing, over a copy of the site's data.
pub fn baseline(site: &mut Site, caspio: Option<&str>) -> anyhow::Result<(Process, SocketAddr)> {
    other_server(site, "baseline", caspio.map(OsStr::new).as_slice())
}

/// Starts this program as another server, over a copy of the site's data.
pub fn other_server(
    site: &mut Site,
    name: &str,
    arguments: &[&OsStr],
) -> anyhow::Result<(Process, SocketAddr)> {
    let copy = site.folder().join(name);
    site.stop_host();
    copy_folder(&site.data(), &copy)?;
    site.start_host()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name).arg(&copy).arg("127.0.0.1:0").args(arguments);
    let process = Process::start(command, READY, &site.folder().join(format!("{name}.log")))?;
    let address = process.ready.rsplit(' ').next().unwrap_or_default().parse();
    Ok((process, address.context("the other server's address")?))
}

/// The files in it, and no folders.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// What one measurement of a server says.
struct Cost {
    /// Requests a second.
    rate: f64,
    /// CPU time of the server a request, in µs.
    cpu_us: f64,
    /// Of the generator.
    own_us: f64,
}

async fn cost(
    process: &Process,
    answered: impl Future<Output = anyhow::Result<Answered>>,
) -> anyhow::Result<Cost> {
    let before = process.cpu()?;
    let answered = answered.await?;
    let cpu = process.cpu()?.saturating_sub(before);
    let count = answered.sent.len() as f64;
    if count < 100.0 {
        bail!("only {count} messages were answered");
    }
    Ok(Cost {
        rate: count / answered.took.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        own_us: answered.own_cpu.as_secs_f64() * 1e6 / count,
    })
}

/// See the module's text.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut site = Site::start(bench, AT_ITS_LIMIT).await?;
    site.deploy(&bench.guest, vec!["ingress".to_owned()]).await?;
    let target = site.target().await?;
    // Before the data are copied: the form of the signature is learnt at the first message.
    let one = Pace { connections: 1, per_second: None, at_most: LONG };
    send(site.address(), &Arc::new(target.requests("first", 1)?), one).await?;
    let (baseline, baseline_address) = baseline(&mut site, None)?;
    let stuck =
        json!({"Path": "/integrations/rest/v3/tables/Tasks", "Action": {"Kind": "delay", "Millis": 600_000}});
    site.account.post("emulator/faults", &stuck).await?;
    send(site.address(), &Arc::new(target.requests("stuck", 1)?), one).await?;
    let store = site.store()?;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let running: u32 =
            store.query_row("SELECT COUNT(*) FROM steps WHERE state = 'intent'", [], |row| row.get(0))?;
        if running == 1 {
            break;
        }
    }

    let pace = Pace { connections: CONNECTIONS, per_second: None, at_most: LONG };
    let (mut host, mut base) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        let requests = Arc::new(target.requests(&format!("round-{round}"), MESSAGES)?);
        host.push(cost(site.host()?, send(site.address(), &requests, pace)).await?);
        base.push(cost(&baseline, send(baseline_address, &requests, pace)).await?);
    }
    for (name, costs) in [("host", &host), ("baseline", &base)] {
        let all = |get: fn(&Cost) -> f64| costs.iter().map(get).collect::<Vec<_>>();
        say(&format!(
            "{name}: requests/s {:.0?}, CPU µs/request {:.0?}, generator µs/request {:.0?}",
            all(|c| c.rate),
            all(|c| c.cpu_us),
            all(|c| c.own_us)
        ));
    }
    let best = |costs: &[Cost]| {
        let cpu: Vec<f64> = costs.iter().map(|c| c.cpu_us).collect();
        let rate: Vec<f64> = costs.iter().map(|c| c.rate).collect();
        (least(&cpu), most(&rate))
    };
    let ((cpu, rate), (base_cpu, base_rate)) = (best(&host), best(&base));
    bench.report.add("ingress-cpu", cpu, "us_per_request", base_cpu, Bar::RatioAtMost(4.0));
    bench.report.add("ingress", rate, "per_s", base_rate, Bar::None);
    Ok(())
}
