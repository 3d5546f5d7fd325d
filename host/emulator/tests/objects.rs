//! Views, attachments, files, directories and tasks, on the sample clinic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Tests.

mod common;

use common::{Answer, Caspio, Receiver};
use reqwest::Method;
use serde_json::{Value, json};

/// A request with one or more files, as a browser or a client library makes it.
async fn send(
    caspio: &Caspio,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    files: &[(&str, &str, &str, &[u8])],
) -> Answer {
    let mut body = Vec::new();
    for (part, name, kind, bytes) in files {
        body.extend(
            format!(
                "--cut\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\n\
                 Content-Type: {kind}\r\n\r\n"
            )
            .bytes(),
        );
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--cut--\r\n");
    let request = caspio
        .request(method, path, query)
        .header("content-type", "multipart/form-data; boundary=cut")
        .body(body);
    Answer::of(request.send().await.unwrap()).await
}

/// Content type, content disposition and bytes of a download.
async fn download(caspio: &Caspio, path: &str, query: &[(&str, &str)]) -> (String, String, Vec<u8>) {
    let response = caspio.request(Method::GET, path, query).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (kind, disposition) = (header("content-type"), header("content-disposition"));
    (kind, disposition, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn a_view_over_one_table() {
    let caspio = Caspio::start().await;
    let names = caspio.get("/views", &[]).await.body;
    assert_eq!(names, json!({"Result": ["ActivePatients", "PatientDocuments", "PatientVisits"]}));
    let view = caspio.get("/views/activepatients", &[]).await.body;
    assert_eq!(view["Result"]["Name"], "ActivePatients");
    let fields = caspio.get("/views/ActivePatients/fields", &[]).await;
    assert_eq!(fields.rows()[0]["TableFieldName"], "Patients.FirstName");
    assert_eq!(fields.rows()[0]["Editable"], true);
    let one = caspio.get("/views/ActivePatients/fields/languages", &[]).await.body;
    assert_eq!(one["Result"]["ListField"]["1"], "English");
    assert_eq!(caspio.get("/views/ActivePatients/fields/Phone", &[]).await.code(), "FieldNotFound");
    assert_eq!(caspio.get("/views/Nothing/records", &[]).await.code(), "ObjectNotFound");

    let path = "/views/ActivePatients/records";
    let rows = caspio.get(path, &[("q.orderBy", "PK_ID"), ("q.getPaginationInfo", "true")]).await;
    assert_eq!(rows.body["Pagination"]["TotalCount"], 2);
    assert_eq!(rows.rows()[0]["PK_ID"], "1");
    assert_eq!(rows.rows()[0]["Languages"], json!({"1": "English", "3": "French"}));
    let count = caspio.get(path, &[("q.select", "COUNT(*) AS n, SUM(Balance) AS s")]).await;
    assert_eq!(count.rows()[0], json!({"n": 2, "s": 120.5}));

    let rows = [("response", "rows")];
    let made = caspio.post(path, &rows, json!({"FirstName": "Joan", "Active": true})).await;
    assert_eq!((made.status, &made.rows()[0]["FirstName"]), (201, &json!("Joan")), "{}", made.body);
    let hidden = caspio.post(path, &rows, json!({"FirstName": "Hal", "Active": false})).await;
    assert_eq!((hidden.status, &hidden.body), (201, &json!({"Result": []})), "the view does not show it");
    let phone = caspio.post(path, &[], json!({"Phone": "1"})).await;
    assert_eq!(phone.code(), "FieldNotFound", "{}", phone.body);

    let by = [("q.where", "PK_ID=1"), ("response", "rows")];
    let left = caspio.put(path, &by, json!({"Active": false})).await;
    assert_eq!(left.body, json!({"RecordsAffected": 1, "Result": []}), "it has left the view");
    let none = caspio.put(path, &by, json!({"Active": true})).await;
    assert_eq!(none.body["RecordsAffected"], 0, "what the view does not show cannot be written through it");
    assert_eq!(caspio.put(path, &[], json!({"Active": true})).await.code(), "IncorrectQueryParameter");
    let gone = caspio.delete(path, &[("where", "FirstName = 'Joan'")]).await;
    assert_eq!(gone.body, json!({"RecordsAffected": 1}));
    let left = caspio.get("/tables/Patients/records", &[("q.where", "FirstName='Joan'")]).await;
    assert!(left.rows().is_empty());
}

#[tokio::test]
async fn a_view_over_two_tables() {
    let caspio = Caspio::start().await;
    let path = "/views/PatientVisits/records";
    let rows = caspio.get(path, &[("q.where", "LastName = 'byron'")]).await;
    assert_eq!(
        rows.rows()[0],
        json!({"PK_ID": "1,1", "_PK_ID_Appointments": 1, "_PK_ID_Patients": 1, "StartsAt": "2026-02-10T09:30:00",
               "Status": "Booked", "FirstName": "Ada", "LastName": "Byron", "PatientPhone": "+1 555 0100"})
    );
    let fields = caspio.get("/views/PatientVisits/fields", &[]).await;
    assert_eq!(fields.rows()[4]["Name"], "PatientPhone");
    assert_eq!(fields.rows()[4]["TableFieldName"], "Patients.Phone");
    assert_eq!(fields.rows()[4]["Editable"], false);
    let refused = caspio.put(path, &[("q.where", "PK_ID='1,1'")], json!({"Status": "Done"})).await;
    assert_eq!(refused.status, 403, "{}", refused.body);

    let path = "/views/PatientDocuments/records";
    let by = [("q.where", "Patient = 'Byron'"), ("response", "rows")];
    let changed = caspio.put(path, &by, json!({"Title": "Consent"})).await;
    assert_eq!(changed.body["Result"][0]["Title"], "Consent", "{}", changed.body);
    assert_eq!(caspio.put(path, &by, json!({"Patient": "X"})).await.code(), "IncorrectBodyParameter");
    let made = caspio.post(path, &[("response", "rows")], json!({"Title": "No patient"})).await;
    assert_eq!(made.rows()[0]["PK_ID"], "3,", "the join is an outer one");
    assert_eq!(made.rows()[0]["Patient"], "");
}

#[tokio::test]
async fn attachments() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.hook(&receiver.url, json!({"EventType": "table.recordUpdate", "ObjectName": "Documents"})).await;

    let (kind, disposition, bytes) = download(&caspio, "/tables/Documents/attachments/Scan/1", &[]).await;
    assert_eq!((kind.as_str(), bytes.as_slice()), ("text/plain", &b"I agree to the treatment.\n"[..]));
    assert!(disposition.contains("consent.txt"), "{disposition}");
    let missing = caspio.get("/tables/Documents/attachments/Scan/2", &[]).await;
    assert_eq!((missing.status, missing.code()), (404, "FileNotFound"));
    assert_eq!(caspio.get("/tables/Documents/attachments/Title/1", &[]).await.code(), "FieldNotFound");
    assert_eq!(caspio.get("/tables/Documents/attachments/Scan/99", &[]).await.code(), "ObjectNotFound");

    let scan = "/tables/Documents/attachments/Scan/2";
    let broken = ("File", "scan.pdf", "application/pdf", &b"%PDF-\r\n--cut\x00\xff"[..]);
    let sent =
        send(&caspio, Method::PUT, scan, &[], &[("File", "scan.pdf", "application/pdf", b"%PDF-\x00\xff")])
            .await;
    assert_eq!(sent.status, 204, "{}", sent.body);
    assert_eq!(download(&caspio, scan, &[]).await.2, b"%PDF-\x00\xff");
    assert_eq!(send(&caspio, Method::PUT, scan, &[], &[broken]).await.code(), "IncorrectBodyParameter");
    assert_eq!(caspio.put(scan, &[], json!({})).await.status, 415);
    let row = caspio.get("/tables/Documents/records", &[("q.where", "PK_ID=2")]).await;
    assert_eq!(row.rows()[0]["Scan"], "scan.pdf");
    let written =
        caspio.put("/tables/Documents/records", &[("q.where", "PK_ID=2")], json!({"Scan": "x"})).await;
    assert_eq!(written.status, 400, "an attachment is written by its own route only");

    let info = "/tables/Documents/attachments/Scan/fileInfo";
    let all = caspio.get(info, &[]).await;
    assert_eq!(all.rows().len(), 2);
    let renamed =
        caspio.put(info, &[("where", "PK_ID=2"), ("response", "rows")], json!({"FileName": "lab"})).await;
    assert_eq!(renamed.body, json!({"RecordsAffected": 1, "Result": [{"PK_ID": 2, "Scan": "lab.pdf"}]}));
    let one = caspio.get(info, &[("q.where", "PK_ID=2")]).await;
    assert_eq!(one.rows()[0]["FileName"], "lab");
    assert_eq!((&one.rows()[0]["FileType"], &one.rows()[0]["Size"]), (&json!("pdf"), &json!(7)));

    let view = "/views/PatientDocuments/attachments/Scan";
    assert_eq!(download(&caspio, &format!("{view}/1,1"), &[]).await.2, b"I agree to the treatment.\n");
    let shown = caspio.get(&format!("{view}/fileInfo"), &[("q.where", "Patient = 'O''Hara'")]).await;
    assert_eq!(shown.rows()[0]["PK_ID"], "2,2");
    let gone = caspio.delete(view, &[("q.where", "Patient = 'O''Hara'")]).await;
    assert_eq!(gone.body, json!({"RecordsAffected": 1}));
    assert_eq!(caspio.get(scan, &[]).await.status, 404);

    caspio.settings(json!({"MaxFileBytes": 3})).await;
    let large = send(&caspio, Method::PUT, scan, &[], &[("File", "a.txt", "text/plain", b"four")]).await;
    assert_eq!(large.status, 413);
    let messages = caspio.settled().await;
    assert_eq!(messages.len(), 3, "upload, rename and delete are changes of the record");
}

#[tokio::test]
async fn files_and_folders() {
    let caspio = Caspio::start().await;
    let folders = caspio.get("/files/folders", &[("sortDescending", "true")]).await;
    let names: Vec<&Value> = folders.rows().iter().map(|folder| &folder["Name"]).collect();
    assert_eq!(names, ["Templates", "Portraits"]);
    assert_eq!(folders.body["Pagination"], json!({"TotalCount": 2, "PageNumber": 1, "PageSize": 25}));
    let templates = folders.rows()[0]["ExternalKey"].as_str().unwrap();
    let inner = caspio.get("/files/folders", &[("externalKey", templates)]).await;
    assert_eq!(inner.rows()[0]["Name"], "Letters");
    assert_eq!(
        caspio.get(&format!("/files/folders/{templates}"), &[]).await.body["Result"]["Name"],
        "Templates"
    );
    let folder = [("externalKey", templates)];

    let two: [(&str, &str, &str, &[u8]); 2] =
        [("Files", "a.txt", "text/plain", b"a"), ("Files", "b.txt", "text/plain", b"bb")];
    let made = send(&caspio, Method::POST, "/files", &folder, &two).await;
    assert_eq!((made.status, made.rows().len()), (201, 2), "{}", made.body);
    let key = made.rows()[1]["ExternalKey"].as_str().unwrap().to_owned();
    let again =
        send(&caspio, Method::POST, "/files", &folder, &[("Files", "c.txt", "text/plain", b"c"), two[1]])
            .await;
    assert_eq!(again.status, 409);
    let list = caspio
        .get("/files", &[folder[0], ("sortField", "Size"), ("sortDescending", "true"), ("pageSize", "5")])
        .await;
    let names: Vec<&Value> = list.rows().iter().map(|file| &file["Name"]).collect();
    assert_eq!(names, ["reminder.txt", "b.txt", "a.txt"], "nothing of the refused upload is there");
    let page = caspio.get("/files", &[folder[0], ("pageNumber", "2"), ("pageSize", "5")]).await;
    assert!(page.rows().is_empty());
    for bad in [("pageSize", "4"), ("sortField", "Colour"), ("externalKey", "x"), ("pageNumber", "0")] {
        assert_eq!(caspio.get("/files", &[bad]).await.code(), "IncorrectQueryParameter", "{bad:?}");
    }

    let put = send(&caspio, Method::PUT, "/files", &folder, &[("File", "B.TXT", "text/csv", b"new")]).await;
    assert_eq!(
        (put.status, put.body["Result"]["ExternalKey"].as_str()),
        (200, Some(key.as_str())),
        "{}",
        put.body
    );
    let new = send(&caspio, Method::PUT, "/files", &[], &[("File", "d.txt", "text/plain", b"d")]).await;
    assert_eq!(new.status, 201);
    assert_eq!(download(&caspio, &format!("/files/{key}"), &[]).await.2, b"new");
    let info = caspio.get(&format!("/files/{key}/fileInfo"), &[]).await.body;
    assert_eq!((&info["Result"]["Size"], &info["Result"]["ContentType"]), (&json!(3), &json!("text/csv")));

    let path = [("filePath", "/templates/letters/referral.html")];
    assert_eq!(download(&caspio, "/files/path", &path).await.2, b"<p>Dear colleague,</p>\n");
    let info = caspio.get("/files/path/fileInfo", &path).await;
    assert_eq!(info.body["Result"]["Name"], "referral.html");
    assert_eq!(caspio.delete("/files/path", &path).await.status, 204);
    assert_eq!(caspio.get("/files/path", &path).await.code(), "FileNotFound");
    assert_eq!(caspio.delete(&format!("/files/{key}"), &[]).await.status, 204);
    assert_eq!(caspio.delete(&format!("/files/{key}"), &[]).await.code(), "FileNotFound");
    assert_eq!(caspio.delete("/files", &[]).await.status, 405);
    assert_eq!(caspio.post("/files", &[], json!({})).await.status, 415);
}

#[tokio::test]
async fn directories_and_users() {
    let caspio = Caspio::start().await;
    let list = caspio.get("/directories", &[]).await;
    let directory = &list.rows()[0];
    assert_eq!((&directory["Name"], &directory["NumberOfUsers"]), (&json!("Staff"), &json!(3)));
    let users = format!("/directories/{}/users", directory["Id"].as_str().unwrap());
    let fields = caspio.get("/tables/Staff/fields", &[]).await;
    let names: Vec<&Value> = fields.rows().iter().map(|field| &field["Name"]).collect();
    assert_eq!(names, ["UserGUID", "Email", "FirstName", "LastName", "Role", "OnCall"]);
    assert_eq!(caspio.get("/tables/Staff/records", &[]).await.status, 404);

    let active = caspio.get(&users, &[("q.where", "_status = 'Active'"), ("q.orderBy", "Email")]).await;
    assert_eq!(active.rows().len(), 2);
    assert_eq!(active.rows()[0]["_sign_in_method"], "Caspio");
    let counted =
        caspio.get(&users, &[("q.select", "_status, COUNT(*) AS n"), ("q.groupBy", "_status")]).await;
    assert_eq!(counted.rows().len(), 2, "{}", counted.body);

    let made =
        caspio.post(&users, &[("response", "rows")], json!({"Email": "a@b.example", "Role": "Nurse"})).await;
    assert_eq!((made.status, &made.rows()[0]["_status"]), (201, &json!("Inactive")), "{}", made.body);
    let guid = made.rows()[0]["UserGUID"].as_str().unwrap();
    assert_eq!(caspio.post(&users, &[], json!({"Email": "A@B.example"})).await.status, 400);
    assert_eq!(caspio.post(&users, &[], json!({"Role": "Nurse"})).await.code(), "IncorrectBodyParameter");
    let changed = caspio
        .put(&users, &[("Where", "Role = 'Nurse'"), ("response", "rows")], json!({"OnCall": "1"}))
        .await;
    assert_eq!(changed.body["UsersAffected"], 2, "{}", changed.body);
    let hidden = caspio.put(&users, &[("Where", "_status = 'Active'")], json!({"OnCall": true})).await;
    assert_eq!(hidden.code(), "IncorrectQueryParameter");

    let activate = format!("{users}/activate");
    let asked = caspio.post(&activate, &[], json!({"UserGUID": guid, "SendEmail": false})).await;
    let link = asked.body["Result"]["ActivationUrl"].as_str().unwrap();
    assert_eq!(caspio.http.get(link).send().await.unwrap().status(), 200);
    let again = caspio.post(&activate, &[], json!({"UserGUID": guid})).await;
    assert_eq!(again.status, 409);
    assert_eq!(caspio.post(&activate, &[], json!({"UserGUID": "x"})).await.status, 404);
    let gone = caspio.delete(&users, &[("Where", &format!("UserGUID = '{guid}'"))]).await;
    assert_eq!(gone.body, json!({"UsersAffected": 1}));
    assert_eq!(caspio.delete(&users, &[]).await.code(), "IncorrectQueryParameter");
}

#[tokio::test]
async fn tasks_import_without_webhooks() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio.hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Contacts"})).await;
    let list = caspio.get("/dataImportExportTasks", &[]).await;
    assert_eq!(list.rows().len(), 2);
    let key = list.rows()[0]["ExternalKey"].as_str().unwrap();
    let path = format!("/dataImportExportTasks/{key}");
    assert_eq!(caspio.get(&path, &[]).await.body["Result"]["Name"], "Import contacts");
    for _ in 0..2 {
        let run = caspio.request(Method::POST, &format!("{path}/run"), &[]).send().await.unwrap();
        assert_eq!(run.status(), 204);
    }
    let rows = caspio.get("/tables/Contacts/records", &[("q.where", "Source = 'Import'")]).await;
    assert_eq!(rows.rows().len(), 2, "one was updated, one inserted, once");
    assert!(caspio.settled().await.is_empty());
    let runs = caspio.admin(Method::GET, "/tasks", None).await.body;
    assert_eq!((&runs[0]["Runs"], &runs[0]["Failure"]), (&json!(2), &Value::Null));
    assert_eq!(caspio.get("/dataImportExportTasks/none", &[]).await.code(), "ObjectNotFound");
    assert_eq!(caspio.get(&format!("{path}/run"), &[]).await.status, 405);
}
