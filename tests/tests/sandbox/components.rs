//! What is no component of ours is refused at deploy: its own code, what is wrong, what to do.

use caspian_e2e::{ApiError, ManifestBuilder, Site, guest};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Uploads bytes as a component.
async fn upload(site: &Site, bytes: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(bytes));
    let call = site.host.api(Method::PUT, &format!("components/{digest}")).body(bytes.to_vec());
    assert_eq!(call.send().await.unwrap().status().as_u16(), 204);
    digest
}

/// Deploys bytes as a component; it must be refused, and nothing must be there afterwards.
async fn refused(site: &Site, bytes: &[u8]) -> ApiError {
    let digest = upload(site, bytes).await;
    let manifest = ManifestBuilder::probe("broken", "echo").text();
    let body = json!({"manifest": manifest, "component": digest, "activate": true});
    let error = site.host.refusal(site.host.api(Method::POST, "workflows").json(&body)).await;
    assert_eq!(error.status, 422, "{error:?}");
    let workflows = site.host.cli(&["workflow", "list", "--json"]).await.json();
    assert_eq!(workflows, json!([]), "nothing is deployed");
    assert!(site.account.webhooks().await.is_empty(), "nothing is in Caspio");
    error
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own WAT")
}

#[tokio::test]
async fn foreign_imports_are_named() {
    let site = Site::start().await;
    let component = wat(r#"(component
        (import "acme:spy/api" (instance (export "look" (func))))
        (import "wasi:http/outgoing-handler@0.2.3" (instance))
        (import "wasi:cli/environment@0.2.3" (instance))
        (import "wasi:clocks/monotonic-clock@0.3.0" (instance))
        (import "caspian:workflow/secrets@0.1.0" (instance))
        (import "spy" (func)))"#);
    let error = refused(&site, &component).await;
    error.is("component-foreign-import", "acme:spy/api");
    for name in ["wasi:http/outgoing-handler@0.2.3", "wasi:clocks/monotonic-clock@0.3.0", "spy"] {
        assert!(error.message.contains(name), "{error:?}");
    }
    assert!(error.message.contains("caspian:workflow/secrets@0.1.0"), "{error:?}");
    assert!(!error.message.contains("wasi:cli/environment"), "what is offered is not named: {error:?}");
    assert!(error.next.contains("remove the dependency"), "{error:?}");
    site.still_serves().await;
}

#[tokio::test]
async fn the_command_says_the_same() {
    let site = Site::start().await;
    let path = site.folder().join("spy.wasm");
    std::fs::write(&path, wat(r#"(component (import "acme:spy/api" (instance)))"#)).unwrap();
    let answer = site.deploy(&ManifestBuilder::probe("spy", "echo").component(&path)).await;
    let answer = answer.refused("the component imports acme:spy/api, which Caspian does not offer");
    assert!(answer.stderr.contains("next: remove the dependency"), "{}", answer.stderr);
    site.still_serves().await;
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let site = Site::start().await;
    let probe = std::fs::read(guest("caspian_probe")).unwrap();
    let mut flipped = probe.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xff);
    let cases: [(&str, Vec<u8>); 8] = [
        ("a core module", wat("(module)")),
        ("nothing", Vec::new()),
        ("random bytes", (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("half of one", probe[..probe.len() / 2].to_vec()),
        ("all but the end", probe[..probe.len() - 1].to_vec()),
        ("a damaged one", flipped),
        ("text", b"(component)".to_vec()),
        ("a header alone", b"\0asm\x0d\0\x01\0garbage".to_vec()),
    ];
    for (what, bytes) in cases {
        let error = refused(&site, &bytes).await;
        assert_eq!(error.code, "component-invalid", "{what}: {error:?}");
        assert!(error.next.contains("build it for wasm32-wasip2"), "{what}: {error:?}");
    }
    site.still_serves().await;
}

#[tokio::test]
async fn compiled_code_is_not_accepted_even_our_own() {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("good", "echo")).await.ok();
    let folder = site.host.data().join("compiled");
    let code = std::fs::read_dir(folder).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let code = code.filter(|path| path.extension().is_some_and(|e| e == "cwasm")).last().expect("code");
    site.host.cli(&["workflow", "deactivate", "good"]).await.ok();
    let digest = upload(&site, &std::fs::read(code).unwrap()).await;
    let manifest = ManifestBuilder::probe("bad", "echo").text();
    let body = json!({"manifest": manifest, "component": digest});
    let error = site.host.refusal(site.host.api(Method::POST, "workflows").json(&body)).await;
    error.is("component-invalid", "compiled code is not accepted");
    site.still_serves().await;
}

#[tokio::test]
async fn a_component_must_export_handle_with_its_type() {
    let site = Site::start().await;
    let cases = [
        ("nothing", "(component)", "it exports no function `handle`"),
        (
            "an instance",
            r#"(component (instance $i) (export "handle" (instance $i)))"#,
            "it exports no function `handle`",
        ),
        (
            "a function of no arguments",
            r#"(component
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func (export "handle") (canon lift (core func $i "f"))))"#,
            "handle",
        ),
        (
            "an import of another type",
            r#"(component
                (import "caspian:workflow/settings@0.1.0" (instance (export "get" (func))))
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func (export "handle") (canon lift (core func $i "f"))))"#,
            "caspian:workflow/settings@0.1.0",
        ),
        (
            "an interface that WASI does not have",
            r#"(component
                (import "wasi:cli/nothing@0.2.0" (instance (export "get" (func))))
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func (export "handle") (canon lift (core func $i "f"))))"#,
            "wasi:cli/nothing@0.2.0",
        ),
    ];
    for (what, text, part) in cases {
        let error = refused(&site, &wat(text)).await;
        assert_eq!(error.code, "component-world", "{what}: {error:?}");
        assert!(error.message.contains(part), "{what}: {error:?}");
        assert!(error.next.contains("current SDK"), "{what}: {error:?}");
    }
    site.still_serves().await;
}

#[tokio::test]
async fn an_upload_must_be_what_it_is_named() {
    let site = Site::start().await;
    let bytes = wat("(component)");
    let other = hex::encode(Sha256::digest(b"other"));
    let call = site.host.api(Method::PUT, &format!("components/{other}")).body(bytes);
    site.host.refusal(call).await.is("component-digest", "damaged on its way");
    for name in ["abc", "..%2F..%2Fadmin.token", &"g".repeat(64)] {
        let call = site.host.api(Method::PUT, &format!("components/{name}")).body("x");
        site.host.refusal(call).await.is("component-digest", "named by its SHA-256");
    }
    let manifest = ManifestBuilder::probe("never", "echo").text();
    let body = json!({"manifest": manifest, "component": other});
    let error = site.host.refusal(site.host.api(Method::POST, "workflows").json(&body)).await;
    error.is("component-not-found", "not uploaded");
    site.still_serves().await;
}

#[tokio::test]
async fn a_failed_deploy_leaves_the_active_version_as_it_was() {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("steady", "echo")).await.ok();
    let path = site.folder().join("module.wasm");
    std::fs::write(&path, wat("(module)")).unwrap();
    let broken = ManifestBuilder::probe("steady", "echo").component(&path);
    site.deploy(&broken).await.refused("not a valid WebAssembly component");
    let shown = site.host.cli(&["workflow", "show", "steady", "--json"]).await.json();
    assert_eq!(shown["version"], 1);
    assert_eq!(shown["state"], "active");
    site.account.add_patient("Ada").await;
    site.until_runs(1, &["succeeded"]).await;
}
