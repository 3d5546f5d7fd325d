//! `q.where`, `q.select`, `q.groupBy` and `q.orderBy` over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Tests.

mod common;

use common::Caspio;
use serde_json::{Value, json};

async fn account() -> Caspio {
    Caspio::seeded(json!({
        "Clients": [{"client_id": "demo-client", "client_secret": "demo-secret"}],
        "Tables": [
            {"Name": "People", "Fields": [
                {"Name": "Name", "Type": "STRING"}, {"Name": "Age", "Type": "INTEGER"},
                {"Name": "Paid", "Type": "CURRENCY"}, {"Name": "Active", "Type": "YES/NO"},
                {"Name": "Born", "Type": "DATE/TIME"}, {"Name": "Code", "Type": "STRING"},
                {"Name": "L", "Type": "LIST-STRING", "ListField": ["a"]}
            ], "Rows": [
                {"Name": "O'Brien", "Age": 30, "Paid": 10.5, "Active": true, "Born": "1990-05-01", "Code": "100%", "L": [1]},
                {"Name": "anna", "Age": 41, "Paid": 2.25, "Active": false, "Born": "1980-01-31T10:00:00", "Code": "1000"},
                {"Name": "Jürgen ", "Active": true, "Code": "a_b"},
                {"Name": "", "Age": 30, "Paid": 1, "Born": "2001-12-31", "Code": "axb"}
            ]},
            {"Name": "Visits", "Fields": [{"Name": "Person", "Type": "INTEGER"}], "Rows": [{"Person": 1}, {"Person": 4}]}
        ]
    }))
    .await
}

async fn keys(caspio: &Caspio, condition: &str) -> Result<Vec<i64>, u16> {
    let answer =
        caspio.get("/tables/People/records", &[("q.where", condition), ("q.orderBy", "PK_ID")]).await;
    if answer.status != 200 {
        assert_eq!(answer.code(), "IncorrectQueryParameter", "{condition}: {}", answer.body);
        return Err(answer.status);
    }
    Ok(answer.rows().iter().map(|row| row["PK_ID"].as_i64().unwrap()).collect())
}

#[tokio::test]
async fn conditions() {
    let caspio = account().await;
    let cases: &[(&str, &[i64])] = &[
        ("PK_ID=1", &[1]),
        ("PK_ID='1'", &[1]),
        ("PK_ID>0", &[1, 2, 3, 4]),
        ("PK_ID IN (1,3,9)", &[1, 3]),
        ("PK_ID NOT IN (1,3)", &[2, 4]),
        ("Name='O''Brien'", &[1]),
        ("Name = N'o''brien  '", &[1]),
        ("Name=N'Jürgen'", &[3]),
        ("[Name]='ANNA' AND [People].[Age]=41", &[2]),
        ("Name LIKE '%N%'", &[1, 2, 3]),
        ("Name NOT LIKE 'a%'", &[1, 3, 4]),
        ("Name LIKE '[a-c]%'", &[2]),
        ("Name LIKE '_nna'", &[2]),
        ("Code LIKE '100[%]'", &[1]),
        ("Code LIKE '100%'", &[1, 2]),
        ("Code LIKE 'a[_]b'", &[3]),
        ("Code LIKE 'a!_b' ESCAPE '!'", &[3]),
        ("Age BETWEEN 30 AND 40", &[1, 4]),
        ("Age NOT BETWEEN 30 AND 40", &[2]),
        ("Age IS NULL", &[3]),
        ("Age IS NOT NULL", &[1, 2, 4]),
        ("(Age IS NULL OR Age = '')", &[3]),
        ("(Born IS NULL OR Born = '')", &[3]),
        ("(Name IS NULL OR Name = '')", &[4]),
        ("Active=1", &[1, 3]),
        ("Active = 0", &[2, 4]),
        ("Active='true'", &[1, 3]),
        ("NOT (Active=1)", &[2, 4]),
        ("Age<>30", &[2]),
        ("Age!=30 OR Age IS NULL", &[2, 3]),
        ("Age = 30 AND Active = 1 OR PK_ID = 3", &[1, 3]),
        ("Paid >= 2.25", &[1, 2]),
        ("Paid = 1.0", &[4]),
        ("Paid + 1 > 11", &[1]),
        ("Age % 2 = 1", &[2]),
        ("-Age = -41", &[2]),
        ("Born >= '1990-05-01'", &[1, 4]),
        ("Born = '1980-01-31T10:00:00'", &[2]),
        ("Born < GetDate()", &[1, 2, 4]),
        ("YEAR(Born)=1980", &[2]),
        ("DATEDIFF(day, '1990-04-30', Born) = 1", &[1]),
        ("Born = DATEADD(day, 1, '1990-04-30')", &[1]),
        ("CAST(Born AS DATE) = '1980-01-31'", &[2]),
        ("UPPER(Name)='ANNA'", &[2]),
        ("LEN(Name)=0", &[4]),
        ("ISNULL(Age,0)=0", &[3]),
        ("CASE WHEN Age>40 THEN 1 ELSE 0 END = 1", &[2]),
        ("PK_ID IN (SELECT Person FROM Visits)", &[1, 4]),
        ("PK_ID NOT IN (SELECT Person FROM Visits WHERE Person > 1)", &[1, 2, 3]),
        ("PK_ID = (SELECT MAX(Person) FROM Visits)", &[4]),
        ("Age = NULL", &[]),
        ("Age NOT IN (41, NULL)", &[]),
        ("L IS NOT NULL", &[1]),
    ];
    for (condition, expected) in cases {
        assert_eq!(keys(&caspio, condition).await.as_deref(), Ok(*expected), "{condition}");
    }
}

