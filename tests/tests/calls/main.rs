//! Integration calls: what is spent, what is counted, what a budget does.

mod budgets;
mod counting;
mod reading;

use caspian_e2e::Site;
use serde_json::Value;

/// `usage --json` by something.
async fn usage(site: &Site, by: &str) -> Value {
    site.host.cli(&["usage", "--by", by, "--json"]).await.json()
}

/// Calls of one line; 0 when there is none of that name.
fn calls(usage: &Value, name: &str) -> u64 {
    let lines = usage["lines"].as_array().unwrap();
    lines.iter().find(|line| line["name"] == name).map_or(0, |line| line["calls"].as_u64().unwrap())
}
