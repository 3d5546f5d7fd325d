//! Which messages are accepted, once or each time, and which are refused.

use caspian_e2e::sign;
use serde_json::json;

use crate::{all_messages, messages, site_with, still_serves, until_refused, with_secret};

#[tokio::test]
async fn a_message_sent_twice_starts_one_run() {
    let (site, delivery) = site_with("echo").await;
    let message = delivery.message("m-1", json!([{"PK_ID": 7}]));
    for _ in 0..3 {
        assert_eq!(delivery.send_signed(&message).await, 200);
    }
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!((&runs[0]["pk_id"], &runs[0]["message_id"]), (&json!(7), &json!("m-1")));
    assert_eq!(all_messages(&site).await, 1);
    // The same id with another body is the same message.
    let other = delivery.message("m-1", json!([{"PK_ID": 8}]));
    assert_eq!(delivery.send_signed(&other).await, 200);
    still_serves(&site).await;
    assert_eq!(messages(&site, "stored").await, 2);
}

#[tokio::test]
async fn many_copies_at_once_start_one_run() {
    let (site, delivery) = site_with("echo").await;
    let message = delivery.message("burst", json!([{"PK_ID": 7}]));
    let copies: Vec<_> = (0..30)
        .map(|_| {
            let (delivery, message) = (delivery.clone(), message.clone());
            tokio::spawn(async move { delivery.send_signed(&message).await })
        })
        .collect();
    for copy in copies {
        assert_eq!(copy.await.unwrap(), 200);
    }
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(all_messages(&site).await, 1);
}

