//! Calls about other things than records of tables, on the sample clinic.
//!
//! Every mode returns a line for each call: "name: what it answered", or the error's text.

use std::fmt::Display;

use caspian_sdk::prelude::*;

type Text = Result<String, Failure>;

struct Lines(Vec<String>);

impl Lines {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn add<T: Display>(&mut self, name: &str, answer: Result<T, Error>) {
        let text = answer.map_or_else(|error| error.to_string(), |value| value.to_string());
        self.0.push(format!("{name}: {text}"));
    }

    fn end(self) -> Text {
        Ok(self.0.join("\n"))
    }
}

/// A value's text, whatever its kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.replace('\n', "\\n"),
        Value::Decimal(text) | Value::Date(text) | Value::DateTime(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Choices(list) => {
            list.iter().map(|c| format!("{}={}", c.key, c.label)).collect::<Vec<_>>().join("+")
        }
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}

/// "a=1,b=2; a=3,b=4"
fn rows(rows: Vec<Row>) -> String {
    let row = |row: &Row| {
        row.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>().join(",")
    };
    rows.iter().map(row).collect::<Vec<_>>().join("; ")
}

fn joined(names: Vec<String>) -> String {
    names.join(",")
}

/// Counts and sums over Patients and Appointments, or over a view.
pub(crate) fn numbers() -> Text {
    let mut lines = Lines::new();
    let patients = records("Patients");
    lines.add("all", patients.count(None));
    lines.add("active", patients.count(field("Active").equals(true)));
    lines.add("none", patients.count(field("LastName").equals("Nobody")));
    let by_active = Aggregate::new()
        .count("n")
        .sum("owed", "Balance")
        .average("mean", "Balance")
        .minimum("first", "DateOfBirth")
        .maximum("last", "LastName")
        .count_of("phones", "Phone")
        .count_distinct("names", "FirstName")
        .group_by("Active")
        .order_by_descending("Active");
    lines.add("groups", patients.aggregate(by_active.clone()).map(rows));
    lines.add("filtered", patients.aggregate(by_active.filter(field("Balance").greater(100))).map(rows));
    let nothing =
        Aggregate::new().count("n").sum("owed", "Balance").filter(field("LastName").equals("Nobody"));
    lines.add("nothing", patients.aggregate(nothing).map(rows));
    lines.add("text", patients.aggregate(Aggregate::new().sum("n", "LastName")).map(rows));
    lines.add("name", patients.aggregate(Aggregate::new().count("n) FROM x --")).map(rows));
    lines.add("view", view("ActivePatients").count(None));
    lines.add(
        "view groups",
        view("ActivePatients").aggregate(Aggregate::new().count("n").group_by("Active")).map(rows),
    );
    lines.end()
}

/// Reads views.
pub(crate) fn views() -> Text {
    let mut lines = Lines::new();
    let (active, visits) = (view("ActivePatients"), view("PatientVisits"));
    lines.add("list", caspian_sdk::views().map(joined));
    lines.add("fields", active.fields().map(|list| joined(list.into_iter().map(|f| f.name).collect())));
    let names = Query::from(field("Balance").greater(0)).select(["FirstName", "Languages"]);
    lines.add("records", active.list(names).map(rows));
    lines.add(
        "first",
        visits.first(Query::new().select(["Status"])).map(|row| rows(row.into_iter().collect())),
    );
    let key = visits.first(Query::new())?.map(|row| shown(row.value("PK_ID").unwrap_or(&Value::Null)));
    let key = key.unwrap_or_default();
    lines.add("key", Ok(key.clone()));
    let known = visits.get(&key).map(|row| row.is_some());
    lines.add("get", known);
    lines.add("get none", visits.get("0,0").map(|row| row.is_none()));
    lines.add("unknown field", active.list(field("Nope").equals(1)).map(rows));
    lines.add("denied", view("PatientDocuments").list(Query::new()).map(rows));
    lines.end()
}

