//! What a seed holds beside tables: views, directories, files and tasks.
//!
//! A view names its fields as `Field`, `Table.Field` or `Table.Field AS Name`, and a join as
//! `Table.Field = Table.Field`; whatever it names must exist. Folders are made from the paths of files.
//! A task's import is checked when it runs, as Caspio does.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::account::Account;
use crate::data::stored::FileModel;
use crate::data::{FieldModel, FieldType, StoredFile, Writer};
use crate::directories::Directory;
use crate::error::ApiError;
use crate::tasks::{Import, Task};
use crate::views::{Column, Join, View};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ViewSeed {
    pub name: String,
    #[serde(default)]
    note: String,
    from: String,
    #[serde(default)]
    joins: Vec<JoinSeed>,
    /// Empty: every field of the one table.
    #[serde(default)]
    fields: Vec<String>,
    #[serde(rename = "Where")]
    filter: Option<String>,
    editable: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct JoinSeed {
    table: String,
    on: String,
    #[serde(default)]
    outer: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DirectorySeed {
    pub name: String,
    #[serde(default)]
    fields: Vec<FieldModel>,
    #[serde(default)]
    users: Vec<Map<String, Json>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileSeed {
    pub path: String,
    #[serde(flatten)]
    content: Map<String, Json>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TaskSeed {
    name: String,
    external_key: Option<String>,
    #[serde(default = "active")]
    status: String,
    #[serde(default = "utc")]
    task_time_zone: String,
    #[serde(default)]
    frequency: String,
    #[serde(default)]
    note: String,
    import: Option<ImportSeed>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ImportSeed {
    table: String,
    match_on: Option<String>,
    rows: Vec<Map<String, Json>>,
}

fn active() -> String {
    "Active".to_owned()
}

fn utc() -> String {
    "(UTC+00:00) Coordinated Universal Time".to_owned()
}

/// Adds a view.
pub fn view(account: &mut Account, seed: ViewSeed) -> Result<(), ApiError> {
    let mut joins = Vec::new();
    for join in &seed.joins {
        let (left, right) =
            join.on.split_once('=').ok_or_else(|| ApiError::body("On must be Table.Field = Table.Field."))?;
        let (left, right) = (Column::parse(left, &seed.from), Column::parse(right, &seed.from));
        let (own, other) =
            if left.table.eq_ignore_ascii_case(&join.table) { (left, right) } else { (right, left) };
        joins.push(Join { table: join.table.clone(), own, other, outer: join.outer });
    }
    let mut fields = Vec::new();
    for text in &seed.fields {
        let (source, name) =
            text.split_once(" AS ").map_or((text.as_str(), None), |(a, b)| (a, Some(b.trim())));
        let column = Column::parse(source, &seed.from);
        fields.push((name.unwrap_or(&column.field).to_owned(), column));
    }
    if fields.is_empty() {
        let table = account.table(&seed.from).ok_or_else(|| ApiError::object("table", &seed.from))?;
        let readable = table.fields.iter().filter(|field| field.kind != FieldType::Password);
        fields.extend(readable.map(|field| (field.name.clone(), Column::parse(&field.name, &seed.from))));
    }
    let view = View {
        name: seed.name,
        note: seed.note,
        from: seed.from,
        joins,
        fields,
        filter: seed.filter,
        editable: seed.editable,
    };
    check(account, &view)?;
    account.views.push(view);
    Ok(())
}

/// Refuses a view that names what is not there.
fn check(account: &Account, view: &View) -> Result<(), ApiError> {
    let joined = view.joins.iter().flat_map(|join| [&join.own, &join.other]);
    for column in view.fields.iter().map(|(_, column)| column).chain(joined) {
        if !view.tables().any(|table| table.eq_ignore_ascii_case(&column.table)) {
            return Err(ApiError::object("table", &column.table));
        }
        let table = account.table(&column.table).ok_or_else(|| ApiError::object("table", &column.table))?;
        if !column.field.eq_ignore_ascii_case("PK_ID") {
            table.field(&column.field)?;
        }
    }
    for (at, (name, _)) in view.fields.iter().enumerate() {
        if view.fields.iter().take(at).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(ApiError::body(format!("Two fields are named '{name}'. Use AS.")));
        }
    }
    if let Some(name) = &view.editable
        && !view.tables().any(|table| table.eq_ignore_ascii_case(name))
    {
        return Err(ApiError::object("table", name));
    }
    view.show(account).map(|_| ())
}

/// Adds a directory with its users.
pub fn directory(account: &mut Account, seed: &DirectorySeed) -> Result<(), ApiError> {
    let Account { env, directories, .. } = account;
    let mut directory = Directory::new(&seed.name, &seed.fields, "Seed", env)?;
    for user in &seed.users {
        directory.insert(user, &mut Writer { env, free: true, unique_code: "duplicate" })?;
    }
    directories.push(directory);
    Ok(())
}

/// Adds a file, and the folders on its way.
pub fn file(account: &mut Account, seed: FileSeed) -> Result<(), ApiError> {
    let (folder, name) = seed.path.rsplit_once('/').unwrap_or(("", &seed.path));
    let mut content = seed.content;
    content.insert("FileName".to_owned(), name.into());
    let refuse = |_| ApiError::body("A file needs a Path, and its content as Text or Base64.");
    let model: FileModel = serde_json::from_value(Json::Object(content)).map_err(refuse)?;
    let file = StoredFile::from_model(&model)
        .ok_or(())
        .map_err(|()| ApiError::body("A file needs a Path, and its content as Text or Base64."))?;
    let Account { env, files, .. } = account;
    let folder = files.make_folders(folder, env);
    files.put(folder, file, env);
    Ok(())
}

/// Adds a task.
pub fn task(account: &mut Account, seed: TaskSeed) {
    let key = seed.external_key.unwrap_or_else(|| account.env.uuid().to_string());
    account.tasks.push(Task {
        key,
        name: seed.name,
        status: seed.status,
        time_zone: seed.task_time_zone,
        frequency: seed.frequency,
        note: seed.note,
        import: seed.import.map(|work| Import {
            table: work.table,
            match_on: work.match_on,
            rows: work.rows,
        }),
        runs: 0,
        failure: None,
    });
}
