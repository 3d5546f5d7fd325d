//! Generated from the contract in `wit/`.
#![allow(missing_docs, reason = "generated; the contract's own comments are in wit/")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    path: "../wit/caspian-workflow-0.1.0",
    world: "caspian:workflow/workflow",
    imports: { default: async | trappable },
    exports: { default: async },
});
