//! Deploys that name what is not there.

use caspian_e2e::{Answer, ManifestBuilder, Site};
use serde_json::json;

async fn nothing_was_done(site: &Site) {
    assert_eq!(site.host.cli(&["workflow", "list", "--json"]).await.json(), json!([]));
    assert!(site.account.webhooks().await.is_empty());
}

fn says(answer: &Answer, part: &str) {
    assert!(answer.stderr.contains(part), "'{part}' is not in: {}", answer.stderr);
}

#[tokio::test]
async fn an_unknown_table_of_a_trigger_is_named() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("w", "echo")
        .triggers("[[trigger]]\nevent = \"record-insert\"\ntable = \"Patiens\"\n");
    let answer = site.deploy(&manifest).await.refused("connection 'clinic' has no table 'Patiens'");
    says(&answer, "correct the name in the manifest");
    nothing_was_done(&site).await;
    site.still_serves().await;
}

#[tokio::test]
async fn an_unknown_table_of_a_grant_is_named() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("w", "echo").grant("Tasks", "read").grant("Invoices", "create");
    site.deploy(&manifest).await.refused("connection 'clinic' has no table 'Invoices'");
    nothing_was_done(&site).await;
}

#[tokio::test]
async fn an_unknown_connection_is_named() {
    let site = Site::start().await;
    let path = ManifestBuilder::probe("w", "echo").write(site.folder()).display().to_string();
    let answer = site.host.cli(&["deploy", &path, "--connection", "elsewhere"]).await;
    let answer = answer.refused("there is no connection 'elsewhere'");
    says(&answer, "caspian connection add elsewhere");
    let text = ManifestBuilder::probe("w", "echo").text().replace("connection = \"clinic\"\n", "");
    std::fs::write(&path, text).unwrap();
    let answer = site.host.cli(&["deploy", &path]).await;
    says(&answer.refused("neither the manifest nor the command names a connection"), "--connection");
    nothing_was_done(&site).await;
}

#[tokio::test]
async fn missing_files_are_named() {
    let site = Site::start().await;
    let nowhere = site.folder().join("nowhere");
    let manifest = ManifestBuilder::probe("w", "echo").component(&nowhere.join("x.wasm"));
    let answer = site.deploy(&manifest).await.refused("x.wasm can't be read");
    says(&answer, "build it, or correct `component`");
    let answer = site.host.cli(&["deploy", &nowhere.display().to_string()]).await;
    says(&answer.refused("can't be read"), "check the path");
    nothing_was_done(&site).await;
}

#[tokio::test]
async fn caspio_that_is_down_is_named_and_nothing_is_deployed() {
    let site = Site::start().await;
    let down = json!({"Kind": "status", "Status": 503, "Body": ""});
    site.account.fault("GET", "/integrations/rest/v3/tables", None, down).await;
    site.deploy(&ManifestBuilder::probe("w", "echo")).await.refused("Caspio failed with status 503");
    nothing_was_done(&site).await;
    site.account.clear_faults().await;
    site.still_serves().await;
}

#[tokio::test]
async fn credentials_that_caspio_takes_no_longer_are_named() {
    let site = Site::start().await;
    site.account.revoke_tokens().await;
    let refused = json!({"Kind": "status", "Status": 400, "Json": {"error": "invalid_client"}});
    site.account.fault("POST", "/oauth/token", None, refused).await;
    let answer = site.deploy(&ManifestBuilder::probe("w", "echo")).await;
    says(&answer.refused("connection 'clinic': Caspio refused the credentials"), "client secret");
    nothing_was_done(&site).await;
}
