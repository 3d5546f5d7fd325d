//! Versions: runs end on the one that they began on; what changed is listed; an earlier one is made active again.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{attention, audited, create, probes, titles, until_probes};

const QUICK: &str = "[retry]\ninitial_seconds = 0.05\nmax_seconds = 0.2\n";
const TASKS: &str = "/integrations/rest/v3/tables/Tasks/records";

fn on_appointments() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "echo")
        .triggers("[[trigger]]\nevent = \"record-insert\"\ntable = \"Appointments\"\n")
}

async fn history(site: &Site) -> Value {
    site.host.cli(&["workflow", "history", "probe", "--json"]).await.json()
}

async fn roll_back(site: &Site, more: &[&str]) -> caspian_e2e::Answer {
    site.host.cli(&[&["workflow", "rollback", "probe"], more].concat()).await
}

/// Id of the one webhook, and the tables of its events.
async fn webhook(site: &Site) -> (String, Vec<String>) {
    let hooks = site.account.webhooks().await;
    assert_eq!(hooks.len(), 1, "{hooks:#?}");
    let events = hooks[0]["Events"].as_array().unwrap();
    let tables = events.iter().map(|event| event["ObjectName"].as_str().unwrap().to_owned()).collect();
    (hooks[0]["Id"].as_str().unwrap().to_owned(), tables)
}

#[tokio::test]
async fn the_history_says_what_changed_and_which_runs_there_were() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.account.add_patient("Ada").await;
    until_probes(&site, 1, "succeeded").await;
    let second = create().sections(&format!("{QUICK}[limits]\nwall_seconds = 60\n")).setting("to", "secret");
    site.deploy(&second).await.ok();
    site.account.add_patient("Bob").await;
    until_probes(&site, 2, "succeeded").await;

    let found = history(&site).await;
    assert_eq!((&found["active"], &found["unbound"]), (&json!(2), &json!(0)), "{found:#}");
    let [second, first] = found["versions"].as_array().unwrap().as_slice() else { panic!("{found:#}") };
    assert_eq!(
        (&first["version"], &first["active"], &first["before"]),
        (&json!(1), &json!(false), &Value::Null)
    );
    assert_eq!(
        (&second["version"], &second["active"], &second["before"]),
        (&json!(2), &json!(true), &json!(1))
    );
    assert_eq!(second["changes"], json!(["+ limits.wall_seconds = 60", "+ settings.to"]), "{found:#}");
    for version in [first, second] {
        assert_eq!((&version["runs"], &version["by"]), (&json!({"succeeded": 1}), &json!("admin")));
        assert_eq!(version["contract"], "caspian:workflow@0.1.0");
        assert_eq!(version["connection"], "clinic");
        assert!(version["size"].as_u64() > Some(1000), "{version:#}");
        assert_eq!(version["component"].as_str().unwrap().len(), 64);
    }
    assert_eq!((&first["same_component"], &second["same_component"]), (&json!(false), &json!(true)));
    let said = site.host.cli(&["workflow", "history", "probe"]).await.ok().stdout;
    assert!(said.starts_with("version 2, active\n") && said.contains("1 succeeded"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    site.host.cli(&["workflow", "history", "nothing"]).await.refused("there is no workflow");
}

#[tokio::test]
async fn a_queued_run_binds_at_its_first_claim_and_ends_on_that_version() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let ada = site.account.add_patient("Ada").await;
    until("a run waits", async || (history(&site).await["unbound"] == 1).then_some(())).await;
    let path = create().setting("count", "2").write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &path]).await.ok();
    // It begins on version 2, and waits in the middle of it.
    site.account.fault_after("POST", TASKS, 1, None, json!({"Kind": "throttle"})).await;
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until("it waits", async || (probes(&site).await[0]["cause"] == "throttled").then_some(())).await;
    for _ in 0..2 {
        // To version 1, and by the next deploy to version 3: its own stays 2.
        roll_back(&site, &["1"]).await.ok();
        site.deploy(&create().setting("count", "5")).await.ok();
    }
    site.account.clear_faults().await;
    let run = until_probes(&site, 1, "succeeded").await.remove(0);
    assert_eq!(run["version"], 2, "{run:#}");
    assert_eq!(titles(&site).await, [format!("{ada}-0"), format!("{ada}-1")]);
}

#[tokio::test]
async fn going_back_changes_the_events_in_place_and_the_number_is_the_old_one() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let (hook, _) = webhook(&site).await;
    site.deploy(&on_appointments()).await.ok();
    assert_eq!(webhook(&site).await, (hook.clone(), vec!["Appointments".to_owned()]));
    let said = roll_back(&site, &[]).await.ok().stdout;
    assert!(said.contains("version 1 is the active one again, active"), "{said}");
    assert_eq!(webhook(&site).await, (hook.clone(), vec!["Patients".to_owned()]));
    let ada = site.account.add_patient("Ada").await;
    let run = until_probes(&site, 1, "succeeded").await.remove(0);
    assert_eq!((&run["version"], titles(&site).await), (&json!(1), vec![ada.to_string()]));
    assert_eq!(audited(&site, "workflow.rollback"), 1);

    // The one before is what was active before, not the number below.
    site.deploy(&on_appointments()).await.ok();
    assert_eq!(history(&site).await["versions"][0]["before"], 1);
    let said = roll_back(&site, &[]).await.ok().stdout;
    assert!(said.contains("version 1 "), "{said}");
    roll_back(&site, &["3"]).await.ok();
    assert_eq!(webhook(&site).await, (hook, vec!["Appointments".to_owned()]));
    // A paused workflow stays so, one that is inactive, too.
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let said = roll_back(&site, &["2"]).await.ok().stdout;
    assert!(said.contains("version 2 is the active one again, paused"), "{said}");
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    roll_back(&site, &["1"]).await.ok();
    assert_eq!(
        (site.workflow("probe").await["state"].clone(), site.account.webhooks().await.len()),
        ("inactive".into(), 0)
    );
}

