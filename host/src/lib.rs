//! Caspian: a workflow host for Caspio. One folder a part; each knows only parts of the lines below its own
//! (`host/tests/layers.rs` checks that):
//!
//! | line | parts |
//! |---|---|
//! | commands | `cli` |
//! | HTTP, composition | `server` |
//! | what people ask of a host | `control` |
//! | all tunables together | `config` |
//! | changes without a webhook; what the operator is told | `coverage`, `alerts` |
//! | the way of an event | `ingress`, `scheduler` |
//! | one attempt; webhooks in Caspio | `execution`, `triggers` |
//! | record and replay; sandbox; keys and clients opened; whose work a change is | `journal`, `runtime`, `accounts`, `lineage` |
//! | Caspio's API | `caspio` |
//! | what is kept | `store` |
//! | leaves | `manifest`, `secrets`, `telemetry`, `model`, `clock`, `faults` |

pub mod accounts;
pub mod alerts;
pub mod caspio;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod coverage;
pub mod execution;
pub mod faults;
pub mod ingress;
pub mod journal;
pub mod lineage;
pub mod manifest;
pub mod model;
pub mod runtime;
pub mod scheduler;
pub mod secrets;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod triggers;
