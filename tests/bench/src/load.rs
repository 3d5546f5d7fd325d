//! Load over kept connections: requests made beforehand, written as they are, answers read just enough.
//!
//! So little work that the generator is not what is measured; its CPU time is reported besides.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::message::Request;
use crate::process::own_cpu;

/// How requests are sent.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Kept connections.
    pub connections: usize,
    /// Requests a second; none: each connection sends its next one when the last is answered.
    pub per_second: Option<f64>,
    /// No new request after this.
    pub at_most: Duration,
}

/// One answered request.
#[derive(Clone, Copy)]
pub struct Sent {
    /// Which.
    pub index: usize,
    /// When it was (or, at a pace, should have been) sent, in µs since 1970.
    pub at: i64,
    /// How long the answer took, in ms.
    pub took_ms: f64,
}

/// What came of it.
pub struct Answered {
    /// All that were answered with 200; others are an error.
    pub sent: Vec<Sent>,
    /// First to last.
    pub took: Duration,
    /// CPU time of the generator.
    pub own_cpu: Duration,
}

/// Sends the requests, or as many of them as the time allows.
pub async fn send(to: SocketAddr, requests: &Arc<Vec<Request>>, pace: Pace) -> anyhow::Result<Answered> {
    let next = Arc::new(AtomicUsize::new(0));
    let cpu = own_cpu()?;
    let mut tasks = JoinSet::new();
    let mut streams = Vec::new();
    for _ in 0..pace.connections {
        let stream = TcpStream::connect(to).await.context("no connection")?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let (began, began_at) = (Instant::now(), micros_now());
    for stream in streams {
        tasks.spawn(connection(stream, requests.clone(), next.clone(), pace, began, began_at));
    }
    let mut sent = Vec::new();
    while let Some(done) = tasks.join_next().await {
        sent.extend(done??);
    }
    Ok(Answered { sent, took: began.elapsed(), own_cpu: own_cpu()?.saturating_sub(cpu) })
}

fn micros_now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

async fn connection(
    mut stream: TcpStream,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
    pace: Pace,
    began: Instant,
    began_at: i64,
) -> anyhow::Result<Vec<Sent>> {
    let mut sent = Vec::new();
    let mut buffer = vec![0; 4096];
    while began.elapsed() < pace.at_most {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(index) else { break };
        let due = match pace.per_second {
            Some(rate) => {
                let due = began + Duration::from_secs_f64(index as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        stream.write_all(&request.bytes).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        if status != 200 {
            bail!("a message was answered {status}");
        }
        let at = began_at + i64::try_from((due - began).as_micros()).unwrap_or(0);
        sent.push(Sent { index, at, took_ms: due.elapsed().as_secs_f64() * 1e3 });
    }
    Ok(sent)
}

/// Reads one answer to its end; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<u16> {
    let mut have = 0;
    loop {
        let room = buffer.get_mut(have..).filter(|room| !room.is_empty()).context("a long answer")?;
        let read = stream.read(room).await?;
        if read == 0 {
            bail!("the connection was closed");
        }
        have += read;
        let text = std::str::from_utf8(buffer.get(..have).unwrap_or_default())?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let status = head.get(9..12).and_then(|s| s.parse().ok()).context("no status")?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Ok(status);
        }
    }
}
