//! `connection add`: checked against Caspio before anything is stored.

use caspian_e2e::{Answer, Site};
use serde_json::{Value, json};

async fn add(site: &Site, name: &str, url: &str, client: &str, secret: &str) -> Answer {
    let arguments = ["connection", "add", name, "--url", url, "--client-id", client, "--client-secret-stdin"];
    site.host.cli_with_input(&arguments, secret).await
}

async fn names(site: &Site) -> Vec<Value> {
    let list = site.host.cli(&["connection", "list", "--json"]).await.json();
    list.as_array().unwrap().iter().map(|c| c["name"].clone()).collect()
}

#[tokio::test]
async fn wrong_credentials_are_not_stored_and_the_name_stays_free() {
    let site = Site::start().await;
    let url = site.account.url();
    for (client, secret) in [("demo-client", "wrong-secret"), ("nobody", "demo-secret")] {
        let answer = add(&site, "second", &url, client, secret).await;
        let answer = answer.refused("connection 'second': Caspio refused the credentials");
        assert!(answer.stderr.contains("client ID and client secret"), "{}", answer.stderr);
        assert!(!answer.stderr.contains(secret), "{}", answer.stderr);
        assert_eq!(names(&site).await, ["clinic"]);
    }
    add(&site, "second", &url, "demo-client", "demo-secret").await.ok();
    assert_eq!(names(&site).await, ["clinic", "second"]);
    site.still_serves().await;
}

#[tokio::test]
async fn a_dead_caspio_is_named_and_nothing_is_stored() {
    let site = Site::start().await;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let answer = add(&site, "dead", &dead, "demo-client", "demo-secret").await;
    let answer = answer.refused("Caspio can't be reached");
    assert!(answer.stderr.contains("integration URL"), "{}", answer.stderr);
    assert_eq!(names(&site).await, ["clinic"]);
    add(&site, "dead", &site.account.url(), "demo-client", "demo-secret").await.ok();
}

#[tokio::test]
async fn an_answer_that_is_not_caspios_is_named() {
    let site = Site::start().await;
    let odd = json!({"Kind": "status", "Status": 200, "Body": "<html>welcome</html>"});
    site.account.fault("POST", "/oauth/token", None, odd).await;
    let answer = add(&site, "odd", &site.account.url(), "demo-client", "demo-secret").await;
    answer.refused("Caspio's answer can't be read");
    assert_eq!(names(&site).await, ["clinic"]);
}

#[tokio::test]
async fn urls_that_cannot_be_used_are_refused() {
    let site = Site::start().await;
    for (url, part) in [
        ("http://c1abc123.caspio.com", "plain http is accepted for this machine"),
        ("http://192.0.2.1", "plain http is accepted for this machine"),
        ("http://127.0.0.1.example.com", "plain http is accepted for this machine"),
        ("ftp://c1abc123.caspio.com", "no integration URL"),
        ("https://", "no integration URL"),
        ("", "no integration URL"),
        ("https://user:word@c1abc123.caspio.com", "user name or password"),
    ] {
        let answer = add(&site, "other", url, "demo-client", "demo-secret").await;
        answer.refused(part);
    }
    assert_eq!(names(&site).await, ["clinic"]);
}

#[tokio::test]
async fn names_and_secrets_must_be_usable_and_names_unique() {
    let site = Site::start().await;
    let url = site.account.url();
    for name in ["", "two words", "../up", &"x".repeat(64)] {
        let answer = add(&site, name, &url, "demo-client", "demo-secret").await;
        answer.refused("name is not usable");
    }
    add(&site, "other", &url, "demo-client", " \n").await.refused("the client secret is empty");
    add(&site, "other", &url, " ", "demo-secret").await.refused("client ID or client secret is empty");
    let answer = add(&site, "clinic", &url, "demo-client", "demo-secret").await;
    answer.refused("there is a connection 'clinic' already");
    let missing = site.folder().join("nothing").display().to_string();
    let arguments =
        ["connection", "add", "other", "--url", &url, "--client-id", "x", "--client-secret-file", &missing];
    site.host.cli(&arguments).await.refused("can't be read");
    assert_eq!(names(&site).await, ["clinic"]);
}

#[tokio::test]
async fn the_secret_may_come_from_a_file() {
    let site = Site::start().await;
    let (url, file) = (site.account.url(), site.folder().join("secret"));
    std::fs::write(&file, "demo-secret\n").unwrap();
    let file = file.display().to_string();
    let arguments = [
        "connection",
        "add",
        "other",
        "--url",
        &url,
        "--client-id",
        "demo-client",
        "--client-secret-file",
        &file,
    ];
    site.host.cli(&arguments).await.ok();
    let list = site.host.cli(&["connection", "list"]).await.ok();
    assert!(list.stdout.contains("other") && !list.stdout.contains("demo-secret"), "{}", list.stdout);
}
