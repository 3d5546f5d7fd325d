//! Activating needs a URL that Caspio can reach.

use caspian_e2e::{Answer, ManifestBuilder, Site, binary, until};

/// A host without public URL on the data folder of a stopped site; a command against it.
async fn without_public_url(site: &mut Site, manifest: &str) -> Vec<Answer> {
    assert_eq!(site.host.terminate().await, 0);
    let address = site.host.url().trim_start_matches("http://").to_owned();
    let mut serving = tokio::process::Command::new(binary())
        .args(["serve", "--listen", &address, "--data"])
        .arg(site.host.data())
        .env_remove("CASPIAN_PUBLIC_URL")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("it answers", async || (site.host.cli(&["run", "list"]).await.code == 0).then_some(())).await;
    let mut answers = Vec::new();
    for command in [
        &["deploy", manifest, "--activate"][..],
        &["workflow", "show", "w", "--json"],
        &["workflow", "activate", "w"],
        &["deploy", manifest],
    ] {
        answers.push(site.host.cli(command).await);
    }
    serving.kill().await.unwrap();
    answers
}

#[tokio::test]
async fn without_a_public_url_a_version_is_deployed_but_not_activated() {
    let mut site = Site::start().await;
    let manifest = ManifestBuilder::probe("w", "echo").write(site.folder()).display().to_string();
    let mut answers = without_public_url(&mut site, &manifest).await.into_iter();
    let deployed = answers.next().unwrap().refused("version 1 is deployed, but its triggers are not set up");
    assert!(deployed.stderr.contains("public"), "{}", deployed.stderr);
    assert!(deployed.stderr.contains("caspian workflow activate w"), "{}", deployed.stderr);
    let shown = answers.next().unwrap().json();
    assert_eq!(shown["state"], "inactive");
    let activated = answers.next().unwrap().refused("does not know under which URL Caspio reaches it");
    assert!(activated.stderr.contains("--public-url"), "{}", activated.stderr);
    let again = answers.next().unwrap().ok();
    assert!(again.stdout.contains("workflow w version 2 deployed, inactive"), "{}", again.stdout);
    assert!(site.account.webhooks().await.is_empty(), "nothing was made in Caspio");

    site.host.start().await;
    site.host.cli(&["workflow", "activate", "w"]).await.ok();
    site.account.add_patient("Ada").await;
    site.until_runs(1, &["succeeded"]).await;
}
