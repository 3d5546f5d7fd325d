//! `[runtime]` of the configuration.

use serde::{Deserialize, Serialize};

/// Tunables of the engine and of compiling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSettings {
    /// Guests alive at the same time. Default 128: twice the scheduler's concurrency, so that a guest
    /// that is being dropped holds nobody up. Costs address space, and memory only when used.
    pub instances: u32,
    /// Largest memory of a guest in MiB; manifests ask for less or the same. Default 256: what fits a language
    /// runtime with room; each slot of the pool reserves it.
    pub max_memory_mib: u32,
    /// Compiled versions kept loaded. Default 500: each is a mapping or two, and the kernel allows
    /// about 65,000 of them a process.
    pub loaded_versions: u64,
    /// Seconds that compiling one component may take. Default 120: the largest language runtimes need
    /// some ten; what takes longer is made to.
    pub compile_seconds: u64,
    /// MiB of address space that compiling one component may use. Default 4096.
    pub compile_memory_mib: u64,
    /// Replays at the same time. Default 2: each computes without a pause, and runs come first.
    pub replays: u32,
    /// Largest component in MiB. Default 64: a JavaScript engine inside is about 12.
    pub max_component_mib: u32,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            instances: 128,
            max_memory_mib: 256,
            loaded_versions: 500,
            compile_seconds: 120,
            compile_memory_mib: 4096,
            replays: 2,
            max_component_mib: 64,
        }
    }
}
