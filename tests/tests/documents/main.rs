//! The documents are true: the commands in them work as they are written, in their order; what they name exists.
//!
//! Everything is taken out of the files when the tests run, so a document that changes is a test that changes. A
//! command that is neither run nor listed with the reason why not fails.

mod code;
mod commands;
mod emulator;
mod help;
mod links;
mod manifests;
mod markdown;
mod packaging;
mod stage;
