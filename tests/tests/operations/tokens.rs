//! `token add`, `list` and `remove`, and what each scope may do; the rate limit in the metrics.

use caspian_e2e::{Answer, HostOptions, Site, SiteOptions};
use reqwest::Method;
use serde_json::json;

use crate::{audited, count};

async fn add(site: &Site, name: &str, scope: &str) -> String {
    let answer = site.host.cli(&["token", "add", name, "--scope", scope]).await.ok();
    let token = answer.stdout.trim().to_owned();
    assert!(
        token.len() > 64 && token.lines().count() == 1,
        "only the token, so that it fits a file: {token}"
    );
    token
}

/// GET /metrics; answers its status and text.
async fn metrics(site: &Site, token: Option<&str>) -> (u16, String) {
    let mut request = reqwest::Client::new().get(format!("{}/metrics", site.host.url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn status_with(site: &Site, token: &str) -> Answer {
    site.host.cli(&["status", "--token", token]).await
}

#[tokio::test]
async fn a_token_for_metrics_reads_metrics_and_nothing_else() {
    let site = Site::start().await;
    let token = add(&site, "prometheus", "metrics").await;
    let (status, text) = metrics(&site, Some(&token)).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("caspian_runs{state=\"queued\"} 0"), "{text}");
    assert_eq!(metrics(&site, Some(site.host.token())).await.0, 200, "an administrator may, too");
    assert_eq!(metrics(&site, None).await.0, 401);
    assert_eq!(metrics(&site, Some("wrong")).await.0, 401);

    let answer = status_with(&site, &token).await.refused("this token may only read /metrics");
    assert!(answer.stderr.contains("token of an administrator"), "{}", answer.stderr);
    for (method, path) in [
        (Method::GET, "runs"),
        (Method::GET, "backup"),
        (Method::GET, "tail"),
        (Method::GET, "tokens"),
        (Method::POST, "tokens"),
        (Method::POST, "workflows/x/events"),
        (Method::DELETE, "tokens/admin"),
        (Method::GET, "nothing"),
    ] {
        let url = format!("{}/api/v1/{path}", site.host.url());
        let call = reqwest::Client::new().request(method.clone(), url).bearer_auth(&token);
        let status = call.json(&json!({"name": "x", "scope": "admin"})).send().await.unwrap().status();
        assert_eq!(status.as_u16(), 403, "{method} {path}");
    }

    site.host.cli(&["token", "remove", "prometheus"]).await.ok();
    assert_eq!(metrics(&site, Some(&token)).await.0, 401);
    assert_eq!((audited(&site, "token.add"), audited(&site, "token.remove")), (1, 1));
}

#[tokio::test]
async fn an_administrators_token_can_be_replaced_but_not_the_last_one_removed() {
    let site = Site::start().await;
    let answer =
        site.host.cli(&["token", "remove", "admin"]).await.refused("the last token of an administrator");
    assert!(answer.stderr.contains("caspian token add NAME --scope admin"), "{}", answer.stderr);
    let prometheus = add(&site, "prometheus", "metrics").await;
    site.host.cli(&["token", "remove", "admin"]).await.refused("the last token of an administrator");
    let new = add(&site, "eve", "admin").await;
    let list = site.host.cli(&["token", "list", "--json"]).await.json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|t| (&t["name"], &t["scope"])).collect();
    let (admin, metrics) = (json!("admin"), json!("metrics"));
    assert_eq!(names, [(&admin, &admin), (&json!("eve"), &admin), (&json!("prometheus"), &metrics)]);
    let text = site.host.cli(&["token", "list"]).await.ok().stdout;
    assert!(text.starts_with("NAME ") && text.lines().count() == 4, "{text}");
    for secret in [&new, &prometheus, site.host.token()] {
        assert!(!list.to_string().contains(secret) && !text.contains(secret));
        let kept = format!(
            "SELECT count(*) FROM api_tokens WHERE instr(hash, '{secret}') + instr(name, '{secret}') > 0"
        );
        assert_eq!(count(&site, &kept), 0, "only its hash is kept");
    }
    site.host
        .cli(&["token", "add", "eve", "--scope", "metrics"])
        .await
        .refused("there is a token 'eve' already");
    site.host.cli(&["token", "add", "two words", "--scope", "metrics"]).await.refused("name is not usable");
    site.host.cli(&["token", "remove", "nobody"]).await.refused("there is no token 'nobody'");
    for wrong in [&["token", "add", "x"][..], &["token", "add", "x", "--scope", "everything"]] {
        assert_eq!(site.host.cli(wrong).await.code, 2);
    }

    site.host.cli(&["token", "remove", "admin", "--token", &new]).await.ok();
    status_with(&site, site.host.token()).await.refused("the token is missing or not known");
    status_with(&site, &new).await.ok();
}

#[tokio::test]
async fn the_rate_limit_is_in_the_metrics() {
    let config = "[caspio]\ncalls_per_second = 100.0\nburst = 100\nread_retries = 0\nfirst_pause_seconds = 3600.0\n\
                  longest_pause_seconds = 3600.0\nlongest_wait_seconds = 0\n";
    let host = HostOptions { config: config.to_owned(), ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    let account = site.account.url().trim_start_matches("http://").to_owned();
    let gauge = async |name: &str| -> f64 {
        let (_, text) = metrics(&site, Some(site.host.token())).await;
        let line = text.lines().find(|line| line.starts_with(&format!("caspian_limiter_{name}{{")));
        let line = line.unwrap_or_else(|| panic!("no {name}: {text}"));
        assert!(line.contains(&format!("host=\"{account}\"")), "{line}");
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(gauge("blocked_seconds").await, 0.0);
    assert!((gauge("calls_per_second").await - 100.0).abs() < 0.1);
    assert_eq!(gauge("waiting_calls").await, 0.0);
    site.account.fault("GET", "/integrations/rest", Some(1), json!({"Kind": "throttle"})).await;
    site.host.cli(&["connection", "check", "clinic"]).await.refused("");
    assert!(gauge("blocked_seconds").await > 0.0);
    assert!((gauge("calls_per_second").await - 50.0).abs() < 0.1, "half the pace");
}
