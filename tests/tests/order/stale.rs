//! An event that is older than what is done of its record.

use caspian_e2e::Site;
use serde_json::json;

use crate::{is, probe, send_rows, until_all};

const SKIP: &str = "[order]\nby = \"record\"\nstale = \"skip\"\n";

#[tokio::test]
async fn stale_events_are_skipped_and_those_of_the_same_second_are_not() {
    let mut site = Site::start().await;
    site.deploy(&probe("echo", SKIP)).await.ok();
    let delivery = site.delivery().await;
    let mut count = 0;
    for (key, date, state, cause) in [
        (1, "2026-01-16T19:52:55", "succeeded", ""),
        (1, "2026-01-16T19:52:54", "skipped", "stale"),
        (1, "2026-01-16T19:52:55", "succeeded", ""),
        (1, "2026-01-16T19:52:56", "succeeded", ""),
        (1, "2026-01-16T19:52:55", "skipped", "stale"),
        (2, "2026-01-16T19:52:54", "succeeded", ""),
    ] {
        count += 1;
        if count == 5 {
            site.restart_with("").await;
        }
        let mut message = delivery.message(&format!("m{count}"), json!([{"PK_ID": key}]));
        message["eventDate"] = date.into();
        assert_eq!(delivery.send_signed(&message).await, 200);
        until_all(&site, &format!("event {count} is {state}"), |runs| {
            runs.len() == count && is(&runs[count - 1], state, cause)
        })
        .await;
    }
    let skipped = site.host.cli(&["run", "list", "--state", "skipped", "--json"]).await.json();
    let shown = site.run(skipped[0]["id"].as_str().unwrap()).await;
    let failure = shown["failure"].as_str().unwrap();
    assert!(failure.contains("of 2026-01-16T19:52:56 is done already, and this one is of"), "{failure}");
    assert!(shown["next"].as_str().unwrap().contains("nothing is to be done"), "{shown:#}");

    // Another version runs them.
    site.deploy(&probe("echo", "[order]\nby = \"record\"\n")).await.ok();
    send_rows(&site, json!([{"PK_ID": 1}]), Some("2026-01-16T19:52:54")).await.ok();
    until_all(&site, "it runs", |runs| runs.len() == 7 && is(&runs[6], "succeeded", "")).await;
}

#[tokio::test]
async fn what_failed_makes_nothing_stale_and_a_skipped_run_lets_the_next_go() {
    let site = Site::start().await;
    site.deploy(&probe("fatal", &SKIP.replace("stale", "on_failure = \"go-on\"\nstale"))).await.ok();
    let row = json!([{"PK_ID": 1}]);
    send_rows(&site, row.clone(), Some("2026-02-01T00:00:00")).await.ok();
    until_all(&site, "it is dead", |runs| runs.len() == 1 && is(&runs[0], "dead", "fatal")).await;
    site.deploy(&probe("echo", &SKIP.replace("stale", "on_failure = \"go-on\"\nstale"))).await.ok();
    send_rows(&site, row.clone(), Some("2026-01-15T00:00:00")).await.ok();
    until_all(&site, "it is no newer", |runs| runs.len() == 2 && is(&runs[1], "succeeded", "")).await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    send_rows(&site, row.clone(), Some("2026-01-14T00:00:00")).await.ok();
    send_rows(&site, row, Some("2026-01-16T00:00:00")).await.ok();
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until_all(&site, "the older is skipped, the newer runs", |runs| {
        runs.len() == 4 && is(&runs[2], "skipped", "stale") && is(&runs[3], "succeeded", "")
    })
    .await;
}
