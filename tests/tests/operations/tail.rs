//! `caspian tail`: what runs do, as it happens.

use caspian_e2e::{DEADLINE, ManifestBuilder, Site};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::create;

/// A stream of changes; when this returns, the host has begun it.
async fn stream(site: &Site, tenant: &str, query: &str) -> Response {
    let call = site.host.api(Method::GET, &format!("tail{query}")).header("x-caspian-tenant", tenant);
    let response = call.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    response
}

/// All changes until the stream ends.
async fn rest(mut stream: Response) -> Vec<Value> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = stream.chunk().await {
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(bytes).unwrap();
    text.lines().filter_map(|l| l.strip_prefix("data:")).map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn facts(changes: &[Value]) -> Vec<(&str, &str)> {
    changes.iter().map(|c| (c["workflow"].as_str().unwrap(), c["state"].as_str().unwrap())).collect()
}

fn listen(site: &Site, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut tail = site.host.spawn(&[&["tail"], arguments].concat());
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    (tail, lines)
}

/// The next line; as long as there is none, patients are added.
async fn first_line(site: &Site, lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let mut n = 0;
    loop {
        // Whose address was not there before.
        let number = site.account.rows("Patients").await.len();
        site.account.add_patient(&format!("Patient {number}")).await;
        n += 1;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(500), lines.next_line());
        if let Ok(line) = waiting.await {
            return line.unwrap().unwrap();
        }
        assert!(n < 240, "tail shows nothing");
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("a line").unwrap().unwrap()
}

#[tokio::test]
async fn the_states_of_a_run_are_shown_as_they_come() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let (_tail, mut lines) = listen(&site, &[]);
    let mut line = first_line(&site, &mut lines).await;
    // The first may be the end of a run that began before tail did; then another patient is needed.
    while !line.ends_with(" running") {
        line = first_line(&site, &mut lines).await;
    }
    let cells: Vec<String> = line.split(' ').map(str::to_owned).collect();
    assert_eq!((cells.len(), cells[1].as_str()), (4, "probe"), "{line}");
    let end = format!("probe {} succeeded", cells[2]);
    while !line.ends_with(&end) {
        line = next(&mut lines).await;
    }
    assert_eq!(site.run(&cells[2]).await["state"], "succeeded");
}

#[tokio::test]
async fn as_json_each_line_is_an_object_and_a_cause_is_named() {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("probe", "fatal")).await.ok();
    site.deploy(&ManifestBuilder::probe("other", "echo")).await.ok();
    let (_tail, mut lines) = listen(&site, &["probe", "--json"]);
    let mut change: Value = serde_json::from_str(&first_line(&site, &mut lines).await).unwrap();
    while change["state"] != "dead" {
        assert_eq!((&change["workflow"], &change["state"]), (&"probe".into(), &"running".into()), "{change}");
        change = serde_json::from_str(&next(&mut lines).await).unwrap();
    }
    assert_eq!((&change["workflow"], &change["cause"]), (&"probe".into(), &"fatal".into()), "{change}");
    assert!(change["tenant"].is_null() && change["at"].as_str().unwrap().ends_with('Z'), "{change}");
    site.run(change["run"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_workflow_is_chosen_and_another_tenant_sees_nothing() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.deploy(&ManifestBuilder::probe("other", "echo")).await.ok();
    let all = stream(&site, "default", "").await;
    let one = stream(&site, "default", "?workflow=probe").await;
    let foreign = stream(&site, "other", "").await;
    site.account.add_patient("Ada").await;
    site.until_runs(2, &["succeeded"]).await;
    // With the host end the streams, so that what they showed is known.
    assert_eq!(site.host.terminate().await, 0);
    let (all, one, foreign) = (rest(all).await, rest(one).await, rest(foreign).await);
    let mut sorted = facts(&all);
    sorted.sort_unstable();
    let both = [("other", "running"), ("other", "succeeded"), ("probe", "running"), ("probe", "succeeded")];
    assert_eq!(sorted, both);
    assert_eq!(facts(&one), [("probe", "running"), ("probe", "succeeded")]);
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(!format!("{all:?}").contains("ada@"), "no values");
}

#[tokio::test]
async fn a_workflow_that_does_not_exist_is_named() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.host.cli(&["tail", "nothing"]).await.refused("there is no workflow 'nothing'");
    site.host.cli(&["tail", "probe", "--tenant", "other"]).await.refused("there is no workflow 'probe'");
}

#[tokio::test]
async fn a_host_that_is_killed_is_one_that_can_not_be_reached() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let (tail, mut lines) = listen(&site, &[]);
    first_line(&site, &mut lines).await;
    site.host.kill().await;
    let ended = tokio::time::timeout(DEADLINE, tail.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("next: start the command again"), "{said}");
}

#[tokio::test]
async fn a_listener_does_not_keep_the_host_and_hears_of_its_end() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let (tail, mut lines) = listen(&site, &[]);
    first_line(&site, &mut lines).await;
    assert_eq!(site.host.terminate().await, 0);
    assert!(!site.host.log().contains("connections are still open"), "it had to be cut");
    let ended = tokio::time::timeout(DEADLINE, tail.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
}
