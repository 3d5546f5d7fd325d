//! The running host: HTTP in front, the parts behind it, background work beside it.
//!
//! [`serve`] opens the data folder, puts the parts together (`host`), listens, and works until it is
//! told to stop. Webhooks come in at `/hooks/{id}` (`hooks`), people at `/api/v1` with a bearer token
//! (`api/`, one file a subject), monitors at `/health`. It listens before components are recompiled and
//! webhooks are mended, so that no message is missed; `/health/ready` says when that is done.

mod api;
mod auth;
mod background;
mod error;
mod hooks;
mod host;
mod listen;
mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::get;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use crate::config::{Config, DataDir, DataDirError};

pub use auth::TENANT_HEADER;
pub use error::{ErrorBody, ErrorEnvelope};
pub use host::{Host, StartError, master_key};

/// Runs a host until `stop` says true. `started` is told the address that it listens on.
///
/// # Errors
/// When the data folder, the master key, the store or the address can't be used.
pub async fn serve(
    config: Config,
    data: DataDir,
    compiler: std::path::PathBuf,
    stop: watch::Receiver<bool>,
    started: impl FnOnce(SocketAddr),
) -> Result<(), StartError> {
    // Before the lock, whose file would be the first thing in a folder that is not ours.
    if !data.database().exists() {
        return Err(DataDirError::NotInitialised(data.root().to_owned()).into());
    }
    data.make_private()?;
    let lock = data.lock()?;
    let host = Arc::new(Host::open(&config, data, compiler).await?);
    host.tidy(&lock).await?;
    let listen = config.server.listen;
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|e| StartError::Listen(listen, e))?;
    let address = listener.local_addr().map_err(|e| StartError::Listen(listen, e))?;

    // Before the first claim and the first message: what an earlier process left is put in order.
    host.scheduler.recover().await?;
    let working = tokio::spawn({
        let (host, stop) = (host.clone(), stop.clone());
        async move { host.scheduler.run(stop).await }
    });
    let background = background::start(&host, stop.clone());
    tracing::info!(%address, public_url = host.public_url.as_deref(), "listening");
    started(address);

    listen::listen(listener, router(&host, &config, stop.clone()), stop.clone()).await;
    let _ = working.await;
    background.finish(&host).await;
    host.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn router(host: &Arc<Host>, config: &Config, stop: watch::Receiver<bool>) -> Router {
    let hooks = hooks::routes(host.clone(), &config.server);
    let api = api::routes(host.clone(), config.server.api_timeout_seconds, stop);
    let ready = host.clone();
    Router::new()
        .merge(hooks)
        .merge(metrics::routes(host.clone()))
        .nest("/api/v1", api)
        .route("/health/live", get(|| async { "live\n" }))
        .route(
            "/health/ready",
            get(move || async move {
                if ready.is_ready() {
                    (StatusCode::OK, "ready\n").into_response()
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response()
                }
            }),
        )
        .fallback(api::unknown)
        .layer(CatchPanicLayer::new())
}
