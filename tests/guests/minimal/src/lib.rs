//! A guest that does next to nothing, so that what is measured is the host.
//!
//! For an inserted record a task is created, for a deleted one three are, and for a changed one the record is read.

use caspian_sdk::prelude::*;

#[workflow]
fn handle(event: Event) -> Result<Option<String>, Failure> {
    let key = event.row()?.pk_id()?;
    let tasks = match event.kind {
        TriggerKind::RecordInsert => 1,
        TriggerKind::RecordDelete => 3,
        _ => {
            records("Patients").get(key)?;
            0
        }
    };
    for _ in 0..tasks {
        records("Tasks").create(Row::new().set("Title", "Welcome call").set("PatientId", key))?;
    }
    Ok(None)
}