#[tokio::test]
async fn without_a_message_id_each_is_accepted() {
    let (site, delivery) = site_with("echo").await;
    let mut message = delivery.message("", json!([{"PK_ID": 7}]));
    for id in [json!(""), json!("  "), json!(null), json!(12)] {
        message["messageId"] = id;
        assert_eq!(delivery.send_signed(&message).await, 200);
    }
    message.as_object_mut().unwrap().remove("messageId");
    for _ in 0..2 {
        assert_eq!(delivery.send_signed(&message).await, 200);
    }
    let runs = site.until_runs(6, &["succeeded"]).await;
    assert!(runs.iter().all(|run| run["message_id"].is_null()), "{runs:#?}");
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_counted() {
    let (site, delivery) = site_with("echo").await;
    // Seen once, signatures are required.
    assert_eq!(delivery.send_signed(&delivery.message("m-1", json!([{"PK_ID": 1}]))).await, 200);
    assert!(site.workflow("probe").await["webhook"]["signed"].as_bool().unwrap());
    let body = delivery.message("m-2", json!([{"PK_ID": 2}])).to_string();
    let forged = sign("not the secret", body.as_bytes());
    assert_eq!(delivery.send(body.clone(), &[("X-Caspio-Signature", &forged)]).await, 401);
    until_refused(&site, 1, "wrong-signature").await;
    // A right signature of another body.
    let replayed = sign(&delivery.secret, delivery.message("m-3", json!([])).to_string().as_bytes());
    assert_eq!(delivery.send(body.clone(), &[("X-Caspio-Signature", &replayed)]).await, 401);
    // Something that is no signature at all.
    assert_eq!(delivery.send(body, &[("X-Caspio-Signature", "sha256=")]).await, 401);
    until_refused(&site, 3, "wrong-signature").await;
    site.until_runs(1, &["succeeded"]).await;
    still_serves(&site).await;
}

#[tokio::test]
async fn after_the_first_signed_message_the_body_secret_is_no_longer_enough() {
    let (site, delivery) = site_with("echo").await;
    let message = |id: &str| with_secret(delivery.message(id, json!([{"PK_ID": 1}])), &delivery.secret);
    assert_eq!(delivery.send(message("m-1").to_string(), &[]).await, 200);
    assert_eq!(site.workflow("probe").await["webhook"]["signed"], false);
    assert_eq!(delivery.send_signed(&message("m-2")).await, 200);
    assert_eq!(delivery.send(message("m-3").to_string(), &[]).await, 401);
    until_refused(&site, 1, "unsigned").await;
    // A right signature in another header is not what this webhook's messages have.
    let body = message("m-4").to_string();
    let signature = sign(&delivery.secret, body.as_bytes());
    assert_eq!(delivery.send(body, &[("X-Other", &signature)]).await, 401);
    until_refused(&site, 2, "unsigned").await;
    site.until_runs(2, &["succeeded"]).await;
}

#[tokio::test]
async fn signing_a_copy_of_an_earlier_message_requires_signatures_from_then_on() {
    let (site, delivery) = site_with("echo").await;
    let message = with_secret(delivery.message("m-1", json!([{"PK_ID": 1}])), &delivery.secret);
    assert_eq!(delivery.send(message.to_string(), &[]).await, 200);
    assert_eq!(delivery.send_signed(&message).await, 200);
    assert_eq!(site.workflow("probe").await["webhook"]["signed"], true);
    let next = with_secret(delivery.message("m-2", json!([{"PK_ID": 1}])), &delivery.secret);
    assert_eq!(delivery.send(next.to_string(), &[]).await, 401);
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn without_signature_the_body_secret_decides() {
    let (site, delivery) = site_with("echo").await;
    let message = delivery.message("m-1", json!([{"PK_ID": 1}]));
    let wrong = with_secret(message.clone(), "guessed");
    let prefix = with_secret(message.clone(), &delivery.secret[..delivery.secret.len() - 1]);
    let mut list = message.clone();
    list["secret"] = json!([delivery.secret]);
    let mut inside = message.clone();
    inside["data"] = json!([{"PK_ID": 1, "secret": delivery.secret}]);
    for (n, body) in [message.clone(), wrong, prefix, list, inside].iter().enumerate() {
        assert_eq!(delivery.send(body.to_string(), &[]).await, 401, "{n}");
        until_refused(&site, n as u64 + 1, "unauthentic").await;
    }
    assert_eq!(all_messages(&site).await, 0);
    assert_eq!(delivery.send(with_secret(message, &delivery.secret).to_string(), &[]).await, 200);
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(site.workflow("probe").await["webhook"]["signed"], false);
}

#[tokio::test]
async fn an_unknown_url_is_not_found_and_says_nothing() {
    let (site, delivery) = site_with("echo").await;
    let mut other = delivery.clone();
    let last = delivery.url.pop_last();
    let changed = if last.1 == 'A' { 'B' } else { 'A' };
    for url in [
        format!("{}{changed}", last.0),
        format!("{}/hooks/x", site.host.url()),
        format!("{}/hooks/{}", site.host.url(), "A".repeat(500)),
        format!("{}/hooks/%00%ff", site.host.url()),
    ] {
        other.url = url;
        let status = other.send_signed(&delivery.message("m-1", json!([{"PK_ID": 1}]))).await;
        assert!([400, 404].contains(&status), "{} {status}", other.url);
    }
    let hook = site.workflow("probe").await["webhook"].clone();
    assert_eq!((&hook["rejected"], all_messages(&site).await), (&json!(0), 0));
    still_serves(&site).await;
}

#[tokio::test]
async fn a_message_that_names_another_webhook_is_refused() {
    let (site, delivery) = site_with("echo").await;
    let mut message = delivery.message("m-1", json!([{"PK_ID": 1}]));
    message["webhookId"] = json!("someone-elses");
    assert_eq!(delivery.send_signed(&message).await, 401);
    until_refused(&site, 1, "other-webhook").await;
    // Without a name there is nothing wrong with it, and case does not matter.
    message["webhookId"] = json!("");
    assert_eq!(delivery.send_signed(&message).await, 200);
    let mut message = delivery.message("m-2", json!([{"PK_ID": 1}]));
    message["webhookId"] = json!(delivery.webhook_id.to_uppercase());
    assert_eq!(delivery.send_signed(&message).await, 200);
    site.until_runs(2, &["succeeded"]).await;
}

#[tokio::test]
async fn refused_messages_are_shown_to_people_without_values() {
    let (site, delivery) = site_with("echo").await;
    let body = with_secret(delivery.message("m-1", json!([{"PK_ID": 1, "LastName": "Canary"}])), "guess");
    assert_eq!(delivery.send(body.to_string(), &[]).await, 401);
    let shown = site.host.cli(&["workflow", "show", "probe"]).await.ok().stdout;
    assert!(shown.contains("1 messages refused, last: unauthentic at 20"), "{shown}");
    assert!(site.host.log().contains("unauthentic"));
    for secret in ["Canary", "guess", &delivery.secret, delivery.url.rsplit('/').next().unwrap()] {
        assert!(!site.host.log().contains(secret));
        assert!(!shown.contains(secret));
    }
}

trait PopLast {
    fn pop_last(&self) -> (String, char);
}

impl PopLast for String {
    /// All but the last character, and it.
    fn pop_last(&self) -> (String, char) {
        let mut rest = self.clone();
        let last = rest.pop().expect("a character");
        (rest, last)
    }
}