/// `where` over `table`, as text: the keys that it finds.
pub(crate) fn condition_text() -> Text {
    let mut lines = Lines::new();
    let table = records(settings::require("table")?);
    for (number, text) in settings::require("where")?.split(" | ").enumerate() {
        let query = Query::from(condition(text)).select(["PK_ID"]);
        let keys = table.list(query).map(|list| {
            list.iter()
                .filter_map(|row| row.pk_id().ok())
                .map(|id| id.to_string())
                .collect::<Vec<_>>()
                .join(",")
        });
        lines.add(&number.to_string(), keys);
    }
    lines.end()
}

/// Criteria of many values, with others besides, over `table`: how many records each finds.
pub(crate) fn long_criteria() -> Text {
    let mut lines = Lines::new();
    let (table, name) = (records(settings::require("table")?), settings::require("field")?);
    let many = |from: usize| (from..from + 400).map(|n| format!("a value with its number {n:05}"));
    let list = || field(&name).any_of(many(0));
    let count = |query: Query| table.list(query.select([&name])).map(|list| list.len());
    lines.add("list", count(Query::from(list())));
    lines.add("and", count(Query::from(list().and(field("PK_ID").less_or_equal(5)))));
    let others = many(400).map(|value| field(&name).equals(value));
    lines.add("or", count(Query::from(Criteria::any(others).or(list()))));
    lines.add("limit", count(Query::from(list()).limit(7)));
    lines.add("not", count(Query::from(not(list()))));
    lines.add("sorted", count(Query::from(list()).order_by(&name)));
    lines.add("count", table.count(list()));
    lines
        .add("update", table.update(list().and(field("PK_ID").greater(3)), Row::new().set(&name, "changed")));
    lines.end()
}

/// Files of records, from the first to the last.
pub(crate) fn attachments() -> Text {
    let mut lines = Lines::new();
    let scans = records("Documents").attachments("Scan");
    let list = || {
        scans.list(None).map(|list| {
            let one = |a: &caspian_sdk::raw::caspian::workflow::attachments::Attachment| {
                format!("{}={}({})", a.pk_id, a.file_name, a.size)
            };
            list.iter().map(one).collect::<Vec<_>>().join(",")
        })
    };
    let text =
        |content: Result<Vec<u8>, Error>| content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    lines.add("list", list());
    lines.add("download", text(scans.download(1)).map(|text| text.trim().to_owned()));
    lines.add("none", text(scans.download(2)));
    lines.add("upload", scans.upload(2, "blood é count.txt", b"\r\n--x\r\n\0all well").map(|()| "ok"));
    lines.add("again", text(scans.download(2)).map(|text| text.escape_debug().to_string()));
    lines.add("rename", scans.rename(2, "renamed.txt"));
    lines.add("one", scans.list(field("PatientId").equals(2)).map(|list| list.len()));
    lines.add("renamed", list());
    lines.add("delete", scans.delete(2));
    lines.add("deleted", text(scans.download(2)));
    lines.add("delete none", scans.delete(99));
    lines.add("rename none", scans.rename(2, "x.txt"));
    lines.add("no record", scans.upload(99, "x.txt", b"x").map(|()| "ok"));
    lines.add("bad name", scans.upload(2, "../x.txt", b"x").map(|()| "ok"));
    lines.add("too large", scans.upload(2, "x.bin", &vec![7; 9 << 20]).map(|()| "ok"));
    lines.add("no attachment", records("Documents").attachments("Title").list(None).map(|list| list.len()));
    lines.end()
}

/// The file store.
pub(crate) fn file_store() -> Text {
    let mut lines = Lines::new();
    let folders = files::folders(None)?;
    lines.add("folders", Ok(joined(folders.iter().map(|folder| folder.name.clone()).collect())));
    let templates =
        folders.iter().find(|folder| folder.name == "Templates").map(|folder| folder.key.as_str());
    let names =
        || files::list(templates).map(|list| joined(list.into_iter().map(|file| file.name).collect()));
    lines.add("top", files::list(None).map(|list| joined(list.into_iter().map(|file| file.name).collect())));
    lines.add("list", names());
    let key = files::create(templates, "made é.bin", &[0, 255, 13, 10])?;
    lines.add("created", names());
    lines.add("bytes", files::download(&key).map(|bytes| format!("{bytes:?}")));
    lines.add("create again", files::create(templates, "made é.bin", b"x"));
    let put = files::put(templates, "made é.bin", b"other");
    lines.add("put", put.map(|again| again == key || again.is_empty()));
    lines.add("other", files::download(&key).map(|bytes| bytes.len()));
    lines.add("delete", files::delete(&key));
    lines.add("delete none", files::delete(&key));
    lines.add("download none", files::download(&key).map(|bytes| bytes.len()));
    lines.add("no folder", files::list(Some("00000000-0000-4000-8000-000000000000")).map(|list| list.len()));
    lines.add("trick", files::download("path").map(|bytes| bytes.len()));
    lines.end()
}

