//! The generated bindings of `caspian:workflow@0.1.0`.
//!
//! The rest of this crate stands on them; a workflow rarely needs them. Unlike the types of this
//! crate, their `Debug` shows values, so don't write them into a text that leaves the run.
//! Outside WebAssembly the imported functions exist, but panic when called.

#![allow(missing_docs, reason = "generated; the contract in wit/ documents what it declares")]
#![allow(
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::todo,
    clippy::unimplemented,
    unsafe_op_in_unsafe_fn,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../../wit/caspian-workflow-0.1.0",
    world: "workflow",
    pub_export_macro: true,
    default_bindings_module: "caspian_sdk::raw",
});
