//! Criteria that are no tree, or that mean every record.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

#[tokio::test]
async fn every_hostile_tree_is_refused_and_nothing_is_deleted() {
    let site = Site::start().await;
    site.account.insert("Tasks", json!([{"Title": "one"}, {"Title": "two"}])).await;
    let before = site.account.rows("Tasks").await;
    let manifest =
        ManifestBuilder::probe("bad", "bad-criteria").setting("table", "Tasks").grant("Tasks", "read delete");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    let result = run["result"].as_str().unwrap();
    let wanted = [
        ("none", "there is no node"),
        ("self", "a child must lie behind its parent"),
        ("self-not", "a child must lie behind its parent"),
        ("cycle", "a child must lie behind its parent"),
        ("backwards", "a child must lie behind its parent"),
        ("beyond", "out of range"),
        ("far-beyond", "out of range"),
        ("shared", "two parents"),
        ("no-comparison", "match every record"),
        ("unreachable", "belongs to no parent"),
        ("deep", "deeper than 32"),
    ];
    assert_eq!(result.lines().count(), wanted.len(), "{result}");
    for (case, text) in wanted {
        let line = result.lines().find(|line| line.starts_with(&format!("{case}: ")));
        let line = line.unwrap_or_else(|| panic!("no {case} in: {result}"));
        assert!(line.contains(text), "{line}");
    }
    assert_eq!(site.account.rows("Tasks").await, before);
    assert_eq!(site.account.calls("DELETE", "/integrations/").await, 0, "no delete was sent");
    site.still_serves().await;
}
