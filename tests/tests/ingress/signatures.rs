//! Every form of signature that Caspio may use, and none.

use caspian_e2e::{ManifestBuilder, Site, SiteOptions};
use caspio_emulator::{Encoding, KeyForm, Settings, Signature};

use crate::{all_messages, still_serves};

/// Two patients: the first message's signature is found, the second must have the same.
async fn signed(change: fn(&mut Settings), expected: bool) -> Site {
    let site = Site::with(SiteOptions { account: Some(change), ..Default::default() }).await;
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    still_serves(&site).await;
    site.account.add_patient("Second").await;
    site.until_runs(2, &["succeeded"]).await;
    let hook = site.workflow("probe").await["webhook"].clone();
    assert_eq!((&hook["signed"], &hook["rejected"]), (&expected.into(), &0.into()));
    site
}

fn with(settings: &mut Settings, change: impl FnOnce(&mut Signature)) {
    let mut signature = Signature::default();
    change(&mut signature);
    settings.signature = Some(signature);
    // Only the signature can have made it authentic.
    settings.secret_in_body = false;
}

#[tokio::test]
async fn hex_is_found() {
    signed(|s| with(s, |_| ()), true).await;
}

#[tokio::test]
async fn base64_is_found() {
    signed(|s| with(s, |x| x.encoding = Encoding::Base64), true).await;
}

#[tokio::test]
async fn base64_for_urls_is_found() {
    signed(|s| with(s, |x| x.encoding = Encoding::Base64Url), true).await;
}

#[tokio::test]
async fn a_key_read_as_hex_is_found() {
    signed(|s| with(s, |x| x.key_form = KeyForm::Hex), true).await;
}

#[tokio::test]
async fn a_key_read_as_base64_is_found() {
    signed(|s| with(s, |x| x.key_form = KeyForm::Base64), true).await;
}

#[tokio::test]
async fn another_header_with_a_prefix_is_found() {
    signed(
        |s| {
            with(s, |x| {
                "X-Hub-Signature-256".clone_into(&mut x.header);
                "sha256=".clone_into(&mut x.prefix);
                x.key_form = KeyForm::Hex;
            });
        },
        true,
    )
    .await;
}

#[tokio::test]
async fn without_signature_the_secret_in_the_body_is_enough() {
    signed(|s| s.signature = None, false).await;
}

#[tokio::test]
async fn without_signature_and_secret_nothing_is_accepted() {
    let change = |s: &mut Settings| {
        s.signature = None;
        s.secret_in_body = false;
        s.attempts = 2;
    };
    let site = Site::with(SiteOptions { account: Some(change), ..Default::default() }).await;
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    site.account.add_patient("Nobody").await;
    caspian_e2e::until("Caspio gives up", async || {
        (site.account.get("messages/summary").await["Failed"] == 1).then_some(())
    })
    .await;
    crate::until_refused(&site, 2, "unauthentic").await;
    assert_eq!(all_messages(&site).await, 0);
}

#[tokio::test]
async fn a_pinned_form_outlives_a_restart() {
    let mut site = signed(|s| with(s, |x| x.encoding = Encoding::Base64), true).await;
    site.restart_with("").await;
    let delivery = site.delivery().await;
    let unsigned =
        crate::with_secret(delivery.message("m", serde_json::json!([{"PK_ID": 1}])), &delivery.secret);
    assert_eq!(delivery.send(unsigned.to_string(), &[]).await, 401);
    crate::until_refused(&site, 1, "unsigned").await;
    still_serves(&site).await;
}
