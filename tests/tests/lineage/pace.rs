//! A record starts so many runs a minute; the others wait.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::json;

#[tokio::test]
async fn runs_of_one_record_beyond_the_pace_wait_and_others_go_on() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "echo")
        .triggers("[[trigger]]\nevent = \"record-update\"\ntable = \"Patients\"\n")
        .sections("[loop]\nrecord_runs_per_minute = 3\n");
    site.deploy(&manifest).await.ok();
    for n in 0..5 {
        site.account.update("Patients", "PK_ID=1", json!({"Phone": n.to_string()})).await;
    }
    site.account.update("Patients", "PK_ID=2", json!({"Phone": "x"})).await;
    let runs = until("four runs are done and two wait", async || {
        let runs = site.runs().await;
        let count = |state: &str, cause: serde_json::Value| {
            runs.iter().filter(|r| r["state"] == state && r["cause"] == cause).count()
        };
        (count("succeeded", json!(null)) == 4 && count("queued", json!("record-pace")) == 2).then_some(runs)
    })
    .await;
    for run in runs {
        let waits = run["state"] == "queued";
        assert!(!waits || run["pk_id"] == 1, "{run:#}");
        let shown = site.run(run["id"].as_str().unwrap()).await;
        assert_eq!(shown["next_at"].is_string(), waits, "{shown:#}");
        assert_eq!(shown["attempts"], if waits { 0 } else { 1 }, "{shown:#}");
    }
    let status = site.host.cli(&["status"]).await.ok().stdout;
    assert!(status.contains("2 runs of 'probe' wait: a record started more in a minute"), "{status}");
}
