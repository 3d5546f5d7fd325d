//! What the manifest does not grant, the guest does not get.

use caspian_e2e::{ManifestBuilder, Site};

/// Deploys a guest that tries to delete the event's record of Tasks, with this grant; it must be denied.
async fn denied(site: &Site, manifest: &ManifestBuilder, needs: &str) {
    let before = site.account.rows("Tasks").await;
    let run = site.one_run(manifest, &["succeeded"]).await;
    let result = run["result"].as_str().unwrap();
    assert!(result.contains("denied") || result.contains(&format!("needs {needs}")), "{result}");
    assert!(result.contains(&format!("needs {needs} on this table")), "{result}");
    assert!(result.contains("add it under [grants] tables of the manifest and deploy again"), "{result}");
    assert_eq!(run["steps"][0]["outcome"], "denied", "{run:#}");
    assert_eq!(run["steps"][0]["calls"], 0, "nothing was asked of Caspio: {run:#}");
    assert_eq!(site.account.rows("Tasks").await, before);
    assert_eq!(site.account.calls("*", "/integrations/rest/v3/tables/Tasks/records").await, 0);
}

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let site = Site::start().await;
    denied(&site, &ManifestBuilder::probe("w", "denied").setting("table", "Tasks"), "delete").await;
    site.still_serves().await;
}

#[tokio::test]
async fn other_operations_on_the_table_do_not_help() {
    let site = Site::start().await;
    let manifest =
        ManifestBuilder::probe("w", "denied").setting("table", "Tasks").grant("Tasks", "read create update");
    denied(&site, &manifest, "delete").await;
}

#[tokio::test]
async fn the_same_operation_on_another_table_does_not_help() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("w", "denied")
        .setting("table", "Tasks")
        .grant("Contacts", "read create update delete");
    denied(&site, &manifest, "delete").await;
}

#[tokio::test]
async fn each_action_needs_its_operations() {
    let site = Site::start().await;
    // Mode, what is granted on Tasks, what is missing then.
    let cases = [
        ("list", "create update delete", "read"),
        ("create", "read update delete", "create"),
        ("update", "update", "read"),
        ("update", "read create", "update"),
        ("delete", "delete", "read"),
        ("delete", "read", "delete"),
        ("upsert", "read create", "update"),
        ("upsert", "create", "read, update"),
        ("upsert", "read update", "create"),
    ];
    for (number, (mode, granted, _)) in cases.iter().enumerate() {
        let manifest = ManifestBuilder::probe(&format!("w{number}"), mode)
            .sections("[retry]\nattempts = 1\n")
            .setting("table", "Tasks")
            .setting("field", "Title")
            .setting("value", "Call about results")
            .grant("Tasks", granted);
        site.deploy(&manifest).await.ok();
    }
    let before = site.account.rows("Tasks").await;
    site.account.add_patient("Ada").await;
    let runs = site.until_runs(cases.len(), &["dead"]).await;
    for run in runs {
        let number: usize = run["workflow"].as_str().unwrap()[1..].parse().unwrap();
        let (mode, granted, missing) = cases[number];
        let failure = run["failure"].as_str().unwrap();
        assert!(failure.contains(&format!("needs {missing} on this table")), "{mode}, {granted}: {failure}");
    }
    assert_eq!(site.account.rows("Tasks").await, before);
}

#[tokio::test]
async fn an_unknown_table_is_denied_before_caspio_is_asked() {
    let site = Site::start().await;
    let run = site.one_run(&ManifestBuilder::probe("w", "unknown-table"), &["succeeded"]).await;
    assert!(run["result"].as_str().unwrap().contains("needs read"), "{run:#}");
    assert_eq!(run["steps"][0]["calls"], 0);
}

#[tokio::test]
async fn a_field_that_does_not_exist_is_named_to_the_guest() {
    let site = Site::start().await;
    let manifest =
        ManifestBuilder::probe("w", "unknown-field").setting("table", "Tasks").grant("Tasks", "create");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    let result = run["result"].as_str().unwrap();
    assert!(result.contains("table 'Tasks' has no field 'NoSuchField'"), "{result}");
    assert!(result.contains("check its name"), "{result}");
    assert_eq!(run["steps"][0]["outcome"], "not-found");
    assert_eq!(site.account.calls("POST", "/integrations/rest/v3/tables/Tasks/records").await, 0);
    assert_eq!(site.account.rows("Tasks").await.len(), 1);
}
