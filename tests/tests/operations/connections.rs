//! `connection check`, `rotate` and `remove`.

use caspian_e2e::{Answer, HostOptions, ManifestBuilder, Site, SiteOptions, repository, until};
use caspio_emulator::Seed;
use serde_json::{Value, json};

use crate::{add_patients, attention, audited, count, create, probes, titles, titles_of, until_probes};

async fn rotate(site: &Site, secret: &str) -> Answer {
    site.host.cli_with_input(&["connection", "rotate", "clinic", "--client-secret-stdin"], secret).await
}

/// From now on Caspio takes no credentials, as after a change of the secret; tokens that were granted stay valid.
async fn secret_changed(site: &Site) {
    let refused = json!({"Kind": "status", "Status": 400, "Json": {"error": "invalid_client"}});
    site.account.fault("POST", "/oauth/token", None, refused).await;
}

fn stored_secret(site: &Site) -> Vec<u8> {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    database.query_row("SELECT sealed_secret FROM connections", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn check_says_whether_caspio_takes_the_stored_credentials_now() {
    let site = Site::start().await;
    let check = ["connection", "check", "clinic"];
    let answer = site.host.cli(&check).await.ok();
    assert!(answer.stdout.contains("takes the credentials"), "{}", answer.stdout);
    site.host.cli(&["connection", "check", "nothing"]).await.refused("there is no connection 'nothing'");

    // The host still holds a token that is valid; that must not hide it.
    secret_changed(&site).await;
    let answer = site.host.cli(&check).await.refused("connection 'clinic': Caspio refused the credentials");
    assert!(answer.stderr.contains("caspian connection rotate clinic"), "{}", answer.stderr);
    assert!(!answer.stderr.contains("demo-secret"), "{}", answer.stderr);

    site.account.clear_faults().await;
    site.account.fault("*", "/", None, json!({"Kind": "drop-before"})).await;
    let answer = site.host.cli(&check).await;
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("next: "), "{}", answer.stderr);
    site.account.clear_faults().await;
    site.host.cli(&check).await.ok();
    site.still_serves().await;
}

#[tokio::test]
async fn a_wrong_new_secret_changes_nothing() {
    let mut site = Site::start().await;
    let before = stored_secret(&site);
    let answer = rotate(&site, "wrong-secret").await.refused("Caspio refused the credentials");
    assert!(answer.stderr.contains("the old one stays in use"), "{}", answer.stderr);
    assert!(!answer.stderr.contains("wrong-secret"), "{}", answer.stderr);
    rotate(&site, " \n").await.refused("the client secret is empty");
    let unknown = ["connection", "rotate", "nothing", "--client-secret-stdin"];
    site.host.cli_with_input(&unknown, "demo-secret").await.refused("there is no connection 'nothing'");
    assert_eq!(stored_secret(&site), before);
    assert_eq!(audited(&site, "connection.rotate"), 0);
    site.still_serves().await;
    site.host.start().await;
    site.host.cli(&["connection", "check", "clinic"]).await.ok();
    site.still_serves().await;
}

/// The clinic, whose client has two secrets; what was made under the second one says so.
fn two_secrets() -> Seed {
    let path = repository().join("host/emulator/seeds/clinic.json");
    let mut seed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let second =
        json!({"client_id": "demo-client", "client_secret": "second-secret", "ProfileName": "Second"});
    seed["Clients"].as_array_mut().unwrap().push(second);
    Seed::from_json(&seed.to_string()).unwrap()
}

#[tokio::test]
async fn a_right_new_secret_is_used_from_now_on_and_after_a_restart() {
    let mut site = Site::with(SiteOptions { seed: Some(two_secrets()), ..SiteOptions::default() }).await;
    let made_by = async |site: &Site, name: &str| {
        site.deploy(&ManifestBuilder::probe(name, "echo")).await.ok();
        site.account.webhooks().await.last().unwrap()["CreatedBy"].as_str().unwrap().to_owned()
    };
    assert_eq!(made_by(&site, "one").await, "Caspian demo");
    let answer = rotate(&site, "second-secret").await.ok();
    assert!(answer.stdout.contains("Caspio took the new secret"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("second-secret"));
    assert_eq!(made_by(&site, "two").await, "Second");
    site.host.start().await;
    assert_eq!(made_by(&site, "three").await, "Second");
    assert_eq!(audited(&site, "connection.rotate"), 1);
    site.account.add_patient("Ada").await;
    site.until_runs(3, &["succeeded"]).await;
}

#[tokio::test]
async fn runs_that_wait_for_credentials_go_on_by_themselves_after_a_rotate() {
    // By itself a run would try again in an hour.
    let config = "[retry]\nstep_initial_seconds = 3600.0\nstep_max_seconds = 3600.0\n".to_owned();
    let host = HostOptions { config, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    site.deploy(&create()).await.ok();
    secret_changed(&site).await;
    site.account.revoke_tokens().await;
    let patients = add_patients(&site, 3).await;
    let said = until("status says that the connection waits", async || {
        let said = attention(&site).await;
        said.into_iter().find(|text| text.contains("refuses the credentials of 'clinic'"))
    })
    .await;
    assert!(said.contains("caspian connection rotate clinic"), "{said}");
    until_probes(&site, 3, "queued").await;

    rotate(&site, "wrong-secret").await.refused("Caspio refused the credentials");
    until_probes(&site, 3, "queued").await;
    assert!(attention(&site).await.iter().any(|text| text.contains("'clinic'")));
    assert!(titles(&site).await.is_empty());

    site.account.clear_faults().await;
    rotate(&site, "demo-secret").await.ok();
    let runs = until_probes(&site, 3, "succeeded").await;
    assert!(runs.iter().all(|run| run["attempts"] == 1), "waiting is no attempt: {runs:#?}");
    assert_eq!(titles(&site).await, titles_of(&patients));
    assert_eq!(attention(&site).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_connection_in_use_is_not_removed_and_its_users_are_named() {
    let site = Site::start().await;
    for name in ["first", "second"] {
        site.deploy(&ManifestBuilder::probe(name, "echo")).await.ok();
    }
    let remove = ["connection", "remove", "clinic"];
    let answer = site.host.cli(&remove).await.refused("workflows use the connection 'clinic': first, second");
    assert!(answer.stderr.contains("caspian workflow delete"), "{}", answer.stderr);
    site.account.add_patient("Ada").await;
    site.until_runs(2, &["succeeded"]).await;

    site.host.cli(&["workflow", "delete", "first"]).await.ok();
    site.host.cli(&remove).await.refused("workflows use the connection 'clinic': second");
    site.host.cli(&["workflow", "delete", "second"]).await.ok();
    let answer = site.host.cli(&remove).await.ok();
    assert!(answer.stdout.contains("connection clinic removed"), "{}", answer.stdout);
    assert_eq!(site.host.cli(&["connection", "list", "--json"]).await.json(), json!([]));
    assert_eq!(count(&site, "SELECT count(*) FROM connections WHERE length(sealed_secret) > 0"), 0);
    assert_eq!(audited(&site, "connection.remove"), 1);
    assert_eq!(site.account.webhooks().await.len(), 0, "nothing of ours stays in Caspio");
    for verb in ["remove", "check"] {
        site.host.cli(&["connection", verb, "clinic"]).await.refused("there is no connection 'clinic'");
    }
    let manifest = ManifestBuilder::probe("third", "echo").write(site.folder());
    site.host.cli(&["deploy", &manifest.display().to_string()]).await.refused("clinic");

    site.connect("demo-secret").await.ok();
    site.deploy(&create()).await.ok();
    let patients = add_patients(&site, 1).await;
    until_probes(&site, 1, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&patients));
    assert_eq!(probes(&site).await.len(), 1);
}
