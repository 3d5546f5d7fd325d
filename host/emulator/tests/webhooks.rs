//! Webhooks: rules of the resource, bodies, delivery.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Tests.

mod common;

use std::time::{Duration, Instant};

use common::{Caspio, Receiver};
use reqwest::Method;
use serde_json::{Value, json};

const HOOKS: &str = "/outgoingWebhooks";

#[tokio::test]
async fn rules_of_the_resource() {
    let caspio = Caspio::start().await;
    let url = "https://example.org/a";
    let made = caspio.post(HOOKS, &[], json!({"Name": "One", "OutgoingUrls": [url]})).await;
    assert_eq!(made.status, 201);
    let id = made.body["Id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 6);
    assert_eq!(made.body["Secret"].as_str().unwrap().len(), 64);
    assert_eq!(made.body["CreatedBy"], "Caspian demo");
    assert_eq!(made.body["CallThrottling"], 10);
    for body in [
        json!({"Name": "one", "OutgoingUrls": ["https://example.org/b"]}),
        json!({"Name": "Two", "OutgoingUrls": [url]}),
        json!({"Name": "Two", "OutgoingUrls": ["http://example.org/b"]}),
        json!({"Name": "Two", "OutgoingUrls": ["nonsense"]}),
        json!({"Name": "Two", "OutgoingUrls": ["https://a.org", "https://b.org"]}),
        json!({"Name": "Two", "OutgoingUrls": []}),
        json!({"OutgoingUrls": ["https://a.org"]}),
        json!({"Name": "Two", "OutgoingUrls": ["https://a.org"], "CallThrottling": 0}),
        json!({"Name": "Two", "OutgoingUrls": ["https://a.org"], "CallThrottling": 11}),
    ] {
        let refused = caspio.post(HOOKS, &[], body.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, "IncorrectBodyParameter"), "{body}");
    }
    let list = caspio.get(HOOKS, &[]).await;
    assert_eq!(list.body.as_array().unwrap().len(), 1);
    assert!(list.body[0].get("Secret").is_none());
    assert_eq!(list.body[0]["Status"], "Inactive");
    caspio.settings(json!({"WebhookList": "Result", "WebhookListSecrets": true})).await;
    assert_eq!(caspio.get(HOOKS, &[]).await.body["Result"][0]["Secret"], made.body["Secret"]);

    let events = format!("{HOOKS}/{id}/events");
    let add = async |body: Value| caspio.post(&events, &[], body).await;
    let insert = add(json!({"EventType": "table.recordInsert", "ObjectName": "patients"})).await;
    assert_eq!(insert.status, 201);
    assert_eq!(insert.body["Type"], "table.recordInsert");
    assert_eq!(insert.body["ObjectName"], "Patients");
    assert_eq!(insert.body["Status"], "Active");
    assert_eq!(insert.body["EventSources"].as_array().unwrap().len(), 7);
    assert!(insert.body.get("ObjectId").is_none());
    let update = |fields: Value| json!({"EventType": "table.recordUpdate", "ObjectName": "Patients", "ObjectFields": fields});
    assert_eq!(add(update(json!(["Email"]))).await.status, 201);
    assert_eq!(add(update(json!(["Phone"]))).await.status, 201);
    for body in [
        json!({"EventType": "table.recordInsert", "ObjectName": "Patients"}),
        update(json!(["email", "Balance"])),
        update(Value::Null),
        json!({"EventType": "table.recordMove", "ObjectName": "Patients"}),
        json!({"EventType": "table.recordDelete"}),
        json!({"EventType": "table.recordDelete", "ObjectName": "Patients", "ObjectFields": ["Email"]}),
        json!({"EventType": "table.recordDelete", "ObjectName": "Patients", "EventSources": ["Magic"]}),
        json!({"EventType": "table.recordDelete", "ObjectName": "Patients", "CustomPayloadTemplate": "{'a':'[@field:Nope]'}"}),
    ] {
        assert_eq!(add(body.clone()).await.status, 400, "{body}");
    }
    assert_eq!(
        add(json!({"EventType": "table.recordDelete", "ObjectName": "Nope"})).await.code(),
        "ObjectNotFound"
    );
    assert_eq!(add(update(json!(["Nope"]))).await.code(), "FieldNotFound");

    let event = format!("{events}/{}", insert.body["Id"].as_str().unwrap());
    assert_eq!(caspio.get(&event, &[]).await.body["Messages"], 0);
    let off = caspio
        .put(
            &event,
            &[],
            json!({"EventType": "table.recordInsert", "ObjectName": "Patients", "Enabled": false}),
        )
        .await;
    assert_eq!((off.status, &off.body["Status"]), (200, &json!("Inactive")));
    assert_eq!(caspio.put(&event, &[], json!({"Enabled": true})).await.status, 400);
    let hook = format!("{HOOKS}/{id}");
    let all_off = caspio.put(&hook, &[], json!({"Enabled": false})).await;
    assert_eq!(all_off.body["Status"], "Inactive");
    assert_eq!(caspio.get(&hook, &[]).await.body["Events"], 3);
    assert_eq!(caspio.put(&hook, &[], json!({})).await.status, 400);
    assert_eq!(caspio.delete(&event, &[]).await.status, 204);
    assert_eq!(caspio.get(&event, &[]).await.status, 404);
    assert_eq!(caspio.delete(&hook, &[]).await.status, 204);
    assert_eq!(caspio.delete(&hook, &[]).await.status, 404);
}

