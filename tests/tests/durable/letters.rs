//! What people decide about parked and dead runs: resolve, redrive, discard.

use caspian_e2e::{Answer, ManifestBuilder, Site, until};
use serde_json::Value;

use crate::{create, on_tasks, sent, titles};

/// A run whose only create is undecided: sent (`effect.after-send`), or not (`effect.before-send`).
async fn undecided(point: &str) -> (Site, String, i64) {
    let mut site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    site.restart_with(&format!("{point}=return(kill)")).await;
    let patient = site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    let id = run["id"].as_str().unwrap().to_owned();
    assert!(run["next"].as_str().unwrap().contains(&format!("caspian run resolve {id}")), "{run:#}");
    (site, id, patient)
}

/// A run that is dead after one create; without tries left.
async fn dead() -> (Site, String, i64) {
    let site = Site::start().await;
    let failing = on_tasks("create-then-retry").setting("until", "5").sections("[retry]\nattempts = 1\n");
    site.deploy(&failing).await.ok();
    let patient = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["dead"]).await.remove(0);
    assert_eq!((&run["cause"], sent(&site).await), (&"retries".into(), 1), "{run:#}");
    (site, run["id"].as_str().unwrap().to_owned(), patient)
}

async fn decide(site: &Site, arguments: &[&str]) -> Answer {
    site.host.cli(&[&["run"], arguments].concat()).await
}

async fn until_state(site: &Site, id: &str, state: &str) -> Value {
    until(&format!("the run is {state}"), async || {
        let run = site.run(id).await;
        (run["state"] == state).then_some(run)
    })
    .await
}

#[tokio::test]
async fn what_caspio_did_is_taken_as_done() {
    let (site, id, patient) = undecided("effect.after-send").await;
    let made = site.account.rows("Tasks").await.last().unwrap()["PK_ID"].to_string();
    decide(&site, &["resolve", &id, "--done"]).await.refused("which record Caspio created is not known");
    decide(&site, &["resolve", &id, "--done", "--pk-id", "4711"])
        .await
        .refused("has no record with PK_ID 4711");
    decide(&site, &["resolve", &id, "--done", "--pk-id", &made]).await.ok();
    let run = until_state(&site, &id, "succeeded").await;
    assert_eq!(titles(&site).await, [format!("{patient}-0"), format!("{patient}-1")]);
    assert_eq!(sent(&site).await, 2);
    assert!(run["result"].as_str().unwrap().starts_with(&format!("created {made},")), "{run:#}");
    decide(&site, &["resolve", &id, "--retry"]).await.refused("nothing of the run");
}

#[tokio::test]
async fn what_caspio_did_not_do_is_sent_again() {
    let (site, id, patient) = undecided("effect.before-send").await;
    decide(&site, &["resolve", &id, "--retry"]).await.ok();
    until_state(&site, &id, "succeeded").await;
    assert_eq!(titles(&site).await, [format!("{patient}-0"), format!("{patient}-1")]);
}

#[tokio::test]
async fn a_run_that_is_given_up_stays_so() {
    let (site, id, _) = undecided("effect.after-send").await;
    decide(&site, &["redrive", &id]).await.refused("whether Caspio did what the run");
    decide(&site, &["redrive", "--workflow", "probe", "--cause", "undecided"]).await.refused("run by run");
    decide(&site, &["resolve", &id, "--fail"]).await.ok();
    let run = until_state(&site, &id, "dead").await;
    assert_eq!(run["cause"], "undecided");
    decide(&site, &["redrive", &id, "--from-start"]).await.refused("whether Caspio did what the run");
    decide(&site, &["discard", &id, "--reason", " "]).await.refused("the reason is missing");
    decide(&site, &["discard", &id, "--reason", "the patient was entered by hand"]).await.ok();
    let run = site.run(&id).await;
    assert_eq!(
        (&run["state"], &run["note"]),
        (&"discarded".into(), &"the patient was entered by hand".into()),
        "{run:#}"
    );
    decide(&site, &["discard", &id, "--reason", "again"]).await.refused("neither dead nor parked");
    assert_eq!(sent(&site).await, 1);
}

#[tokio::test]
async fn a_dead_run_goes_on_with_changed_code_and_repeats_nothing() {
    let (site, id, patient) = dead().await;
    // The same first call, and no failure after it.
    site.deploy(&on_tasks("create")).await.ok();
    decide(&site, &["redrive", &id, "--version", "7"]).await.refused("has no version 7");
    decide(&site, &["redrive", &id]).await.ok();
    let run = until_state(&site, &id, "succeeded").await;
    assert_eq!((&run["version"], &run["generation"]), (&2.into(), &1.into()), "{run:#}");
    assert_eq!((titles(&site).await, sent(&site).await), (vec![patient.to_string()], 1));
    decide(&site, &["redrive", &id]).await.refused("neither dead nor parked");
}

