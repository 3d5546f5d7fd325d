//! A deployed component whose file is gone or damaged: `status` says so, and no backup is made without it.

use std::path::PathBuf;

use caspian_e2e::{Site, until};

use crate::{add_patients, attention, create, titles, titles_of, until_probes};

/// The one component in the data folder.
fn component(site: &Site) -> PathBuf {
    let files = std::fs::read_dir(site.host.data().join("components")).unwrap();
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[tokio::test]
async fn no_backup_is_made_without_a_component_that_is_needed() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let file = component(&site);
    let whole = std::fs::read(&file).unwrap();
    let backup = site.folder().join("b.tar").display().to_string();
    for damage in [None, Some(b"damaged".to_vec()), Some(whole[..whole.len() - 1].to_vec())] {
        match damage {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let answer = site.host.cli(&["backup", &backup]).await;
        let answer = answer.refused("the component of 'probe' version 1 is missing or damaged");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(answer.stderr.contains(&format!("components/{name}")), "{}", answer.stderr);
        assert!(!std::fs::exists(&backup).unwrap());
    }
    site.deploy(&create()).await.ok();
    site.host.cli(&["backup", &backup]).await.ok();
}

#[tokio::test]
async fn a_component_that_can_not_be_loaded_is_said_and_its_runs_wait_for_it() {
    let mut site = Site::start().await;
    let patient = || create().sections("[retry]\nattempts = 100\ninitial_seconds = 0.5\nmax_seconds = 2\n");
    site.deploy(&patient()).await.ok();
    site.host.kill().await;
    std::fs::remove_file(component(&site)).unwrap();
    for code in std::fs::read_dir(site.host.data().join("compiled")).unwrap() {
        std::fs::remove_file(code.unwrap().path()).unwrap();
    }
    site.host.start().await;
    // Other workflows are served.
    site.host.until_ready().await;
    let said = attention(&site).await;
    let expected = "the component of 'probe' version 1 can't be loaded: ";
    assert!(said.iter().any(|text| text.starts_with(expected) && text.contains("; deploy")), "{said:?}");
    let patients = add_patients(&site, 1).await;
    until("the run waits", async || {
        let runs = crate::probes(&site).await;
        runs.iter().any(|run| run["state"] == "queued" && run["cause"] == "component").then_some(())
    })
    .await;

    site.deploy(&patient()).await.ok();
    assert_eq!(attention(&site).await, Vec::<String>::new());
    until_probes(&site, 1, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&patients));
}
