//! Tokens, tables, fields and records over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Tests.

mod common;

use common::Caspio;
use reqwest::Method;
use serde_json::{Value, json};

const PATIENTS: &str = "/tables/Patients/records";

#[tokio::test]
async fn tokens() {
    let caspio = Caspio::start().await;
    let wrong =
        caspio.ask_token("grant_type=client_credentials&client_id=demo-client&client_secret=no").await;
    assert_eq!((wrong.status, &wrong.body), (400, &json!({"error": "invalid_client"})));
    let odd = caspio.ask_token("grant_type=password&client_id=demo-client&client_secret=demo-secret").await;
    assert_eq!(odd.body["error"], "unsupported_grant_type");

    let basic = caspio
        .http
        .post(format!("{}/oauth/token", caspio.running.base_url()))
        .basic_auth("demo-client", Some("demo-secret"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials");
    let granted: Value = serde_json::from_str(&basic.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(granted["token_type"], "bearer");
    assert_eq!(granted["expires_in"], 86399);
    assert_eq!(granted["access_token"].as_str().unwrap().len(), 300);
    assert_eq!(granted["refresh_token"].as_str().unwrap().len(), 64);

    // An earlier token still works; a refresh token works once.
    assert_eq!(caspio.get("/tables", &[]).await.status, 200);
    let form = format!(
        "grant_type=refresh_token&client_id=demo-client&client_secret=demo-secret&refresh_token={}",
        granted["refresh_token"].as_str().unwrap()
    );
    assert_eq!(caspio.ask_token(&form).await.status, 200);
    assert_eq!(caspio.ask_token(&form).await.body["error"], "invalid_grant");

    caspio.admin(Method::POST, "/tokens/revoke", None).await;
    let refused = caspio.get("/tables", &[]).await;
    assert_eq!((refused.status, refused.code()), (401, "Unauthorized"));
    assert_eq!(refused.request_id.as_deref(), refused.body["RequestId"].as_str());
}

#[tokio::test]
async fn tokens_run_out() {
    let mut caspio = Caspio::start().await;
    caspio.settings(json!({"TokenLifetimeSeconds": 0})).await;
    caspio.renew().await;
    assert_eq!(caspio.get("/tables", &[]).await.status, 401);
}

#[tokio::test]
async fn tables_and_fields() {
    let caspio = Caspio::start().await;
    let names = caspio.get("/tables", &[]).await;
    assert_eq!(
        names.body,
        json!({"Result": ["Appointments", "AuditTrail", "Contacts", "Documents", "Patients", "Practitioners", "Tasks"]})
    );
    assert!(names.request_id.is_some());
    let one = caspio.get("/tables/patients", &[]).await;
    assert_eq!(one.body["Result"]["Name"], "Patients");
    assert_eq!(caspio.get("/tables/Nope", &[]).await.code(), "ObjectNotFound");

    let fields = caspio.get("/tables/Patients/fields", &[]).await;
    assert_eq!(
        fields.rows()[2],
        json!({
            "Name": "Email", "TableFieldName": null, "Type": "STRING", "Unique": true, "Editable": true,
            "Description": "", "DisplayOrder": 3, "Label": "", "UniqueAllowNulls": true, "IsFormula": false,
        })
    );
    assert_eq!(fields.rows()[7]["ListField"]["2"], "Spanish");
    assert_eq!(fields.rows()[8]["Editable"], false);
    assert!(fields.rows().iter().all(|field| field["Name"] != "PK_ID"));

    let made = caspio
        .post("/tables", &[], json!({"Name": "New", "Fields": [{"Name": "A", "Type": "STRING"}]}))
        .await;
    assert_eq!((made.status, &made.body), (201, &Value::Null));
    assert_eq!(
        caspio
            .post("/tables", &[], json!({"Name": "new", "Fields": [{"Name": "A", "Type": "STRING"}]}))
            .await
            .status,
        400
    );
    assert_eq!(
        caspio.post("/tables", &[], json!({"Name": "T", "Columns": []})).await.code(),
        "IncorrectBodyParameter"
    );
    caspio.post("/tables/New/records", &[], json!({"A": "x"})).await;
    assert_eq!(
        caspio
            .post("/tables/New/fields", &[], json!({"Name": "N", "Type": "AUTONUMBER", "Unique": true}))
            .await
            .status,
        201
    );
    assert_eq!(
        caspio.put("/tables/New/fields/N", &[], json!({"Label": "Number", "Name": "M"})).await.status,
        204
    );
    assert_eq!(caspio.get("/tables/New/fields/M", &[]).await.body["Result"]["Label"], "Number");
    assert_eq!(
        caspio.get("/tables/New/records", &[]).await.body,
        json!({"Result": [{"PK_ID": 1, "A": "x", "M": 1}]})
    );
    assert_eq!(caspio.delete("/tables/New/fields/A", &[]).await.status, 204);
    assert_eq!(caspio.get("/tables/New/fields/A", &[]).await.code(), "FieldNotFound");
    assert_eq!(caspio.delete("/tables/New", &[]).await.status, 405);
    assert_eq!(caspio.get("/nothing", &[]).await.status, 404);
}

#[tokio::test]
async fn every_type() {
    let caspio = Caspio::seeded(json!({
        "Clients": [{"client_id": "demo-client", "client_secret": "demo-secret"}],
        "Tables": [{"Name": "All", "Fields": [
            {"Name": "S", "Type": "STRING"}, {"Name": "T", "Type": "TEXT"}, {"Name": "N", "Type": "NUMBER"},
            {"Name": "I", "Type": "INTEGER"}, {"Name": "C", "Type": "CURRENCY"}, {"Name": "Y", "Type": "YES/NO"},
            {"Name": "D", "Type": "DATE/TIME"}, {"Name": "Stamp", "Type": "TIMESTAMP", "OnUpdate": true},
            {"Name": "A", "Type": "AUTONUMBER", "Unique": true},
            {"Name": "P", "Type": "PREFIXED AUTONUMBER", "Unique": true, "Prefix": "INV-", "Format": "0001"},
            {"Name": "R", "Type": "RANDOM ID", "Unique": true, "Format": "0", "Length": 8},
            {"Name": "G", "Type": "GUID", "Unique": true}, {"Name": "Pw", "Type": "PASSWORD"},
            {"Name": "F", "Type": "FILE"}, {"Name": "At", "Type": "ATTACHMENT"},
            {"Name": "L", "Type": "LIST-STRING", "ListField": ["Cat", "Dog", "Bird"]},
            {"Name": "LN", "Type": "LIST-NUMBER", "ListField": ["10", "20"]},
        ]}]
    }))
    .await;
    let path = "/tables/All/records";
    let rows = [("response", "rows")];
    let empty = caspio.post(path, &rows, json!({})).await;
    assert_eq!(empty.status, 201);
    let row = &empty.rows()[0];
    for (name, value) in [
        ("PK_ID", json!(1)),
        ("S", json!("")),
        ("T", json!("")),
        ("N", Value::Null),
        ("C", Value::Null),
        ("Y", json!(false)),
        ("D", Value::Null),
        ("Stamp", Value::Null),
        ("A", json!(1)),
        ("P", json!("INV-0001")),
        ("F", Value::Null),
        ("L", Value::Null),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    assert_eq!(row["R"].as_str().unwrap().len(), 8);
    assert_eq!(row["G"].as_str().unwrap().len(), 36);
    assert!(row.get("Pw").is_none());

    let body = json!({
        "S": "ü", "T": "long", "N": "12.50", "I": 7, "C": 1.25, "Y": "1", "D": "2024-01-31T10:00:00.000Z",
        "Pw": "secret", "F": "/Folder/x.png", "L": "[1], [3]", "LN": [2]
    });
    let full = caspio.post(path, &rows, body).await;
    assert_eq!(full.status, 201, "{}", full.body);
    let row = &full.rows()[0];
    for (name, value) in [
        ("PK_ID", json!(2)),
        ("S", json!("ü")),
        ("N", json!(12.5)),
        ("I", json!(7)),
        ("C", json!(1.25)),
        ("Y", json!(true)),
        ("D", json!("2024-01-31T10:00:00")),
        ("P", json!("INV-0002")),
        ("L", json!({"1": "Cat", "3": "Bird"})),
        ("LN", json!({"2": 20})),
        ("F", json!("/Folder/x.png")),
    ] {
        assert_eq!(row[name].to_string(), value.to_string(), "{name}");
    }
    assert!(full.location.is_some_and(|location| location.ends_with("/tables/All/records/2")));

    for body in [
        json!({"N": "x"}),
        json!({"I": 1.5}),
        json!({"I": 3_000_000_000_u64}),
        json!({"C": 0.00001}),
        json!({"Y": "maybe"}),
        json!({"D": ""}),
        json!({"D": "soon"}),
        json!({"L": "Cat"}),
        json!({"L": [9]}),
        json!({"S": "x".repeat(256)}),
        json!({"S": {}}),
    ] {
        let refused = caspio.post(path, &[], body.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, "InvalidInputValue"), "{body}");
    }
    for body in [
        json!({"A": 1}),
        json!({"G": "x"}),
        json!({"Stamp": "2024-01-01"}),
        json!({"PK_ID": 9}),
        json!([{"S": "x"}]),
    ] {
        let refused = caspio.post(path, &[], body.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, "IncorrectBodyParameter"), "{body}");
    }
    let stamped = caspio
        .put(path, &[("q.where", "PK_ID=1"), ("response", "rows")], json!({"L": ["dog"], "D": null}))
        .await;
    assert_eq!(stamped.rows()[0]["L"], json!({"2": "Dog"}));
    assert!(stamped.rows()[0]["Stamp"].is_string());
    assert_eq!(caspio.get("/tables/All/passwordFields", &[]).await.body, json!({"Result": ["Pw"]}));
    let set =
        caspio.put("/tables/All/passwordFields/Pw", &[("q.where", "PK_ID=1")], json!({"Value": "p"})).await;
    assert_eq!(set.body, json!({"RecordsAffected": 1}));
    assert_eq!(caspio.get(path, &[("q.where", "Pw='p'")]).await.status, 400);
}

#[tokio::test]
async fn writes() {
    let caspio = Caspio::start().await;
    let made = caspio.post(PATIENTS, &[], json!({"FirstName": "New", "Email": "new@example.org"})).await;
    assert_eq!((made.status, &made.body), (201, &Value::Null));
    let twice = caspio.post(PATIENTS, &[], json!({"Email": "NEW@example.org "})).await;
    assert_eq!((twice.status, twice.code()), (400, "SqlServerError"));
    let unknown = caspio.post(PATIENTS, &[], json!({"Nope": 1})).await;
    assert_eq!((unknown.status, unknown.code()), (404, "FieldNotFound"));

    let no_where = caspio.put(PATIENTS, &[], json!({"Phone": "1"})).await;
    assert_eq!((no_where.status, no_where.code()), (400, "IncorrectQueryParameter"));
    assert_eq!(caspio.delete(PATIENTS, &[]).await.code(), "IncorrectQueryParameter");
    assert_eq!(caspio.get(PATIENTS, &[]).await.rows().len(), 4);
    let none = caspio.put(PATIENTS, &[("q.where", "PK_ID=99")], json!({"Phone": "1"})).await;
    assert_eq!((none.status, none.body), (200, json!({"RecordsAffected": 0})));
    // One value for a unique field of two rows: nothing is changed.
    let clash = caspio.put(PATIENTS, &[("q.where", "PK_ID<3")], json!({"Email": "same@example.org"})).await;
    assert_eq!(clash.code(), "SqlServerError");
    let some =
        caspio.put(PATIENTS, &[("where", "PK_ID<3"), ("response", "rows")], json!({"Phone": "9"})).await;
    assert_eq!(some.body["RecordsAffected"], 2);
    assert_eq!(some.rows()[1]["Email"], "miguel@example.org");
    assert_eq!(
        caspio.delete(PATIENTS, &[("q.where", "Phone='9'")]).await.body,
        json!({"RecordsAffected": 2})
    );
    // The address is free again.
    assert_eq!(caspio.post(PATIENTS, &[], json!({"Email": "ada@example.org"})).await.status, 201);

    let no_type = caspio.request(Method::POST, PATIENTS, &[]).body("{}").send().await.unwrap();
    assert_eq!(no_type.status(), 415);
    let long = format!("FirstName='{}'", "x".repeat(2100));
    assert_eq!(caspio.get(PATIENTS, &[("q.where", &long)]).await.status, 414);
}

#[tokio::test]
async fn paging() {
    let caspio = Caspio::start().await;
    let rows: Vec<Value> = (0..150).map(|n| json!({"Title": format!("t{n}"), "PatientId": n})).collect();
    caspio.admin(Method::POST, "/rows/Tasks?source=Import", Some(Value::Array(rows))).await;
    let path = "/tables/Tasks/records";
    assert_eq!(caspio.get(path, &[]).await.rows().len(), 100);
    assert_eq!(caspio.get(path, &[("q.limit", "1")]).await.rows().len(), 1);
    assert_eq!(caspio.get(path, &[("q.pageNumber", "2")]).await.rows().len(), 25);
    for (name, value) in [("q.limit", "1001"), ("q.pageSize", "4"), ("q.pageNumber", "0"), ("q.limit", "x")] {
        assert_eq!(
            caspio.get(path, &[(name, value)]).await.code(),
            "IncorrectQueryParameter",
            "{name} {value}"
        );
    }
    let last = caspio
        .get(
            path,
            &[
                ("Q.PAGESIZE", "100"),
                ("q.pageNumber", "2"),
                ("q.orderby", "PK_ID desc"),
                ("q.getPaginationInfo", "true"),
                ("q.limit", "1"),
            ],
        )
        .await;
    assert_eq!(last.rows().len(), 51);
    assert_eq!(last.rows()[50]["PK_ID"], 1);
    assert_eq!(last.body["Pagination"], json!({"TotalCount": 151, "PageNumber": 2, "PageSize": 100}));
    let first = |answer: &common::Answer| {
        answer.rows().iter().map(|row| row["PK_ID"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let (one, two) = (caspio.get(path, &[]).await, caspio.get(path, &[]).await);
    assert_ne!(first(&one), first(&two), "unordered reads are shuffled");
    caspio.settings(json!({"ShuffleUnordered": false})).await;
    assert_eq!(first(&caspio.get(path, &[]).await), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn rate_limit_and_alias() {
    let caspio = Caspio::start().await;
    let alias = format!("{}/rest/v2/tables", caspio.running.base_url());
    assert_eq!(caspio.http.get(&alias).bearer_auth(&caspio.token).send().await.unwrap().status(), 200);
    let wrong = format!("{}/rest/v3/tables", caspio.running.base_url());
    assert_eq!(caspio.http.get(&wrong).bearer_auth(&caspio.token).send().await.unwrap().status(), 404);
    caspio.settings(json!({"RateLimit": {"Calls": 0, "Form": "Array400"}})).await;
    let limited = caspio.get("/tables", &[]).await;
    assert_eq!((limited.status, &limited.body[0]["name"]), (400, &json!("api-calls-rate")));
    caspio.settings(json!({"RateLimit": {"Calls": 0, "RetryAfterSeconds": 3}})).await;
    let response = caspio.request(Method::GET, "/tables", &[]).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "3"));
}

#[tokio::test]
async fn a_profile_may_be_narrow() {
    let table =
        |name: &str| json!({"Name": name, "Fields": [{"Name": "A", "Type": "AUTONUMBER", "Unique": true}]});
    let caspio = Caspio::seeded(json!({
        "Clients": [{
            "client_id": "demo-client", "client_secret": "demo-secret", "Tables": ["One"],
            "CanCreateObjects": false, "CanManageWebhooks": false, "CanManageFiles": false
        }],
        "Tables": [table("One"), table("Two")]
    }))
    .await;
    assert_eq!(caspio.get("/tables", &[]).await.body, json!({"Result": ["One"]}));
    assert_eq!(caspio.get("/tables/Two/records", &[]).await.status, 403);
    assert_eq!(caspio.post("/tables", &[], table("Three")).await.status, 403);
    assert_eq!(caspio.get("/outgoingWebhooks", &[]).await.code(), "InsufficientPrivileges");
    assert_eq!(caspio.get("/files", &[]).await.status, 403);
    // An import may set what is generated; counters follow.
    caspio.admin(Method::POST, "/rows/One?source=Import", Some(json!({"PK_ID": 7, "A": 40}))).await;
    caspio.post("/tables/One/records", &[], json!({})).await;
    assert_eq!(
        caspio.admin(Method::GET, "/rows/One", None).await.body,
        json!([{"PK_ID": 7, "A": 40}, {"PK_ID": 8, "A": 41}])
    );
    assert_eq!(caspio.admin(Method::POST, "/rows/One", Some(json!({"PK_ID": 9}))).await.status, 400);
}
