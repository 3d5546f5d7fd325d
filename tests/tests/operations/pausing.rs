//! `workflow pause` and `resume`: events queue, and are run later, each once.

use caspian_e2e::Site;

use crate::{add_patients, attention, audited, create, probes, titles, titles_of, until_probes};

#[tokio::test]
async fn while_paused_events_queue_and_after_resuming_each_is_run_once() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let before = add_patients(&site, 1).await;
    until_probes(&site, 1, "succeeded").await;

    let answer = site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    assert!(answer.stdout.contains("workflow probe is paused"), "{}", answer.stdout);
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 1, "the webhook stays");
    let mut patients = vec![site.account.add_patient("Queued One").await];
    patients.push(site.account.add_patient("Queued Two").await);
    // Other workflows go on, also after a restart, which does not end the pause.
    for _ in 0..2 {
        site.still_serves().await;
        caspian_e2e::until("both wait", async || {
            let runs = probes(&site).await;
            let waiting = runs.iter().filter(|run| run["state"] == "queued" && run["attempts"] == 0);
            (waiting.count() == 2 && runs.len() == 3).then_some(())
        })
        .await;
        assert_eq!(titles(&site).await, titles_of(&before));
        assert_eq!(site.workflow("probe").await["state"], "paused");
        let said = attention(&site).await;
        assert!(said.iter().any(|text| text.contains("'probe' is paused")), "{said:?}");
        assert!(said.iter().any(|text| text.contains("caspian workflow resume probe")), "{said:?}");
        site.host.start().await;
    }

    let answer = site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    assert!(answer.stdout.contains("workflow probe is active"), "{}", answer.stdout);
    until_probes(&site, 3, "succeeded").await;
    patients.extend(before);
    assert_eq!(titles(&site).await, titles_of(&patients));
    patients.push(site.account.add_patient("After").await);
    until_probes(&site, 4, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&patients));
    assert_eq!(attention(&site).await, Vec::<String>::new());
    assert_eq!((audited(&site, "workflow.pause"), audited(&site, "workflow.resume")), (2, 1));
}

#[tokio::test]
async fn what_is_inactive_can_be_neither_paused_nor_resumed() {
    let site = Site::start().await;
    let manifest = create().write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &manifest]).await.ok();
    for verb in ["pause", "resume"] {
        let answer = site.host.cli(&["workflow", verb, "probe"]).await.refused("'probe' is inactive");
        assert!(answer.stderr.contains("caspian workflow activate probe"), "{}", answer.stderr);
        site.host.cli(&["workflow", verb, "nothing"]).await.refused("there is no workflow 'nothing'");
    }
    assert_eq!(site.workflow("probe").await["state"], "inactive");
    assert_eq!(site.account.webhooks().await.len(), 0);
}

#[tokio::test]
async fn a_new_version_leaves_a_paused_workflow_paused_and_activating_ends_the_pause() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let patients = add_patients(&site, 1).await;
    until_probes(&site, 1, "queued").await;
    let manifest = create().setting("other", "x").write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &manifest]).await.ok();
    let shown = site.workflow("probe").await;
    assert_eq!((&shown["state"], &shown["version"]), (&"paused".into(), &2.into()), "{shown:#}");
    site.still_serves().await;
    until_probes(&site, 1, "queued").await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    until_probes(&site, 1, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&patients));
}
