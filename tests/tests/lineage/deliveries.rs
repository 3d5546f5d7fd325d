//! Messages that come twice, late, or in another order.

use caspian_e2e::{Site, SiteOptions};

use crate::{assert_chain, assert_cut, counting, number, set_number};

#[tokio::test]
async fn duplicates_and_another_order_do_not_lengthen_a_chain() {
    let site = Site::with(SiteOptions {
        account: Some(|settings| {
            settings.duplicate_probability = 1.0;
            settings.reorder_probability = 0.5;
            settings.reorder_delay_millis = 150;
        }),
        ..SiteOptions::default()
    })
    .await;
    site.deploy(&counting("[loop]\nself_depth = 3\n")).await.ok();
    set_number(&site, 10).await;
    let runs = site.until_runs(5, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    assert_cut(&runs[4]);
    assert_eq!(number(&site).await, 14);
    // Sent once more by hand, the last of them starts nothing.
    let last = site.account.messages().await.pop().unwrap();
    site.account.redeliver(last["MessageId"].as_str().unwrap()).await;
    set_number(&site, 50).await;
    let runs = site.until_runs(10, &["succeeded", "skipped"]).await;
    assert_chain(&runs[5..]);
    assert_eq!(number(&site).await, 54);
}

#[tokio::test]
async fn a_message_that_comes_after_a_restart_is_recognised_too() {
    let mut site = Site::start().await;
    site.deploy(&counting("")).await.ok();
    // The message about the person's change is stored; the host dies before that about the workflow's own.
    site.restart_with("ingress.before-commit=1*off->return(kill)").await;
    set_number(&site, 10).await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    assert_cut(&runs[1]);
    assert_eq!(number(&site).await, 11);
}
