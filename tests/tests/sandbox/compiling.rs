//! Compiling has limits of its own: size, time, memory.

use std::path::PathBuf;

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, guest};

async fn site_with(runtime: &str) -> Site {
    let host = HostOptions { config: format!("[runtime]\n{runtime}\n"), ..HostOptions::default() };
    Site::with(SiteOptions { host, ..SiteOptions::default() }).await
}

/// A number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len()), content.to_vec()].concat()
}

/// A component that takes a compiler long: a module of many functions, nothing of ours.
fn laborious(site: &Site) -> PathBuf {
    const FUNCTIONS: usize = 8000;
    // No locals of its own; local 0 = (local 0 * 7) ^ local 0, again and again.
    let step = [0x20, 0, 0x42, 7, 0x7e, 0x20, 0, 0x85, 0x21, 0];
    let body = [vec![0], step.repeat(400), vec![0x20, 0, 0x0b]].concat();
    let body = [leb(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7e, 1, 0x7e]),
        section(3, &[leb(FUNCTIONS), vec![0; FUNCTIONS]].concat()),
        section(10, &[leb(FUNCTIONS), body.repeat(FUNCTIONS)].concat()),
    ];
    let component = [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat();
    let path = site.folder().join("laborious.wasm");
    std::fs::write(&path, component).unwrap();
    path
}

async fn nothing_is_deployed(site: &Site) {
    let workflows = site.host.cli(&["workflow", "list", "--json"]).await.json();
    assert_eq!(workflows, serde_json::json!([]));
}

#[tokio::test]
async fn a_component_that_is_too_large_is_refused() {
    let site = site_with("max_component_mib = 1").await;
    let path = site.folder().join("large.wasm");
    for mib in [2, 40] {
        std::fs::write(&path, vec![0_u8; mib << 20]).unwrap();
        let answer = site.deploy(&ManifestBuilder::probe("large", "echo").component(&path)).await;
        let answer = answer.refused("larger than 1 MiB");
        assert!(answer.stderr.contains("raise runtime.max_component_mib"), "{}", answer.stderr);
    }
    nothing_is_deployed(&site).await;
    site.still_serves().await;
}

#[tokio::test]
async fn compiling_that_takes_too_long_is_stopped() {
    let site = site_with("compile_seconds = 1").await;
    let path = laborious(&site);
    let answer = site.deploy(&ManifestBuilder::probe("long", "echo").component(&path)).await;
    let answer = answer.refused("compiling the component took longer than 1 s");
    assert!(answer.stderr.contains("raise runtime.compile_seconds"), "{}", answer.stderr);
    nothing_is_deployed(&site).await;
    let left: Vec<_> = std::fs::read_dir(site.host.data().join("compiled")).unwrap().collect();
    assert!(left.is_empty(), "no code is left: {left:?}");
}

#[tokio::test]
async fn compiling_that_needs_too_much_memory_is_stopped() {
    let site = site_with("compile_memory_mib = 64").await;
    let probe = ManifestBuilder::probe("hungry", "echo").component(&guest("caspian_probe"));
    let answer = site.deploy(&probe).await.refused("compiling the component failed");
    assert!(answer.stderr.contains("raise runtime.compile_memory_mib"), "{}", answer.stderr);
    nothing_is_deployed(&site).await;
    // The host itself is well: nothing of the compiler's end is its own.
    site.host.until_ready().await;
}
