//! Bodies: too large, cut off, slow, malformed, oddly encoded.

use caspian_e2e::{Delivery, HostOptions, ManifestBuilder, Site, SiteOptions, sign, until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{all_messages, messages, site_with, still_serves, until_refused, with_secret};

const MIB: usize = 1 << 20;

/// A connection that has sent the head of a message, and more.
async fn raw(delivery: &Delivery, headers: &str, start: &[u8]) -> TcpStream {
    let (address, path) = delivery.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST /{path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(start).await.unwrap();
    stream
}

/// The status line of what comes back; "" when nothing does.
async fn status_line(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 64];
    let read = stream.read(&mut bytes).await.unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).lines().next().unwrap_or_default().to_owned()
}

fn of_size(delivery: &Delivery, id: &str, size: usize) -> Value {
    let base = delivery.message(id, json!([{"PK_ID": 1, "LastName": ""}])).to_string().len();
    delivery.message(id, json!([{"PK_ID": 1, "LastName": "x".repeat(size - base)}]))
}

#[tokio::test]
async fn a_body_of_12_mib_is_taken_and_a_larger_one_refused() {
    let (site, delivery) = site_with("echo").await;
    for (id, size) in [("a", 11 * MIB), ("b", 12 * MIB)] {
        let message = of_size(&delivery, id, size);
        assert_eq!(message.to_string().len(), size);
        assert_eq!(delivery.send_signed(&message).await, 200, "{size}");
    }
    // Refused by its announced length, before anything of it is read.
    let mut stream = raw(&delivery, &format!("content-length: {}", 12 * MIB + 1), b"").await;
    assert!(status_line(&mut stream).await.contains("413"));
    until_refused(&site, 1, "too-large").await;
    // Refused while it is read, when it does not say how long it is.
    let mut stream = raw(&delivery, "transfer-encoding: chunked", b"").await;
    let chunk = [format!("{MIB:x}\r\n").into_bytes(), vec![b' '; MIB], b"\r\n".to_vec()].concat();
    for _ in 0..13 {
        // The host may have hung up.
        let _ = stream.write_all(&chunk).await;
    }
    until("the second one is counted", async || {
        (site.workflow("probe").await["webhook"]["rejected"] == 2).then_some(())
    })
    .await;
    site.until_runs(2, &["succeeded"]).await;
    still_serves(&site).await;
}

