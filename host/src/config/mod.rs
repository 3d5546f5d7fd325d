//! `caspian.toml`: every tunable with name, default, unit and reason; flags and environment go before it.
//!
//! A leaf of data: each part defines its own section beside its code, this file puts them together.
//! Unknown keys are errors with line and column. `packaging/caspian.toml` is the reference; a test compares it with the
//! defaults. `environment` has the variables, `bounds` what values must be.

mod bounds;
mod data_dir;
mod environment;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::alerts::AlertSettings;
use crate::caspio::ClientSettings;
use crate::coverage::CoverageSettings;
use crate::execution::{RetrySettings, StateSettings};
use crate::lineage::LineageSettings;
use crate::model::Retention;
use crate::runtime::RuntimeSettings;
use crate::scheduler::SchedulerSettings;
use crate::telemetry::{LogSettings, TelemetrySettings};
use crate::triggers::TriggerSettings;

pub use data_dir::{DataDir, DataDirError, Lock};

/// The whole file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[server]`
    pub server: ServerSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[runtime]`
    pub runtime: RuntimeSettings,
    /// `[scheduler]`
    pub scheduler: SchedulerSettings,
    /// `[retry]`
    pub retry: RetrySettings,
    /// `[state]`
    pub state: StateSettings,
    /// `[lineage]`
    pub lineage: LineageSettings,
    /// `[caspio]`
    pub caspio: ClientSettings,
    /// `[coverage]`
    pub coverage: CoverageSettings,
    /// `[triggers]`
    pub triggers: TriggerSettings,
    /// `[retention]`
    pub retention: Retention,
    /// `[alerts]`
    pub alerts: AlertSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
}

/// `[server]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Where it listens. Default 127.0.0.1:8080: reachable from outside only through a proxy that ends TLS.
    pub listen: SocketAddr,
    /// Where Caspio reaches this host, `https://…` without a path. Needed to activate workflows.
    pub public_url: Option<String>,
    /// Messages taken in at the same time. Default 256; each may hold 12 MiB, and more would only
    /// wait for the disk. Beyond it the answer is 503, and Caspio tries again.
    pub hooks_in_flight: usize,
    /// Seconds a webhook's request may take in all. Default 30: longer than Caspio waits.
    pub hook_timeout_seconds: u64,
    /// Seconds a call of the control API may take. Default 300: a deploy compiles, and talks to Caspio.
    pub api_timeout_seconds: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            hooks_in_flight: 256,
            hook_timeout_seconds: 30,
            api_timeout_seconds: 300,
        }
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {0} can't be read ({1}); check the path")]
    Read(String, std::io::Error),
    /// The file is not valid.
    #[error("the configuration {file}, line {line}, column {column}: {message}; correct the file")]
    Syntax {
        /// Path.
        file: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A variable is not valid.
    #[error("the environment variable {variable}: {message}; correct it, or unset it")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong.
        message: String,
    },
    /// A value with which nothing would work.
    #[error("{place}: {key} must be {rule}; correct it, or leave it out for its default")]
    Value {
        /// The file or variable.
        place: String,
        /// Section and key.
        key: &'static str,
        /// What it must be.
        rule: String,
    },
    /// The public URL is none.
    #[error(
        "the public URL is none that Caspio can use; give https://host[:port] without a path (http:// for loopback hosts only)"
    )]
    PublicUrl,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read or is not valid.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::load(Some(path), [])
    }

    /// Reads a file (none: the defaults), and variables of the environment that go before it.
    ///
    /// # Errors
    /// When it can't be read, or is not valid.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let file = path.map_or_else(|| "of the environment".to_owned(), |path| path.display().to_string());
        let text = match path {
            Some(path) => std::fs::read_to_string(path).map_err(|e| ConfigError::Read(file.clone(), e))?,
            None => String::new(),
        };
        Self::parse_with(&text, &file, variables)
    }

    /// Reads a text; `file` is named in errors.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, file, [])
    }

    fn parse_with(
        text: &str,
        file: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let syntax = |e: toml::de::Error| {
            let before = text.get(..e.span().map_or(0, |s| s.start)).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |n| n + 1);
            ConfigError::Syntax {
                file: file.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
                message: e.message().trim().to_owned(),
            }
        };
        let _: Self = toml::from_str(text).map_err(syntax)?;
        let mut table: toml::Table = text.parse().map_err(syntax)?;
        let given = environment::overlay(&mut table, variables)?;
        let config: Self = table.try_into().map_err(syntax)?;
        match bounds::unusable(&config) {
            Some((key, rule)) => {
                let place = match given.iter().any(|given| given == key) {
                    true => format!("the environment variable {}", environment::variable(key)),
                    false => format!("the configuration {file}"),
                };
                Err(ConfigError::Value { place, key, rule })
            }
            None => Ok(config),
        }
    }
}

