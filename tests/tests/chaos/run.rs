//! One account and one host, which dies and is begun again until everything is done.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use caspian_e2e::{Account, DEADLINE, Host, HostOptions, ManifestBuilder};
use caspio_emulator::Seed;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::faults::{Network, Point};
use crate::kinds::{self, Kind};

/// Time of hosts and accounts runs so many times as fast as the machine's: a back-off of a minute is a second.
pub const FACTOR: u32 = 60;
/// Back-offs and schedules of a real host. A call may take two seconds of the machine's time, which is busy.
const CONFIG: &str = "
[retry]
step_initial_seconds = 1.0
[caspio]
calls_per_second = 100000.0
burst = 100000
first_pause_seconds = 0.05
longest_pause_seconds = 0.2
request_timeout_seconds = 120
[triggers]
retire_seconds = 30
";
const POLL: Duration = Duration::from_millis(15);
/// States of runs that have not come to an end.
const UNFINISHED: [&str; 3] = ["queued", "running", "sleeping"];

/// See the file's text.
pub struct Life {
    pub account: Account,
    pub host: Host,
    folder: TempDir,
    kinds: Vec<Kind>,
    /// Of lives to come.
    points: VecDeque<Point>,
    /// Of this one.
    point: Option<Point>,
    /// Which faults were hit.
    pub hits: Vec<String>,
    http: reqwest::Client,
}

impl Life {
    /// A host that is connected, for workflows of these kinds; `point` strikes in its first life.
    /// `compiled`: code of components, so that not every host compiles them.
    pub async fn new(
        kinds: Vec<Kind>,
        start: i64,
        compiled: Option<&Path>,
        point: Option<Point>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let account =
            Account::start_from(Some(Seed::from_json(&kinds::account().to_string())?), &[], |settings| {
                settings.retry_delays_millis = vec![20, 50, 100];
            })
            .await;
        let options = HostOptions {
            config: CONFIG.to_owned(),
            environment: vec![("CASPIAN_CLOCK".to_owned(), format!("{start}*{FACTOR}"))],
            log: Some("info".to_owned()),
            ..HostOptions::default()
        };
        let host = Host::init(folder.path(), options).await;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        let (points, hits) = (point.into_iter().collect(), Vec::new());
        let mut life = Self { account, host, folder, kinds, points, point: None, hits, http };
        life.begin().await?;
        for file in compiled.map(std::fs::read_dir).transpose()?.into_iter().flatten() {
            let file = file?;
            std::fs::copy(file.path(), life.host.data().join("compiled").join(file.file_name()))?;
        }
        let url = life.account.url();
        let connect = [
            "connection",
            "add",
            "clinic",
            "--url",
            &url,
            "--client-id",
            "demo-client",
            "--client-secret-stdin",
        ];
        let answer = life.host.cli_with_input(&connect, "demo-secret").await;
        anyhow::ensure!(answer.code == 0, "the connection can't be added: {}", answer.stderr);
        Ok(life)
    }

    /// Everything is deployed and active.
    pub async fn deploy_all(&mut self) -> Result<()> {
        for kind in self.kinds.clone() {
            self.deploy(&kind.manifest("")).await?;
        }
        Ok(())
    }

    /// One more call strikes, from now on.
    pub async fn strike(&self, fault: &Network) {
        let after = u32::try_from(fault.after).expect("small");
        let times = u32::try_from(fault.times).ok();
        self.account.fault_after(fault.method, fault.path, after, times, fault.action.clone()).await;
    }

    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Keeps its folder; answers where it is.
    pub fn keep(self) -> String {
        self.folder.keep().display().to_string()
    }

    pub fn public_url(&mut self) -> String {
        let url = self.host.url();
        self.host.options().public_url.clone().unwrap_or(url)
    }

    /// Points of lives to come, each once.
    pub fn points(&mut self, points: Vec<Point>) {
        self.points.extend(points);
    }

    /// Another life of the host, with the next point.
    pub async fn begin(&mut self) -> Result<()> {
        self.note_failures();
        self.point = self.points.pop_front();
        self.host.options().failpoints = self.point.as_ref().map(Point::text).unwrap_or_default();
        // It may die before it listens.
        self.host.try_start().await;
        self.tend().await
    }

    /// Whether points wait for their lives.
    pub fn has_points(&self) -> bool {
        !self.points.is_empty()
    }

    fn note_failures(&mut self) {
        let Some(point) = self.point.as_ref().filter(|point| point.fails.is_some()) else { return };
        let name = format!("{:?}", point.name);
        let failed = |line: &str| line.contains("a point was told to fail") && line.contains(&name);
        if self.host.log().lines().any(failed) {
            self.hits.push(point.kind());
        }
        self.point = None;
    }

    /// A host that was killed is begun again.
    async fn tend(&mut self) -> Result<()> {
        if self.host.is_running() {
            return Ok(());
        }
        match self.point.take() {
            Some(point) if point.fails.is_none() => self.hits.push(point.kind()),
            // Whose store takes nothing can't begin; a service manager tries again.
            Some(point) if tail(&self.host.log()).contains("\nerror: the store is full") => {
                self.hits.push(point.kind());
            }
            _ => bail!("lost: the host ended by itself:\n{}", tail(&self.host.log())),
        }
        Box::pin(self.begin()).await
    }

