//! What a guest can see and let out: the event, clocks, random, and what WASI shows of the machine.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use caspian_sdk::prelude::*;

/// The event as a text like JSON: all but the values, of which only the kinds.
pub(crate) fn echo(event: &Event) -> String {
    let rows: Vec<String> = event
        .rows()
        .iter()
        .map(|row| {
            let fields: Vec<String> =
                row.iter().map(|(name, value)| format!("{name:?}:{:?}", value.kind())).collect();
            format!("{{{}}}", fields.join(","))
        })
        .collect();
    format!(
        concat!(
            r#"{{"id":{:?},"kind":{:?},"connection":{:?},"table":{:?},"event_date":{:?},"#,
            r#""message_id":{:?},"reconciled":{},"attempt":{},"rows":[{}]}}"#
        ),
        event.id,
        event.kind.as_str(),
        event.connection,
        event.table,
        event.event_date,
        event.message_id,
        event.reconciled,
        event.attempt,
        rows.join(",")
    )
}

/// Every field of every row as a line "name kind value".
pub(crate) fn values(event: &Event) -> String {
    let mut out = String::new();
    for (name, value) in event.rows().iter().flat_map(Row::iter) {
        let text = match value {
            Value::Null => String::new(),
            Value::Text(text) | Value::Decimal(text) | Value::Date(text) | Value::DateTime(text) => {
                text.clone()
            }
            Value::Integer(number) => number.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Boolean(yes) => yes.to_string(),
            Value::Choices(choices) => {
                let labels: Vec<String> = choices.iter().map(|c| format!("{}={}", c.key, c.label)).collect();
                labels.join(",")
            }
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        };
        let _ = writeln!(out, "{name} {} {text}", value.kind());
    }
    out
}

/// Lets all text values out by every way there is: log, both outputs, the result, a panic.
#[allow(clippy::panic, reason = "a panic's text is one of the ways out")]
pub(crate) fn leak(event: &Event) -> String {
    let mut texts = Vec::new();
    for (_, value) in event.rows().iter().flat_map(Row::iter) {
        if let Value::Text(text) = value {
            texts.push(text.as_str());
        }
    }
    let all = texts.join(" ");
    log::debug!("{all}");
    log::info!("{all}");
    log::warn!("{all}");
    log::error!("{all}");
    println!("{all}");
    eprintln!("{all}");
    if settings::get("then_panic").is_some() {
        panic!("{all}");
    }
    all
}

fn wall() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// Readings that must be the same in every execution of a run: one line each.
pub(crate) fn clock() -> String {
    let mut out = String::new();
    let start = Instant::now();
    for _ in 0..3 {
        let _ = writeln!(out, "wall {}", wall());
        let _ = writeln!(out, "monotonic {}", start.elapsed().as_nanos());
    }
    let mut bytes = [0; 16];
    let random = getrandom::fill(&mut bytes);
    let _ = writeln!(out, "random {bytes:?} {}", if random.is_ok() { "ok" } else { "failed" });
    let _ = writeln!(out, "u64 {:?}", getrandom::u64().ok());
    let _ = writeln!(out, "hash {}", RandomState::new().hash_one("x"));
    let map: HashMap<u32, ()> = (0..32).map(|i| (i, ())).collect();
    let _ = writeln!(out, "order {:?}", map.keys().collect::<Vec<_>>());
    out
}

/// Sleeps an hour; by how much the clocks moved, in milliseconds.
pub(crate) fn sleep() -> String {
    let (wall_before, start) = (wall(), Instant::now());
    std::thread::sleep(Duration::from_secs(3600));
    let wall_moved = wall().saturating_sub(wall_before) / 1_000_000;
    format!("wall {wall_moved} ms, monotonic {} ms", start.elapsed().as_millis())
}

/// What is there of the machine: one line per way to look, "name: what was seen".
pub(crate) fn world() -> String {
    let mut out = String::new();
    let mut saw = |name: &str, seen: String| {
        let _ = writeln!(out, "{name}: {seen}");
    };
    saw("env", format!("{:?}", std::env::vars_os().collect::<Vec<_>>()));
    saw("args", format!("{:?}", std::env::args_os().collect::<Vec<_>>()));
    saw("current-dir", result(std::env::current_dir().map(|dir| format!("{dir:?}"))));
    saw("open", result(File::open("/etc/passwd").map(|_| "opened".to_owned())));
    saw("create", result(File::create("/tmp/probe").map(|_| "created".to_owned())));
    saw("create-here", result(File::create("probe").map(|_| "created".to_owned())));
    saw("read-dir", result(std::fs::read_dir("/").map(|entries| format!("{} entries", entries.count()))));
    saw("tcp-connect", result(TcpStream::connect("127.0.0.1:80").map(|_| "connected".to_owned())));
    saw("tcp-listen", result(TcpListener::bind("127.0.0.1:0").map(|_| "bound".to_owned())));
    saw("udp", result(UdpSocket::bind("127.0.0.1:0").map(|_| "bound".to_owned())));
    saw(
        "resolve",
        result("localhost:80".to_socket_addrs().map(|found| format!("{} addresses", found.count()))),
    );
    let mut input = Vec::new();
    saw("stdin", result(std::io::stdin().read_to_end(&mut input).map(|read| format!("{read} bytes"))));
    out
}

fn result(seen: std::io::Result<String>) -> String {
    seen.unwrap_or_else(|error| format!("refused ({:?}): {error}", error.kind()))
}
