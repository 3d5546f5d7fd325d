//! `caspian-bench baseline DATA LISTEN [CASPIO]`: a server that keeps nothing, out of the host's own parts.
//!
//! It takes the same webhooks in the same way as the host: the same routes and limits, the webhook looked up, the
//! signature verified, the message parsed and its rows typed. Then it answers 200, keeping nothing; or,
//! with the URL of an account, creates the task itself with one call, as a small program would.
//! `DATA` is a copy of a host's data folder, for the webhook and its secret.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use caspian::accounts::Keyring;
use caspian::config::DataDir;
use caspian::ingress::{Hooks, MAX_BODY, RawMessage, Verified, verify};
use caspian::lineage::LineageSettings;
use caspian::model::{Event, Row, UrlId};
use caspian::server::master_key;
use caspian::store::sqlite::SqliteStore;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::client::Client;

/// What it says when it is ready, before its address.
pub const READY: &str = "baseline is listening on";

#[derive(Clone)]
struct Server {
    hooks: Hooks,
    caspio: Option<Arc<Client>>,
}

/// Serves until it is killed.
pub fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let [data, listen, rest @ ..] = arguments else { anyhow::bail!("baseline needs DATA and LISTEN") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let data = DataDir::new(Path::new(data));
        let store = Arc::new(SqliteStore::open(&data.database())?);
        let hooks =
            Hooks::new(store.clone(), Keyring::new(store, master_key(&data)?), LineageSettings::default());
        let caspio = match rest.first() {
            Some(url) => Some(Arc::new(connect(url).await?)),
            None => None,
        };
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{READY} {address}")?;
        drop(out);
        let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30));
        let router = Router::new()
            .route("/hooks/{id}", post(receive))
            .with_state(Server { hooks, caspio })
            .layer(timeout)
            .layer(CatchPanicLayer::new());
        axum::serve(listener, router.into_make_service()).await?;
        anyhow::Ok(())
    })
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo-client"),
        ("client_secret", "demo-secret"),
    ];
    let token = Client::new(url, None).form("oauth/token", &fields).await?;
    let token = token.get("access_token").and_then(|t| t.as_str()).context("no token")?.to_owned();
    Ok(Client::new(url, Some(token)))
}

async fn receive(
    State(server): State<Server>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let Ok(id) = id.parse::<UrlId>() else { return StatusCode::NOT_FOUND };
    let Ok(Some(hook)) = server.hooks.find(&id).await else { return StatusCode::NOT_FOUND };
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return StatusCode::BAD_REQUEST };
    let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
    let Ok(Verified::Authentic(message)) = verify(RawMessage { hook, headers, body: body.to_vec() }) else {
        return StatusCode::UNAUTHORIZED;
    };
    let events = message.events();
    if events.is_empty() {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    if let Some(caspio) = &server.caspio
        && create(caspio, &events).await.is_err()
    {
        return StatusCode::BAD_GATEWAY;
    }
    StatusCode::OK
}

async fn create(caspio: &Client, events: &[Event]) -> anyhow::Result<()> {
    for event in events {
        let key = event.rows.first().and_then(Row::pk_id).context("a key")?;
        let row = json!({"Title": "Welcome call", "PatientId": key});
        caspio.post("integrations/rest/v3/tables/Tasks/records?response=rows", &row).await?;
    }
    Ok(())
}
