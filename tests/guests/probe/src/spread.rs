//! Values of the event in every kind of call, right and wrong.

use caspian_sdk::prelude::*;

/// The error's text, or "ok".
fn outcome<T>(answer: Result<T, Error>) -> String {
    answer.map_or_else(|error| error.to_string(), |_| "ok".to_owned())
}

/// Writes the patient's texts to other tables, once properly and in wrong ways; answers a line for each
/// call, "name: ok" or "name: error text". No error text may hold a value.
pub(crate) fn spread(event: &Event) -> Result<String, Failure> {
    let row = event.row()?;
    let (first, email) = (row.text("FirstName")?, row.text("Email")?);
    let (contacts, tasks) = (records("Contacts"), records("Tasks"));
    let contact = || Row::new().set("Email", email).set("FullName", first);
    let named = || field("FullName").equals(first);
    let long = first.repeat(100);
    let lines = [
        ("create", outcome(contacts.create(contact()))),
        ("conflict", outcome(contacts.create(contact()))),
        ("list", outcome(contacts.list(Query::new().filter(named())))),
        ("update", outcome(contacts.update(named(), Row::new().set("Phone", first)))),
        ("upsert", outcome(contacts.upsert(named(), Row::new().set("Source", first)))),
        ("wrong-number", outcome(tasks.create(Row::new().set("PatientId", first)))),
        ("wrong-date", outcome(tasks.create(Row::new().set("DueDate", first)))),
        ("too-long", outcome(tasks.create(Row::new().set("Title", long.as_str())))),
        ("wrong-criteria", outcome(tasks.delete(field("PatientId").equals(first)))),
        ("wrong-order", outcome(tasks.list(Query::new().order_by(first)))),
        (
            "quoted",
            outcome(tasks.list(Query::new().filter(field("Title").contains(format!("'{first}' --"))))),
        ),
        ("no-table", outcome(records("NoSuchTable").list(Query::new().filter(named())))),
        ("no-field", outcome(tasks.create(Row::new().set("NoSuchField", first)))),
        ("delete", outcome(contacts.delete(named()))),
    ];
    Ok(lines.map(|(name, text)| format!("{name}: {text}")).join("\n"))
}
