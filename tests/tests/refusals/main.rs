//! What is refused, and what is said about it: what happened, and what to do.

mod activation;
mod api;
mod commands;
mod connections;
mod data_folder;
mod deploys;
mod grants;
mod manifests;
mod starting;
