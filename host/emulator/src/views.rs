//! Views: what they show of their tables, made anew for every call.
//!
//! A view reads one table, or several that are joined by equal columns, and has a condition over its own
//! fields. [`View::show`] builds the rows as a table of their own, so that a query over a view is a
//! query over a table, and remembers which rows of the base tables each came from: writes and
//! attachments find their target by that. `PK_ID` is text: the keys of the base rows, joined by
//! commas; a view over several tables has each key in `_PK_ID_<Table>` too (reference, section 6).
//! Only one table can be written: the one table of the view, or the one named as editable.

use std::collections::HashMap;

use crate::account::Account;
use crate::data::{Decimal, Field, FieldType, Row, Table, Value};
use crate::error::ApiError;
use crate::sql::compare::group_key;
use crate::sql::predicate_keys;

/// `Table.Field`; the field may be `PK_ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub table: String,
    pub field: String,
}

impl Column {
    /// Reads `Table.Field`, or `Field` of the table that is meant when none is named.
    pub fn parse(text: &str, usual: &str) -> Self {
        let (table, field) = text.trim().split_once('.').unwrap_or((usual, text.trim()));
        Self { table: table.trim().to_owned(), field: field.trim().to_owned() }
    }
}

/// A further table of a view: rows fit where the two columns are equal.
#[derive(Debug, Clone)]
pub struct Join {
    pub table: String,
    /// A column of this table.
    pub own: Column,
    /// A column of a table before it.
    pub other: Column,
    /// Rows without a partner stay.
    pub outer: bool,
}

/// A view of the account.
#[derive(Debug, Clone)]
pub struct View {
    pub name: String,
    pub note: String,
    pub from: String,
    pub joins: Vec<Join>,
    /// Name in the view, and where it comes from.
    pub fields: Vec<(String, Column)>,
    /// Over the view's own fields.
    pub filter: Option<String>,
    /// Which of several tables can be written.
    pub editable: Option<String>,
}

/// The rows of a view, and where they come from.
#[derive(Debug)]
pub struct Shown {
    /// The rows as a table, `PK_ID` its first column.
    pub table: Table,
    /// For each row, by its number there: the key in each base table, in the order of the tables.
    origins: HashMap<i64, Vec<Option<i64>>>,
    /// Names of the base tables.
    tables: Vec<String>,
}

impl View {
    /// Names of the tables it reads.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.from.as_str()).chain(self.joins.iter().map(|join| join.table.as_str()))
    }

    /// The table that can be written, or a refusal.
    pub fn writable(&self) -> Result<&str, ApiError> {
        match (&self.editable, self.joins.is_empty()) {
            (Some(name), _) => Ok(name),
            (None, true) => Ok(&self.from),
            (None, false) => Err(ApiError::forbidden(
                "The view reads several tables and none is editable. Write to the table instead.",
            )),
        }
    }

    /// Where a field of the view comes from.
    pub fn column(&self, name: &str) -> Result<&Column, ApiError> {
        let found = self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, column)| column).ok_or_else(|| ApiError::field(name))
    }

    /// The definition of a field as `GET …/fields` shows it.
    pub fn field_json(&self, account: &Account, at: usize) -> Result<serde_json::Value, ApiError> {
        let (name, column) = self.fields.get(at).ok_or_else(|| ApiError::field(""))?;
        let mut field = definition(account, column)?;
        field.name.clone_from(name);
        let writable = self.writable().is_ok_and(|table| table.eq_ignore_ascii_case(&column.table));
        let mut json = field.to_json(at + 1);
        if let Some(members) = json.as_object_mut() {
            let origin = format!("{}.{}", column.table, column.field);
            members.insert("TableFieldName".to_owned(), origin.into());
            members.insert("Editable".to_owned(), (writable && field.kind.is_editable()).into());
        }
        Ok(json)
    }

    /// Its rows now.
    pub fn show(&self, account: &Account) -> Result<Shown, ApiError> {
        let names: Vec<String> = self.tables().map(str::to_owned).collect();
        let mut tables = Vec::new();
        for name in &names {
            tables.push(account.table(name).ok_or_else(|| ApiError::object("table", name))?);
        }
        let place = |name: &str| names.iter().position(|own| own.eq_ignore_ascii_case(name));
        let mut rows: Vec<Vec<Option<&Row>>> =
            tables.first().map(|first| first.rows().map(|row| vec![Some(row)]).collect()).unwrap_or_default();
        for (join, table) in self.joins.iter().zip(tables.iter().skip(1)) {
            let other = place(&join.other.table).unwrap_or(0);
            rows = joined(rows, table, join, tables.get(other).copied(), other);
        }

        let mut fields = vec![Field::plain("PK_ID", FieldType::String)];
        let several = names.len() > 1;
        if several {
            let keys = names.iter().map(|name| Field::plain(&format!("_PK_ID_{name}"), FieldType::Integer));
            fields.extend(keys);
        }
        let mut columns = Vec::new();
        for (name, column) in &self.fields {
            let mut field = definition(account, column)?;
            field.name.clone_from(name);
            let table = place(&column.table).unwrap_or(0);
            columns.push((table, column.field.as_str(), field.kind));
            fields.push(field);
        }
        let mut origins = HashMap::new();
        let mut made = Vec::new();
        for (number, row) in (1_i64..).zip(&rows) {
            let keys: Vec<Option<i64>> = row.iter().map(|row| row.map(|row| row.pk_id)).collect();
            let texts: Vec<String> =
                keys.iter().map(|key| key.map(|key| key.to_string()).unwrap_or_default()).collect();
            let mut values = vec![Value::Text(texts.join(","))];
            if several {
                values.extend(keys.iter().map(|key| number_of(*key)));
            }
            for (table, field, kind) in &columns {
                let value = match (tables.get(*table), row.get(*table).copied().flatten()) {
                    (Some(table), Some(row)) => value(table, row, field),
                    _ => Value::unset(*kind),
                };
                values.push(value);
            }
            origins.insert(number, keys);
            made.push((number, values));
        }
        let mut table = Table::shown(&self.name, fields, Some(0), made);
        if let Some(filter) = &self.filter {
            let kept = predicate_keys(&table, &|name| account.table(name), filter)?;
            table.keep(&kept);
        }
        Ok(Shown { table, origins, tables: names })
    }
}

