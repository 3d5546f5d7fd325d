//! Caspian: a workflow host for Caspio. One folder a part; each knows only those below it:
//!
//! `cli` → `server` → `control`, `ingress`, `scheduler` → `execution`, `triggers` → `journal`, `runtime`,
//! `accounts` → `caspio`, `store` → `manifest`, `secrets`, `config`, `telemetry`, `model`, `clock`, `faults`.

pub mod accounts;
pub mod caspio;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod execution;
pub mod faults;
pub mod ingress;
pub mod journal;
pub mod manifest;
pub mod model;
pub mod runtime;
pub mod scheduler;
pub mod secrets;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod triggers;