#[tokio::test]
async fn code_whose_calls_differ_is_shown_where_and_can_be_mended() {
    let (site, id, patient) = dead().await;
    site.deploy(&create(1)).await.ok();
    decide(&site, &["redrive", &id]).await.ok();
    let run = until_state(&site, &id, "parked").await;
    assert_eq!(run["cause"], "diverged");
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.contains("at step 1") && failure.contains(&format!("{patient}-0")), "{failure}");
    site.deploy(&on_tasks("create")).await.ok();
    decide(&site, &["redrive", "--workflow", "probe", "--cause", "diverged"]).await.ok();
    until_state(&site, &id, "succeeded").await;
    assert_eq!(sent(&site).await, 1);
}

#[tokio::test]
async fn begun_anew_it_is_another_run_that_does_all_again() {
    let (site, id, patient) = dead().await;
    site.deploy(&on_tasks("create")).await.ok();
    let said = decide(&site, &["redrive", &id, "--from-start"]).await.ok().stdout;
    let new = said.split(' ').nth(1).unwrap().to_owned();
    let run = until_state(&site, &new, "succeeded").await;
    assert_eq!((&run["generation"], &run["origin"]), (&2.into(), &id.clone().into()), "{run:#}");
    let old = site.run(&id).await;
    assert_eq!((&old["state"], &old["successor"]), (&"discarded".into(), &new.into()), "{old:#}");
    assert_eq!(titles(&site).await, [patient.to_string(), patient.to_string()]);
}

#[tokio::test]
async fn all_of_a_cause_go_on_and_the_others_stay() {
    let site = Site::start().await;
    site.deploy(&on_tasks("fatal")).await.ok();
    for name in ["Ada", "Bob", "Eve"] {
        site.account.add_patient(name).await;
    }
    site.until_runs(3, &["dead"]).await;
    let letters = decide(&site, &["letters", "--json"]).await.json();
    let letter = &letters[0];
    assert_eq!(
        (&letter["cause"], &letter["count"], &letter["state"]),
        (&"fatal".into(), &3.into(), &"dead".into())
    );
    site.deploy(&on_tasks("create")).await.ok();
    decide(&site, &["redrive", "--workflow", "probe", "--cause", "trap"]).await.ok();
    assert_eq!(titles(&site).await.len(), 0);
    let said = decide(&site, &["redrive", "--workflow", "probe", "--cause", "fatal"]).await.ok().stdout;
    assert!(said.contains("3 runs go on, 0 are left"), "{said}");
    site.until_runs(3, &["succeeded"]).await;
    assert_eq!(titles(&site).await.len(), 3);
    assert_eq!(decide(&site, &["letters", "--json"]).await.json().as_array().unwrap().len(), 0);
    decide(&site, &["redrive", "--workflow", "nothing", "--cause", "fatal"])
        .await
        .refused("there is no workflow");
}

#[tokio::test]
async fn another_tenant_decides_nothing() {
    let (site, id, _) = dead().await;
    for arguments in [&["redrive", &id][..], &["resolve", &id, "--retry"], &["discard", &id, "--reason", "x"]]
    {
        decide(&site, &[arguments, &["--tenant", "other"]].concat()).await.refused("there is no run");
    }
    assert_eq!(site.run(&id).await["state"], "dead");
}

#[tokio::test]
async fn letters_are_grouped_by_the_error_of_their_last_call_and_redriven_by_it() {
    let site = Site::start().await;
    let quick = "[retry]\nattempts = 1\n";
    for (n, field) in ["Title", "NoSuchField"].into_iter().enumerate() {
        let failing = ManifestBuilder::probe("probe", "create").setting("table", "Tasks");
        let failing = failing.setting("field", field).sections(quick);
        // The first is denied, the second field does not exist.
        let failing = if n == 0 { failing } else { failing.grant("Tasks", "create") };
        site.deploy(&failing).await.ok();
        site.account.add_patient(&format!("Ada {n}")).await;
        site.until_runs(n + 1, &["dead"]).await;
    }
    let letters = decide(&site, &["letters", "--json"]).await.json();
    let mut codes: Vec<&str> =
        letters.as_array().unwrap().iter().map(|letter| letter["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!((codes.len(), codes.contains(&"denied")), (2, true), "{letters:#}");
    assert!(
        letters.as_array().unwrap().iter().all(|letter| letter["action"] == "records.create"),
        "{letters:#}"
    );
    let cause = letters[0]["cause"].as_str().unwrap().to_owned();
    let listed = decide(&site, &["list", "--cause", &cause, "--json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(decide(&site, &["list", "--cause", "trap", "--json"]).await.json(), serde_json::json!([]));

    site.deploy(&on_tasks("create")).await.ok();
    let all = ["redrive", "--workflow", "probe", "--cause", &cause, "--code", "denied", "--version", "3"];
    let said = decide(&site, &all).await.ok().stdout;
    assert!(said.contains("1 runs go on, 0 are left"), "{said}");
    site.until_runs(2, &["dead", "succeeded"]).await;
    assert_eq!(titles(&site).await.len(), 1);
}
