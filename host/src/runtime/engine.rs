//! The one constructor of the engine, for the server, the compiling child and tests.

use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::RuntimeSettings;

/// How often a busy guest yields its thread. 10 ms: others wait at most so long for a worker, and the
/// check costs nothing measurable.
const TICK: Duration = Duration::from_millis(10);
/// What a slot of the pool keeps in memory between two guests, reset to what the next one must find: most guests
/// touch less, and pay neither for page faults nor for a call into the kernel that gives pages back.
const KEEP_RESIDENT: usize = 128 << 10;
/// Stack of a guest: what deep parsers need, and far from the fiber's end.
const WASM_STACK: usize = 512 << 10;
const FIBER_STACK: usize = 1 << 20;

/// What compiled code depends on; the same for every engine of ours.
fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // A guest must compute the same on every machine and in every attempt.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}

/// An engine that only compiles: the same code as [`engine`] would make, without its pool.
pub(super) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// The engine of the process. Where the pool's address space can't be reserved (a container with a
/// limit), guests are allocated one by one: slower, otherwise the same.
pub(super) fn engine(settings: &RuntimeSettings) -> wasmtime::Result<Engine> {
    let n = settings.instances.max(1);
    let mut pool = PoolingAllocationConfig::default();
    // A component is a few core modules: its own, and adapters. The largest one fits alone into every pool;
    // when others hold the places, a guest waits for them.
    pool.total_component_instances(n)
        .total_core_instances(n.saturating_mul(8).max(64))
        .max_core_instances_per_component(64)
        .total_memories(n.saturating_mul(2).max(8))
        .max_memories_per_component(8)
        .total_tables(n.saturating_mul(8).max(64))
        .max_tables_per_component(64)
        .total_stacks(n)
        .max_memory_size((settings.max_memory_mib.max(1) as usize) << 20)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(16 << 10)
        // Where the kernel (6.7 or later) tells which pages a guest wrote, only those are reset.
        .pagemap_scan(Enabled::Auto);
    let mut pooled = config();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = match Engine::new(&pooled) {
        Ok(engine) => engine,
        Err(error) => {
            tracing::warn!(%error, "no address space for the pool; guests are allocated one by one (slower)");
            compiler()?
        }
    };
    tick(&engine);
    Ok(engine)
}

/// One thread makes time pass for the engine, as long as it lives.
fn tick(engine: &Engine) {
    let weak = engine.weak();
    let started = std::thread::Builder::new().name("engine-tick".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    if let Err(error) = started {
        tracing::error!(%error, "no thread for the engine's clock; busy guests yield late");
    }
}

/// Names the code that an engine can load: differs when the engine's version or settings do.
pub(super) fn compatibility(engine: &Engine) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
