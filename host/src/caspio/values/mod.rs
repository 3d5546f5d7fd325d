//! Values of rows, to and from Caspio's JSON, by the table's schema.
//!
//! Reading never fails: what does not fit its type is kept as text, nothing is guessed. Writing is
//! strict: what does not fit is refused with the field's name before a call is spent on it.

mod plain;
mod read;
mod write;

pub use plain::{row_mistake, row_to_plain};
pub use read::row_from_json;
pub(super) use read::{choices_of_field, number_from_json, value_from_json, whole_from_json};
pub(super) use write::{Purpose, row_to_json};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caspio::list_form::ListForm;
    use crate::caspio::tests::schema;

    #[test]
    fn what_was_read_can_be_written_again_with_its_digits() {
        let json = r#"{"Email":"é'\"\\","Notes":"","Visits":-12,"Balance":12.5000,"Score":1.10,"Active":false,"Born":"1970-01-02T03:04:05","Odd [name]":"x"}"#;
        let row = row_from_json(&schema(), &serde_json::from_str(json).expect("JSON"));
        let again = row_to_json(&schema(), &row, Purpose::Update, ListForm::Text).expect("written");
        assert_eq!(String::from_utf8(again).expect("text"), json);
    }

    #[test]
    fn no_json_makes_reading_fail_or_lose_a_field() {
        let values = [
            "null",
            "true",
            "0",
            "-0",
            "1e400",
            "1E-5",
            "123456789012345678901234567890",
            "\"\"",
            "\" 1 \"",
            "\"\\u0000\"",
            "\"é\"",
            "\"9999-99-99T99:99:99\"",
            "\"2024-02-29éééé\"",
            "[]",
            "[1,\"a\",null]",
            "[4294967296]",
            "[-1]",
            "{}",
            "{\"a\":{}}",
            "{\"2\":null}",
            "{\"2\":1.5}",
            "{\"4294967296\":\"x\"}",
        ];
        let schema = schema();
        let names = schema.fields.iter().map(|field| field.name.as_str()).chain(["PK_ID", "Unknown"]);
        for name in names {
            for value in values {
                let json = format!("{{\"{name}\":{value}}}");
                let row = row_from_json(&schema, &serde_json::from_str(&json).expect("JSON"));
                assert_eq!(row.0.len(), 1, "{json}");
                assert_eq!(row.0[0].0, name);
            }
        }
    }
}
