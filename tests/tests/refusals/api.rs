//! The control API: who may use it, and that every error has code, message and next action.

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_missing_or_wrong_token_is_refused() {
    let site = Site::start().await;
    let http = reqwest::Client::new();
    let url = format!("{}/api/v1/runs", site.host.url());
    let calls = [
        http.get(&url),
        http.get(&url).bearer_auth("caspian_wrong"),
        http.get(&url).bearer_auth(""),
        http.get(&url).bearer_auth(&site.host.token()[..20]),
        http.get(&url).basic_auth("admin", Some(site.host.token())),
        http.get(&url).header("authorization", site.host.token()),
        http.get(&url).query(&[("token", site.host.token())]),
        http.get(format!("{}/api/v1/nothing", site.host.url())),
        http.put(format!("{}/api/v1/components/{}", site.host.url(), "0".repeat(64))).body("x"),
        http.post(format!("{}/api/v1/connections", site.host.url())).body("{}"),
    ];
    for call in calls {
        let error = site.host.refusal(call).await;
        assert_eq!(error.status, 401, "{error:?}");
        error.is("unauthorized", "the token is missing or not known");
        assert!(error.next.contains("admin.token"), "{error:?}");
        assert!(!format!("{error:?}").contains(site.host.token()));
    }
    let stored: Vec<_> = std::fs::read_dir(site.host.data().join("components")).unwrap().collect();
    assert!(stored.is_empty(), "nothing was uploaded");
    site.still_serves().await;
}

#[tokio::test]
async fn every_error_is_json_with_code_message_and_next() {
    let site = Site::start().await;
    let api = |method: Method, path: &str| site.host.api(method, path);
    let json_header = ("content-type", "application/json");
    let cases = [
        (404, "no-such-call", api(Method::GET, "nothing")),
        (404, "no-such-call", api(Method::GET, "")),
        (405, "method", api(Method::DELETE, "runs")),
        (405, "method", api(Method::GET, "workflows/x/activate")),
        (400, "bad-request", api(Method::POST, "connections")),
        (400, "bad-request", api(Method::POST, "connections").header(json_header.0, json_header.1).body("{")),
        (400, "bad-request", api(Method::POST, "workflows").json(&json!([1]))),
        (
            400,
            "bad-request",
            api(Method::POST, "workflows").json(&json!({"manifest": "", "component": "", "more": 1})),
        ),
        (
            413,
            "too-large",
            api(Method::POST, "workflows").json(&json!({"manifest": "x".repeat(2 << 20), "component": ""})),
        ),
        (400, "bad-request", api(Method::GET, "runs?limit=many")),
        (400, "bad-request", api(Method::GET, "runs?state=happy")),
        (400, "bad-request", api(Method::GET, "runs?colour=red")),
        (400, "bad-request", api(Method::GET, "workflows/%FF")),
        (400, "run-id", api(Method::GET, "runs/17")),
        (400, "tenant", api(Method::GET, "runs").header("x-caspian-tenant", "Not A Name")),
        (404, "run-not-found", api(Method::GET, "runs/0190a1b2-0000-7000-8000-000000000000")),
        (404, "workflow-not-found", api(Method::GET, "workflows/nothing")),
        (404, "workflow-not-found", api(Method::POST, "workflows/nothing/activate")),
        (404, "workflow-not-found", api(Method::POST, "workflows/nothing/deactivate")),
        (404, "workflow-not-found", api(Method::GET, "runs?workflow=nothing")),
        (
            422,
            "connection-name",
            api(Method::POST, "connections")
                .json(&json!({"name": "a b", "url": "", "client_id": "", "client_secret": ""})),
        ),
        (422, "component-digest", api(Method::GET, "components/xyz")),
    ];
    for (status, code, call) in cases {
        let error = site.host.refusal(call).await;
        assert_eq!((error.status, error.code.as_str()), (status, code), "{error:?}");
        assert!(!error.next.is_empty(), "it does not say what to do: {error:?}");
    }
    site.still_serves().await;
}

#[tokio::test]
async fn tenants_see_nothing_of_each_other() {
    let site = Site::start().await;
    let run = site.one_run(&ManifestBuilder::probe("mine", "echo"), &["succeeded"]).await;
    let id = run["id"].as_str().unwrap();
    let other = |path: &str| site.host.api(Method::GET, path).header("x-caspian-tenant", "other");
    for path in ["runs", "workflows", "connections"] {
        let answer = other(path).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "[]", "{path}");
    }
    site.host.refusal(other(&format!("runs/{id}"))).await.is("run-not-found", "there is no run");
    site.host.refusal(other("workflows/mine")).await.is("workflow-not-found", "there is no workflow");
    let deactivate = site.host.api(Method::POST, "workflows/mine/deactivate");
    let deactivate = deactivate.header("x-caspian-tenant", "other");
    site.host.refusal(deactivate).await.is("workflow-not-found", "there is no workflow");
    site.still_serves().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up() {
    let config = "[server]\napi_timeout_seconds = 2\n".to_owned();
    let host = HostOptions { config, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    site.account.fault("POST", "/oauth/token", None, json!({"Kind": "delay", "Millis": 600_000})).await;
    let new =
        json!({"name": "slow", "url": site.account.url(), "client_id": "demo-client", "client_secret": "x"});
    let error = site.host.refusal(site.host.api(Method::POST, "connections").json(&new)).await;
    error.is("timeout", "took longer than 2 s");
    assert!(error.next.contains("server.api_timeout_seconds"), "{error:?}");
    let list = site.host.cli(&["connection", "list", "--json"]).await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "it is not stored");
}