#[tokio::test]
async fn a_change_is_announced_and_signed() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    let hook = caspio
        .hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Contacts"}))
        .await;
    caspio.post("/tables/Contacts/records", &[], json!({"Email": "a@example.org"})).await;
    let messages = caspio.settled().await;
    let got = &receiver.got()[0];
    assert_eq!(got.headers["content-type"], "application/json; charset=utf-8");
    let names: Vec<&String> = got.body.as_object().unwrap().keys().collect();
    let expected = [
        "eventId",
        "messageId",
        "webhookId",
        "accountId",
        "secret",
        "eventDate",
        "eventType",
        "objectName",
        "data",
    ];
    assert_eq!(names, expected);
    assert_eq!(got.body["webhookId"], hook.body["Id"]);
    assert_eq!(got.body["secret"], hook.body["Secret"]);
    assert_eq!(got.body["objectName"], "Contacts");
    assert_eq!(got.body["eventDate"].as_str().unwrap().len(), 19);
    assert_eq!(
        got.body["data"],
        json!([{"PK_ID": 2, "Email": "a@example.org", "FullName": "", "Phone": "", "Source": "", "UpdatedAt": null}])
    );
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(
        hook.body["Secret"].as_str().unwrap().as_bytes(),
    )
    .unwrap();
    hmac::Mac::update(&mut mac, &got.raw);
    let digest = hex::encode(hmac::Mac::finalize(mac).into_bytes());
    assert_eq!(got.headers["x-caspio-signature"], digest.as_str());
    assert_eq!(messages[0]["State"], "delivered");
    assert_eq!(messages[0]["MessageId"], got.body["messageId"]);
    assert_eq!(messages[0]["PkIds"], json!([2]));
    assert_eq!(messages[0]["HttpStatus"], 200);

    caspio.settings(json!({"Signature": null, "SecretInBody": false})).await;
    caspio.post("/tables/Contacts/records", &[], json!({"Email": "b@example.org"})).await;
    caspio.settled().await;
    let got = &receiver.got()[1];
    assert!(got.headers.get("x-caspio-signature").is_none() && got.body.get("secret").is_none());
}

#[tokio::test]
async fn which_changes_fire() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    let event = json!({
        "EventType": "table.recordUpdate", "ObjectName": "Contacts", "ObjectFields": ["Phone"],
        "EventSources": ["Datasheet"], "CustomPayloadFields": ["PK_ID", "Phone"]
    });
    caspio.hook(&receiver.url, event).await;
    let change = async |query: &str, body: Value| {
        let path = format!("/rows/Contacts?where=PK_ID%3D1{query}");
        assert_eq!(caspio.admin(Method::PUT, &path, Some(body)).await.body, json!({"RecordsAffected": 1}));
    };
    change("", json!({"Phone": "1"})).await; // fires
    change("", json!({"Phone": "1"})).await; // same value
    change("", json!({"Source": "Shop"})).await; // other field
    change("&source=DataPages", json!({"Phone": "2"})).await; // other source
    change("&source=Import", json!({"Phone": "3"})).await;
    caspio.put("/tables/Contacts/records", &[("q.where", "PK_ID=1")], json!({"Phone": "4"})).await; // RESTAPIs
    change("&source=datasheet", json!({"Phone": "5", "Source": "Fair"})).await; // fires
    caspio.settled().await;
    let data: Vec<Value> = receiver.got().iter().map(|got| got.body["data"].clone()).collect();
    assert_eq!(data, [json!([{"PK_ID": 1, "Phone": "1"}]), json!([{"PK_ID": 1, "Phone": "5"}])]);
}

