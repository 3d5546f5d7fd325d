//! `host/emulator/README.md`: its seed and its administration.

use serde_json::Value;

use crate::markdown::{blocks, read, spans};
use crate::stage::Stage;

/// `caspian emulator` on a free port; answers its URL.
async fn emulator(stage: &mut Stage, more: &str) -> String {
    let line = stage.serve(&format!("caspian emulator --listen 127.0.0.1:0 {more}")).await;
    line.rsplit(' ').next().unwrap().to_owned()
}

async fn token(base: &str, client: &str, secret: &str) -> Value {
    let form = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
    let asked = reqwest::Client::new()
        .post(format!("{base}/oauth/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    asked.send().await.unwrap().json().await.unwrap()
}

/// README.md: "a Caspio account in memory to try this with (client …, secret …; …)".
#[tokio::test]
async fn the_account_to_try_it_with_is_as_the_readme_says() {
    let readme = read("README.md");
    assert!(readme.contains("client `demo-client`, secret `demo-secret`"), "the README names the client");
    let mut stage = Stage::new().await;
    let base = emulator(&mut stage, "").await;
    assert!(token(&base, "demo-client", "demo-secret").await["access_token"].is_string());
    let default = stage.run("caspian emulator --help").await.stdout;
    let (_, url) = spans("README.md").into_iter().find(|(_, s)| s.starts_with("--url http://127")).unwrap();
    assert!(default.contains(url.trim_start_matches("--url http://")), "{url}: {default}");
    let default = stage.run("caspian connection list --help").await.stdout;
    let (_, url) = spans("README.md").into_iter().find(|(_, s)| s.starts_with("--public-url http:")).unwrap();
    assert!(default.contains(url.trim_start_matches("--public-url ")), "{url}: {default}");
}

#[tokio::test]
async fn the_seed_and_the_routes_of_its_readme_work() {
    let file = "host/emulator/README.md";
    let mut stage = Stage::new().await;
    let seed = blocks(file).into_iter().find(|block| block.lines[0].contains("\"Clients\"")).unwrap();
    // The places that are left open: the client's tables, then any text.
    let seed = seed.text().replace("\"Tables\": [\"…\"]", "\"Tables\": [\"T\"]").replace('…', "mine");
    std::fs::write(stage.path("seed.json"), seed).unwrap();
    let base = emulator(&mut stage, "--seed seed.json").await;
    assert!(token(&base, "mine", "mine").await["access_token"].is_string());
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{base}/emulator/{path}")).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    };
    let rows: Value = serde_json::from_str(&get("rows/T").await).unwrap();
    assert_eq!(rows[0]["A"], "x", "{rows}");
    let routes = spans(file).into_iter().map(|(_, span)| span);
    let routes: Vec<String> = routes.filter(|s| s.starts_with("GET")).map(|s| s[3..].to_owned()).collect();
    for route in &routes {
        // `GET`/`DELETE requests` is two spans: the path stands in the second.
        let path =
            route.trim().replace("{table}", "T").replace("method=", "method=GET").replace("path=", "path=/");
        get(if path.is_empty() { "requests" } else { &path }).await;
    }
    assert!(routes.len() >= 6, "{routes:?}");
}

#[tokio::test]
async fn its_knobs_turn_as_its_readme_says() {
    let all = blocks("host/emulator/README.md");
    let block = all.iter().find(|block| block.lines[0].trim().starts_with("caspian emulator --set")).unwrap();
    let options = block.lines[0].trim().strip_prefix("caspian emulator ").unwrap().to_owned();
    let patch = block.lines[1].split('\'').nth(1).unwrap().to_owned();
    let mut stage = Stage::new().await;
    let base = emulator(&mut stage, &options).await;
    let url = format!("{base}/emulator/settings");
    let before: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    assert_eq!((&before["BatchMode"], &before["RateLimit"]), (&"MessagePerOperation".into(), &Value::Null));
    assert_eq!(before["Signature"]["Header"], "X-Sig");
    let patched = reqwest::Client::new().patch(&url).header("content-type", "application/json").body(patch);
    let after: Value = patched.send().await.unwrap().json().await.unwrap();
    assert_eq!(after["Network"]["LateMillis"], 5000, "{after}");
    stage.run("caspian emulator --set BatchMode=Never || test $? = 2").await;
}