    /// Asks again and again, through all deaths of the host, until there is an answer.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut ask: impl AsyncFnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            self.tend().await?;
            let answer = ask(self).await;
            if let Ok(Some(answer)) = answer {
                return Ok(answer);
            }
            if started.elapsed() > DEADLINE {
                let error = answer.err().map(|error| format!(" ({error})")).unwrap_or_default();
                bail!("lost: not within {DEADLINE:?}: {what}{error}\n{}", tail(&self.host.log()));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// A command, given again until it is carried out, or refused with one of these texts.
    pub async fn command(&mut self, arguments: &[&str], refusals: &[&str]) -> Result<()> {
        self.until(&arguments.join(" "), async |life: &mut Self| {
            let answer = life.host.cli(arguments).await;
            let refused = refusals.iter().any(|text| answer.stderr.contains(text));
            if answer.code == 0 || refused { Ok(Some(())) } else { bail!("{}", answer.stderr) }
        })
        .await
    }

    /// Deploys and activates, and waits for the webhook.
    pub async fn deploy(&mut self, manifest: &ManifestBuilder) -> Result<()> {
        let path = manifest.write(self.folder.path()).display().to_string();
        self.command(&["deploy", &path, "--activate"], &[]).await?;
        self.deployed().await
    }

    /// Waits until all webhooks are as workflows want them.
    pub async fn deployed(&mut self) -> Result<()> {
        self.until("all webhooks are ready", async |life: &mut Self| {
            let list = life.get("triggers").await?;
            let ready = |one: &Value| one["stage"] == "ready" || one["stage"] == "retiring";
            Ok(list.as_array().is_some_and(|list| list.iter().all(ready)).then_some(()))
        })
        .await
    }

    /// GET of the control API.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}/api/v1/{path}", self.host.url());
        let answer = self.http.get(url).bearer_auth(self.host.token()).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// A run with everything that is kept of it.
    pub async fn run(&mut self, id: &str) -> Result<Value> {
        let path = format!("runs/{id}");
        self.until("the run is shown", async |life: &mut Self| life.get(&path).await.map(Some)).await
    }

    /// What a command shows.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let answer = self.host.cli(arguments).await;
        anyhow::ensure!(answer.code == 0, "{}", answer.stderr);
        serde_json::from_str(&answer.stdout).context("JSON")
    }

    /// Waits until Caspio has delivered everything, nothing lands late, and all runs have ended. Answers the runs.
    pub async fn quiet(&mut self) -> Result<Vec<Value>> {
        let mut before = None;
        self.until("all runs have come to an end", async |life: &mut Self| {
            let waits = life.account.get("messages/summary").await["Queued"] != 0
                || life.account.get("faults/late").await["Count"] != 0;
            let runs = life.get("runs?limit=1000").await?.as_array().cloned().unwrap_or_default();
            let unfinished = |run: &Value| UNFINISHED.contains(&run["state"].as_str().unwrap_or_default());
            let ticks = |run: &Value| run["workflow"] == "ticker";
            let settled = !waits && !runs.iter().any(|run| unfinished(run) && !ticks(run));
            let others = runs.iter().filter(|run| !ticks(run)).count();
            // Between two looks at which nothing was under way nothing can have begun.
            let quiet = settled && before == Some(others);
            before = settled.then_some(others);
            Ok(quiet.then_some(runs))
        })
        .await
    }

    /// People decide about parked runs: they look for what the last step may have made, and say so.
    pub async fn resolve(&mut self) -> Result<Vec<Value>> {
        loop {
            let runs = self.quiet().await?;
            let parked: Vec<&Value> = runs.iter().filter(|run| run["state"] == "parked").collect();
            if parked.is_empty() {
                return Ok(runs);
            }
            for run in parked {
                let id = run["id"].as_str().context("an id")?;
                let shown = self.run(id).await?;
                let kind = kinds::kind(run["workflow"].as_str().unwrap_or_default());
                let text = kind.text_of(&shown);
                let rows = self.account.rows(kind.table).await;
                let made = rows.iter().find(|row| row["Text"] == text.as_str());
                let pk_id = made.map(|row| row["PK_ID"].to_string());
                let decided = match &pk_id {
                    Some(pk_id) => vec!["run", "resolve", id, "--done", "--pk-id", pk_id],
                    None => vec!["run", "resolve", id, "--retry"],
                };
                self.command(&decided, &["is undecided (it is"]).await?;
            }
        }
    }

    /// What is told of network and deliveries, when all is over.
    pub async fn note_hits(&mut self, network: &[String], deliveries: &[String]) {
        self.note_failures();
        let faults = self.account.get("faults").await;
        for (fault, kind) in faults.as_array().into_iter().flatten().zip(network) {
            if fault["Hits"].as_u64() > Some(0) {
                self.hits.push(kind.clone());
            }
        }
        let messages = self.account.messages().await;
        if messages.len() > 1 && messages.iter().any(|message| message["Attempts"].as_u64() > Some(1)) {
            self.hits.extend_from_slice(deliveries);
        }
    }

    /// Changes knobs of the account.
    pub async fn knobs(&self, knobs: Value) {
        self.account.settings(knobs).await;
    }

    /// The line is as good as ever, and Caspio waits for answers.
    pub async fn calm(&self) {
        self.knobs(json!({"TimeoutMillis": 10_000, "RetryDelaysMillis": [20, 50]})).await;
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
