//! Compiling in a child process: Cranelift can't be cancelled, a process can.
//!
//! The child is the same binary with a hidden subcommand. It limits its own CPU time and address
//! space, checks the component, and writes compiled code and its hash; the parent waits with a
//! deadline and kills. What the child says on stdout is one JSON line.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::engine;
use super::error::ComponentError;

/// First argument of the process that compiles.
pub const COMPILE_COMMAND: &str = "compile-component";

/// What components are checked against.
pub const CONTRACT: &str = "caspian:workflow@0.1.0";

/// What the child is told, as JSON on its command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompileRequest {
    /// The component.
    pub component: PathBuf,
    /// Where the code goes; its hash goes beside it.
    pub code: PathBuf,
    /// What the parent's engine can load.
    pub compatibility: String,
    /// CPU time and deadline.
    pub cpu_seconds: u64,
    /// Address space.
    pub memory_mib: u64,
    /// Largest component.
    pub max_component_mib: u32,
}

/// Runs the child and waits for it.
pub(super) async fn in_child(compiler: &Path, request: &CompileRequest) -> Result<(), ComponentError> {
    let failed = |e: &dyn std::fmt::Display| ComponentError::Compiler(e.to_string());
    let text = serde_json::to_string(request).map_err(|e| failed(&e))?;
    let child = tokio::process::Command::new(compiler)
        .arg(COMPILE_COMMAND)
        .arg(text)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(&e))?;
    // Half as long again: the limit is on CPU time, and the machine may be busy.
    let deadline = Duration::from_secs(request.cpu_seconds.saturating_add(request.cpu_seconds / 2).max(10));
    let output = match tokio::time::timeout(deadline, child.wait_with_output()).await {
        Err(_) => return Err(ComponentError::Deadline(request.cpu_seconds)),
        Ok(output) => output.map_err(|e| failed(&e))?,
    };
    match serde_json::from_slice::<Result<(), ComponentError>>(&output.stdout) {
        Ok(result) => result,
        Err(_) if output.status.code().is_none() => {
            use std::os::unix::process::ExitStatusExt as _;
            match output.status.signal() {
                // CPU time is up.
                Some(24 | 9) => Err(ComponentError::Deadline(request.cpu_seconds)),
                // It could not write the code that it made.
                Some(25) => Err(ComponentError::File("no room for compiled code".to_owned())),
                signal => Err(failed(&format!("the compiler died of signal {}", signal.unwrap_or(0)))),
            }
        }
        Err(_) => Err(failed(&"the compiler gave no answer; it may have run out of memory")),
    }
}

/// The child's work: the request is its argument, the answer one JSON line for stdout.
///
/// # Errors
/// When the request can't be read or the answer can't be written: called by hand, not by us.
pub fn compile_in_this_process(request: &str) -> Result<String, serde_json::Error> {
    let request: CompileRequest = serde_json::from_str(request)?;
    serde_json::to_string(&compile(&request))
}

fn compile(request: &CompileRequest) -> Result<(), ComponentError> {
    limit(request);
    let file = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::OutOfMemory => ComponentError::Compiler("it needs more memory".to_owned()),
        _ => ComponentError::File(e.to_string()),
    };
    let size = std::fs::metadata(&request.component).map_err(file)?.len();
    if size > u64::from(request.max_component_mib) << 20 {
        return Err(ComponentError::TooLarge(request.max_component_mib));
    }
    let bytes = std::fs::read(&request.component).map_err(file)?;
    let engine = engine::compiler().map_err(|e| ComponentError::Compiler(e.to_string()))?;
    if engine::compatibility(&engine) != request.compatibility {
        return Err(ComponentError::Compiler(
            "the compiler is of another version; restart the host".to_owned(),
        ));
    }
    if Engine::detect_precompiled(&bytes).is_some() {
        return Err(ComponentError::Invalid("compiled code is not accepted".to_owned()));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(ComponentError::Invalid("it does not begin like one".to_owned()));
    }
    let component = Component::from_binary(&engine, &bytes)
        .map_err(|e| ComponentError::Invalid(e.root_cause().to_string()))?;
    check_world(&engine, &component)?;
    let code = component.serialize().map_err(|e| ComponentError::Compiler(e.to_string()))?;
    write_code(&request.code, &code).map_err(file)
}