#[tokio::test]
async fn batches_and_templates() {
    let caspio = Caspio::start().await;
    let (rows, template) = (Receiver::start().await, Receiver::start().await);
    caspio.hook(&rows.url, json!({"EventType": "table.recordDelete", "ObjectName": "Appointments"})).await;
    let text = "{'messageId': '[@out-hook:messageId]', 'data': [{'PK_ID': '[@field:PK_ID]', 'Notes': '[@field:Notes]'}]}";
    let event = json!({"EventType": "table.recordInsert", "ObjectName": "Appointments", "CustomPayloadTemplate": text});
    caspio.hook(&template.url, event).await;
    caspio.settings(json!({"BatchMode": "MessagePerOperation"})).await;
    let two = json!([{"Notes": "it's \"fine\""}, {"Notes": ""}]);
    let made = caspio.admin(Method::POST, "/rows/Appointments", Some(two)).await;
    assert_eq!((made.status, made.body.as_array().unwrap().len()), (201, 2));
    caspio.admin(Method::DELETE, "/rows/Appointments?where=PK_ID%3E2", None).await;
    let messages = caspio.settled().await;
    assert_eq!(messages.len(), 3);
    assert_eq!(rows.got()[0].body["data"].as_array().unwrap().len(), 2);
    assert_eq!(template.got()[0].body["data"], json!([{"PK_ID": "3", "Notes": "it's \"fine\""}]));
    assert_eq!(template.got()[0].body["messageId"], messages[0]["MessageId"]);
}

#[tokio::test]
async fn failures_are_retried_and_recorded() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.settings(json!({"RetryDelaysMillis": [20, 40], "TimeoutMillis": 2000})).await;
    let hook =
        caspio.hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"})).await;
    receiver.answer(&[500, 503, 200]);
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "1"})).await;
    let messages = caspio.settled().await;
    assert_eq!((&messages[0]["State"], &messages[0]["Attempts"]), (&json!("delivered"), &json!(3)));
    let got = receiver.got();
    assert!(got.len() == 3 && got[0].raw == got[2].raw);

    // A redirect is a failure, and is not followed.
    receiver.answer(&[302, 302, 302]);
    receiver.redirect_to("/elsewhere");
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "2"})).await;
    let messages = caspio.settled().await;
    assert_eq!((&messages[1]["State"], &messages[1]["HttpStatus"]), (&json!("failed"), &json!(302)));
    assert_eq!(receiver.got().len(), 6);
    let id = hook.body["Id"].as_str().unwrap();
    let counted = caspio.get(&format!("{HOOKS}/{id}"), &[]).await.body;
    assert_eq!(
        (&counted["Messages"], &counted["Calls"], &counted["Errors"]),
        (&json!(2), &json!(6), &json!(5))
    );

    // The same message again: same body, same id.
    let message = messages[1]["MessageId"].as_str().unwrap();
    assert_eq!(caspio.admin(Method::POST, &format!("/messages/{message}/redeliver"), None).await.status, 202);
    let messages = caspio.settled().await;
    assert_eq!((&messages[1]["State"], &messages[1]["Attempts"]), (&json!("delivered"), &json!(4)));
    assert_eq!(receiver.got()[6].raw, receiver.got()[5].raw);
    let summary = caspio.admin(Method::GET, "/messages/summary", None).await.body;
    assert_eq!(summary, json!({"Queued": 0, "Delivered": 2, "Failed": 0, "Undeliverable": 0}));
}

