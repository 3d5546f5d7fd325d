//! A guest that does next to nothing, so that what is measured is the host.
//!
//! One host call an event: for an inserted record a task is created, for any other event the record is read.

use caspian_sdk::prelude::*;

#[workflow]
fn handle(event: Event) -> Result<Option<String>, Failure> {
    let key = event.row()?.pk_id()?;
    match event.kind {
        TriggerKind::RecordInsert => {
            records("Tasks").create(Row::new().set("Title", "Welcome call").set("PatientId", key))?;
        }
        _ => {
            records("Patients").get(key)?;
        }
    }
    Ok(None)
}