impl ServerSettings {
    /// The public URL, checked, without a slash at its end.
    ///
    /// # Errors
    /// When it is not `https://host[:port]` (or `http://` of a loopback host).
    pub fn checked_public_url(&self) -> Result<Option<String>, ConfigError> {
        let Some(text) = &self.public_url else { return Ok(None) };
        let text = text.trim().trim_end_matches('/');
        let url = reqwest::Url::parse(text).map_err(|_| ConfigError::PublicUrl)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let secure = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let named = url.username().is_empty() && url.password().is_none() && !host.is_empty();
        if secure && plain && named { Ok(Some(text.to_owned())) } else { Err(ConfigError::PublicUrl) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_defaults_and_mistakes_have_a_place() {
        let config = Config::parse("", "x").unwrap();
        assert_eq!(config.server.listen.port(), 8080);
        let error = Config::parse("[server]\nlisten = \"127.0.0.1:1\"\nlisen = 3\n", "c.toml").unwrap_err();
        assert!(error.to_string().contains("c.toml, line 3, column 1"), "{error}");
    }

    #[test]
    fn values_with_which_nothing_works_are_named() {
        for (text, key) in [
            ("[scheduler]\nconcurrency = 0", "scheduler.concurrency must be from 1 to 10000"),
            ("[scheduler]\nconcurrency = 9000000000000000000", "scheduler.concurrency must be from 1"),
            ("[server]\nhooks_in_flight = 9000000000000000000", "server.hooks_in_flight must be from 1"),
            ("[runtime]\nmax_memory_mib = 100000", "runtime.max_memory_mib must be from 1 to 4096"),
            ("[runtime]\ninstances = 4000000000", "runtime.instances must be from 1 to 10000"),
            ("[caspio]\ncalls_per_second = 0.0", "caspio.calls_per_second must be from 0.001"),
            ("[caspio]\ncalls_per_second = nan", "caspio.calls_per_second must be from 0.001"),
            ("[retry]\nstep_max_seconds = -1.0", "retry.step_max_seconds must be from 0"),
            ("[retry]\nstep_initial_seconds = 1e300", "retry.step_initial_seconds must be from 0 to"),
            ("[alerts]\ncommand = [\"notify\"]", "alerts.command must be the absolute path of a program"),
            ("[alerts]\nwebhook = \"alerts.example.com\"", "alerts.webhook must be a URL"),
            ("[telemetry]\notlp_endpoint = \"nonsense\"", "telemetry.otlp_endpoint must be a base URL"),
            ("[telemetry]\notlp_endpoint = \"localhost:4318\"", "telemetry.otlp_endpoint must be a base"),
        ] {
            let error = Config::parse(text, "c.toml").unwrap_err().to_string();
            assert!(error.contains("c.toml") && error.contains(key), "{error}");
        }
        assert!(Config::parse("[caspio]\nread_retries = 0\nlongest_wait_seconds = 0", "c").is_ok());
    }

    #[test]
    fn the_reference_is_the_defaults_and_says_why_of_each_key() {
        let text = include_str!("../../../packaging/caspian.toml");
        let reference: toml::Table = text.parse().unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(reference, defaults, "packaging/caspian.toml and the defaults differ");
        // Keys without a default stand there, too, to be taken in.
        let optional = ["# public_url = ", "# webhook = ", "# webhook_secret_file = ", "# otlp_endpoint = "];
        let mut whole = text.to_owned();
        for key in optional {
            assert_eq!(text.matches(&format!("\n{key}")).count(), 1, "{key}");
            whole = whole.replace(&format!("\n{key}"), &format!("\n{}", key.trim_start_matches("# ")));
        }
        let config = Config::parse(&whole, "caspian.toml").unwrap();
        assert!(config.alerts.webhook.is_some() && config.alerts.webhook_secret_file.is_some());
        assert!(config.server.public_url.is_some() && config.telemetry.otlp_endpoint.is_some());
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let [before, line] = pair else { continue };
            let is_key = optional.iter().any(|key| line.starts_with(key))
                || (line.contains(" = ") && !line.starts_with('#'));
            assert!(!is_key || before.starts_with("# "), "no reason for: {line}");
        }
    }

    #[test]
    fn public_urls() {
        let check = |text: &str| {
            ServerSettings { public_url: Some(text.to_owned()), ..ServerSettings::default() }
                .checked_public_url()
                .ok()
                .flatten()
        };
        assert_eq!(check("https://hooks.example.com/").as_deref(), Some("https://hooks.example.com"));
        assert_eq!(check("http://127.0.0.1:80").as_deref(), Some("http://127.0.0.1:80"));
        for bad in ["http://example.com", "https://example.com/x", "ftp://a", "example.com", "https://u:p@a"]
        {
            assert_eq!(check(bad), None, "{bad}");
        }
    }
}