#[tokio::test]
async fn schedules_follow() {
    let site = Site::start().await;
    let cron = |hour: u32| {
        ManifestBuilder::probe("probe", "echo")
            .triggers(&format!("[[trigger]]\nevent = \"schedule\"\ncron = \"0 {hour} * * *\"\n"))
    };
    site.deploy(&cron(3)).await.ok();
    site.deploy(&cron(4)).await.ok();
    roll_back(&site, &[]).await.ok();
    let shown = site.workflow("probe").await;
    assert_eq!(
        (&shown["version"], &shown["triggers"][0]["schedule"]["cron"]),
        (&json!(1), &json!("0 3 * * *"))
    );
    let kept: String = {
        let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
        database.query_row("SELECT schedule FROM schedules", [], |row| row.get(0)).unwrap()
    };
    assert!(kept.contains("0 3 * * *"), "{kept}");
}

#[tokio::test]
async fn what_can_not_work_is_refused_and_nothing_changes() {
    let site = Site::start().await;
    site.connect_as("second").await.ok();
    let path = create().write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &path, "--connection", "second"]).await.ok();
    roll_back(&site, &[]).await.refused("no version was active before version 1");
    roll_back(&site, &["1"]).await.refused("version 1 is the active one");
    roll_back(&site, &["7"]).await.refused("has no version 7");
    site.host.cli(&["workflow", "rollback", "nothing"]).await.refused("there is no workflow");
    site.deploy(&create()).await.ok();
    roll_back(&site, &[]).await.refused("the active workflow uses another connection");
    site.host.cli(&["connection", "remove", "second"]).await.ok();
    roll_back(&site, &[]).await.refused("the connection of version 1 was removed");
    site.deploy(&create().component(&caspian_e2e::guest("caspian_minimal"))).await.ok();
    let digest = history(&site).await["versions"][1]["component"].as_str().unwrap().to_owned();
    std::fs::remove_file(site.host.data().join("components").join(format!("{digest}.wasm"))).unwrap();
    roll_back(&site, &[]).await.refused("the component was not uploaded");
    assert_eq!(history(&site).await["versions"][1]["size"], Value::Null);
    assert_eq!((history(&site).await["active"].clone(), audited(&site, "workflow.rollback")), (json!(3), 0));
}

#[tokio::test]
async fn killed_before_the_commit_nothing_changed_and_after_it_all_follows() {
    for (point, active, table) in [
        ("rollback.before-commit", 2, "Appointments"),
        ("rollback.after-commit", 1, "Patients"),
        ("trigger.before-event", 1, "Patients"),
        ("trigger.after-event", 1, "Patients"),
    ] {
        let mut site = Site::start().await;
        site.deploy(&create()).await.ok();
        let (hook, _) = webhook(&site).await;
        site.deploy(&on_appointments()).await.ok();
        site.restart_with(&format!("{point}=return(kill)")).await;
        let answer = roll_back(&site, &[]).await;
        assert_ne!(answer.code, 0, "{point}: {answer:?}");
        site.host.until_dead().await;
        site.restart_with("").await;
        let expected = (hook, vec![table.to_owned()]);
        until(&format!("{point}: the events follow"), async || {
            (webhook(&site).await == expected && attention(&site).await.is_empty()).then_some(())
        })
        .await;
        assert_eq!(history(&site).await["active"], active, "{point}");
        assert_eq!(audited(&site, "workflow.rollback"), i64::from(active == 1), "{point}");
        if active == 1 {
            site.account.add_patient("Ada").await;
            assert_eq!(until_probes(&site, 1, "succeeded").await[0]["version"], 1, "{point}");
        }
    }
}

#[tokio::test]
async fn when_caspio_fails_the_version_is_active_and_the_host_goes_on() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.deploy(&on_appointments()).await.ok();
    for method in ["PUT", "POST", "DELETE"] {
        let hooks = "/integrations/rest/v3/outgoingWebhooks";
        site.account.fault(method, hooks, None, json!({"Kind": "status", "Status": 503})).await;
    }
    let error = roll_back(&site, &[]).await.refused("triggers are not set up").stderr;
    assert!(error.contains("the host goes on trying"), "{error}");
    assert_eq!(history(&site).await["active"], 1);
    site.account.clear_faults().await;
    until("the events follow", async || (webhook(&site).await.1 == ["Patients"]).then_some(())).await;
}