/// Users of a directory, from their making to their end.
pub(crate) fn staff() -> Text {
    let mut lines = Lines::new();
    let staff = directory("Staff");
    lines.add(
        "list",
        caspian_sdk::directories().map(|list| joined(list.into_iter().map(|d| d.name).collect())),
    );
    let active = Query::from(field("Role").equals("Nurse")).select(["Email", "OnCall"]);
    lines.add("users", staff.users(active).map(rows));
    let user = staff.create(Row::new().set("Email", "probe@clinic.example.org").set("FirstName", "Pro"))?;
    let guid = user.text("UserGUID")?.to_owned();
    let find = |name: &str| {
        let found = staff.users(field("Email").equals("probe@clinic.example.org"))?;
        Ok::<_, Error>(found.first().and_then(|row| row.value(name)).map(shown).unwrap_or_default())
    };
    lines.add("status", find("_status"));
    lines.add("update", staff.update(&guid, Row::new().set("FirstName", "O'Probe").set("OnCall", true)));
    lines.add("name", find("FirstName"));
    lines.add("activate", staff.activate(&guid, false).map(|address| address.is_some()));
    lines.add("pending", find("_status"));
    lines.add("conflict", staff.create(Row::new().set("Email", "probe@clinic.example.org")).map(|_| "ok"));
    lines.add("no field", staff.update(&guid, Row::new().set("Nope", 1)));
    lines.add("guid", staff.update(&guid, Row::new().set("UserGUID", "x")));
    lines.add("nobody", staff.update("' OR 1=1 --", Row::new().set("FirstName", "x")));
    lines.add("delete nobody", staff.delete("' OR 'a'='a"));
    lines.add("delete", staff.delete(&guid));
    lines.add("gone", find("Email"));
    lines.end()
}

/// Imports and exports.
pub(crate) fn tasks() -> Text {
    let mut lines = Lines::new();
    let import = task("Import contacts");
    lines.add("list", caspian_sdk::tasks().map(|list| joined(list.into_iter().map(|t| t.name).collect())));
    lines.add("get", import.get().map(|task| format!("{} {}", task.name, task.frequency)));
    lines.add("run", import.run().map(|()| "ok"));
    lines.add("denied", task("Export appointments").run().map(|()| "ok"));
    lines.end()
}

/// One effect: setting `do` says which.
pub(crate) fn one(event: &Event) -> Text {
    let what = settings::require("do")?;
    let scans = records("Documents").attachments("Scan");
    let key = || settings::require("key");
    let ok = |(): ()| "ok".to_owned();
    let done = match what.as_str() {
        "attachments.upload" => scans.upload(2, "scan.txt", b"scanned").map(ok),
        "attachments.rename" => scans.rename(1, "renamed.txt").map(|b| b.to_string()),
        "attachments.delete" => scans.delete(1).map(|b| b.to_string()),
        "files.create" => files::create(None, "made.txt", b"made").map(|_| "ok".to_owned()),
        "files.put" => files::put(None, "made.txt", b"made").map(|_| "ok".to_owned()),
        "files.delete" => files::delete(&key()?).map(|b| b.to_string()),
        "directories.create-user" => {
            let row = Row::new().set("Email", format!("user{}@clinic.example.org", event.row()?.pk_id()?));
            directory("Staff").create(row).map(|_| "ok".to_owned())
        }
        "directories.update-user" => {
            directory("Staff").update(&key()?, Row::new().set("Role", "Boss")).map(|b| b.to_string())
        }
        "directories.delete-user" => directory("Staff").delete(&key()?).map(|b| b.to_string()),
        "directories.activate-user" => {
            directory("Staff").activate(&key()?, settings::get("mail").is_some()).map(|_| "ok".to_owned())
        }
        "tasks.run" => task("Import contacts").run().map(ok),
        _ => return Err(Failure::fatal("setting do is none that the probe knows; see its README.md")),
    };
    Ok(done?)
}

