//! What the manifest does not grant is denied before Caspio is asked, and what it grants exists.

use caspian_e2e::{ManifestBuilder, Site};

use crate::probe;

#[tokio::test]
async fn nothing_is_granted_by_default() {
    let site = Site::start().await;
    let effects = [
        ("attachments.upload", "needs update on this table"),
        ("attachments.delete", "needs update on this table"),
        ("files.create", "needs write on files; add it under [grants] files"),
        ("files.delete", "needs delete on files"),
        ("directories.create-user", "needs create on this directory; add it under [grants] directories"),
        ("directories.activate-user", "needs activate on this directory"),
        ("tasks.run", "needs this task; add it under [grants] tasks"),
    ];
    for (number, (effect, _)) in effects.iter().enumerate() {
        let manifest = ManifestBuilder::probe(&format!("w{number}"), "one")
            .setting("do", effect)
            .setting("key", "00000000-0000-4000-8000-000000000000")
            // What is granted is something else.
            .grant("Documents", "read")
            .grants("attachments = { Documents = [\"Title\"] }\nfiles = [\"read\"]\ntasks = [\"Export appointments\"]")
            .grants("directories = { Staff = [\"read\", \"update\"] }");
        site.deploy(&manifest).await.ok();
    }
    let before = site.account.calls("*", "/integrations/").await;
    site.account.add_patient("Ada").await;
    for run in site.until_runs(effects.len(), &["dead"]).await {
        let number: usize = run["workflow"].as_str().unwrap()[1..].parse().unwrap();
        let failure = run["failure"].as_str().unwrap();
        assert!(failure.contains(effects[number].1), "{}: {failure}", effects[number].0);
        assert_eq!((&run["steps"][0]["outcome"], &run["steps"][0]["calls"]), (&"denied".into(), &0.into()));
    }
    assert_eq!(site.account.calls("*", "/integrations/").await, before, "nothing was asked of Caspio");
}

#[tokio::test]
async fn an_attachment_needs_its_field_besides_the_table() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("w", "one")
        .setting("do", "attachments.upload")
        .grant("Documents", "update")
        .grants("attachments = { Documents = [\"Other\"] }");
    let run = site.one_run(&manifest, &["dead"]).await;
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.contains("needs this field; add it under [grants] attachments"), "{failure}");
}

#[tokio::test]
async fn names_that_do_not_exist_are_found_at_the_deploy() {
    let site = Site::start().await;
    for (grants, noun, name) in [
        ("views = { NoSuchView = [\"read\"] }", "view", "NoSuchView"),
        ("directories = { NoSuchDirectory = [\"read\"] }", "directory", "NoSuchDirectory"),
        ("tasks = [\"No such task\"]", "task", "No such task"),
    ] {
        let refused = site.deploy(&ManifestBuilder::probe("w", "views").grants(grants)).await;
        refused.refused(&format!("has no {noun} '{name}'"));
    }
    site.deploy(&probe("views")).await.ok();
}
