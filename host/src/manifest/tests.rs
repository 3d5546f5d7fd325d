use crate::manifest::{DirectoryOp, FileOp, Manifest, OnFailure, Op, Order, OrderBy, Stale, ViewOp};
use crate::model::TriggerKind;

const GOOD: &str = r#"
name = "patient-onboarding"
component = "patient_onboarding.wasm"
connection = "clinic"

[[trigger]]
event = "record-insert"
table = "Patients"

[[trigger]]
event = "record-update"
table = "Appointments"
fields = ["Status"]
sources = ["datasheet", "DataPages"]

[grants]
tables = { Patients = ["read"], Tasks = ["create"], Contacts = ["read", "create", "update"] }
views = { ActivePatients = ["read"] }
attachments = { Patients = ["Photo"] }
files = ["read", "write"]
directories = { Staff = ["read", "activate"] }
tasks = ["Import contacts"]

[limits]
memory_mib = 16

[settings]
title = "Welcome"
days = 3
"#;

#[test]
fn a_good_manifest_says_what_it_says() {
    let m = Manifest::parse(GOOD).unwrap();
    assert_eq!(m.name, "patient-onboarding");
    assert_eq!(m.connection.as_deref(), Some("clinic"));
    assert_eq!(m.triggers.len(), 2);
    assert_eq!(m.triggers[1].kind, TriggerKind::RecordUpdate);
    assert_eq!(m.triggers[1].sources, ["Datasheet", "DataPages"]);
    assert!(m.grants.allows("patients", Op::Read) && !m.grants.allows("Patients", Op::Create));
    assert!(!m.grants.allows("Other", Op::Read));
    assert!(
        m.grants.allows_view("activepatients", ViewOp::Read)
            && !m.grants.allows_view("Patients", ViewOp::Read)
    );
    assert!(m.grants.allows_attachment("patients", "PHOTO") && !m.grants.allows_attachment("Tasks", "Photo"));
    assert!(m.grants.allows_files(FileOp::Write) && !m.grants.allows_files(FileOp::Delete));
    assert!(m.grants.allows_directory("staff", DirectoryOp::Activate));
    assert!(!m.grants.allows_directory("Staff", DirectoryOp::Delete));
    assert!(m.grants.allows_task("import CONTACTS") && !m.grants.allows_task("Import"));
    assert_eq!(m.limits.memory_mib, 16);
    assert_eq!(m.limits.wall_seconds, 30);
    assert_eq!(m.retry.attempts, 6);
    assert_eq!((m.chain.max_depth, m.chain.self_depth, m.chain.record_runs_per_minute), (8, 0, 20));
    assert!(!m.run.cache_reads);
    assert_eq!((m.run.concurrency, m.run.weight), (None, 1));
    assert_eq!(m.order, Order::default());
    assert_eq!(m.settings["title"], "Welcome");
    assert_eq!(m.settings["days"], "3");
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let base = "name = \"w\"\ncomponent = \"w.wasm\"\n";
    let trigger = "[[trigger]]\nevent = \"record-insert\"\ntable = \"T\"\n";
    for (text, line, part) in [
        ("name = \"w\"\ncomponent = \"w.wasm\"\nfoo = 1\n".to_owned(), 3, "unknown field `foo`"),
        ("name = 3\n".to_owned(), 1, "expected a string"),
        ("name = \"W W\"\ncomponent = \"w.wasm\"\n".to_owned(), 1, "`name` must be"),
        ("name = \"w\"\ncomponent = \"w.txt\"\n".to_owned(), 2, "`component` must be"),
        (base.to_owned(), 1, "no [[trigger]]"),
        (format!("{base}{trigger}fields = [\"A\"]\n"), 6, "`fields` goes with"),
        (format!("{base}{trigger}sources = [\"Mars\"]\n"), 6, "`sources` holds something else"),
        (format!("{base}{trigger}colour = 1\n"), 6, "unknown field `colour`"),
        (format!("{base}[[trigger]]\nevent = \"record-eat\"\ntable = \"T\"\n"), 4, "`event` must be"),
        (format!("{base}[[trigger]]\nevent = \"http\"\ntable = \"T\"\n"), 4, "not supported by this version"),
        (format!("{base}{trigger}{trigger}"), 6, "same event and table"),
        (format!("{base}{trigger}[grants]\ntables = {{ T = [\"create\"] }}\n"), 3, "could start itself"),
        (format!("{base}{trigger}[grants]\ntables = {{ T = [\"fly\"] }}\n"), 7, "unknown variant"),
        (format!("{base}{trigger}[grants]\nviews = {{ V = [\"update\"] }}\n"), 7, "unknown variant"),
        (format!("{base}{trigger}[grants]\nfiles = [\"fly\"]\n"), 7, "unknown variant"),
        (
            format!("{base}{trigger}[grants]\nattachments = {{ X = [\"A\"] }}\n"),
            7,
            "grants neither read nor update",
        ),
        (format!("{base}{trigger}[limits]\nfuel = 1\n"), 6, "`limits.fuel` must be"),
        (format!("{base}{trigger}[retry]\nattempts = 0\n"), 6, "`retry.attempts` must be"),
        (format!("{base}{trigger}[loop]\nself_depth = 9\n"), 6, "`loop.self_depth` must be no more than"),
        (format!("{base}{trigger}[loop]\nmax_depth = 101\n"), 6, "`loop.max_depth` must be 0 to 100"),
        (
            format!("{base}{trigger}[loop]\nrecord_runs_per_minute = 0\n"),
            6,
            "`loop.record_runs_per_minute` must be",
        ),
        (format!("{base}{trigger}[run]\ncache = true\n"), 7, "unknown field `cache`"),
        (format!("{base}{trigger}[run]\nconcurrency = 0\n"), 6, "`run.concurrency` must be 1 to 10000"),
        (format!("{base}{trigger}[run]\nweight = 101\n"), 6, "`run.weight` must be 1 to 100"),
        (format!("{base}{trigger}[order]\nby = \"table\"\n"), 7, "unknown variant"),
        (format!("{base}{trigger}[order]\nby = {{ field = \"\" }}\n"), 6, "with the name of a field"),
        (format!("{base}{trigger}[order]\non_failure = \"go-on\"\n"), 6, "goes with `order.by` only"),
        (format!("{base}{trigger}[limits]\nfuell = 1\n"), 7, "unknown field `fuell`"),
        ("name = \"w\n".to_owned(), 1, ""),
    ] {
        let error = Manifest::parse(&text).unwrap_err();
        assert!(error.message.contains(part), "{text}\n{error}");
        assert_eq!(error.line, line, "{text}\n{error}");
        assert!(error.column >= 1);
    }
}

#[test]
fn an_order_says_what_waits_for_what() {
    let order = |text: &str| Manifest::parse(&format!("{GOOD}\n[order]\n{text}\n")).unwrap().order;
    assert_eq!(order("by = \"record\""), Order { by: Some(OrderBy::Record), ..Order::default() });
    let by = Some(OrderBy::Field("Patient".to_owned()));
    assert_eq!(
        order("by = { field = \"Patient\" }\non_failure = \"go-on\"\nstale = \"skip\""),
        Order { by, on_failure: OnFailure::GoOn, stale: Stale::Skip }
    );
    assert_eq!(order("stale = \"skip\"").by, None);
}

#[test]
fn settings_are_not_in_errors() {
    let text = "name = \"w\"\ncomponent = \"w.wasm\"\n[settings]\nkey = \"canary-value\" trailing\n";
    let error = Manifest::parse(text).unwrap_err();
    assert!(!error.to_string().contains("canary-value"), "{error}");
}
