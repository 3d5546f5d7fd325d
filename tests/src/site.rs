//! An account and a host, connected.

use std::path::Path;

use caspio_emulator::{Seed, Settings};
use serde_json::Value;
use tempfile::TempDir;

use crate::account::Account;
use crate::host::{Answer, Host, HostOptions};
use crate::manifest::ManifestBuilder;
use crate::wait::until;
use crate::webhook::Delivery;

/// How a site is made.
#[derive(Default)]
pub struct SiteOptions {
    /// How the host is started.
    pub host: HostOptions,
    /// Changes knobs of the account.
    pub account: Option<fn(&mut Settings)>,
    /// What the account starts with; default the clinic.
    pub seed: Option<Seed>,
    /// Knobs that the test is about or counts by: they keep their default under `EMULATOR_KNOBS`.
    pub pins: &'static [&'static str],
}

/// See the crate's text.
pub struct Site {
    /// The Caspio account.
    pub account: Account,
    /// The host.
    pub host: Host,
    folder: TempDir,
}

impl Site {
    /// Account and host with the connection `clinic`.
    pub async fn start() -> Self {
        Self::with(SiteOptions::default()).await
    }

    /// As [`start`](Self::start), with pinned knobs.
    pub async fn pinning(pins: &'static [&'static str]) -> Self {
        Self::with(SiteOptions { pins, ..SiteOptions::default() }).await
    }

    /// As [`start`](Self::start), with options. A host with failpoints is connected without them, and then started with them.
    pub async fn with(options: SiteOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let account =
            Account::start_from(options.seed, options.pins, options.account.unwrap_or(|_| ())).await;
        let mut host =
            Host::init(folder.path(), HostOptions { failpoints: String::new(), ..options.host.clone() })
                .await;
        host.start().await;
        let mut site = Self { account, host, folder };
        site.connect("demo-secret").await.ok();
        if !options.host.failpoints.is_empty() {
            site.restart_with(&options.host.failpoints).await;
        }
        site
    }

    /// A folder for files of the test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `connection add clinic`
    pub async fn connect(&self, secret: &str) -> Answer {
        self.connect_named("clinic", secret).await
    }

    /// The same account under another name.
    pub async fn connect_as(&self, name: &str) -> Answer {
        self.connect_named(name, "demo-secret").await
    }

    async fn connect_named(&self, name: &str, secret: &str) -> Answer {
        let url = self.account.url();
        let arguments =
            ["connection", "add", name, "--url", &url, "--client-id", "demo-client", "--client-secret-stdin"];
        self.host.cli_with_input(&arguments, secret).await
    }

    /// Kills the host and starts it with these failpoints.
    pub async fn restart_with(&mut self, failpoints: &str) {
        self.host.options().failpoints = failpoints.to_owned();
        self.host.start().await;
    }

    /// `deploy --activate`
    pub async fn deploy(&self, manifest: &ManifestBuilder) -> Answer {
        let path = manifest.write(self.folder());
        self.host.cli(&["deploy", &path.display().to_string(), "--activate"]).await
    }

    /// Runs, oldest first.
    pub async fn runs(&self) -> Vec<Value> {
        let answer = self.host.cli(&["run", "list", "--json", "--limit", "1000"]).await;
        let mut runs = answer.json().as_array().cloned().unwrap_or_default();
        runs.reverse();
        runs
    }

    /// `run show ID --json`
    pub async fn run(&self, id: &str) -> Value {
        self.host.cli(&["run", "show", id, "--json"]).await.json()
    }

    /// Waits until there are `count` runs and all of them are in one of these states; answers them, shown.
    pub async fn until_runs(&self, count: usize, states: &[&str]) -> Vec<Value> {
        let what = format!("{count} runs are {states:?}");
        let runs = until(&what, async || {
            let answer = self.host.cli(&["run", "list", "--json", "--limit", "1000"]).await;
            if answer.code != 0 {
                return None;
            }
            let runs = answer.json().as_array().cloned().unwrap_or_default();
            let done =
                runs.iter().filter(|r| states.contains(&r["state"].as_str().unwrap_or_default())).count();
            (runs.len() >= count && done == runs.len()).then_some(runs)
        })
        .await;
        assert_eq!(runs.len(), count, "{runs:#?}");
        let mut shown = Vec::new();
        for run in runs.iter().rev() {
            shown.push(self.run(run["id"].as_str().expect("an id")).await);
        }
        shown
    }

    /// Deploys, adds one patient, and waits for the end of its run.
    pub async fn one_run(&self, manifest: &ManifestBuilder, states: &[&str]) -> Value {
        self.deploy(manifest).await.ok();
        self.account.add_patient("Ada").await;
        self.until_runs(1, states).await.remove(0)
    }

    /// `workflow show NAME --json`
    pub async fn workflow(&self, name: &str) -> Value {
        self.host.cli(&["workflow", "show", name, "--json"]).await.json()
    }

    /// The account's first webhook, for messages by hand.
    pub async fn delivery(&self) -> Delivery {
        Delivery::of(self.account.webhooks().await.first().expect("a webhook"))
    }
}
