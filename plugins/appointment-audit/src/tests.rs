//! What is decided, without a host: an event in, criteria and a row out.

use super::*;

fn appointment(status: impl Into<Value>) -> Row {
    Row::new()
        .set("PK_ID", 7)
        .set("PatientId", 4711)
        .set("Status", status)
        .set("StartsAt", Value::DateTime("2026-12-24T09:30:00".to_owned()))
        .set("Notes", "Ann Lee, first visit")
}

fn event(status: impl Into<Value>) -> Event {
    let mut event = Event::new(TriggerKind::RecordUpdate, "Appointments", vec![appointment(status)]);
    event.event_date = "2026-11-24T15:04:05".to_owned();
    event
}

fn settings() -> Settings {
    Settings { cancelled_statuses: "Cancelled, No show,".to_owned(), open_status: "Open".to_owned() }
}

fn planned(event: &Event) -> Plan {
    plan(event, &settings()).map_err(|e| e.to_string()).unwrap()
}

fn details(status: impl Into<Value>, deleted: Option<u32>) -> String {
    audit_row(&planned(&event(status)), deleted).text("Details").unwrap().to_owned()
}

#[test]
fn the_row_says_which_appointment_what_and_when() {
    let expected = Row::new()
        .set("Kind", "appointment-status")
        .set("RecordId", 7)
        .set("Details", "Status: Booked")
        .set("At", Value::DateTime("2026-11-24T15:04:05".to_owned()));
    assert_eq!(audit_row(&planned(&event("Booked")), None), expected);
}

#[test]
fn the_row_says_how_many_tasks_went() {
    assert_eq!(details("Cancelled", Some(2)), "Status: Cancelled; open tasks deleted: 2");
    assert_eq!(details("Cancelled", Some(0)), "Status: Cancelled; open tasks deleted: 0");
}

#[test]
fn a_status_that_was_removed_is_named_so() {
    for empty in [Value::Null, "".into(), "  ".into()] {
        assert_eq!(details(empty.clone(), None), "Status: none");
        assert!(planned(&event(empty)).obsolete.is_none(), "an empty status cancels nothing");
    }
}

#[test]
fn names_of_cancelled_are_compared_without_regard_to_case() {
    for status in ["Cancelled", "CANCELLED", " cancelled ", "no SHOW"] {
        assert!(planned(&event(status)).obsolete.is_some(), "{status}");
    }
    for status in ["Booked", "Cancelled?", "Cancel", "No", "Cancelled, No show"] {
        assert!(planned(&event(status)).obsolete.is_none(), "{status}");
    }
    let settings = Settings { cancelled_statuses: "ABGESAGT FÜR HEUTE".to_owned(), ..settings() };
    assert_eq!(settings.means_cancelled("abgesagt für heute"), Ok(true));
}

#[test]
fn only_open_tasks_of_this_appointment_are_meant() {
    let expected = field("AppointmentId").equals(7).and(field("Status").equals("Open"));
    assert!(planned(&event("Cancelled")).obsolete == Some(expected));
}

#[test]
fn without_an_event_date_the_row_has_none() {
    let mut event = event("Booked");
    event.event_date.clear();
    assert!(!audit_row(&planned(&event), None).has("At"));
}

#[test]
fn the_row_says_nothing_else_of_the_patient() {
    for (_, value) in audit_row(&planned(&event("Cancelled")), Some(1)).iter() {
        match value {
            Value::Text(text) => {
                assert!(!["Ann", "Lee", "visit", "4711"].iter().any(|part| text.contains(part)))
            }
            Value::Integer(number) => assert_ne!(*number, 4711),
            other => assert_eq!(*other, Value::DateTime("2026-11-24T15:04:05".to_owned())),
        }
    }
}

#[test]
fn an_empty_setting_is_fatal_whatever_the_status() {
    for status in ["Booked", "Cancelled"] {
        for names in ["", " , "] {
            let settings = Settings { cancelled_statuses: names.to_owned(), ..settings() };
            assert!(matches!(plan(&event(status), &settings), Err(Failure::Fatal { .. })));
        }
        let settings = Settings { open_status: " ".to_owned(), ..settings() };
        assert!(matches!(plan(&event(status), &settings), Err(Failure::Fatal { .. })));
    }
}

#[test]
fn several_rows_are_refused() {
    let mut event = event("Booked");
    event.rows.push(appointment("Booked"));
    assert!(matches!(plan(&event, &settings()), Err(Failure::Fatal { .. })));
}
