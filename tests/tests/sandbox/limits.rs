//! Every limit of an attempt: its own cause, a text that says what to raise, and a host that goes on.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

/// A probe whose manifest holds these limits and is tried twice at most.
fn limited(mode: &str, limits: &str) -> ManifestBuilder {
    ManifestBuilder::probe(mode, mode).sections(&format!(
        "[limits]\n{limits}\n[retry]\nattempts = 2\ninitial_seconds = 0.05\nmax_seconds = 0.2\n"
    ))
}

/// The run of one event must end dead, for this cause, after so many attempts, with these texts.
async fn dies(site: &Site, manifest: &ManifestBuilder, cause: &str, attempts: u64, texts: &[&str]) -> Value {
    let run = site.one_run(manifest, &["dead"]).await;
    assert_eq!(run["cause"], cause, "{run:#}");
    assert_eq!(run["attempts"], attempts, "{run:#}");
    let failure = run["failure"].as_str().expect("a failure");
    for text in texts {
        assert!(failure.contains(text), "'{text}' is not in: {failure}");
    }
    run
}

/// All that the guest wrote, in bytes.
fn written(run: &Value) -> usize {
    let lines = run["output"].as_array().into_iter().flatten().flat_map(|o| o["lines"].as_array().unwrap());
    lines.map(|line| line["text"].as_str().unwrap().len()).sum()
}

#[tokio::test]
async fn a_looping_guest_uses_up_its_fuel() {
    let site = Site::start().await;
    let texts = ["10000000 units of fuel", "raise limits.fuel"];
    dies(&site, &limited("loop", "fuel = 10_000_000"), "limit-fuel", 1, &texts).await;
    site.still_serves().await;
}

#[tokio::test]
async fn the_default_fuel_stops_a_looping_guest_too() {
    let site = Site::start().await;
    let looping = ManifestBuilder::probe("loop", "loop").sections("");
    dies(&site, &looping, "limit-fuel", 1, &["1000000000 units of fuel"]).await;
}

#[tokio::test]
async fn a_guest_gets_only_so_much_memory() {
    let site = Site::start().await;
    let texts = ["more than 8 MiB of memory", "raise limits.memory_mib"];
    dies(&site, &limited("memory", "memory_mib = 8"), "limit-memory", 1, &texts).await;
    site.still_serves().await;
}

#[tokio::test]
async fn a_guest_that_is_larger_than_its_limit_from_the_start_says_so() {
    let site = Site::start().await;
    let texts = ["more than 1 MiB of memory", "raise limits.memory_mib"];
    dies(&site, &limited("echo", "memory_mib = 1"), "limit-memory", 1, &texts).await;
    site.still_serves().await;
}

#[tokio::test]
async fn more_memory_than_the_host_allows_is_refused_at_deploy() {
    let site = Site::start().await;
    let answer = site.deploy(&limited("echo", "memory_mib = 512")).await;
    let answer = answer.refused("limits.memory_mib is more than this host allows (256)");
    assert!(answer.stderr.contains("raise runtime.max_memory_mib"), "{}", answer.stderr);
}

#[tokio::test]
async fn a_log_flood_ends_at_the_log_limit_and_its_beginning_is_kept() {
    let site = Site::start().await;
    let texts = ["more than 16 KiB of log and output", "raise limits.log_kib"];
    let run = dies(&site, &limited("log-flood", "log_kib = 16"), "limit-log", 1, &texts).await;
    assert_eq!(run["output"][0]["truncated"], true);
    assert!((8 << 10..=16 << 10).contains(&written(&run)), "{}", written(&run));
    assert_eq!(run["output"][0]["lines"][0]["source"], "info");
    site.still_serves().await;
}

#[tokio::test]
async fn an_output_flood_ends_at_the_log_limit() {
    let site = Site::start().await;
    let run =
        dies(&site, &limited("output-flood", "log_kib = 16"), "limit-log", 1, &["raise limits.log_kib"])
            .await;
    assert_eq!(run["output"][0]["truncated"], true);
    assert!((8 << 10..=16 << 10).contains(&written(&run)), "{}", written(&run));
    assert_eq!(run["output"][0]["lines"][0]["source"], "stdout");
    site.still_serves().await;
}