#[tokio::test]
async fn nobody_listens_and_too_large() {
    let caspio = Caspio::start().await;
    caspio.settings(json!({"RetryDelaysMillis": [1], "AutoDisableAfter": 2, "MaxMessageBytes": 2000})).await;
    let hook = caspio
        .hook("http://127.0.0.1:9/none", json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"}))
        .await;
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "1"})).await;
    let messages = caspio.settled().await;
    assert_eq!(
        (&messages[0]["State"], &messages[0]["HttpStatus"], &messages[0]["Attempts"]),
        (&json!("failed"), &Value::Null, &json!(3))
    );
    caspio.post("/tables/Tasks/records", &[], json!({"Notes": "x".repeat(2000)})).await;
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "2"})).await;
    let messages = caspio.settled().await;
    assert_eq!((&messages[1]["State"], &messages[1]["Attempts"]), (&json!("undeliverable"), &json!(0)));
    assert_eq!(messages[2]["State"], "failed");
    let id = hook.body["Id"].as_str().unwrap();
    assert_eq!(caspio.get(&format!("{HOOKS}/{id}"), &[]).await.body["Status"], "Inactive");
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "3"})).await;
    assert_eq!(caspio.settled().await.len(), 3, "an inactive event makes no message");
}

#[tokio::test]
async fn throttle_duplicates_and_order() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.settings(json!({"DuplicateProbability": 1.0, "MaxCallThrottling": 4})).await;
    caspio.hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"})).await;
    let start = Instant::now();
    let rows: Vec<Value> = (0..3).map(|n| json!({"Title": n.to_string()})).collect();
    caspio.admin(Method::POST, "/rows/Tasks", Some(Value::Array(rows))).await;
    let messages = caspio.settled().await;
    assert_eq!(receiver.got().len(), 6);
    assert!(start.elapsed() >= Duration::from_millis(900), "six calls at four a second");
    assert!(messages.iter().all(|message| message["Attempts"] == 2 && message["State"] == "delivered"));
    let firsts: Vec<Value> =
        receiver.got().iter().take(3).map(|got| got.body["data"][0]["Title"].clone()).collect();
    assert_eq!(firsts, ["0", "1", "2"]);
}

#[tokio::test]
async fn a_deleted_webhook_sends_nothing_more() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.settings(json!({"RetryDelaysMillis": [60_000]})).await;
    let hook =
        caspio.hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"})).await;
    receiver.answer(&[500]);
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "1"})).await;
    while receiver.got().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let id = hook.body["Id"].as_str().unwrap();
    let shown = caspio.admin(Method::GET, "/webhooks", None).await.body;
    assert_eq!(
        (&shown[0]["Secret"], &shown[0]["Events"][0]["EventType"]),
        (&hook.body["Secret"], &json!("table.recordInsert"))
    );
    assert_eq!(caspio.admin(Method::DELETE, &format!("/webhooks/{id}"), None).await.status, 204);
    assert_eq!(caspio.settled().await[0]["State"], "undeliverable");
}

#[tokio::test]
async fn messages_may_overtake_each_other() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.settings(json!({"ReorderProbability": 0.5, "ReorderDelayMillis": 100, "RandomSeed": 7, "MaxCallThrottling": 100})).await;
    caspio.hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"})).await;
    let rows: Vec<Value> = (0..20).map(|n| json!({"Title": format!("{n:02}")})).collect();
    caspio.admin(Method::POST, "/rows/Tasks", Some(Value::Array(rows))).await;
    caspio.settled().await;
    let mut titles: Vec<String> =
        receiver.got().iter().map(|got| got.body["data"][0]["Title"].as_str().unwrap().to_owned()).collect();
    let arrived = titles.clone();
    titles.sort();
    assert_eq!(titles.len(), 20);
    assert_ne!(arrived, titles);
}

#[tokio::test]
async fn an_edited_url_gets_the_retries() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.settings(json!({"RetryDelaysMillis": [150]})).await;
    let hook = caspio
        .hook("http://127.0.0.1:9/old", json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"}))
        .await;
    caspio.post("/tables/Tasks/records", &[], json!({"Title": "1"})).await;
    let path = format!("{HOOKS}/{}", hook.body["Id"].as_str().unwrap());
    assert_eq!(caspio.put(&path, &[], json!({"OutgoingUrls": [receiver.url]})).await.status, 200);
    assert_eq!(caspio.settled().await[0]["State"], "delivered");
    assert_eq!(receiver.got().len(), 1);
}
