//! What is decided, without a host: rows in, rows out.

use super::*;

fn patient() -> Row {
    Row::new()
        .set("PK_ID", 42)
        .set("FirstName", " Ann ")
        .set("LastName", "Lee")
        .set("Email", " ann@example.org ")
        .set("Phone", "555-0100")
        .set("DateOfBirth", Value::DateTime("1980-05-06T00:00:00".to_owned()))
        .set("Created", Value::DateTime("2026-11-23T09:00:00".to_owned()))
}

fn event(patient: Row) -> Event {
    let mut event = Event::new(TriggerKind::RecordInsert, "Patients", vec![patient]);
    event.event_date = "2026-11-24T15:04:05".to_owned();
    event
}

fn settings() -> Settings {
    Settings { welcome_title: "Welcome call".to_owned(), welcome_due_days: 7 }
}

fn planned(event: &Event) -> Plan {
    plan(event, &settings()).map_err(|e| e.to_string()).unwrap()
}

#[test]
fn the_task_is_due_days_after_the_event() {
    let expected = Row::new()
        .set("Title", "Welcome call")
        .set("PatientId", 42)
        .set("Status", "Open")
        .set("DueDate", Value::DateTime("2026-12-01T00:00:00".to_owned()))
        .set("Notes", "New patient; see PatientId.");
    assert_eq!(planned(&event(patient())).task, expected);
}

#[test]
fn the_contact_holds_name_and_ways_to_reach() {
    let (email, contact) = planned(&event(patient())).contact.unwrap();
    assert_eq!(email, "ann@example.org");
    let expected = Row::new()
        .set("Email", "ann@example.org")
        .set("Source", "Caspian")
        .set("UpdatedAt", Value::DateTime("2026-11-24T15:04:05".to_owned()))
        .set("FullName", "Ann Lee")
        .set("Phone", "555-0100");
    assert_eq!(contact, expected);
}

#[test]
fn without_email_there_is_a_task_but_no_contact() {
    for email in [Value::Null, "".into(), "  ".into()] {
        let plan = planned(&event(patient().set("Email", email)));
        assert!(plan.contact.is_none());
        assert_eq!(plan.task.integer("PatientId"), Ok(42));
    }
}

#[test]
fn what_is_unknown_blanks_nothing_out() {
    let unknown = patient().set("Phone", "").set("FirstName", "").set("LastName", Value::Null);
    let (_, contact) = planned(&event(unknown)).contact.unwrap();
    assert!(!contact.has("Phone") && !contact.has("FullName"));
}

#[test]
fn half_a_name_has_no_blank_beside_it() {
    let name = |row: Row| full_name(&row).ok();
    assert_eq!(name(patient().set("FirstName", "")).as_deref(), Some("Lee"));
    assert_eq!(name(patient().set("LastName", Value::Null)).as_deref(), Some("Ann"));
    assert_eq!(name(patient().set("FirstName", "").set("LastName", "")).as_deref(), Some(""));
}

#[test]
fn the_records_date_stands_in_for_an_unknown_event_date() {
    let mut event = event(patient());
    event.event_date.clear();
    let due = planned(&event).task.date("DueDate").unwrap();
    assert_eq!(due.to_string(), "2026-11-30");
}

#[test]
fn the_task_says_nothing_of_the_patient() {
    let task = planned(&event(patient())).task;
    for (_, value) in task.iter() {
        if let Value::Text(text) = value {
            assert!(!["Ann", "Lee", "555", "1980"].iter().any(|part| text.contains(part)), "a value leaked");
        }
    }
}

#[test]
fn a_mistyped_number_of_days_is_fatal() {
    for days in [-1, 366, i64::MAX] {
        let settings = Settings { welcome_due_days: days, ..settings() };
        assert!(matches!(plan(&event(patient()), &settings), Err(Failure::Fatal { .. })));
    }
}

#[test]
fn several_rows_are_refused() {
    let mut event = event(patient());
    event.rows.push(patient());
    assert!(matches!(plan(&event, &settings()), Err(Failure::Fatal { .. })));
}
