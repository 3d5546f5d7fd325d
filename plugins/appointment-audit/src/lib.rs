//! A new status of an appointment gets an audit row; a cancelled appointment loses its open tasks.
//!
//! What is to be done is decided first, from the event and the settings alone (`plan`), so a wrong
//! setting or field ends the run before anything is done. Then tasks are deleted, and last the row is
//! created: it says only what has happened, and what can't be repeated comes when nothing can fail
//! behind it. A retry between the two gets the recorded number of tasks and writes the same row.
//! The row holds ids, the status and a number; log and the run's result hold ids and numbers only.

use caspian_sdk::prelude::*;

/// `Kind` of the audit rows.
const KIND: &str = "appointment-status";

/// What the manifest's `[settings]` say.
struct Settings {
    /// Names of the statuses that mean cancelled, separated by commas.
    cancelled_statuses: String,
    /// Status of a task that is open.
    open_status: String,
}

impl Settings {
    fn read() -> Result<Self, Failure> {
        Ok(Self {
            cancelled_statuses: settings::require("cancelled_statuses")?,
            open_status: settings::require("open_status")?,
        })
    }

    /// Whether this status means cancelled, without regard to case and to blanks around it.
    fn means_cancelled(&self, status: &str) -> Result<bool, Failure> {
        let plain = |text: &str| text.trim().to_lowercase();
        let names: Vec<String> =
            self.cancelled_statuses.split(',').map(plain).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(Failure::fatal(
                "setting cancelled_statuses names no status; set it under [settings] of the manifest and deploy again",
            ));
        }
        Ok(names.contains(&plain(status)))
    }

    /// The open tasks of an appointment. An empty status would match tasks that nobody called open.
    fn open_tasks(&self, appointment: i64) -> Result<Criteria, Failure> {
        match self.open_status.trim() {
            "" => Err(Failure::fatal(
                "setting open_status is empty; set it under [settings] of the manifest and deploy again",
            )),
            open => Ok(field("AppointmentId").equals(appointment).and(field("Status").equals(open))),
        }
    }
}

/// What is to be done for one new status.
#[derive(Debug)]
struct Plan {
    appointment: i64,
    /// The new status; "" when it was removed.
    status: String,
    /// When it happened; none when the host does not know.
    at: Option<DateTime>,
    /// The tasks to delete; none unless the appointment is cancelled.
    obsolete: Option<Criteria>,
}

#[workflow]
fn handle(event: Event) -> Result<String, Failure> {
    let mut plan = plan(&event, &Settings::read()?)?;
    let deleted = match plan.obsolete.take() {
        Some(tasks) => Some(records("Tasks").delete(tasks)?),
        None => None,
    };
    if let Some(count) = deleted {
        log::info!("open tasks deleted: {count}");
    }
    if plan.at.is_none() {
        log::warn!("the event has no date, so the audit row has none");
    }
    let row = records("AuditTrail").create(audit_row(&plan, deleted))?.pk_id()?;
    log::info!("audit row {row} created");
    Ok(match deleted {
        Some(count) => format!("audit row {row}, open tasks deleted: {count}"),
        None => format!("audit row {row}"),
    })
}

fn plan(event: &Event, settings: &Settings) -> Result<Plan, Failure> {
    let record = event.row()?;
    let appointment = record.pk_id()?;
    let status = record.optional_text("Status")?.unwrap_or_default().trim().to_owned();
    // Both settings are checked for every event: a mistake shows before the first cancellation.
    let cancelled = settings.means_cancelled(&status)?;
    let tasks = settings.open_tasks(appointment)?;
    Ok(Plan { appointment, status, at: event.date_time().ok(), obsolete: cancelled.then_some(tasks) })
}

fn audit_row(plan: &Plan, deleted: Option<u32>) -> Row {
    let status = if plan.status.is_empty() { "none" } else { &plan.status };
    let details = match deleted {
        Some(count) => format!("Status: {status}; open tasks deleted: {count}"),
        None => format!("Status: {status}"),
    };
    let mut row = Row::new().set("Kind", KIND).set("RecordId", plan.appointment).set("Details", details);
    if let Some(at) = &plan.at {
        row.put("At", at.clone());
    }
    row
}

#[cfg(test)]
mod tests;
