//! A new patient gets a welcome task, and a contact that other systems can use.
//!
//! What is written is decided first, from the event and the settings alone (`plan`); then it is
//! written: a record in Tasks, then one in Contacts, found by Email. A wrong setting or field ends the
//! run before anything is written. Days are reckoned from the event's date, so a retry writes the same.
//! Texts for the log and the run's result hold ids and counts, nothing of the patient.

use caspian_sdk::prelude::*;

/// A task that is due later than this is a mistyped setting.
const MAX_DUE_DAYS: i64 = 365;

/// What the manifest's `[settings]` say.
struct Settings {
    /// Title of the task.
    welcome_title: String,
    /// Days from the event to the day on which the task is due.
    welcome_due_days: i64,
}

impl Settings {
    fn read() -> Result<Self, Failure> {
        Ok(Self {
            welcome_title: settings::require("welcome_title")?,
            welcome_due_days: settings::parse("welcome_due_days")?
                .or_fatal("setting welcome_due_days is missing; set it under [settings] of the manifest")?,
        })
    }
}

/// What is to be written for one patient.
struct Plan {
    task: Row,
    /// The Email to find the contact by, and the contact; none for a patient without Email.
    contact: Option<(String, Row)>,
}

#[workflow]
fn handle(event: Event) -> Result<String, Failure> {
    let plan = plan(&event, &Settings::read()?)?;
    let task = records("Tasks").create(plan.task)?.pk_id()?;
    log::info!("task {task} created");
    let Some((email, contact)) = plan.contact else {
        log::warn!("the patient has no Email, so no contact was made");
        return Ok(format!("task {task}, no contact"));
    };
    let upserted = match records("Contacts").upsert(field("Email").equals(email), contact) {
        // Someone else created the contact in between; the next try finds and updates it.
        Err(Error::Conflict(_)) => {
            return Err(Failure::retry("the contact was created by someone else meanwhile"));
        }
        answer => answer?,
    };
    let done = if upserted.created { "created" } else { "updated" };
    log::info!("contact {done}");
    Ok(format!("task {task}, contact {done}"))
}

fn plan(event: &Event, settings: &Settings) -> Result<Plan, Failure> {
    let patient = event.row()?;
    let at = happened_at(event, patient)?;
    Ok(Plan { task: task(patient, &at, settings)?, contact: contact(patient, &at)? })
}

/// The event's date. The host may not know it; then the record's own, which is Caspio's local time.
fn happened_at(event: &Event, patient: &Row) -> Result<DateTime, Failure> {
    match event.date_time() {
        Ok(at) => Ok(at),
        Err(_) => Ok(patient.date_time("Created")?),
    }
}

fn task(patient: &Row, at: &DateTime, settings: &Settings) -> Result<Row, Failure> {
    let days = settings.welcome_due_days;
    if !(0..=MAX_DUE_DAYS).contains(&days) {
        return Err(Failure::fatal(format!(
            "setting welcome_due_days is not between 0 and {MAX_DUE_DAYS}; correct it in the manifest and deploy again"
        )));
    }
    let due = at
        .date()
        .and_then(|day| day.plus_days(days))
        .or_fatal("the day on which the task is due can't be reckoned")?;
    Ok(Row::new()
        .set("Title", &settings.welcome_title)
        .set("PatientId", patient.pk_id()?)
        .set("Status", "Open")
        .set("DueDate", DateTime::midnight(due))
        // Who it is stands behind PatientId, for those who may see Patients.
        .set("Notes", "New patient; see PatientId."))
}

fn contact(patient: &Row, at: &DateTime) -> Result<Option<(String, Row)>, Failure> {
    let email = patient.optional_text("Email")?.unwrap_or_default().trim();
    if email.is_empty() {
        return Ok(None);
    }
    let mut contact = Row::new().set("Email", email).set("Source", "Caspian").set("UpdatedAt", at.clone());
    // What is not known of the patient must not blank out what the contact has already.
    let phone = patient.optional_text("Phone")?.unwrap_or_default().trim();
    for (field, text) in [("FullName", full_name(patient)?.as_str()), ("Phone", phone)] {
        if !text.is_empty() {
            contact.put(field, text);
        }
    }
    Ok(Some((email.to_owned(), contact)))
}

fn full_name(patient: &Row) -> Result<String, Failure> {
    let first = patient.optional_text("FirstName")?.unwrap_or_default();
    let last = patient.optional_text("LastName")?.unwrap_or_default();
    Ok([first.trim(), last.trim()].join(" ").trim().to_owned())
}

#[cfg(test)]
mod tests;
