//! Tags of a row: what a sweep compares, and what tells that a late webhook is about a change that a sweep found.
//!
//! HMACs under the tenant's key, cut short: nothing of a value can be got back from them. Compared are fields whose
//! values a webhook and a read show alike and that do not change by themselves ([`crate::model::Field::is_lasting`]).

use crate::model::{NameTag, Row, RowTags, TableSchema, Value};
use crate::secrets::TenantKey;

const NAME: &str = "row tag name";
const VALUE: &str = "row tag value";

/// Makes tags of one table's rows.
pub struct Tagger<'a> {
    key: &'a TenantKey,
    fields: Vec<(&'a str, NameTag)>,
}

impl<'a> Tagger<'a> {
    /// For rows typed by this schema.
    #[must_use]
    pub fn new(key: &'a TenantKey, schema: &'a TableSchema) -> Self {
        let compared = schema.fields.iter().filter(|field| field.is_lasting());
        Self {
            key,
            fields: compared.map(|field| (field.name.as_str(), name_tag(key, &field.name))).collect(),
        }
    }

    /// The tags of a row.
    #[must_use]
    pub fn tags(&self, row: &Row) -> RowTags {
        let tags = self.fields.iter().filter_map(|(name, tag)| {
            let value = row.get(name)?;
            let text = serde_json::to_vec(&canonical(value)).unwrap_or_default();
            let of = [name.to_ascii_lowercase().as_bytes(), b"\0", &text].concat();
            Some((*tag, first_bytes(&self.key.fingerprint(VALUE, &of))))
        });
        RowTags::new(tags.collect())
    }
}

/// The tag of a field's name, whatever its case.
#[must_use]
pub fn name_tag(key: &TenantKey, name: &str) -> NameTag {
    first_bytes(&key.fingerprint(NAME, name.to_ascii_lowercase().as_bytes()))
}

fn first_bytes(hash: &[u8; 32]) -> [u8; 4] {
    hash.first_chunk().copied().unwrap_or_default()
}

/// The same for values that mean the same: no value and no text, digits and zeros after them, choices in any order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Text(text) if text.is_empty() => Value::Null,
        Value::Decimal(digits) if digits.contains('.') && !digits.contains(['e', 'E']) => {
            Value::Decimal(digits.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        Value::Integer(whole) => Value::Decimal(whole.to_string()),
        Value::DateTime(at) if at.contains('.') => {
            Value::DateTime(at.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        Value::Choices(choices) => {
            let mut labels: Vec<_> = choices.iter().map(|choice| choice.label.as_str()).collect();
            labels.sort_unstable();
            if labels.is_empty() { Value::Null } else { Value::Text(labels.join("\u{1f}")) }
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Choice, Field, FieldType};

    fn key() -> TenantKey {
        let master = crate::secrets::MasterKey::parse(&"11".repeat(32), "test").unwrap();
        let (key, _) = master.new_tenant_key("default").unwrap();
        key
    }

    fn schema() -> TableSchema {
        let field = |name: &str, kind, writable| Field {
            name: name.to_owned(),
            kind,
            unique: false,
            writable,
            label: String::new(),
            choices: Vec::new(),
            time_zone: String::new(),
        };
        TableSchema {
            table: "T".to_owned(),
            kind: crate::model::SchemaKind::Table,
            fields: vec![
                field("Name", FieldType::TextShort, true),
                field("Sum", FieldType::Currency, true),
                field("Formula", FieldType::Number, false),
                field("Stamp", FieldType::Timestamp, false),
                field("Tags", FieldType::ListString, true),
            ],
        }
    }

    fn row(fields: &[(&str, Value)]) -> Row {
        Row(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn what_means_the_same_has_the_same_tags() {
        let (key, schema) = (key(), schema());
        let tagger = Tagger::new(&key, &schema);
        let choice = |key, label: &str| Choice { key, label: label.to_owned() };
        let read = row(&[
            ("Name", Value::Text(String::new())),
            ("Sum", Value::Decimal("12.5000".into())),
            ("Formula", Value::Decimal("1".into())),
            ("Stamp", Value::DateTime("2026-01-01T00:00:00".into())),
            ("Tags", Value::Choices(vec![choice(1, "a"), choice(2, "b")])),
        ]);
        let told = row(&[
            ("name", Value::Null),
            ("Sum", Value::Decimal("12.5".into())),
            ("Formula", Value::Decimal("2".into())),
            ("Stamp", Value::DateTime("2026-01-02T00:00:00".into())),
            ("Tags", Value::Choices(vec![choice(0, "b"), choice(0, "a")])),
        ]);
        assert_eq!(tagger.tags(&read), tagger.tags(&told));
        let changed = row(&[("Name", Value::Text("x".into())), ("Sum", Value::Decimal("12.5".into()))]);
        assert_eq!(tagger.tags(&changed).differing(&tagger.tags(&read)), [name_tag(&key, "NAME")]);
    }
}
