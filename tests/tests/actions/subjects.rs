//! What each call does and answers, against the sample clinic.

use caspian_e2e::{HostOptions, Site, SiteOptions};
use serde_json::json;

use crate::{assert_lines, line, ran};

#[tokio::test]
async fn numbers_are_reckoned_by_caspio() {
    let (site, run) = ran("numbers").await;
    // Three patients of the seed and the one that started the run.
    assert_lines(
        &run,
        &[
            ("all", "4"),
            ("none", "0"),
            ("nothing", "n=0,owed=-"),
            ("text", "~only numbers have a sum"),
            ("name", "~letters, digits and underscores"),
        ],
    );
    let active: u64 = line(&run, "active").parse().unwrap();
    assert_eq!(line(&run, "view"), active.to_string());
    assert_eq!(line(&run, "view groups"), format!("Active=true,n={active}"));
    let groups: Vec<&str> = line(&run, "groups").split("; ").collect();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert!(groups[0].starts_with(&format!("Active=true,n={active},owed=120.5")), "{groups:?}");
    assert!(groups[0].contains("first=1985-12-10T00:00:00,last=O'Hara"), "{groups:?}");
    assert!(groups[1].starts_with("Active=false,n="), "{groups:?}");
    assert!(line(&run, "filtered").starts_with("Active=true,n=1,owed=120.5"), "{run:#}");
    // One call each, however many records there are; the schema of the table and of the view besides.
    let steps = run["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["calls"].as_u64().unwrap() <= 2), "{run:#}");
    assert_eq!(site.account.calls("GET", "/integrations/rest/v3/tables/Patients/fields").await, 2);
}

#[tokio::test]
async fn views_are_read() {
    let (_site, run) = ran("views").await;
    assert_lines(
        &run,
        &[
            ("list", "ActivePatients,PatientVisits"),
            ("fields", "FirstName,LastName,Email,Active,Balance,Languages"),
            ("get", "true"),
            ("get none", "true"),
            ("unknown field", "~view 'ActivePatients' has no field 'Nope'"),
            ("denied", "~views.records needs read on this view; add it under [grants] views"),
        ],
    );
    assert!(line(&run, "records").contains("FirstName=Ada,Languages=1=English+3=French"), "{run:#}");
    assert!(line(&run, "key").contains(','), "one number a table: {run:#}");
    assert!(line(&run, "first").contains("Status="), "{run:#}");
}

#[tokio::test]
async fn attachments_are_moved() {
    let (_site, run) = ran("attachments").await;
    assert_lines(
        &run,
        &[
            ("list", "1=consent.txt(26)"),
            ("download", "I agree to the treatment."),
            ("none", "~has no file in field 'Scan'"),
            ("upload", "ok"),
            ("again", "\\r\\n--x\\r\\n\\0all well"),
            ("rename", "true"),
            ("one", "1"),
            ("renamed", "1=consent.txt(26),2=renamed.txt(16)"),
            ("delete", "true"),
            ("deleted", "~has no file in field 'Scan'"),
            ("delete none", "false"),
            ("rename none", "false"),
            ("no record", "~has no such record"),
            ("bad name", "~a file's name has 1 to 255 characters"),
            ("too large", "~larger than the 8388608 bytes that this host takes"),
            ("no attachment", "~it is no ATTACHMENT field"),
        ],
    );
}

#[tokio::test]
async fn files_are_stored_and_deleted() {
    let (site, run) = ran("files").await;
    assert_lines(
        &run,
        &[
            ("folders", "~Templates"),
            ("top", "readme.txt"),
            ("list", "reminder.txt"),
            ("created", "made é.bin,reminder.txt"),
            ("bytes", "[0, 255, 13, 10]"),
            ("create again", "~Caspio has such an object already"),
            ("put", "true"),
            ("other", "5"),
            ("delete", "true"),
            ("delete none", "false"),
            ("download none", "~not found"),
            ("no folder", "~not found"),
            ("trick", "~there can't be anything with the key 'path'"),
        ],
    );
    assert_eq!(site.account.calls("DELETE", "/integrations/rest/v3/files/path").await, 0);
}

#[tokio::test]
async fn users_are_made_changed_activated_and_deleted() {
    let (_site, run) = ran("directories").await;
    assert_lines(
        &run,
        &[
            ("list", "Staff"),
            ("status", "Inactive"),
            ("update", "true"),
            ("name", "O'Probe"),
            ("activate", "true"),
            ("pending", "ActivationPending"),
            ("conflict", "~Unique"),
            ("no field", "~has no field 'Nope'"),
            ("guid", "~Caspio writes it itself"),
            ("nobody", "false"),
            ("delete nobody", "false"),
            ("delete", "true"),
            ("gone", ""),
        ],
    );
    assert!(line(&run, "users").contains("Email=nurse@clinic.example.org,OnCall=true"), "{run:#}");
}

#[tokio::test]
async fn tasks_are_looked_at_and_started() {
    let (site, run) = ran("tasks").await;
    assert_lines(
        &run,
        &[
            ("list", "Import contacts"),
            ("get", "Import contacts Daily"),
            ("run", "ok"),
            ("denied", "~tasks.run needs this task; add it under [grants] tasks"),
        ],
    );
    caspian_e2e::until("the import is done", async || {
        let contacts = site.account.rows("Contacts").await;
        contacts.iter().any(|row| row["Email"] == json!("imported@example.com")).then_some(())
    })
    .await;
}

/// Contents and names of files are values of records: they are in the sealed journal only.
#[tokio::test]
async fn nothing_of_a_file_or_user_is_in_the_log_or_in_clear_on_disk() {
    let host = HostOptions { log: Some("trace".to_owned()), ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    for mode in ["attachments", "files", "directories"] {
        site.deploy(&crate::named(mode, mode)).await.ok();
    }
    site.account.add_patient("Ada").await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    let log = site.host.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is detailed");
    let data = ["caspian.db", "caspian.db-wal"].map(|name| std::fs::read(site.host.data().join(name)));
    let data: Vec<u8> = data.into_iter().filter_map(Result::ok).flatten().collect();
    let data = String::from_utf8_lossy(&data);
    for value in ["I agree to", "all well", "renamed.txt", "consent.txt", "O'Probe", "probe@clinic"] {
        assert!(!log.contains(value), "'{value}' is in the log");
        assert!(!data.contains(value), "'{value}' is on the disk");
    }
    // Whoever asks for values gets no bytes of files.
    let run = runs.iter().find(|run| run["workflow"] == "attachments").expect("its run");
    let id = run["id"].as_str().unwrap();
    let shown = site.host.cli(&["run", "show", id, "--values", "--json"]).await.json();
    let text = shown["steps"].to_string();
    assert!(text.contains("26 bytes") && text.contains("consent.txt"), "{text}");
    assert!(text.len() < 20_000, "{} bytes", text.len());
}
