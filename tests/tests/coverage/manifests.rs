//! `reconcile` in manifests.

use super::*;

#[tokio::test]
async fn what_can_not_be_swept_is_refused() {
    let site = site().await;
    let more = |text: &str| swept("insert", "").replace("reconcile", &format!("{text}\nreconcile"));
    let every = |text: &str| swept("insert", "").replace("every = \"1d\"", text);
    for (trigger, part) in [
        (more("sources = [\"Mars\"]"), "`sources` holds something else"),
        (every("every = \"1m\""), "`reconcile` must be like"),
        (every("every = \"often\""), "`reconcile` must be like"),
        (every("every = \"1h\", max_calls = 0"), "`reconcile` must be like"),
        (every("often = \"1h\""), "unknown field"),
    ] {
        site.deploy(&ManifestBuilder::probe("probe", "echo").triggers(&trigger)).await.refused(part);
    }
    // A table that the workflow writes itself: it must say whether it wants to hear of that.
    let own =
        ManifestBuilder::probe("probe", "echo").triggers(&swept("update", "")).grant("Patients", "update");
    site.deploy(&own).await.refused("this workflow may write the table that triggers it");
    site.host.cli(&["coverage"]).await.ok();
    site.host.cli(&["coverage", "nothing"]).await.refused("there is no workflow 'nothing'");
}