impl Shown {
    /// The row of a base table behind a row of the view.
    pub fn origin(&self, number: i64, table: &str) -> Option<i64> {
        let place = self.tables.iter().position(|own| own.eq_ignore_ascii_case(table))?;
        self.origins.get(&number)?.get(place).copied().flatten()
    }

    /// Rows that match a condition: number in the view, and key in a base table.
    pub fn matching(
        &self,
        account: &Account,
        condition: Option<&str>,
        table: &str,
    ) -> Result<Vec<(i64, i64)>, ApiError> {
        let numbers = match condition {
            Some(text) => predicate_keys(&self.table, &|name| account.table(name), text)?,
            None => self.table.rows().map(|row| row.pk_id).collect(),
        };
        let rows = numbers.into_iter().filter_map(|number| Some((number, self.origin(number, table)?)));
        Ok(rows.collect())
    }

    /// `PK_ID` of a row as the view shows it.
    pub fn key(&self, number: i64) -> String {
        let key = self.table.row(number).and_then(|row| row.values.first());
        key.and_then(Value::as_text).unwrap_or_default()
    }
}

fn number_of(key: Option<i64>) -> Value {
    key.map_or(Value::Null, |key| Value::Number(Decimal::from_i64(key)))
}

fn definition(account: &Account, column: &Column) -> Result<Field, ApiError> {
    let table = account.table(&column.table).ok_or_else(|| ApiError::object("table", &column.table))?;
    if column.field.eq_ignore_ascii_case("PK_ID") {
        return Ok(Field::plain("PK_ID", FieldType::Integer));
    }
    table.field(&column.field).cloned()
}

fn value(table: &Table, row: &Row, field: &str) -> Value {
    if field.eq_ignore_ascii_case("PK_ID") {
        return number_of(Some(row.pk_id));
    }
    table.position(field).and_then(|at| row.values.get(at)).cloned().unwrap_or(Value::Null)
}

fn joined<'a>(
    rows: Vec<Vec<Option<&'a Row>>>,
    table: &'a Table,
    join: &Join,
    other: Option<&Table>,
    other_at: usize,
) -> Vec<Vec<Option<&'a Row>>> {
    let mut partners: HashMap<String, Vec<&'a Row>> = HashMap::new();
    for row in table.rows() {
        let key = value(table, row, &join.own.field);
        if !matches!(key, Value::Null) {
            partners.entry(group_key(&key)).or_default().push(row);
        }
    }
    let mut result = Vec::new();
    for row in rows {
        let key = match (other, row.get(other_at).copied().flatten()) {
            (Some(table), Some(row)) => value(table, row, &join.other.field),
            _ => Value::Null,
        };
        let found = if matches!(key, Value::Null) { None } else { partners.get(&group_key(&key)) };
        for partner in found.into_iter().flatten() {
            let mut longer = row.clone();
            longer.push(Some(*partner));
            result.push(longer);
        }
        if found.is_none() && join.outer {
            let mut longer = row;
            longer.push(None);
            result.push(longer);
        }
    }
    result
}
