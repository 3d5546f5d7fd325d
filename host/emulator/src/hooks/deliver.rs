//! Calling: one task per webhook takes due calls from its queue.
//!
//! At most `CallThrottling` calls start in a second and `ConcurrentCalls` run at a time. What is not
//! answered with 2xx in time is tried again by the schedule of the settings while later messages go
//! on, and is recorded as failed after the last attempt. Redirects are not followed. The task ends
//! with its webhook or with the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::task::JoinSet;

use super::announce::chance;
use super::messages::State;
use super::{Job, Webhook, sign};
use crate::account::{Account, Shared};

struct Call {
    webhook_id: String,
    event_id: String,
    job: Job,
    url: String,
    body: Bytes,
    content_type: String,
    signature: Option<(String, String)>,
    timeout: Duration,
}

enum Next {
    Call(Box<Call>),
    Wait(Option<Instant>),
    Gone,
}

/// Starts the task of a webhook.
pub fn spawn(shared: &Arc<Shared>, webhook: &Webhook) {
    let shared = Arc::clone(shared);
    let id = webhook.id.clone();
    let wake = Arc::clone(&webhook.wake);
    tokio::spawn(async move {
        let mut ending = shared.ending.subscribe();
        let mut running = JoinSet::new();
        loop {
            let next = take(&mut shared.lock(), &id, running.len(), Instant::now());
            let until = match next {
                Next::Gone => break,
                Next::Call(call) => {
                    let shared = Arc::clone(&shared);
                    running.spawn(async move {
                        let status = send(&shared, &call).await;
                        finish(&mut shared.lock(), &call, status);
                    });
                    continue;
                }
                Next::Wait(until) => until,
            };
            let far = Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep_until(until.unwrap_or(far).into()) => {}
                Some(_) = running.join_next(), if !running.is_empty() => {}
                _ = ending.wait_for(|ended| *ended) => return,
            }
        }
        // The webhook is gone; what is under way may end.
        while running.join_next().await.is_some() {}
    });
}

fn take(account: &mut Account, id: &str, running: usize, now: Instant) -> Next {
    let Account { webhooks, messages, settings, .. } = account;
    let Some(webhook) = webhooks.iter_mut().find(|webhook| webhook.id == id) else { return Next::Gone };
    if running >= settings.concurrent_calls.max(1) {
        return Next::Wait(None);
    }
    loop {
        let Some(at) = webhook.queue.iter().position(|job| job.due <= now) else {
            return Next::Wait(webhook.queue.iter().map(|job| job.due).min());
        };
        let second = Duration::from_secs(1);
        let (start, calls) = match webhook.window {
            Some((start, calls)) if now.duration_since(start) < second => (start, calls),
            _ => (now, 0),
        };
        if calls >= webhook.throttling {
            return Next::Wait(Some(start + second));
        }
        let Some(job) = webhook.queue.remove(at) else { return Next::Wait(None) };
        let Some(message) = messages.get_mut(job.message) else { continue };
        webhook.window = Some((start, calls + 1));
        let signature = settings
            .signature
            .as_ref()
            .and_then(|how| Some((how.header.clone(), sign::sign(how, &webhook.secret, &message.body)?)));
        return Next::Call(Box::new(Call {
            webhook_id: id.to_owned(),
            event_id: message.event_id.clone(),
            url: webhook.urls.get(job.url).or(webhook.urls.last()).cloned().unwrap_or_default(),
            job,
            body: message.body.clone(),
            content_type: settings.content_type.clone(),
            signature,
            timeout: Duration::from_millis(settings.timeout_millis),
        }));
    }
}

/// Makes the call; the status, or `None` without an answer in time.
async fn send(shared: &Shared, call: &Call) -> Option<u16> {
    let mut request = shared
        .http
        .post(&call.url)
        .timeout(call.timeout)
        .header("content-type", &call.content_type)
        .body(call.body.clone());
    if let Some((name, value)) = &call.signature {
        request = request.header(name, value);
    }
    // The body of the answer is read too: only then the call is over and the connection reusable.
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    response.bytes().await.ok()?;
    Some(status)
}

fn finish(account: &mut Account, call: &Call, status: Option<u16>) {
    let success = status.is_some_and(|status| (200..300).contains(&status));
    let settings = account.settings.clone();
    let again = success && !call.job.copy && chance(account, settings.duplicate_probability);
    let Account { webhooks, messages, .. } = account;
    let Some(message) = messages.get_mut(call.job.message) else { return };
    message.attempts = message.attempts.saturating_add(1);
    message.http_status = status;
    let Some(webhook) = webhooks.iter_mut().find(|webhook| webhook.id == call.webhook_id) else {
        message.state = if success { State::Delivered } else { State::Undeliverable };
        return;
    };
    let errors = u64::from(!success);
    webhook.counters.calls += 1;
    webhook.counters.errors += errors;
    if let Some(event) = webhook.events.iter_mut().find(|event| event.id == call.event_id) {
        event.counters.calls += 1;
        event.counters.errors += errors;
    }
    let retry = !success && call.job.attempt < settings.attempts;
    if retry || again {
        let mut job = call.job.clone();
        job.due = Instant::now();
        if retry {
            let delays = &settings.retry_delays_millis;
            let place = usize::try_from(job.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
            let delay = delays.get(place).or(delays.last()).copied().unwrap_or(0);
            job.due += Duration::from_millis(delay);
            job.attempt += 1;
        } else {
            job.attempt = settings.attempts.max(1);
            job.copy = true;
        }
        webhook.queue.push_back(job);
        webhook.wake.notify_one();
        return;
    }
    message.failed |= !success && !call.job.copy;
    message.open = message.open.saturating_sub(1);
    if message.open > 0 {
        return;
    }
    message.state = if message.failed { State::Failed } else { State::Delivered };
    webhook.failures_in_a_row = if message.failed { webhook.failures_in_a_row.saturating_add(1) } else { 0 };
    if settings.auto_disable_after.is_some_and(|most| webhook.failures_in_a_row >= most) {
        webhook.enable(false);
    }
}
