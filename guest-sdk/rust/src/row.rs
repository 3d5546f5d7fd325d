//! Rows: named values, read typed and built field by field.
//!
//! Names are compared without regard to ASCII case, as Caspio does. A field that the row does not have is an
//! error, not null: a mistyped name must not pass for "nothing there". `Debug` shows names and kinds.

use std::fmt;

use crate::raw::caspian::workflow::types;
use crate::value::wrong_kind;
use crate::{Choice, Date, DateTime, Decimal, Error, FromValue, Value};

/// One row: its fields in Caspio's order. `PK_ID` is a field like any other.
#[derive(Clone, Default, PartialEq)]
pub struct Row {
    fields: Vec<(String, Value)>,
}

macro_rules! getters {
    ($($name:ident, $optional:ident -> $type:ty, $what:literal;)*) => {
        $(
            #[doc = concat!("The field as ", $what, ".")]
            ///
            /// # Errors
            /// When the row has no such field, it is null, or of another kind.
            pub fn $name(&self, field: &str) -> Result<$type, Error> {
                self.get(field)
            }

            #[doc = concat!("The field as ", $what, "; none when it is null.")]
            ///
            /// # Errors
            /// When the row has no such field, or it is of another kind.
            pub fn $optional(&self, field: &str) -> Result<Option<$type>, Error> {
                self.get(field)
            }
        )*
    };
}

impl Row {
    /// A row without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The row with this field set; a field that is there already gets the new value.
    ///
    /// ```
    /// use caspian_sdk::Row;
    ///
    /// let task = Row::new().set("Title", "Call").set("PatientId", 5).set("Notes", None::<String>);
    /// assert_eq!(task.text("title"), Ok("Call"));
    /// ```
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.put(field, value);
        self
    }

    /// Sets a field; a field that is there already gets the new value.
    pub fn put(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (field.into(), value.into());
        match self.fields.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name, value)),
        }
    }

    /// The value of a field; none when the row has no such field.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value)
    }

    /// Whether the row has the field, be it null or not.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    /// The field as any type that can be read from a value.
    ///
    /// # Errors
    /// When the row has no such field, or it is of another kind.
    pub fn get<T: FromValue>(&self, field: &str) -> Result<T, Error> {
        T::from_value(self.required(field)?, field)
    }

    /// The field's text. Unset text is "" in Caspio.
    ///
    /// # Errors
    /// When the row has no such field, it is null, or no text.
    pub fn text(&self, field: &str) -> Result<&str, Error> {
        match self.required(field)? {
            Value::Text(text) => Ok(text),
            other => Err(wrong_kind(other, field, "text")),
        }
    }

    /// The field's text; none when it is null or "", which is how Caspio shows unset text.
    ///
    /// # Errors
    /// When the row has no such field, or it is no text.
    pub fn optional_text(&self, field: &str) -> Result<Option<&str>, Error> {
        match self.required(field)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            other => Err(wrong_kind(other, field, "text")),
        }
    }

    getters! {
        integer, optional_integer -> i64, "a whole number";
        number, optional_number -> f64, "a binary floating-point number; digits of a decimal may be lost";
        decimal, optional_decimal -> Decimal, "a decimal number with its digits";
        boolean, optional_boolean -> bool, "YES/NO";
        date, optional_date -> Date, "a day; a date-time gives its day";
        date_time, optional_date_time -> DateTime, "a day with a time";
        choices, optional_choices -> Vec<Choice>, "the items of a LIST field";
        bytes, optional_bytes -> Vec<u8>, "binary content";
    }

    /// The row's `PK_ID`.
    ///
    /// # Errors
    /// When the row has none.
    pub fn pk_id(&self) -> Result<i64, Error> {
        self.integer("PK_ID")
    }

    /// Names and values in the row's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn required(&self, field: &str) -> Result<&Value, Error> {
        self.value(field).ok_or_else(|| Error::MissingField { field: field.to_owned() })
    }

    pub(crate) fn from_raw(row: Vec<types::Field>) -> Self {
        Self { fields: row.into_iter().map(|field| (field.name, Value::from_raw(field.value))).collect() }
    }

    pub(crate) fn into_raw(self) -> Vec<types::Field> {
        self.fields.into_iter().map(|(name, value)| types::Field { name, value: value.into_raw() }).collect()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row ")?;
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut row = Self::new();
        for (name, value) in fields {
            row.put(name, value);
        }
        row
    }
}

impl IntoIterator for Row {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::new()
            .set("PK_ID", 42)
            .set("Email", "ann@example.org")
            .set("Phone", "")
            .set("Balance", Value::Decimal("12.5000".to_owned()))
            .set("DateOfBirth", Value::DateTime("1980-05-06T00:00:00".to_owned()))
            .set("Active", true)
            .set("Score", Value::Null)
    }

    #[test]
    fn fields_are_read_by_kind() {
        let row = row();
        assert_eq!(row.pk_id(), Ok(42));
        assert_eq!(row.text("email"), Ok("ann@example.org"));
        assert_eq!(row.decimal("Balance").unwrap().as_str(), "12.5000");
        assert_eq!(row.number("Balance"), Ok(12.5));
        assert_eq!(row.date("DateOfBirth").ok(), Date::new(1980, 5, 6));
        assert_eq!(row.date_time("DateOfBirth").unwrap().as_str(), "1980-05-06T00:00:00");
        assert_eq!(row.get::<bool>("Active"), Ok(true));
        assert_eq!(row.get::<Option<i64>>("PK_ID"), Ok(Some(42)));
    }

    #[test]
    fn null_and_unset_text_are_none() {
        let row = row();
        assert_eq!(row.optional_integer("Score"), Ok(None));
        assert_eq!(row.optional_text("Phone"), Ok(None));
        assert_eq!(row.optional_text("Score"), Ok(None));
        assert_eq!(row.text("Phone"), Ok(""));
        let null = Error::WrongKind { field: "Score".to_owned(), expected: "integer", found: "null" };
        assert_eq!(row.integer("Score"), Err(null));
    }

    #[test]
    fn an_unknown_field_is_an_error_even_when_null_would_do() {
        let missing = Error::MissingField { field: "Emial".to_owned() };
        assert_eq!(row().optional_text("Emial"), Err(missing.clone()));
        assert_eq!(row().optional_date("Emial"), Err(missing));
        assert!(!row().has("Emial"));
    }

    #[test]
    fn errors_name_field_and_kinds_but_no_value() {
        let text = row().integer("Email").unwrap_err().to_string();
        assert_eq!(text, "field Email is text, not integer; read it as text, or change its type in Caspio");
        let bad = Row::new().set("Due", Value::Date("ann@example.org".to_owned()));
        let text = bad.date("Due").unwrap_err().to_string();
        assert!(text.contains("Due") && !text.contains("ann"), "{text}");
    }

    #[test]
    fn debug_shows_names_and_kinds() {
        let shown = format!("{:?}", row());
        assert!(shown.starts_with(r#"Row {"PK_ID": integer(…), "Email": text(…)"#), "{shown}");
        assert!(!shown.contains("ann") && !shown.contains("42") && !shown.contains("1980"), "{shown}");
    }

    #[test]
    fn set_replaces_without_regard_to_case() {
        let row = Row::new().set("Title", "a").set("TITLE", "b");
        assert_eq!(row.len(), 1);
        assert_eq!(row.text("Title"), Ok("b"));
        assert_eq!(Row::from_raw(row.clone().into_raw()), row);
    }
}
