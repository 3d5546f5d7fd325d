//! What the end-to-end tests stand on: a [`Site`] is an emulated Caspio account and a real `caspian`
//! process with its own data folder, connected with each other.
//!
//! Nothing is waited for by sleeping: [`until`] polls a condition with a deadline. Everything is done as a
//! user would, by commands and HTTP; what a person would do in Caspio goes through the emulator's administration.

mod account;
mod api;
mod host;
mod manifest;
mod receiver;
mod site;
mod wait;
mod webhook;

pub use account::Account;
pub use api::ApiError;
pub use host::{Answer, Host, HostOptions, binary};
pub use manifest::{ManifestBuilder, guest, repository};
pub use receiver::{Post, Receiver};
pub use site::{Site, SiteOptions};
pub use wait::{DEADLINE, until};
pub use webhook::{Delivery, sign};