#[tokio::test]
async fn empty_lines_count_too() {
    let site = Site::start().await;
    let run =
        dies(&site, &limited("newline-flood", "log_kib = 256"), "limit-log", 1, &["raise limits.log_kib"])
            .await;
    let lines = run["output"][0]["lines"].as_array().unwrap().len();
    assert!(lines <= 16 << 10, "{lines} lines are kept of a log of 256 KiB");
    site.still_serves().await;
}

#[tokio::test]
async fn a_call_flood_ends_at_the_limit_of_host_calls_and_asks_caspio_once() {
    let site = Site::start().await;
    let texts = ["more than 50 host calls", "raise limits.host_calls"];
    let run = dies(&site, &limited("call-flood", "host_calls = 50"), "limit-host-calls", 1, &texts).await;
    let steps = run["steps"].as_array().unwrap().len();
    assert!(steps <= 50, "{steps}");
    let asked = site.account.calls("GET", "/integrations/rest/v3/tables/Patients/fields").await;
    assert!(asked <= 3, "fields are cached, but were asked for {asked} times");
    site.still_serves().await;
}

#[tokio::test]
async fn a_caspio_that_is_slower_than_the_wall_limit_is_waited_for_and_not_the_guests_fault() {
    let site = Site::start().await;
    let silent = json!({"Kind": "delay", "Millis": 600_000});
    site.account.fault("GET", "/integrations/rest/v3/tables/Tasks/records", None, silent).await;
    let waiting = limited("list", "wall_seconds = 1").setting("table", "Tasks").grant("Tasks", "read");
    site.deploy(&waiting).await.ok();
    site.account.add_patient("Ada").await;
    until("the run has waited for Caspio", async || {
        let run = site.runs().await.into_iter().next()?;
        (run["wakeups"].as_u64()? > 0 && run["attempts"] == 0).then_some(())
    })
    .await;
    site.account.clear_faults().await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!(runs[0]["attempts"], 1, "only the last one counts: {:#}", runs[0]);
}

#[tokio::test]
async fn a_busy_guest_reaches_the_wall_limit_as_well() {
    let site = Site::start().await;
    let busy = limited("loop", "fuel = 1_000_000_000_000\nwall_seconds = 1");
    dies(&site, &busy, "limit-wall", 2, &["raise limits.wall_seconds"]).await;
    site.still_serves().await;
}

#[tokio::test]
async fn a_panic_is_a_trap_whose_text_stays_with_the_run() {
    let site = Site::start().await;
    let texts = ["the component trapped", "unreachable", "the probe was told to panic"];
    let run = dies(&site, &limited("panic", ""), "trap", 2, &texts).await;
    assert_eq!(run["output"].as_array().map(Vec::len), Some(2), "what each attempt wrote is kept: {run:#}");
    site.still_serves().await;
    assert!(!site.host.log().contains("told to panic"), "a guest's text is in the host's log");
}

#[tokio::test]
async fn endless_recursion_is_a_trap_of_its_own() {
    let site = Site::start().await;
    dies(&site, &limited("deep", ""), "trap", 2, &["call stack exhausted"]).await;
    site.still_serves().await;
}

#[tokio::test]
async fn a_guest_can_hold_only_so_many_handles_in_the_host() {
    let site = Site::start().await;
    dies(&site, &limited("hoard", ""), "trap", 2, &["cannot allocate another handle"]).await;
    site.still_serves().await;
}

#[tokio::test]
async fn a_long_result_is_cut_off() {
    let site = Site::start().await;
    let run = site.one_run(&limited("big-result", ""), &["succeeded"]).await;
    let result = run["result"].as_str().unwrap();
    assert!(result.ends_with("… (cut off)"), "{}", &result[result.len() - 40..]);
    assert!(result.len() < 66 << 10, "{}", result.len());
    site.still_serves().await;
}

#[tokio::test]
async fn calls_carry_only_so_much_in_all() {
    let site = Site::start().await;
    let bulk = limited("bulk", "fuel = 100_000_000_000");
    let run = site.one_run(&bulk, &["succeeded", "dead"]).await;
    assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    let result = run["result"].as_str().unwrap();
    // 64 MiB in calls of 8 MiB and their names.
    assert!(result.starts_with("7 calls, then Err(Limit("), "{result}");
    assert!(result.contains("more than 64 MiB; select fewer fields"), "{result}");
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(7), "a refused call is no step");
    site.still_serves().await;
}
