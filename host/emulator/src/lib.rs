//! A Caspio account on your own machine.
//!
//! One process that answers like Caspio: `/oauth/token`, REST v3 for tables, views, attachments, files,
//! directories, import/export tasks and outgoing webhooks, and a dispatcher that calls those webhooks. Everything lives in memory and
//! ends with the process. Routes under `/emulator/` stand in for a person at a datasheet and
//! inject faults; they need no token, so listen on a loopback address only.
//!
//! What Caspio does not document is a knob in [`Settings`]; its default is the one that the
//! reference page names. A failure of a request is an answer with `Code` and `Message`, never the
//! end of the process.
//!
//! ```no_run
//! # async fn demo() -> anyhow::Result<()> {
//! use caspio_emulator::{Emulator, EmulatorOptions};
//! let running = Emulator::start(EmulatorOptions::default()).await?;
//! println!("Caspio is at {}", running.base_url());
//! running.shutdown().await;
//! # Ok(()) }
//! ```

mod account;
mod admin;
mod auth;
mod connection;
mod data;
mod directories;
mod downloads;
mod environment;
mod error;
mod faults;
mod files;
mod front;
mod hooks;
mod http;
mod multipart;
mod requests;
mod rest;
mod rows;
mod seed;
mod server;
mod settings;
mod sql;
mod tasks;
mod views;

pub use environment::run_faster;
pub use seed::{Seed, SeedError};
pub use server::{Emulator, EmulatorOptions, RunningEmulator};
pub use settings::{
    AttachmentValue, BatchMode, Encoding, KeyForm, ListEnvelope, ListForm, Network, RateLimit, RateLimitForm,
    Settings, Signature, UnsetNumber,
};
