//! Rows, and the rules that hold between them.
//!
//! A table gives each row its `PK_ID`, fills generated fields, keeps unique fields unique and says
//! what changed ([`Change`]) so that webhooks can be told. A statement is all or nothing: values are
//! checked before the first row is touched. Unique fields have an index, so an insert costs no scan.
//! Everything is in memory; what bounds a table is the machine.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value as Json};

use super::field::{Field, FieldType};
use super::generate::{Generator, stamp};
use super::value::{self, Value};
use crate::environment::Environment;
use crate::error::ApiError;

/// One row: its key and a value for each field, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub pk_id: i64,
    pub values: Vec<Value>,
}

/// What a statement did to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Insert(Row),
    /// The row after the change, and the positions of the fields whose value is another now.
    Update(Row, Vec<usize>),
    Delete(Row),
}

/// Who writes: `free` may set generated fields and `PK_ID` (seeds and imports).
pub struct Writer<'a> {
    pub env: &'a mut Environment,
    pub free: bool,
    /// Code of a unique violation, a knob.
    pub unique_code: &'a str,
}

/// A table of the account.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub name: String,
    pub note: String,
    /// Stable id, shown as `ObjectId` of an event.
    pub id: String,
    pub fields: Vec<Field>,
    /// The column that stands for `PK_ID`; `None` in a table, where it is the row's own number.
    pub key_column: Option<usize>,
    rows: BTreeMap<i64, Row>,
    next_pk: i64,
    generator: Generator,
    /// For each unique field: key of the value → row.
    index: HashMap<usize, HashMap<String, i64>>,
}

/// New values by position of the field.
pub type Assignments = Vec<(usize, Value)>;

impl Table {
    /// An empty table.
    pub fn new(name: &str, id: String) -> Self {
        Self { name: name.to_owned(), id, next_pk: 1, ..Self::default() }
    }

    /// What a view shows: rows that are numbered as they come, without rules.
    pub fn shown(
        name: &str,
        fields: Vec<Field>,
        key_column: Option<usize>,
        rows: impl IntoIterator<Item = (i64, Vec<Value>)>,
    ) -> Self {
        let rows = rows.into_iter().map(|(pk_id, values)| (pk_id, Row { pk_id, values })).collect();
        Self { name: name.to_owned(), fields, key_column, rows, ..Self::default() }
    }

    /// Keeps the named rows only, for the condition of a view.
    pub fn keep(&mut self, keys: &[i64]) {
        let kept: HashSet<i64> = keys.iter().copied().collect();
        self.rows.retain(|key, _| kept.contains(key));
    }

