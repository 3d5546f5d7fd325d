//! An emulated Caspio account and a host, each a process, connected with each other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::Bench;
use crate::client::Client;
use crate::message::Target;
use crate::process::{Process, free_port};

/// The emulator's own clinic, without limits.
const CLINIC: &str = include_str!("../../../host/emulator/seeds/clinic.json");
/// Caspio's limits off: they are not what is measured. A call may take longer than a measurement.
const QUICK: &str =
    "[caspio]\ncalls_per_second = 1000000.0\nburst = 1000000\nrequest_timeout_seconds = 600\n";

/// See the module's text.
pub struct Site {
    folder: TempDir,
    caspian: PathBuf,
    config: String,
    host: Option<Process>,
    port: u16,
    /// The emulator's administration and REST.
    pub account: Client,
    /// Where the emulator is.
    pub account_url: String,
    _emulator: Process,
}

impl Site {
    /// With the connection `clinic`. `config`: sections for `caspian.toml`.
    pub async fn start(bench: &Bench, config: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("caspian-bench-").tempdir()?;
        let mut seed: Value = serde_json::from_str(CLINIC)?;
        if let Some(seed) = seed.as_object_mut() {
            seed.insert("Settings".to_owned(), json!({"RateLimit": null, "MaxCallThrottling": 100_000}));
        }
        let seed_file = folder.path().join("seed.json");
        std::fs::write(&seed_file, seed.to_string())?;
        let account_url = format!("http://127.0.0.1:{}", free_port()?);
        let mut command = Command::new(&bench.caspian);
        command.arg("emulator").arg("--seed").arg(&seed_file);
        command.args(["--listen", account_url.trim_start_matches("http://")]);
        let emulator =
            Process::start(command, "emulator is listening on", &folder.path().join("emulator.log"))?;

        let data = folder.path().join("data");
        let made = Command::new(&bench.caspian).arg("init").arg("--data").arg(&data).output()?;
        if !made.status.success() {
            bail!("caspian init failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let mut site = Self {
            folder,
            caspian: bench.caspian.clone(),
            config: format!("{config}\n{QUICK}"),
            host: None,
            port: free_port()?,
            account: Client::new(&account_url, None),
            account_url,
            _emulator: emulator,
        };
        site.start_host()?;
        let connection = json!({
            "name": "clinic", "url": site.account_url, "client_id": "demo-client", "client_secret": "demo-secret",
        });
        site.api()?.post("connections", &connection).await?;
        Ok(site)
    }

    /// Ends the host and starts it again.
    pub fn start_host(&mut self) -> anyhow::Result<()> {
        self.stop_host();
        let config = self.folder.path().join("caspian.toml");
        std::fs::write(&config, &self.config)?;
        let mut command = Command::new(&self.caspian);
        command.arg("serve").arg("--data").arg(self.data()).arg("--config").arg(config);
        command.args(["--listen", &self.address().to_string(), "--public-url", &self.url()]);
        self.host = Some(Process::start(command, "is listening on", &self.folder.path().join("host.log"))?);
        Ok(())
    }

    /// Kills the host.
    pub fn stop_host(&mut self) {
        self.host = None;
    }

    /// The host's process.
    pub fn host(&self) -> anyhow::Result<&Process> {
        self.host.as_ref().context("the host does not run")
    }

    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The host's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for other files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The host's control API.
    pub fn api(&self) -> anyhow::Result<Client> {
        let token = std::fs::read_to_string(self.data().join("admin.token"))?;
        Ok(Client::new(&format!("{}/api/v1", self.url()), Some(token.trim().to_owned())))
    }

    /// Deploys and activates workflows of the same component, each started by inserted records, some at a time.
    pub async fn deploy(&self, component: &Path, names: Vec<String>) -> anyhow::Result<()> {
        self.deploy_on(component, names.into_iter().map(|name| (name, "record-insert")).collect()).await
    }

    /// Deploys and activates workflows of the same component, each started by its event of `Patients`.
    pub async fn deploy_on(
        &self,
        component: &Path,
        workflows: Vec<(String, &'static str)>,
    ) -> anyhow::Result<()> {
        let bytes = std::fs::read(component)?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let api = self.api()?;
        api.put(&format!("components/{digest}"), bytes).await?;
        let workflows = Arc::new(std::sync::Mutex::new(workflows));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (api, digest, workflows) = (api.clone(), digest.clone(), workflows.clone());
            tasks.spawn(async move {
                while let Some((name, event)) = workflows.lock().ok().and_then(|mut left| left.pop()) {
                    let body =
                        json!({"manifest": manifest(&name, event), "component": digest, "activate": true});
                    api.post("workflows", &body).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    }

    /// Where the messages of all webhooks go.
    pub async fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let webhooks = self.account.get("emulator/webhooks").await?;
        webhooks.as_array().context("no list of webhooks")?.iter().map(Target::of).collect()
    }

    /// Where the messages of the only webhook go.
    pub async fn target(&self) -> anyhow::Result<Target> {
        self.targets().await?.pop().context("there is no webhook")
    }

    /// What the host counted so far under this name, of all its labels.
    pub async fn counted(&self, name: &str) -> anyhow::Result<f64> {
        let token = std::fs::read_to_string(self.data().join("admin.token"))?;
        let text = Client::new(&self.url(), Some(token.trim().to_owned())).text("metrics").await?;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let of_it =
                series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
            of_it.then(|| value.parse::<f64>().ok())?
        });
        Ok(values.sum())
    }

    /// The store, to look at while the host works.
    pub fn store(&self) -> anyhow::Result<rusqlite::Connection> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = caspian::config::DataDir::new(&self.data()).database();
        Ok(rusqlite::Connection::open_with_flags(file, flags)?)
    }
}

fn manifest(name: &str, event: &str) -> String {
    format!(
        r#"name = "{name}"
component = "minimal.wasm"
connection = "clinic"
[[trigger]]
event = "{event}"
table = "Patients"
[grants]
tables = {{ Patients = ["read"], Tasks = ["create"] }}
"#
    )
}
