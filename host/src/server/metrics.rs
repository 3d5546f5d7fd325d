//! `GET /metrics`, with a token of the control API or one for metrics alone: what the host does is nobody else's business.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};

use super::auth;
use super::host::Host;

pub(super) fn routes(host: Arc<Host>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(host.clone(), auth::require_token))
        .with_state(host)
}

async fn metrics(State(host): State<Arc<Host>>) -> Response {
    let Some(metrics) = &host.metrics else {
        return (StatusCode::NOT_FOUND, "this process does not count\n").into_response();
    };
    if let Ok(totals) = host.store.run_totals(None).await {
        for state in crate::model::RunState::ALL {
            let n = totals.iter().find(|(s, _)| s == state).map_or(0, |(_, n)| *n);
            metrics::gauge!("caspian_runs", "state" => state.as_str()).set(n as f64);
        }
    }
    for (caspio, limit) in host.connector.clients().limits() {
        let labels = [("host", caspio)];
        metrics::gauge!("caspian_limiter_waiting_calls", &labels).set(limit.waiting as f64);
        metrics::gauge!("caspian_limiter_calls_per_second", &labels).set(limit.calls_per_second);
        metrics::gauge!("caspian_limiter_blocked_seconds", &labels).set(limit.blocked.as_secs_f64());
    }
    for (caspio, held) in host.connector.clients().breakers() {
        let state = held.map_or(0.0, |held| if held.half_open { 1.0 } else { 2.0 });
        metrics::gauge!("caspian_breaker_state", "host" => caspio).set(state);
    }
    if let Ok(webhooks) = host.store.webhooks().await {
        let troubled = webhooks.iter().filter(|webhook| webhook.trouble.is_some()).count();
        metrics::gauge!("caspian_webhooks").set(webhooks.len() as f64);
        metrics::gauge!("caspian_webhooks_troubled").set(troubled as f64);
    }
    if let Some((instances, memories)) = host.runtime.occupancy() {
        metrics::gauge!("caspian_pool_instances").set(instances as f64);
        metrics::gauge!("caspian_pool_memories").set(memories as f64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()).into_response()
}