fn limit(request: &CompileRequest) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let both = |n: u64| Rlimit { current: Some(n), maximum: Some(n) };
    // Best effort: the parent's deadline stands besides.
    let _ = setrlimit(Resource::Cpu, both(request.cpu_seconds.max(1)));
    let _ = setrlimit(Resource::As, both(request.memory_mib.max(64) << 20));
    let _ = setrlimit(Resource::Core, both(0));
}

/// Every import is ours or WASI's, and `handle` is there. Types are checked when it is linked.
fn check_world(engine: &Engine, component: &Component) -> Result<(), ComponentError> {
    let kind = component.component_type();
    let foreign: Vec<String> =
        kind.imports(engine).map(|(name, _)| name.to_owned()).filter(|name| !is_offered(name)).collect();
    if !foreign.is_empty() {
        return Err(ComponentError::ForeignImport(foreign));
    }
    match kind.exports(engine).find(|(name, _)| *name == "handle") {
        Some((_, item)) if matches!(item.ty, ComponentItem::ComponentFunc(_)) => Ok(()),
        _ => Err(ComponentError::World("it exports no function `handle`".to_owned())),
    }
}

fn is_offered(import: &str) -> bool {
    const OURS: [&str; 13] = [
        "types",
        "records",
        "tables",
        "aggregates",
        "views",
        "attachments",
        "files",
        "directories",
        "tasks",
        "timers",
        "state",
        "log",
        "settings",
    ];
    const WASI: [&str; 6] = ["cli", "io", "clocks", "random", "filesystem", "sockets"];
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let Some((package, interface)) = path.split_once('/') else { return false };
    match package.split_once(':') {
        Some(("caspian", "workflow")) => OURS.contains(&interface) && version == "0.1.0",
        Some(("wasi", package)) => WASI.contains(&package) && version.starts_with("0.2."),
        _ => false,
    }
}

fn hash_file(code: &Path) -> PathBuf {
    code.with_extension("sha256")
}

/// Code first under another name, so that a crash leaves no half of it; the hash last.
fn write_code(code: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = code.with_extension(format!("part{}", std::process::id()));
    let write = |path: &Path, bytes: &[u8]| {
        use std::io::Write as _;
        let mut file = std::fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    let result = write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, code))
        .and_then(|()| write(&hash_file(code), hex::encode(Sha256::digest(bytes)).as_bytes()));
    if result.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    result
}

/// Whether there is compiled code, and it is as it was written.
pub(super) fn is_as_written(code: &Path) -> bool {
    let Ok(wanted) = std::fs::read_to_string(hash_file(code)) else { return false };
    std::fs::read(code).is_ok_and(|bytes| hex::encode(Sha256::digest(&bytes)) == wanted.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_imports_are_offered() {
        for name in [
            "caspian:workflow/records@0.1.0",
            "caspian:workflow/types@0.1.0",
            "wasi:cli/environment@0.2.6",
            "wasi:sockets/tcp@0.2.0",
        ] {
            assert!(is_offered(name), "{name}");
        }
        for name in [
            "caspian:workflow/records@0.2.0",
            "caspian:workflow/secrets@0.1.0",
            "wasi:http/outgoing-handler@0.2.3",
            "wasi:cli/environment@0.3.0",
            "acme:spy/api",
            "handle",
        ] {
            assert!(!is_offered(name), "{name}");
        }
    }

    #[test]
    fn damaged_code_is_not_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let code = dir.path().join("x.cwasm");
        write_code(&code, b"code").unwrap();
        assert!(is_as_written(&code));
        std::fs::write(&code, b"c0de").unwrap();
        assert!(!is_as_written(&code));
    }
}
