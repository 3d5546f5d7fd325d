//! A little HTTP server of the operator's, which is sent alerts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Post {
    /// Request line and headers, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Post {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.head
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.trim().to_owned()))
    }
}

/// See the module's text. It ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    status: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// An address at which nobody listens yet.
    #[must_use]
    pub fn address() -> SocketAddr {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        socket.local_addr().expect("an address")
    }

    /// Listens and answers 200.
    pub async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("an address");
        let (posts, status) = (Arc::<Mutex<Vec<Post>>>::default(), Arc::new(AtomicU16::new(200)));
        let (kept, answer) = (posts.clone(), status.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer) = (kept.clone(), answer.clone());
                tokio::spawn(async move { take(stream, &kept, answer.load(Ordering::Relaxed)).await });
            }
        });
        Self { address, posts, status, task }
    }

    /// `http://127.0.0.1:port/alerts`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// From now on it answers so; 3xx with a `Location` of its own.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// What came so far.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("the posts").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request a connection.
async fn take(mut stream: TcpStream, posts: &Mutex<Vec<Post>>, status: u16) -> Option<()> {
    let mut bytes = Vec::new();
    let (head, length, start) = loop {
        let mut part = [0_u8; 4096];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..n]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        break (head, length.unwrap_or(0), end + 4);
    };
    while bytes.len() < start + length {
        let mut part = [0_u8; 4096];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..n]);
    }
    let body = bytes[start..].to_vec();
    posts.lock().expect("the posts").push(Post { head, body });
    let location = if (300..400).contains(&status) { "Location: /elsewhere\r\n" } else { "" };
    let answer = format!("HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
