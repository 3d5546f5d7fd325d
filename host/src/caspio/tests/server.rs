//! A server that answers by a script and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::caspio::{BaseUrl, Caspio, CaspioClients, ClientSettings, Credentials};
use crate::model::ConnectionId;
use crate::secrets::Secret;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(in crate::caspio) enum Act {
    /// Status, further header lines, body.
    Answer(u16, &'static str, String),
    /// Takes the request and closes the connection.
    Drop,
    /// Announces a longer body than it sends.
    Cut(u16),
}

pub(in crate::caspio) fn ok(body: &str) -> Act {
    Act::Answer(200, "", body.to_owned())
}

pub(in crate::caspio) fn status(status: u16) -> Act {
    Act::Answer(status, "", String::new())
}

pub(in crate::caspio) fn token() -> Act {
    ok(r#"{"access_token":"abc","token_type":"bearer","expires_in":86399,"refresh_token":"x"}"#)
}

#[derive(Debug, Clone)]
pub(in crate::caspio) struct Asked {
    pub(in crate::caspio) line: String,
    pub(in crate::caspio) head: String,
    pub(in crate::caspio) body: String,
}

#[derive(Default)]
struct State {
    tokens: VecDeque<Act>,
    script: VecDeque<Act>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
pub(in crate::caspio) struct Server {
    state: Arc<Mutex<State>>,
    pub(in crate::caspio) base: String,
}

impl Server {
    pub(in crate::caspio) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let state = Arc::new(Mutex::new(State { script: script.into_iter().collect(), ..State::default() }));
        let server = Self { state, base };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        server
    }

    /// Answers of the token endpoint; without them it grants.
    pub(in crate::caspio) fn tokens(&self, script: impl IntoIterator<Item = Act>) {
        self.state.lock().expect("lock").tokens.extend(script);
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let (head, body) = loop {
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            bytes.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                break (head.to_owned(), body.to_owned());
            }
        };
        let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        let act = {
            let mut state = self.state.lock().expect("lock");
            let act = if line.starts_with("POST /oauth/token") {
                state.tokens.pop_front().unwrap_or_else(token)
            } else {
                state.script.pop_front().unwrap_or_else(|| Act::Answer(418, "", String::new()))
            };
            state.asked.push(Asked { line, head, body });
            act
        };
        let (status, headers, body, length) = match act {
            Act::Answer(status, headers, body) => (status, headers, body.clone(), body.len()),
            Act::Cut(status) => (status, "", "{".to_owned(), 100),
            Act::Drop => return,
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\nX-Caspio-Request-ID: r-1\r\n{headers}\r\n{body}"
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    /// Requests other than for tokens.
    pub(in crate::caspio) fn asked(&self) -> Vec<Asked> {
        let state = self.state.lock().expect("lock");
        state.asked.iter().filter(|asked| !asked.line.starts_with("POST /oauth/token")).cloned().collect()
    }

    pub(in crate::caspio) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub(in crate::caspio) fn token_calls(&self) -> usize {
        let state = self.state.lock().expect("lock");
        state.asked.iter().filter(|asked| asked.line.starts_with("POST /oauth/token")).count()
    }
}

pub(in crate::caspio) fn settings() -> ClientSettings {
    ClientSettings {
        calls_per_second: 10_000.0,
        retry_pause_ms: 0,
        first_pause_seconds: 0.01,
        ..ClientSettings::default()
    }
}

pub(in crate::caspio) fn credentials(base: &str) -> Credentials {
    Credentials {
        tenant: "default".parse().expect("tenant"),
        connection: ConnectionId::new(),
        name: "clinic".to_owned(),
        base: BaseUrl::parse(base).expect("base"),
        client_id: "the-id".to_owned(),
        client_secret: Secret::new("the secret&=+".to_owned()),
    }
}

/// A client of the server, with what made it.
pub(in crate::caspio) fn client(server: &Server) -> (CaspioClients, Arc<Caspio>) {
    let clients = CaspioClients::new(settings()).expect("clients");
    let client = clients.connect(credentials(&server.base));
    (clients, client)
}
