//! The way of a call: read it, strike it with a fault, route it, answer it.
//!
//! Everything that may wait happens before the lock is taken; the rest runs under it at once. Every
//! answer carries `X-Caspio-Request-ID`, and an error body repeats it. The address is bounded to
//! 2,047 characters, a body to 32 MiB. Administration routes are for loopback clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body as AxumBody, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::account::{Account, Shared};
use crate::connection::Peer;
use crate::environment;
use crate::error::ApiError;
use crate::faults::{self, Action};
use crate::http::{Body, Reply, Request};
use crate::{admin, auth, downloads, rest};

const LONGEST_URI: usize = 2047;
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// Handles every call.
pub async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: axum::extract::Request,
) -> Response<AxumBody> {
    if shared.is_closed() {
        return cut(&peer);
    }
    let began = environment::now();
    let id = shared.lock().env.uuid().to_string();
    let request = match read(request).await {
        Ok(request) => request,
        Err(error) => return respond(Err(error), &id, ""),
    };
    let resource = format!("{}{}", request.origin, request.path);
    if request.segments.first().is_some_and(|first| first == "emulator") {
        let result = administer(&shared, &peer, &request);
        return respond(result, &id, &resource);
    }
    if let [first, token] = request.segments.as_slice()
        && first == downloads::PATH
    {
        let result = shared.lock().downloads.get(token, Instant::now());
        return respond(result, &id, &resource);
    }
    let (fault, latency) = {
        let mut account = shared.lock();
        let struck = account.faults.strike(&request.method, &request.path);
        (struck.or_else(|| faults::draw(&mut account)), account.settings.network.latency_millis)
    };
    let wait = match &fault {
        Some(Action::Delay { millis }) => latency.saturating_add(*millis),
        _ => latency,
    };
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    match &fault {
        Some(Action::DropBefore) => {
            shared.lock().requests.note(&request, None, began);
            return cut(&peer);
        }
        Some(Action::DropLate { millis } | Action::Stall { millis }) => {
            note_late(&shared, &request, began);
            tokio::spawn(later(Arc::clone(&shared), request, *millis));
            if matches!(fault, Some(Action::Stall { .. })) {
                // Until the caller gives up, which drops this.
                let mut ending = shared.ending.subscribe();
                let _ended = ending.wait_for(|ended| *ended).await;
            }
            return cut(&peer);
        }
        _ => {}
    }
    let mut account = shared.lock();
    let result = match fault.as_ref().and_then(faults::answer) {
        Some(answer) => answer,
        None => perform(&shared, &mut account, &request),
    };
    let dropped = fault == Some(Action::DropAfter);
    let status = match &result {
        Ok(reply) => reply.status,
        Err(error) => error.status,
    };
    account.requests.note(&request, (!dropped).then_some(status), began);
    drop(account);
    if dropped {
        return cut(&peer);
    }
    respond(result, &id, &resource)
}

fn perform(shared: &Arc<Shared>, account: &mut Account, request: &Request) -> Result<Reply, ApiError> {
    if is_long(request) {
        return Err(too_long());
    }
    if request.path.eq_ignore_ascii_case("/oauth/token") {
        return Ok(auth::token(account, request));
    }
    rest::handle(shared, account, request, Instant::now())
}

fn note_late(shared: &Shared, request: &Request, began: jiff::civil::DateTime) {
    let mut account = shared.lock();
    account.requests.note(request, None, began);
    account.faults.late += 1;
}

/// Does what nobody waits for any more.
async fn later(shared: Arc<Shared>, request: Request, millis: u64) {
    let mut ending = shared.ending.subscribe();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(millis)) => {}
        _ = ending.wait_for(|ended| *ended) => return,
    }
    let mut account = shared.lock();
    let result = perform(&shared, &mut account, &request);
    account.faults.late = account.faults.late.saturating_sub(1);
    drop(account);
    tracing::debug!(done = result.is_ok(), "a call was done after its connection was cut");
}

fn is_long(request: &Request) -> bool {
    request.origin.len() + request.path.len() + request.query_text.len() + 1 > LONGEST_URI
}

fn too_long() -> ApiError {
    ApiError::new(414, "UriTooLong", "The request URI is longer than 2047 characters. Shorten it.")
}

fn administer(shared: &Arc<Shared>, peer: &Peer, request: &Request) -> Result<Reply, ApiError> {
    if is_long(request) {
        return Err(too_long());
    }
    let mut account = shared.lock();
    if !peer.address.ip().to_canonical().is_loopback() && !account.settings.admin_from_anywhere {
        return Err(ApiError::forbidden(
            "Administration is for clients on this machine. Call from loopback.",
        ));
    }
    admin::handle(&mut account, request)
}

async fn read(request: axum::extract::Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        ApiError::new(413, "PayloadTooLarge", "The body is too large or broken off. Send less.")
    })?;
    let text = |name: HeaderName| {
        parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned)
    };
    let path = parts.uri.path().to_owned();
    let query_text = parts.uri.query().unwrap_or("").to_owned();
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        segments: Request::segments_of(&path),
        query: Request::pairs_of(&query_text),
        authorization: text(header::AUTHORIZATION),
        content_type: text(header::CONTENT_TYPE),
        origin: format!("http://{}", text(header::HOST).unwrap_or_default()),
        path,
        query_text,
        body,
    })
}

/// Closes the connection; the answer that is returned never leaves.
fn cut(peer: &Peer) -> Response<AxumBody> {
    peer.cut();
    Response::new(AxumBody::empty())
}

fn respond(result: Result<Reply, ApiError>, id: &str, resource: &str) -> Response<AxumBody> {
    let reply = result.unwrap_or_else(|error| {
        let mut reply = Reply::json(
            error.status,
            json!({"Code": error.code, "Message": error.message, "Resource": resource, "RequestId": id}),
        );
        reply.headers.extend(error.allow.map(|verbs| ("allow", verbs.to_owned())));
        reply.headers.extend(error.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        reply
    });
    let (kind, body) = match reply.body {
        Some(Body::Json(json)) => {
            (Some("application/json; charset=utf-8".to_owned()), AxumBody::from(json.to_string()))
        }
        Some(Body::Text(text)) => (Some("text/plain; charset=utf-8".to_owned()), AxumBody::from(text)),
        Some(Body::Bytes(kind, bytes)) => (Some(kind), AxumBody::from(bytes)),
        None => (None, AxumBody::empty()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers: &mut HeaderMap = response.headers_mut();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("date", &environment::timestamp().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    put("x-caspio-request-id", id);
    if let Some(kind) = &kind {
        put("content-type", kind);
    }
    for (name, value) in &reply.headers {
        put(name, value);
    }
    response
}