#[tokio::test]
async fn refused_conditions() {
    let caspio = account().await;
    for condition in [
        "Active=true",
        "Active=false",
        "Active",
        "Name=\"anna\"",
        "Nope=1",
        "Name='a",
        "Name==1 1",
        "Age='x'",
        "Born='soon'",
        "PK_ID=1; DROP TABLE People",
        "PK_ID=1) OR (1=1",
        "1",
        "Name LIKE 'a' ESCAPE 'xx'",
        "COUNT(*)>1",
        "NOSUCH(Name)=1",
        "L='a'",
        "PK_ID IN (SELECT Person FROM Nope)",
        "PK_ID IN (SELECT * FROM Visits)",
        "Age/0=1",
        "Other.Name='a'",
        "PK_ID=1 UNION SELECT 1",
        "",
    ] {
        if condition.is_empty() {
            continue;
        }
        assert_eq!(keys(&caspio, condition).await, Err(400), "{condition}");
    }
    let deep = format!("{}PK_ID=1{}", "(".repeat(300), ")".repeat(300));
    assert_eq!(keys(&caspio, &deep).await, Err(400));
    let wide = vec!["PK_ID=1"; 150].join(" OR ");
    assert_eq!(keys(&caspio, &wide).await, Ok(vec![1]));
    let calls = format!("{}Name{} = 'anna'", "UPPER(".repeat(20), ")".repeat(20));
    assert_eq!(keys(&caspio, &calls).await, Ok(vec![2]));
    let calls = format!("{}Name{} = 'anna'", "UPPER(".repeat(60), ")".repeat(60));
    assert_eq!(keys(&caspio, &calls).await, Err(400));
    let inner =
        |within: &str| format!("(SELECT MAX(Person) FROM Visits WHERE Person={within}{})", "+1".repeat(40));
    let chained = format!("PK_ID={}", inner(&inner(&inner("1"))));
    assert_eq!(keys(&caspio, &chained).await, Err(400));
    let sums = format!("PK_ID = 1{}", "+1".repeat(300));
    assert_eq!(keys(&caspio, &sums).await, Err(400));
    let nested = "PK_ID IN (SELECT Person FROM Visits WHERE ".repeat(8) + "1=1" + &")".repeat(8);
    assert_eq!(keys(&caspio, &nested).await, Err(400));
    let widest = vec!["1=1"; 210].join(" OR ");
    assert_eq!(keys(&caspio, &widest).await, Ok(vec![1, 2, 3, 4]));
}

#[tokio::test]
async fn selections() {
    let caspio = account().await;
    let read = async |query: &[(&str, &str)]| caspio.get("/tables/People/records", query).await;
    let rows = read(&[("q.select", "name, PK_ID"), ("q.where", "PK_ID=2")]).await;
    assert_eq!(rows.body, json!({"Result": [{"Name": "anna", "PK_ID": 2}]}));
    let rows = read(&[("q.select", "*"), ("q.where", "PK_ID=1")]).await;
    assert_eq!(rows.rows()[0]["L"], json!({"1": "a"}));
    let rows = read(&[(
        "q.select",
        "COUNT(*) AS N, SUM(Paid) AS S, AVG(Age) AS A, MIN(Name) AS First, MAX(Born) AS Last",
    )])
    .await;
    assert_eq!(
        rows.body["Result"].to_string(),
        r#"[{"N":4,"S":13.75,"A":33.666666,"First":"","Last":"2001-12-31T00:00:00"}]"#
    );
    let rows =
        read(&[("q.select", "Age, COUNT(*) AS N"), ("q.groupBy", "Age"), ("q.orderBy", "N DESC, Age")]).await;
    assert_eq!(rows.body["Result"], json!([{"Age": 30, "N": 2}, {"Age": null, "N": 1}, {"Age": 41, "N": 1}]));
    let rows = read(&[("q.select", "COUNT(DISTINCT Age) AS N"), ("q.where", "PK_ID>90")]).await;
    assert_eq!(rows.body["Result"], json!([{"N": 0}]));
    let rows = read(&[("q.orderBy", "Age DESC, Name"), ("q.select", "PK_ID")]).await;
    let order: Vec<&Value> = rows.rows().iter().map(|row| &row["PK_ID"]).collect();
    assert_eq!(order, [2, 4, 1, 3]);
    for query in [
        [("q.select", "Nope"), ("q.limit", "1")],
        [("q.select", "Name, COUNT(*) AS N"), ("q.limit", "1")],
        [("q.select", "COUNT(*)"), ("q.limit", "1")],
        [("q.select", "SUM(COUNT(*)) AS N"), ("q.limit", "1")],
        [("q.orderBy", "Nope"), ("q.limit", "1")],
        [("q.groupBy", "Age"), ("q.orderBy", "PK_ID")],
        [("q.select", "ROW_NUMBER() OVER (ORDER BY Age) AS R"), ("q.limit", "1")],
    ] {
        let refused = read(&query).await;
        assert_eq!((refused.status, refused.code()), (400, "IncorrectQueryParameter"), "{query:?}");
    }
}
