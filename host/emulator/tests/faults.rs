//! Faults on demand and the log of requests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Tests.

mod common;

use std::time::{Duration, Instant};

use common::Caspio;
use reqwest::Method;
use serde_json::{Value, json};

const TASKS: &str = "/tables/Tasks/records";
const FULL: &str = "/integrations/rest/v3/tables/Tasks/records";

async fn fault(caspio: &Caspio, body: Value) {
    assert_eq!(caspio.admin(Method::POST, "/faults", Some(body)).await.status, 201);
}

async fn titles(caspio: &Caspio) -> Vec<Value> {
    let rows = caspio.admin(Method::GET, "/rows/Tasks", None).await.body;
    rows.as_array().unwrap().iter().map(|row| row["Title"].clone()).collect()
}

#[tokio::test]
async fn cut_connections() {
    let caspio = Caspio::start().await;
    let before = titles(&caspio).await.len();
    fault(&caspio, json!({"Method": "POST", "Path": FULL, "Times": 1, "Action": {"Kind": "drop-before"}}))
        .await;
    fault(&caspio, json!({"Method": "POST", "Path": FULL, "Times": 1, "Action": {"Kind": "drop-after"}}))
        .await;
    let send = async |title: &str| {
        caspio.request(Method::POST, TASKS, &[]).json(&json!({"Title": title})).send().await
    };
    assert!(send("lost").await.is_err());
    assert_eq!(titles(&caspio).await.len(), before, "nothing was done");
    assert!(send("kept").await.is_err());
    assert_eq!(titles(&caspio).await.last(), Some(&json!("kept")), "it was done");
    assert_eq!(send("plain").await.unwrap().status(), 201);

    let log = caspio.admin(Method::GET, "/requests", None).await.body;
    let seen: Vec<(&Value, &Value)> =
        log.as_array().unwrap().iter().map(|entry| (&entry["Path"], &entry["Status"])).collect();
    assert_eq!(
        seen,
        [
            (&json!("/oauth/token"), &json!(200)),
            (&json!(FULL), &Value::Null),
            (&json!(FULL), &Value::Null),
            (&json!(FULL), &json!(201)),
        ]
    );
    let count = caspio.admin(Method::GET, &format!("/requests/count?method=POST&path={FULL}"), None).await;
    assert_eq!(count.body, json!({"Count": 3}));
    caspio.admin(Method::DELETE, "/requests", None).await;
    assert_eq!(caspio.admin(Method::GET, "/requests/count", None).await.body, json!({"Count": 0}));
}

#[tokio::test]
async fn answers_on_demand() {
    let mut caspio = Caspio::start().await;
    fault(&caspio, json!({"Method": "GET", "Path": "*", "Times": 1, "After": 1, "Action": {"Kind": "status", "Status": 503, "Body": "busy"}})).await;
    assert_eq!(caspio.get("/tables", &[]).await.status, 200);
    let busy = caspio.get("/tables", &[]).await;
    assert_eq!((busy.status, busy.body), (503, json!("busy")));
    assert_eq!(caspio.get("/tables", &[]).await.status, 200);
    for (action, status) in [
        (json!({"Kind": "throttle"}), 429),
        (json!({"Kind": "api-calls-rate"}), 400),
        (json!({"Kind": "unauthorized"}), 401),
        (json!({"Kind": "status", "Status": 500, "json": {"Code": "InternalError"}}), 500),
    ] {
        fault(&caspio, json!({"Times": 1, "Action": action})).await;
        assert_eq!(caspio.get("/tables", &[]).await.status, status);
    }
    fault(&caspio, json!({"Path": "/oauth/token", "Times": 1, "Action": {"Kind": "status", "Status": 500}}))
        .await;
    assert_eq!(caspio.ask_token("").await.status, 500);
    fault(&caspio, json!({"Action": {"Kind": "delay", "Millis": 80}})).await;
    let start = Instant::now();
    caspio.renew().await;
    assert!(start.elapsed() >= Duration::from_millis(80));
    let list = caspio.admin(Method::GET, "/faults", None).await.body;
    assert_eq!(list.as_array().unwrap().last().unwrap()["Hits"], 1);
    assert_eq!(caspio.admin(Method::DELETE, "/faults", None).await.status, 204);
    assert_eq!(caspio.admin(Method::GET, "/faults", None).await.body, json!([]));
    let wrong = caspio.admin(Method::POST, "/faults", Some(json!({"Action": {"Kind": "explode"}}))).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn settings_and_end() {
    let caspio = Caspio::start().await;
    assert_eq!(caspio.admin(Method::GET, "/health", None).await.status, 200);
    let wrong = caspio.admin(Method::PATCH, "/settings", Some(json!({"Speed": 1}))).await;
    assert_eq!(wrong.status, 400);
    caspio.settings(json!({"Attempts": 5, "Signature": {"Header": "X-Other", "Encoding": "Base64"}})).await;
    let shown = caspio.admin(Method::GET, "/settings", None).await.body;
    assert_eq!((&shown["Attempts"], &shown["Signature"]["Header"]), (&json!(5), &json!("X-Other")));
    assert_eq!(shown["TimeoutMillis"], 10_000);

    // After the end nobody answers and the address is free.
    let address = caspio.running.local_addr();
    let http = caspio.http.clone();
    caspio.running.shutdown().await;
    assert!(http.get(format!("http://{address}/emulator/health")).send().await.is_err());
    tokio::net::TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn a_reset_brings_the_start_back() {
    let caspio = Caspio::start().await;
    caspio
        .hook("https://example.com/h", json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"}))
        .await;
    caspio.post(TASKS, &[], json!({"Title": "new"})).await;
    caspio.settings(json!({"MaxUrls": 3})).await;
    fault(&caspio, json!({"Action": {"Kind": "throttle"}})).await;
    assert_eq!(caspio.admin(Method::POST, "/reset", None).await.status, 204);
    assert_eq!(titles(&caspio).await, [json!("Call about results")]);
    assert_eq!(caspio.get("/outgoingWebhooks", &[]).await.body, json!([]), "the token is still good");
    assert_eq!(caspio.admin(Method::GET, "/settings", None).await.body["MaxUrls"], 3);
    assert_eq!(caspio.admin(Method::GET, "/messages", None).await.body, json!([]));
}
