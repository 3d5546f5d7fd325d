//! `make bench`: what the host costs, each figure beside a baseline of the same minute.
//!
//! `caspian-bench [--rounds N] [attempt] [ingress] [journey] [fleet] [commits] [full]`; without names, all of them. Host and emulator
//! are processes of their own, so that their CPU time and memory can be told from ours. A figure and its
//! baseline are measured in turn, several times, and the best of each is reported: on a busy machine the
//! best is what the code costs, the rest is waiting. Everything lies in one temporary folder and ends with us;
//! what fails is said in one line, with exit code 1.

mod attempt;
mod bare;
mod baseline;
mod client;
mod commits;
mod fill;
mod fleet;
mod full;
mod ingress;
mod journey;
mod load;
mod message;
mod process;
mod report;
mod site;
mod unjournalled;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use report::Report;

/// Measurements of a figure and of its baseline; the best counts.
const ROUNDS: usize = 5;

const NAMES: [&str; 6] = ["attempt", "ingress", "journey", "fleet", "commits", "full"];

/// What is measured, and with what.
struct Bench {
    /// The binary `caspian`.
    caspian: PathBuf,
    /// The component that does next to nothing.
    guest: PathBuf,
    rounds: usize,
    report: Report,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "baseline" => baseline::serve(rest),
        Some((first, rest)) if first == "unjournalled" => unjournalled::serve(rest),
        _ => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&format!("bench failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[String]) -> anyhow::Result<()> {
    let mut names = Vec::new();
    let mut rounds = ROUNDS;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => {
                let text = arguments.next().context("--rounds needs a number")?;
                rounds = text.parse().context("--rounds needs a number")?;
            }
            name if NAMES.contains(&name) => names.push(name),
            other => bail!("'{other}' is none of {}", NAMES.join(", ")),
        }
    }
    let here = std::env::current_exe()?;
    let release = here.parent().context("the folder of this program")?;
    let guest = match release.parent() {
        Some(target) => target.join("wasm32-wasip2/guest/caspian_minimal.wasm"),
        None => bail!("the target folder is not known"),
    };
    let mut bench =
        Bench { caspian: release.join("caspian"), guest, rounds: rounds.max(1), report: Report::default() };
    for file in [&bench.caspian, &bench.guest] {
        if !file.exists() {
            bail!("{} is missing; run: make bench", file.display());
        }
    }
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    report::load("before");
    if wanted("attempt") {
        attempt::measure(&mut bench)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let rest = async {
            if wanted("ingress") {
                ingress::measure(&mut bench).await?;
            }
            if wanted("journey") {
                journey::measure(&mut bench).await?;
            }
            if wanted("fleet") {
                fleet::measure(&mut bench).await?;
            }
            if wanted("commits") {
                commits::measure(&mut bench).await?;
            }
            if wanted("full") {
                full::measure(&mut bench).await?;
            }
            anyhow::Ok(())
        };
        // Ended by a signal, the processes that we started must end too: they are dropped.
        tokio::select! {
            done = rest => done,
            () = process::told_to_end() => bail!("ended by a signal"),
        }
    })?;
    report::load("after");
    bench.report.print();
    Ok(())
}