/// Writes a value of every kind into `Kinds`, changes it, looks for it and reads it back.
pub(crate) fn kinds() -> Text {
    let mut lines = Lines::new();
    let table = records("Kinds");
    let choice = |key: u32, label: &str| caspian_sdk::Choice { key, label: label.to_owned() };
    let words = |list: Vec<caspian_sdk::Choice>| Value::Choices(list);
    let row = Row::new()
        .set("Short", "Zoë's \"one\"")
        .set("Long", "two\nlines")
        .set("Number", "0012.50")
        .set("Whole", "-7")
        .set("Money", Value::Decimal("922337203685477.5807".to_owned()))
        .set("Yes", "yes")
        .set("Day", Value::Date("2026-02-10".to_owned()))
        .set("Words", words(vec![choice(0, "dog"), choice(3, "")]))
        .set("Numbers", words(vec![choice(0, "20.50")]))
        .set("Days", words(vec![choice(2, "")]));
    let made = table.create(row)?;
    let id = made.pk_id()?;
    lines.add("made", Ok(rows(vec![made.clone()])));
    lines.add("read", Ok(rows(table.get(id)?.into_iter().collect())));
    let found = |criteria: Criteria| table.list(criteria.and(pk_id(id))).map(|list| list.len());
    for (name, criteria) in [
        ("short", field("Short").equals("zoë's \"ONE\"")),
        ("number", field("Number").equals(Value::Decimal("12.5".to_owned()))),
        ("whole", field("Whole").between(-10, "0")),
        ("money", field("Money").equals("922337203685477.5807")),
        ("yes", field("Yes").equals(true)),
        ("day", field("Day").equals(Value::DateTime("2026-02-10T00:00:00".to_owned()))),
        ("auto", field("Auto").any_of([1, 2, 3])),
        ("id", field("Id").equals(made.text("Id")?)),
        ("stamp", field("Stamp").greater(Value::Date("2000-01-01".to_owned()))),
        ("like", field("Short").like("z%[a-e]\"")),
        ("words", field("Words").equals("Dog")),
        ("empty", field("Money").is_empty().or(field("Long").is_empty())),
    ] {
        lines.add(&format!("find {name}"), found(criteria));
    }
    for (name, value) in [
        ("Number", Value::from("12,5")),
        ("Whole", Value::from("1.5")),
        ("Money", Value::from("0.00001")),
        ("Yes", Value::from("maybe")),
        ("Day", Value::from("10.02.2026")),
        ("Words", words(vec![choice(0, "Bird")])),
        ("Auto", Value::from(1)),
        ("Id", Value::from("x")),
        ("Stamp", Value::from("2026-01-01")),
        ("Formula", Value::from(1)),
        ("Random", Value::from("x")),
        ("Prefixed", Value::from("x")),
        ("Secret", Value::from("x")),
        ("Scan", Value::from("x")),
        ("PK_ID", Value::from(1)),
    ] {
        lines.add(&format!("write {name}"), table.update(pk_id(id), Row::new().set(name, value)));
    }
    let unset = ["Short", "Long", "Number", "Whole", "Money", "Day", "Words", "Numbers", "Days"];
    let unset: Row = unset.into_iter().map(|name| (name, "")).collect();
    lines.add("unset", table.update_returning(pk_id(id), unset).map(rows));
    lines.add("found empty", found(field("Money").is_empty().and(field("Long").is_empty())));
    let zone = table.fields()?.into_iter().find(|f| f.name == "Stamp").map(|f| f.time_zone);
    lines.add("zone", Ok(zone.unwrap_or_default()));
    let known = table.fields()?.into_iter().find(|f| f.name == "Words").map(|f| f.choices);
    lines.add(
        "choices",
        Ok(known.unwrap_or_default().iter().map(|c| c.label.as_str()).collect::<Vec<_>>().join(",")),
    );
    lines.end()
}
