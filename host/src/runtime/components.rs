//! Components by digest: compiled once, kept on disk, loaded and linked once, the least used dropped first.
//!
//! Compiled code is only ever made by our own child process. It lies in a folder of mode 0700, named by
//! component and by what the engine can load, and is loaded only when it still has the hash that was
//! written beside it.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::attempt::Handled;
use super::bindings::WorkflowPre;
use super::compile::{self, CompileRequest};
use super::error::ComponentError;
use super::event::EventRef;
use super::guest::{self, Guest};
use super::{RuntimeSettings, engine};

/// SHA-256 of a component; shown in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ComponentDigest(pub [u8; 32]);

impl ComponentDigest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for ComponentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A component that is ready to be instantiated.
pub struct Prepared {
    pre: InstancePre<Guest>,
    handle: ComponentExportIndex,
}

impl Prepared {
    /// A fresh instance, and its `handle`.
    pub(super) async fn handle(&self, store: &mut Store<Guest>, event: EventRef<'_>) -> Handled {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        let handle = instance.get_typed_func::<(EventRef<'_>,), _>(&mut *store, &self.handle)?;
        let (handled,) = handle.call_async(store, (event,)).await?;
        Ok(handled)
    }
}

/// See the part's text. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    linker: Linker<Guest>,
    settings: RuntimeSettings,
    compatibility: String,
    /// Folder of compiled code.
    compiled: PathBuf,
    /// The binary that compiles, with its subcommand.
    compiler: PathBuf,
    loaded: moka::future::Cache<ComponentDigest, Arc<Prepared>>,
    /// Those that could not be loaded when they were wanted last.
    failed: Mutex<HashMap<ComponentDigest, ComponentError>>,
}

impl Runtime {
    /// The runtime of this process. `compiled`: folder for compiled code, made when missing;
    /// `compiler`: the `caspian` binary.
    ///
    /// # Errors
    /// When the engine can't be made or the folder can't be used.
    pub fn new(
        settings: RuntimeSettings,
        compiled: PathBuf,
        compiler: PathBuf,
    ) -> Result<Self, ComponentError> {
        let failed = |e: wasmtime::Error| ComponentError::Compiler(e.root_cause().to_string());
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&compiled)
            .map_err(|e| ComponentError::File(e.to_string()))?;
        let engine = engine::engine(&settings).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        guest::link(&mut linker).map_err(failed)?;
        let compatibility = engine::compatibility(&engine);
        let loaded = moka::future::Cache::new(settings.loaded_versions.max(1));
        Ok(Self {
            shared: Arc::new(Shared {
                engine,
                linker,
                settings,
                compatibility,
                compiled,
                compiler,
                loaded,
                failed: Mutex::default(),
            }),
        })
    }

    /// The engine of the process, so that a benchmark can measure against the bare engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Component instances and memories of the pool in use; none without a pool.
    #[must_use]
    pub fn occupancy(&self) -> Option<(u64, usize)> {
        let pool = self.shared.engine.pooling_allocator_metrics()?;
        Some((pool.component_instances(), pool.memories()))
    }

    /// The tunables.
    #[must_use]
    pub fn settings(&self) -> &RuntimeSettings {
        &self.shared.settings
    }

    /// Makes a component ready: from memory, from compiled code on disk, or by compiling `file`.
    /// Several callers wait for one.
    ///
    /// # Errors
    /// When the component can't be used; the same file gives the same error again.
    pub async fn prepare(
        &self,
        digest: &ComponentDigest,
        file: &Path,
    ) -> Result<Arc<Prepared>, ComponentError> {
        let loading = self.shared.loaded.try_get_with(*digest, self.load_noted(*digest, file.to_owned()));
        loading.await.map_err(|e| (*e).clone())
    }

    /// Why a component could not be loaded when it was wanted last; none when it could, or was not wanted yet.
    #[must_use]
    pub fn failure(&self, digest: &ComponentDigest) -> Option<ComponentError> {
        self.shared.failed.lock().ok()?.get(digest).cloned()
    }

    async fn load_noted(
        &self,
        digest: ComponentDigest,
        file: PathBuf,
    ) -> Result<Arc<Prepared>, ComponentError> {
        let loaded = self.load(digest, file).await;
        if let Ok(mut failed) = self.shared.failed.lock() {
            match &loaded {
                Ok(_) => failed.remove(&digest),
                Err(error) => failed.insert(digest, error.clone()),
            };
        }
        loaded
    }

    async fn load(&self, digest: ComponentDigest, file: PathBuf) -> Result<Arc<Prepared>, ComponentError> {
        let code = self.shared.compiled.join(format!("{digest}-{}.cwasm", self.shared.compatibility));
        let this = self.clone();
        let known = code.clone();
        let linked = tokio::task::spawn_blocking(move || this.link(&known));
        if let Ok(Some(prepared)) = linked.await.map_err(|_| closed())? {
            return Ok(prepared);
        }
        let settings = &self.shared.settings;
        let request = CompileRequest {
            component: file,
            code: code.clone(),
            compatibility: self.shared.compatibility.clone(),
            cpu_seconds: settings.compile_seconds,
            memory_mib: settings.compile_memory_mib,
            max_component_mib: settings.max_component_mib,
        };
        compile::in_child(&self.shared.compiler, &request).await?;
        let this = self.clone();
        let linked = tokio::task::spawn_blocking(move || this.link(&code)).await.map_err(|_| closed())?;
        linked?.ok_or_else(|| ComponentError::File("compiled code is gone".to_owned()))
    }

    /// Loads compiled code and links it. None when there is none, or when it is not what was written.
    fn link(&self, code: &Path) -> Result<Option<Arc<Prepared>>, ComponentError> {
        if !compile::is_as_written(code) {
            return Ok(None);
        }
        let world = |e: wasmtime::Error| ComponentError::World(format!("{e:#}"));
        // SAFETY: the file was written by our own compiler (hash checked above) into a folder that only we may write.
        #[allow(unsafe_code, reason = "loading compiled code is unsafe by nature; see above")]
        let component = unsafe { Component::deserialize_file(&self.shared.engine, code) };
        let Ok(component) = component else { return Ok(None) };
        let pre = self.shared.linker.instantiate_pre(&component).map_err(world)?;
        // That it is the contract's `handle`.
        WorkflowPre::new(pre.clone()).map_err(world)?;
        let Some(handle) = component.get_export_index(None, "handle") else {
            return Err(ComponentError::World("it exports no function `handle`".to_owned()));
        };
        Ok(Some(Arc::new(Prepared { pre, handle })))
    }
}

fn closed() -> ComponentError {
    ComponentError::File("the host is shutting down".to_owned())
}