    /// Position of a field, by name in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.is_named(name))
    }

    /// A field by name, or 404.
    pub fn field(&self, name: &str) -> Result<&Field, ApiError> {
        self.fields.iter().find(|field| field.is_named(name)).ok_or_else(|| ApiError::field(name))
    }

    /// All rows, by `PK_ID`.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// One row.
    pub fn row(&self, pk_id: i64) -> Option<&Row> {
        self.rows.get(&pk_id)
    }

    /// Adds a field; the rows get its unset value, or a generated one.
    pub fn add_field(&mut self, field: Field, env: &mut Environment) -> Result<(), ApiError> {
        if self.position(&field.name).is_some() {
            return Err(ApiError::body(format!("Field '{}' exists already.", field.name)));
        }
        if field.unique && !field.unique_allow_nulls && !field.kind.is_generated() && self.rows.len() > 1 {
            return Err(ApiError::body(format!(
                "Field '{}' cannot be Unique: rows without a value exist. Set UniqueAllowNulls.",
                field.name
            )));
        }
        let at = match usize::try_from(field.display_order) {
            Ok(order) if order > 0 => (order - 1).min(self.fields.len()),
            _ => self.fields.len(),
        };
        let keys: Vec<i64> = self.rows.keys().copied().collect();
        for key in keys {
            let value = self.generator.make(&field, env).unwrap_or_else(|| Value::unset(field.kind));
            if let Some(row) = self.rows.get_mut(&key) {
                row.values.insert(at, value);
            }
        }
        self.fields.insert(at, field);
        self.reindex()
    }

    /// Replaces a field's definition; values that lose their list item become unset.
    pub fn change_field(&mut self, at: usize, field: Field) -> Result<(), ApiError> {
        let other =
            self.fields.iter().enumerate().any(|(place, old)| place != at && old.is_named(&field.name));
        if other {
            return Err(ApiError::body(format!("Field '{}' exists already.", field.name)));
        }
        let Some(slot) = self.fields.get_mut(at) else { return Err(ApiError::field(&field.name)) };
        let old = std::mem::replace(slot, field.clone());
        if let Err(error) = self.reindex() {
            if let Some(slot) = self.fields.get_mut(at) {
                *slot = old;
            }
            self.reindex()?;
            return Err(error);
        }
        for row in self.rows.values_mut() {
            if let Some(value) = row.values.get_mut(at)
                && let Value::List(keys) = value
            {
                keys.retain(|key| field.list_text(*key).is_some());
                if keys.is_empty() {
                    *value = Value::Null;
                }
            }
        }
        Ok(())
    }

    /// Removes a field and its values.
    pub fn remove_field(&mut self, at: usize) -> Result<(), ApiError> {
        if at < self.fields.len() {
            self.fields.remove(at);
            for row in self.rows.values_mut() {
                row.values.remove(at);
            }
        }
        self.reindex()
    }

    /// Takes a body's members into values. Unknown names are 404 `FieldNotFound`, values that do
    /// not fit are collected into one `InvalidInputValue`.
    pub fn assignments(&self, body: &Map<String, Json>, free: bool) -> Result<Assignments, ApiError> {
        let mut found = Assignments::new();
        let mut misfits = Vec::new();
        for (name, json) in body {
            if name.eq_ignore_ascii_case("PK_ID") {
                if free {
                    continue;
                }
                return Err(ApiError::body("PK_ID cannot be written. Leave it out."));
            }
            let at = self.position(name).ok_or_else(|| ApiError::field(name))?;
            let Some(field) = self.fields.get(at) else { continue };
            if !field.kind.is_editable() && !free {
                return Err(ApiError::body(format!("Field '{}' is not editable. Leave it out.", field.name)));
            }
            match Value::from_json(field, json) {
                Ok(value) => {
                    found.retain(|(place, _)| *place != at);
                    found.push((at, value));
                }
                Err(value::Misfit) => misfits.push(field.name.as_str()),
            }
        }
        if misfits.is_empty() { Ok(found) } else { Err(ApiError::values(&misfits)) }
    }

    /// Inserts one row and returns it.
    pub fn insert(&mut self, body: &Map<String, Json>, writer: &mut Writer<'_>) -> Result<Row, ApiError> {
        let given = self.assignments(body, writer.free)?;
        let mut pk_id = self.next_pk;
        if writer.free
            && let Some(wanted) = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("PK_ID"))
        {
            pk_id = wanted.1.as_i64().filter(|key| *key > 0).ok_or_else(|| ApiError::values(&["PK_ID"]))?;
            if self.rows.contains_key(&pk_id) {
                return Err(ApiError::body(format!("A row with PK_ID {pk_id} exists already.")));
            }
        }
        let mut values: Vec<Value> = self.fields.iter().map(|field| Value::unset(field.kind)).collect();
        let mut set = vec![false; values.len()];
        for (at, value) in given {
            if let (Some(slot), Some(flag)) = (values.get_mut(at), set.get_mut(at)) {
                *slot = value;
                *flag = true;
            }
        }
        self.check_unique(&[(pk_id, &values)], writer.unique_code)?;
        self.generator.follow(&self.fields, &values);
        for (at, done) in set.iter().enumerate() {
            let Some(field) = self.fields.get(at).cloned().filter(|_| !done) else { continue };
            let made = self.generator.make(&field, writer.env).or_else(|| stamp(&field, field.on_insert));
            if let (Some(slot), Some(value)) = (values.get_mut(at), made) {
                *slot = value;
            }
        }
        let row = Row { pk_id, values };
        self.next_pk = self.next_pk.max(pk_id.saturating_add(1));
        self.enter(&row);
        self.rows.insert(pk_id, row.clone());
        Ok(row)
    }

    /// Writes the same values into the named rows. A row in which nothing is different counts as
    /// affected and makes no change.
    pub fn update(
        &mut self,
        keys: &[i64],
        given: &Assignments,
        writer: &mut Writer<'_>,
    ) -> Result<Vec<Change>, ApiError> {
        let mut next: Vec<(Row, Vec<usize>)> = Vec::new();
        for key in keys {
            let Some(row) = self.rows.get(key) else { continue };
            let mut after = row.clone();
            let mut changed = Vec::new();
            for (at, value) in given {
                if let Some(slot) = after.values.get_mut(*at)
                    && slot != value
                {
                    slot.clone_from(value);
                    changed.push(*at);
                }
            }
            next.push((after, changed));
        }
        let rows: Vec<(i64, &[Value])> =
            next.iter().map(|(row, _)| (row.pk_id, row.values.as_slice())).collect();
        self.check_unique(&rows, writer.unique_code)?;
        for (row, _) in &mut next {
            for (field, slot) in self.fields.iter().zip(row.values.iter_mut()) {
                if let Some(value) = stamp(field, field.on_update) {
                    *slot = value;
                }
            }
        }
        for (row, _) in &next {
            self.leave(row.pk_id);
        }
        for (row, _) in &next {
            self.enter(row);
            self.rows.insert(row.pk_id, row.clone());
        }
        let different = next.into_iter().filter(|(_, changed)| !changed.is_empty());
        Ok(different.map(|(row, changed)| Change::Update(row, changed)).collect())
    }

    /// Deletes the named rows.
    pub fn delete(&mut self, keys: &[i64]) -> Vec<Change> {
        let mut changes = Vec::new();
        for key in keys {
            self.leave(*key);
            if let Some(row) = self.rows.remove(key) {
                changes.push(Change::Delete(row));
            }
        }
        changes
    }

    /// A row as REST shows it: `PK_ID` and every field but passwords.
    pub fn row_json(&self, row: &Row) -> Json {
        let mut members = Map::new();
        if self.key_column.is_none() {
            members.insert("PK_ID".to_owned(), Json::from(row.pk_id));
        }
        for (field, value) in self.fields.iter().zip(&row.values) {
            if field.kind != FieldType::Password {
                members.insert(field.name.clone(), value.to_json(field));
            }
        }
        Json::Object(members)
    }

    /// The key of a value in a unique field; `None` when it takes no part.
    fn key(field: &Field, value: &Value) -> Option<String> {
        if !field.unique || (value.is_blank() && field.unique_allow_nulls) {
            return None;
        }
        Some(value.as_text().map(|text| value::fold(&text)).unwrap_or_default())
    }

    fn check_unique(&self, rows: &[(i64, &[Value])], code: &str) -> Result<(), ApiError> {
        let own: HashSet<i64> = rows.iter().map(|(key, _)| *key).collect();
        for (at, field) in self.fields.iter().enumerate() {
            if !field.unique || field.kind.is_generated() {
                continue;
            }
            let mut seen: HashMap<String, i64> = HashMap::new();
            for (pk_id, values) in rows {
                let Some(key) = values.get(at).and_then(|value| Self::key(field, value)) else { continue };
                let taken = self.index.get(&at).and_then(|index| index.get(&key)).copied();
                let other = taken.filter(|owner| !own.contains(owner));
                if other.is_some() || seen.insert(key, *pk_id).is_some() {
                    return Err(ApiError::new(
                        400,
                        code,
                        format!(
                            "Cannot perform operation because the value of the field '{}' must be unique: \
                             the new value is a duplicate.",
                            field.name
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, row: &Row) {
        for (at, (field, value)) in self.fields.iter().zip(&row.values).enumerate() {
            if let Some(key) = Self::key(field, value) {
                self.index.entry(at).or_default().insert(key, row.pk_id);
            }
        }
    }

    fn leave(&mut self, pk_id: i64) {
        let Some(row) = self.rows.get(&pk_id) else { return };
        for (at, (field, value)) in self.fields.iter().zip(&row.values).enumerate() {
            if let Some(key) = Self::key(field, value)
                && let Some(index) = self.index.get_mut(&at)
                && index.get(&key) == Some(&pk_id)
            {
                index.remove(&key);
            }
        }
    }

    /// Builds the unique indexes anew; a duplicate that exists is refused.
    fn reindex(&mut self) -> Result<(), ApiError> {
        self.index.clear();
        for (at, field) in self.fields.iter().enumerate().filter(|(_, field)| field.unique) {
            let index = self.index.entry(at).or_default();
            for row in self.rows.values() {
                let Some(key) = row.values.get(at).and_then(|value| Self::key(field, value)) else {
                    continue;
                };
                if index.insert(key, row.pk_id).is_some() {
                    return Err(ApiError::body(format!(
                        "Field '{}' cannot be Unique: its values are not.",
                        field.name
                    )));
                }
            }
        }
        Ok(())
    }
}
