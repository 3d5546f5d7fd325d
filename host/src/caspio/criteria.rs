//! From a typed tree to the text of `q.where`.
//!
//! The text is printed from the tree, never taken from anyone: names are those of the schema, numbers
//! are validated digits, all else is a quoted literal with its quotes doubled. A value is written by
//! the type of its field, and refused when it does not fit it. The depth of the tree is bounded; the
//! length of the text is by the request's URI. `is-empty` of a field that is no text is `IS NULL` alone,
//! because SQL takes `''` for zero there.

use std::fmt::Write as _;

use crate::model::{Criteria, Field, FieldType, Operator, SchemaKind, TableSchema, Value};

use super::CaspioError;
use super::literal;

/// Deepest tree.
const MAX_DEPTH: usize = 64;

/// How values of a field are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    YesNo,
    Date,
}

/// A field that may be compared.
struct Column<'a> {
    /// As in the schema.
    name: &'a str,
    /// As in the text.
    sql: String,
    kind: Kind,
}

/// A field's name as it stands in `q.where`, `q.select` and `q.orderBy`; refused are unknown fields and those
/// that Caspio does not compare, sort or select.
pub(super) fn column_name(schema: &TableSchema, field: &str) -> Result<String, CaspioError> {
    column(schema, field).map(|column| column.sql)
}

/// A name as SQL text.
pub(super) fn name_text(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("[{}]", name.replace(']', "]]")) }
}

fn column<'a>(schema: &'a TableSchema, field: &str) -> Result<Column<'a>, CaspioError> {
    if field.eq_ignore_ascii_case("PK_ID") {
        // That of a view over several tables is text: "3,17".
        let kind = if schema.kind == SchemaKind::View { Kind::Text } else { Kind::Number };
        return Ok(Column { name: "PK_ID", sql: "PK_ID".to_owned(), kind });
    }
    let Field { name, kind, .. } =
        schema.field(field).ok_or_else(|| CaspioError::unknown_field(schema, field))?;
    let kind = match kind {
        FieldType::TextShort
        | FieldType::TextLong
        | FieldType::PrefixedAutonumber
        | FieldType::RandomId
        | FieldType::Guid
        | FieldType::File
        | FieldType::Other(_) => Kind::Text,
        FieldType::Number | FieldType::Integer | FieldType::Currency | FieldType::Autonumber => Kind::Number,
        FieldType::YesNo => Kind::YesNo,
        FieldType::DateTime | FieldType::Timestamp => Kind::Date,
        FieldType::Password
        | FieldType::Attachment
        | FieldType::ListString
        | FieldType::ListNumber
        | FieldType::ListDateTime => {
            return Err(CaspioError::invalid(
                name.as_str(),
                "Caspio does not compare or sort fields of this type; use another field",
            ));
        }
    };
    Ok(Column { name, sql: name_text(name), kind })
}

/// The text of criteria.
///
/// # Errors
/// Unknown field, value that does not fit its field, too deep.
pub(super) fn where_text(criteria: &Criteria, schema: &TableSchema) -> Result<String, CaspioError> {
    let mut text = String::new();
    write_tree(&mut text, criteria, schema, 1)?;
    Ok(text)
}

