//! A flood of one workflow does not hold up another's run.

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, until};

use crate::{TASKS, probe, send};

const FLOOD: usize = 150;

#[tokio::test]
async fn a_single_run_is_done_long_before_the_end_of_a_flood() {
    let config = "[scheduler]\nconcurrency = 1\n".to_owned();
    let host = HostOptions { config, ..Default::default() };
    // Caspio answers slowly.
    let site = Site::with(SiteOptions {
        host,
        account: Some(|settings| settings.network.latency_millis = 10),
        ..Default::default()
    })
    .await;
    site.deploy(&probe("create", "")).await.ok();
    let other = ManifestBuilder::probe("single", "create")
        .triggers("[[trigger]]\nevent = \"record-insert\"\ntable = \"Appointments\"\n")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    site.deploy(&other).await.ok();
    for workflow in ["probe", "single"] {
        site.host.cli(&["workflow", "pause", workflow]).await.ok();
    }
    let keys: Vec<i64> = (1..=FLOOD as i64).collect();
    send(&site, &keys).await.ok();
    let event = "{\"event\": \"record-insert\", \"table\": \"Appointments\", \"rows\": [{\"PK_ID\": 1}]}";
    let file = site.folder().join("single.json");
    std::fs::write(&file, event).unwrap();
    site.host.cli(&["event", "send", "single", "--file", &file.display().to_string()]).await.ok();
    let waiting = site.runs().await;
    assert_eq!(waiting.len(), FLOOD + 1);
    let shown = site.run(waiting[0]["id"].as_str().unwrap()).await;
    assert_eq!(shown["waits"], "'probe' is paused; go on with: caspian workflow resume probe");

    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until("the flood flows", async || (site.account.calls("POST", TASKS).await > 0).then_some(())).await;
    site.host.cli(&["workflow", "resume", "single"]).await.ok();
    let runs = site.until_runs(FLOOD + 1, &["succeeded"]).await;
    let single = runs.iter().find(|run| run["workflow"] == "single").unwrap();
    let later = runs.iter().filter(|run| run["started_at"].as_str() > single["finished_at"].as_str());
    assert!(later.count() > FLOOD / 10, "the single run waited for the flood: {single:#}");
}
