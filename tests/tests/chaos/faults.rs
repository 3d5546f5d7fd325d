//! What goes wrong in a schedule, drawn from its seed.
//!
//! The points of the host are read from its source, so that a new one is drawn without further ado; it must be passed by
//! what workflows of a schedule do, or get an operation in [`Operation::of`].

use caspian_e2e::repository;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::operations::Operation;

/// How long after the host gave up a late write lands, in milliseconds: before and after it is tried again.
const LATE: [u64; 3] = [5, 60, 300];
/// Longer than the time-out of the host's calls, see `run.rs`.
const SILENT: u64 = 2500;
const WEBHOOKS: &str = "/integrations/rest/v3/outgoingWebhooks";
const DATA: &str = "/integrations/rest/v3/tables";

/// A point of the host at which a life of it ends, or something fails.
#[derive(Debug, Clone)]
pub struct Point {
    pub name: String,
    /// Passages before.
    pub after: usize,
    /// Passages that fail; none: the host is killed.
    pub fails: Option<usize>,
}

impl Point {
    /// In the notation of `FAILPOINTS`.
    pub fn text(&self) -> String {
        let off = if self.after == 0 { String::new() } else { format!("{}*off->", self.after) };
        match self.fails {
            None => format!("{}={off}return(kill)", self.name),
            Some(times) => format!("{}={off}{times}*return(error)->off", self.name),
        }
    }

    /// As the summary counts it.
    pub fn kind(&self) -> String {
        format!("{} {}", if self.fails.is_some() { "fail" } else { "kill" }, self.name)
    }
}

/// Passed only where somebody is told: alerts change nothing of runs, and have kills of their own (`operations/alerts.rs`).
const ALERTS: &str = "alert.";

/// All points by their names, and whether they can fail, too.
pub fn points() -> Vec<(String, bool)> {
    let mut files = vec![repository().join("host/src")];
    let mut points: Vec<(String, bool)> = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("it").path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("source");
        for (call, fails) in [("faults::pass(\"", false), ("faults::hit(\"", true)] {
            let names = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            points.extend(names.map(|name| (name.to_owned(), fails)));
        }
    }
    points.retain(|(name, _)| !name.starts_with(ALERTS));
    points.sort();
    points.dedup();
    points
}

/// What happens to calls of Caspio.
#[derive(Debug, Clone)]
pub struct Network {
    pub kind: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub after: usize,
    pub times: usize,
    pub action: Value,
}

impl Network {
    /// Of calls while webhooks are made.
    fn of_webhooks(chance: &mut Chance) -> Self {
        let method = *chance.one(&["POST", "GET", "*"]);
        Self { method, path: WEBHOOKS, ..Self::draw(chance) }
    }

    fn draw(chance: &mut Chance) -> Self {
        let late = *chance.one(&LATE);
        let (kind, action) = chance
            .one(&[
                ("cut before", json!({"Kind": "drop-before"})),
                ("cut after", json!({"Kind": "drop-after"})),
                ("cut, done late", json!({"Kind": "drop-late", "Millis": late})),
                ("silent, not done", json!({"Kind": "delay", "Millis": SILENT})),
                ("silent, done", json!({"Kind": "stall", "Millis": 0})),
                ("silent, done late", json!({"Kind": "stall", "Millis": SILENT + late})),
                ("busy", json!({"Kind": "status", "Status": 503})),
                ("failed", json!({"Kind": "status", "Status": 500})),
                ("throttled", json!({"Kind": "throttle"})),
                ("throttled 400", json!({"Kind": "api-calls-rate"})),
                ("token refused", json!({"Kind": "unauthorized"})),
            ])
            .clone();
        // Effects mostly.
        let (method, path) = *chance.one(&[
            ("POST", DATA),
            ("POST", DATA),
            ("PUT", DATA),
            ("DELETE", DATA),
            ("GET", DATA),
            ("*", "/oauth/token"),
        ]);
        let times = if action["Kind"] == "unauthorized" || chance.once_in(2) { 1 } else { 2 };
        Self { kind, method, path, after: chance.below(4), times, action }
    }

    /// As the summary counts it.
    pub fn kind(&self) -> String {
        format!("call {}", self.kind)
    }
}

/// What happens to webhook deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Each is sent once more.
    Duplicates,
    /// Later ones overtake it.
    Reordered,
    /// Caspio gives up waiting at once, though the host has it, and sends it again.
    Impatient,
    /// The signed messages come one at a time, and each waits long before it is tried again.
    Delayed,
}

/// How a person or a power cut ends the host after an act of the workload.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Kill,
    Terminate,
}

/// Everything that goes wrong in one schedule.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// While workflows are deployed.
    pub deploy: Option<Point>,
    pub webhooks: Option<Network>,
    /// One after another, each in a life of the host of its own, while the workload is done.
    pub lives: Vec<Point>,
    pub operation: Option<(Operation, Option<Point>)>,
    pub ends: Vec<(usize, End)>,
    pub network: Vec<Network>,
    pub deliveries: Vec<Delivery>,
    /// Schedules tick besides.
    pub ticks: bool,
}

impl Faults {
    /// Every point gets its turn, from schedule to schedule; what goes wrong besides is chance.
    pub fn draw(number: u64, points: &[(String, bool)], acts: usize, chance: &mut Chance) -> Self {
        let mut faults = Self::default();
        let turn = usize::try_from(number).expect("small") % points.len().max(1);
        if let Some((name, can_fail)) = points.get(turn) {
            // A point that can fail is killed at as well.
            let fails = (*can_fail && number as usize / points.len() % 2 == 1).then(|| 1 + chance.below(3));
            faults.place(name, fails, chance);
        }
        for _ in 0..chance.below(3) {
            faults.network.push(Network::draw(chance));
        }
        // Those that the workload passes matter most.
        for _ in 0..1 + chance.below(2) {
            let (name, can_fail) = chance.one(points);
            let fails = (*can_fail && chance.once_in(2)).then(|| 1 + chance.below(3));
            if Operation::of(name).is_none() && !name.starts_with("trigger.") {
                faults.place(name, fails, chance);
            }
        }
        if chance.once_in(5) {
            faults.webhooks = Some(Network::of_webhooks(chance));
        }
        if chance.once_in(4) {
            let end = *chance.one(&[End::Kill, End::Terminate]);
            faults.ends.push((chance.below(acts), end));
        }
        for (delivery, rarely) in [
            (Delivery::Duplicates, 4),
            (Delivery::Reordered, 4),
            (Delivery::Impatient, 6),
            (Delivery::Delayed, 8),
        ] {
            if chance.once_in(rarely) {
                faults.deliveries.push(delivery);
            }
        }
        faults.ticks |= chance.once_in(10);
        faults
    }

    fn place(&mut self, name: &str, fails: Option<usize>, chance: &mut Chance) {
        let early = chance.below(3);
        let point = |after| Point { name: name.to_owned(), after, fails };
        if let Some(operation) = Operation::of(name) {
            self.operation = Some((operation, Some(point(if chance.once_in(3) { 1 } else { 0 }))));
        } else if name.starts_with("trigger.") {
            self.deploy = Some(point(early));
        } else if name.starts_with("store.") {
            // Passed by each commit of the host.
            self.lives.push(point(chance.below(25)));
        } else {
            self.ticks |= name.starts_with("schedule.");
            self.lives.push(point(if chance.once_in(2) { early } else { chance.below(6) }));
        }
    }
}
