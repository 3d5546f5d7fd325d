//! SIGKILL at every point around journal and scheduler, while three records are created.

use caspian_e2e::Site;

use crate::{assert_undecided, create, sent, still_serves, titles};

/// Dies at a point, starts again; answers the site and the id of the patient.
async fn died_at(failpoint: &str) -> (Site, i64) {
    let mut site = Site::start().await;
    site.deploy(&create(3)).await.ok();
    site.restart_with(failpoint).await;
    let id = site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    (site, id)
}

/// Every record exactly once.
async fn goes_on(failpoint: &str) {
    let (site, id) = died_at(failpoint).await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1"), format!("{id}-2")]);
    assert_eq!(sent(&site).await, 3);
    assert_eq!(run["attempts"], 1, "a crash is no attempt: {run:#}");
    let steps = run["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    assert!(steps.iter().all(|step| step["state"] == "done" && step["outcome"] == "ok"));
    still_serves(&site).await;
}

/// Parked at the second record, which was sent as often as this.
async fn parks(failpoint: &str, second: usize) {
    let (mut site, id) = died_at(failpoint).await;
    let expected: Vec<String> = (0..=second).map(|n| format!("{id}-{n}")).collect();
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    assert_undecided(&run, 2, "records.create");
    assert_eq!(titles(&site).await, expected);
    // It stays so.
    site.restart_with("").await;
    still_serves(&site).await;
    let runs = site.until_runs(2, &["parked", "succeeded"]).await;
    assert_undecided(&runs[0], 2, "records.create");
    assert_eq!(titles(&site).await.len(), expected.len() + 3);
    assert_eq!(sent(&site).await, expected.len() as u64 + 3);
}

macro_rules! killed {
    ($($name:ident: $outcome:expr),+ $(,)?) => { $(#[tokio::test] async fn $name() { $outcome.await; })+ };
}

// The first record, in the middle, the last one.
killed! {
    killed_before_the_first_intent_it_goes_on: goes_on("journal.before-intent=return(kill)"),
    killed_before_the_second_intent_it_goes_on: goes_on("journal.before-intent=1*off->return(kill)"),
    killed_before_the_last_intent_it_goes_on: goes_on("journal.before-intent=2*off->return(kill)"),
    killed_after_an_intent_it_parks: parks("journal.after-intent=1*off->return(kill)", 0),
    killed_before_sending_it_parks: parks("effect.before-send=1*off->return(kill)", 0),
    killed_after_sending_it_parks: parks("effect.after-send=1*off->return(kill)", 1),
    killed_before_a_result_it_parks: parks("journal.before-result=1*off->return(kill)", 1),
    killed_after_the_first_result_it_goes_on: goes_on("journal.after-result=return(kill)"),
    killed_after_the_second_result_it_goes_on: goes_on("journal.after-result=1*off->return(kill)"),
    killed_after_the_last_result_it_goes_on: goes_on("journal.after-result=2*off->return(kill)"),
    killed_before_the_end_it_goes_on: goes_on("run.before-finish=return(kill)"),
    killed_after_the_end_it_is_done: goes_on("run.after-finish=return(kill)"),
    killed_before_a_claim_it_goes_on: goes_on("scheduler.before-claim=1*off->return(kill)"),
    killed_after_a_claim_it_goes_on: goes_on("scheduler.after-claim=1*off->return(kill)"),
}

#[tokio::test]
async fn killed_at_every_record_it_goes_on_every_time() {
    let mut site = Site::start().await;
    site.deploy(&create(5)).await.ok();
    site.restart_with("journal.after-result=return(kill)").await;
    let id = site.account.add_patient("Ada").await;
    for _ in 0..5 {
        site.host.until_dead().await;
        // It may die before it listens: it goes on with the run at once.
        while !site.host.try_start().await {}
        if titles(&site).await.len() == 5 {
            break;
        }
    }
    site.restart_with("").await;
    site.until_runs(1, &["succeeded"]).await;
    let expected: Vec<String> = (0..5).map(|n| format!("{id}-{n}")).collect();
    assert_eq!(titles(&site).await, expected);
    assert_eq!(sent(&site).await, 5);
}

#[tokio::test]
async fn a_run_that_kills_the_host_again_and_again_is_given_up() {
    let mut site = Site::with(caspian_e2e::SiteOptions {
        host: caspian_e2e::HostOptions {
            config: "[retry]\nmax_host_crashes = 3\nstep_initial_seconds = 0.05\n".to_owned(),
            ..Default::default()
        },
        ..Default::default()
    })
    .await;
    site.deploy(&create(1)).await.ok();
    site.restart_with("journal.before-intent=return(kill)").await;
    site.account.add_patient("Ada").await;
    for _ in 0..3 {
        site.host.until_dead().await;
        site.host.try_start().await;
    }
    site.restart_with("").await;
    let run = site.until_runs(1, &["dead"]).await.remove(0);
    assert_eq!((&run["cause"], &run["host_crashes"]), (&"host-crash".into(), &3.into()));
    assert_eq!(sent(&site).await, 0);
    still_serves(&site).await;
}