#[tokio::test]
async fn a_large_body_of_someone_unknown_is_not_read() {
    let (site, mut delivery) = site_with("echo").await;
    delivery.url = format!("{}/hooks/unknown", site.host.url());
    let mut stream = raw(&delivery, &format!("content-length: {}", 11 * MIB), b"{").await;
    assert!(status_line(&mut stream).await.contains("404"));
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    let (site, delivery) = site_with("echo").await;
    let body = delivery.message("m-1", json!([{"PK_ID": 1}])).to_string();
    let signature = sign(&delivery.secret, body.as_bytes());
    let headers = format!("x-caspio-signature: {signature}\r\ncontent-length: {}", body.len());
    for cut in [0, 1, body.len() / 2, body.len() - 1] {
        drop(raw(&delivery, &headers, &body.as_bytes()[..cut]).await);
    }
    still_serves(&site).await;
    assert_eq!(all_messages(&site).await, 1);
    // Sent whole, it is accepted.
    assert_eq!(delivery.send(body, &[("x-caspio-signature", &signature)]).await, 200);
    site.until_runs(2, &["succeeded"]).await;
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up_and_others_go_on() {
    let host =
        HostOptions { config: "[server]\nhook_timeout_seconds = 1\n".to_owned(), ..Default::default() };
    let site = Site::with(SiteOptions { host, ..Default::default() }).await;
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    let delivery = site.delivery().await;
    let mut slow = raw(&delivery, "content-length: 100", b"{\"eventId\"").await;
    still_serves(&site).await;
    assert!(status_line(&mut slow).await.contains("408"));
    assert_eq!(all_messages(&site).await, 1);
}

#[tokio::test]
async fn more_messages_at_once_than_allowed_are_sent_again_by_caspio() {
    let host = HostOptions { config: "[server]\nhooks_in_flight = 1\n".to_owned(), ..Default::default() };
    let site = Site::with(SiteOptions { host, ..Default::default() }).await;
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    let delivery = site.delivery().await;
    let message = delivery.message("m-1", json!([{"PK_ID": 1}]));
    // Whoever comes first has the place: until it is the one that holds it.
    let mut holding = until("the place is taken", async || {
        let holding = raw(&delivery, "content-length: 100", b"{").await;
        (delivery.send_signed(&message).await == 503).then_some(holding)
    })
    .await;
    site.account.add_patient("Waits").await;
    holding.shutdown().await.unwrap();
    drop(holding);
    until("Caspio's message came through", async || {
        (all_messages(&site).await >= 1 && site.account.get("messages/summary").await["Delivered"] == 1)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_authentic_body_that_is_no_message_is_kept_and_listed() {
    let (site, delivery) = site_with("echo").await;
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let objects = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let inside = format!("{{\"eventType\":\"table.recordInsert\",\"data\":[{{\"PK_ID\":1,\"x\":{deep}}}]}}");
    let bodies: Vec<Vec<u8>> = vec![
        b"{\"eventType\": \"table.recordIns".to_vec(),
        b"".to_vec(),
        b"not JSON".to_vec(),
        b"[]".to_vec(),
        b"7".to_vec(),
        b"\xff\xfe{\x00}\x00".to_vec(),
        b"{\"a\": \"\xff\"}".to_vec(),
        deep.into_bytes(),
        objects.into_bytes(),
        inside.into_bytes(),
        br#"{"data": [{"PK_ID": 1}]}"#.to_vec(),
        br#"{"eventType": "table.recordInsert", "objectName": "Patients", "data": {"PK_ID": 1}}"#.to_vec(),
        br#"{"eventType": "table.recordInsert", "objectName": "Patients", "data": [7]}"#.to_vec(),
    ];
    for (n, body) in bodies.iter().enumerate() {
        let signature = sign(&delivery.secret, body);
        assert_eq!(delivery.send(body.clone(), &[("X-Caspio-Signature", &signature)]).await, 200, "{n}");
    }
    assert_eq!(messages(&site, "unparsable").await, bodies.len() as u64);
    assert_eq!(site.runs().await.len(), 0);
    still_serves(&site).await;
}

#[tokio::test]
async fn a_malformed_body_without_signature_is_refused() {
    let (site, delivery) = site_with("echo").await;
    let whole = with_secret(delivery.message("m-1", json!([])), &delivery.secret).to_string();
    assert_eq!(delivery.send(&whole.as_bytes()[..whole.len() - 1], &[]).await, 401);
    assert_eq!(delivery.send("", &[]).await, 401);
    until_refused(&site, 2, "unauthentic").await;
    assert_eq!(all_messages(&site).await, 0);
    still_serves(&site).await;
}

#[tokio::test]
async fn byte_order_marks_and_odd_content_types_do_no_harm() {
    let (site, delivery) = site_with("echo").await;
    let types =
        ["", "text/plain", "application/x-www-form-urlencoded", "application/json;charset=utf-16", "x"];
    for (n, content_type) in types.iter().enumerate() {
        let text = delivery.message(&format!("m-{n}"), json!([{"PK_ID": n}])).to_string();
        let body = [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat();
        let signature = sign(&delivery.secret, &body);
        let headers = [("content-type", *content_type), ("x-caspio-signature", &signature)];
        assert_eq!(delivery.send(body, &headers).await, 200, "{content_type}");
    }
    site.until_runs(types.len(), &["succeeded"]).await;
}

#[tokio::test]
async fn other_methods_are_refused() {
    let (site, delivery) = site_with("echo").await;
    let http = reqwest::Client::new();
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let status = http.request(method, &delivery.url).send().await.unwrap().status().as_u16();
        assert_eq!(status, 405);
    }
    still_serves(&site).await;
}