fn write_tree(
    out: &mut String,
    tree: &Criteria,
    schema: &TableSchema,
    depth: usize,
) -> Result<(), CaspioError> {
    if depth > MAX_DEPTH {
        return Err(CaspioError::invalid("", "the criteria are nested more than 64 deep; make them flatter"));
    }
    let (list, word, empty) = match tree {
        Criteria::Compare { field, operator } => {
            out.push_str(&compare(&column(schema, field)?, operator)?);
            return Ok(());
        }
        Criteria::Not(inner) => {
            out.push_str("NOT (");
            write_tree(out, inner, schema, depth + 1)?;
            out.push(')');
            return Ok(());
        }
        Criteria::All(list) => (list, " AND ", "1=1"),
        Criteria::Any(list) => (list, " OR ", "1=0"),
    };
    match list.as_slice() {
        [] => out.push_str(empty),
        [one] => write_tree(out, one, schema, depth + 1)?,
        several => {
            out.push('(');
            for (n, one) in several.iter().enumerate() {
                if n > 0 {
                    out.push_str(word);
                }
                write_tree(out, one, schema, depth + 1)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

fn compare(column: &Column<'_>, operator: &Operator) -> Result<String, CaspioError> {
    let sql = &column.sql;
    let ordered = |sign: &str, value: &Value| Ok(format!("{sql} {sign} {}", column.literal(value)?));
    match operator {
        Operator::Equals(Value::Null) => Ok(format!("{sql} IS NULL")),
        Operator::NotEquals(Value::Null) => Ok(format!("{sql} IS NOT NULL")),
        Operator::Equals(value) => Ok(format!("{sql}={}", column.literal(value)?)),
        Operator::NotEquals(value) => ordered("<>", value),
        Operator::Less(value) => ordered("<", value),
        Operator::LessOrEqual(value) => ordered("<=", value),
        Operator::Greater(value) => ordered(">", value),
        Operator::GreaterOrEqual(value) => ordered(">=", value),
        Operator::Contains(part) => column.like("%", part),
        Operator::StartsWith(part) => column.like("", part),
        Operator::Like(pattern) => column.pattern(pattern),
        Operator::AnyOf(values) => Ok(InList::of(column, values)?.text()),
        Operator::IsEmpty if column.kind == Kind::Text => Ok(format!("({sql} IS NULL OR {sql} = '')")),
        Operator::IsEmpty => Ok(format!("{sql} IS NULL")),
        Operator::IsNotEmpty if column.kind == Kind::Text => {
            Ok(format!("({sql} IS NOT NULL AND {sql} <> '')"))
        }
        Operator::IsNotEmpty => Ok(format!("{sql} IS NOT NULL")),
    }
}

impl Column<'_> {
    fn refused(&self, wanted: &str, value: &Value) -> CaspioError {
        CaspioError::invalid(self.name, format!("it is compared with {wanted}, not with {}", value.kind()))
    }

    /// A value of this column as SQL text.
    fn literal(&self, value: &Value) -> Result<String, CaspioError> {
        let text = match (self.kind, value) {
            (_, Value::Null) => {
                return Err(CaspioError::invalid(
                    self.name,
                    "null is neither less nor greater than anything; use equals, not-equals or is-empty",
                ));
            }
            (
                Kind::Text,
                Value::Text(text) | Value::Decimal(text) | Value::Date(text) | Value::DateTime(text),
            ) => {
                return quoted(self.name, text);
            }
            (Kind::Text, Value::Integer(n)) => Some(format!("'{n}'")),
            (Kind::Number, Value::Integer(n)) => Some(n.to_string()),
            (Kind::Number, Value::Decimal(text) | Value::Text(text)) => literal::decimal(text),
            (Kind::Number, Value::Number(n)) => literal::float(*n),
            (Kind::YesNo, value) => yes_no(value).map(|yes| if yes { "1" } else { "0" }.to_owned()),
            (Kind::Date, Value::Date(text) | Value::DateTime(text) | Value::Text(text)) => {
                literal::date_or_date_time(text).map(|text| format!("'{text}'"))
            }
            _ => None,
        };
        text.ok_or_else(|| {
            let wanted = match self.kind {
                Kind::Text => "text",
                Kind::Number => "a number",
                Kind::YesNo => "yes or no",
                Kind::Date => "a date (YYYY-MM-DD) or a time (YYYY-MM-DDTHH:MM:SS) without zone",
            };
            self.refused(wanted, value)
        })
    }

    fn like(&self, before: &str, part: &str) -> Result<String, CaspioError> {
        let mut pattern = before.to_owned();
        for c in part.chars() {
            match c {
                '%' | '_' | '[' => {
                    let _ = write!(pattern, "[{c}]");
                }
                c => pattern.push(c),
            }
        }
        pattern.push('%');
        self.pattern(&pattern)
    }

    fn pattern(&self, pattern: &str) -> Result<String, CaspioError> {
        if self.kind != Kind::Text {
            return Err(CaspioError::invalid(
                self.name,
                "only text is compared with a pattern, contains or starts with something",
            ));
        }
        Ok(format!("{} LIKE {}", self.sql, quoted(self.name, pattern)?))
    }
}

/// YES/NO in the forms that are one beyond doubt.
pub(super) fn yes_no(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(yes) => Some(*yes),
        Value::Integer(1) => Some(true),
        Value::Integer(0) => Some(false),
        Value::Text(text) => yes_no_text(text),
        _ => None,
    }
}

/// The same, of a text.
pub(super) fn yes_no_text(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "yes", "1"]) {
        Some(true)
    } else if is(&["false", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// A text as SQL literal. In T-SQL nothing in it is special but the quote, and a backslash before
/// a line end, which would both be swallowed.
pub(super) fn quoted(field: &str, text: &str) -> Result<String, CaspioError> {
    if text.contains('\0') {
        return Err(CaspioError::invalid(
            field,
            "the text to compare holds a NUL character, which Caspio can't take",
        ));
    }
    if text.contains("\\\n") || text.contains("\\\r") {
        return Err(CaspioError::invalid(
            field,
            "the text to compare holds a backslash before a line end, which SQL reads as nothing; compare another part",
        ));
    }
    let doubled = text.replace('\'', "''");
    Ok(if text.is_ascii() { format!("'{doubled}'") } else { format!("N'{doubled}'") })
}

/// `F IN (…)`, which may be split into several requests when it is all that is asked.
#[derive(Debug, Clone)]
pub(super) struct InList {
    sql: String,
    literals: Vec<String>,
    or_null: bool,
}

impl InList {
    /// The list, when criteria are one comparison with any of several values.
    pub(super) fn alone(criteria: &Criteria, schema: &TableSchema) -> Result<Option<Self>, CaspioError> {
        match criteria {
            Criteria::Compare { field, operator: Operator::AnyOf(values) } => {
                Self::of(&column(schema, field)?, values).map(Some)
            }
            Criteria::All(list) | Criteria::Any(list) => match list.as_slice() {
                [one @ Criteria::Compare { .. }] => Self::alone(one, schema),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn of(column: &Column<'_>, values: &[Value]) -> Result<Self, CaspioError> {
        let mut literals = Vec::with_capacity(values.len());
        let mut seen = std::collections::HashSet::new();
        let mut or_null = false;
        for value in values {
            if matches!(value, Value::Null) {
                or_null = true;
                continue;
            }
            let literal = column.literal(value)?;
            if seen.insert(literal.clone()) {
                literals.push(literal);
            }
        }
        Ok(Self { sql: column.sql.clone(), literals, or_null })
    }

    /// Of `PK_ID`.
    pub(super) fn of_pk_ids(ids: &[i64]) -> Self {
        let literals = ids.iter().map(i64::to_string).collect();
        Self { sql: "PK_ID".to_owned(), literals, or_null: false }
    }

    /// The whole list.
    pub(super) fn text(&self) -> String {
        self.part(&self.literals, self.or_null)
    }

    fn part(&self, literals: &[String], or_null: bool) -> String {
        let sql = &self.sql;
        let list = match literals {
            [] if or_null => return format!("{sql} IS NULL"),
            [] => return "1=0".to_owned(),
            [one] => format!("{sql}={one}"),
            several => format!("{sql} IN ({})", several.join(",")),
        };
        if or_null { format!("({list} OR {sql} IS NULL)") } else { list }
    }

    /// Texts that together mean the whole list, each of which fits. None when one value alone does not.
    pub(super) fn split(&self, fits: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        let mut rest = self.literals.as_slice();
        let mut or_null = self.or_null;
        // A value takes two characters at least, so that no part holds more: trying with all of a long
        // list each time would take its square.
        let most = super::paths::MAX_URI / 2;
        while !rest.is_empty() || or_null || parts.is_empty() {
            let mut take = rest.len().min(most);
            let text = loop {
                let (head, _) = rest.split_at_checked(take)?;
                let text = self.part(head, or_null);
                if fits(&text) {
                    break text;
                }
                if take <= 1 {
                    return None;
                }
                // Close to what fits, then closer.
                take = if take > 64 { take / 2 } else { take - 1 };
            };
            parts.push(text);
            rest = rest.get(take..).unwrap_or_default();
            or_null = false;
        }
        Some(parts)
    }
}

#[cfg(test)]
#[path = "tests/criteria.rs"]
mod tests;
