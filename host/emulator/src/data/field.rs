//! What a column may hold, and its definition as REST shows and takes it.
//!
//! [`Field::create`] and [`Field::update`] apply the rules of the reference, section 4: name rules,
//! `Unique` for generated fields, formats of RANDOM ID and PREFIXED AUTONUMBER, list items that keep
//! their keys. Values themselves are judged in [`super::value`]. A definition that breaks a rule is
//! refused whole, with a message that names the member.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::model::FieldModel;
use crate::error::ApiError;

/// The type of a field, by Caspio's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    String,
    Text,
    Number,
    Integer,
    Currency,
    YesNo,
    DateTime,
    Timestamp,
    AutoNumber,
    PrefixedNumber,
    RandomId,
    Guid,
    Password,
    File,
    Attachment,
    ListString,
    ListNumber,
    ListDateTime,
}

const TYPES: &[(&str, FieldType)] = &[
    ("STRING", FieldType::String),
    ("TEXT", FieldType::Text),
    ("NUMBER", FieldType::Number),
    ("INTEGER", FieldType::Integer),
    ("CURRENCY", FieldType::Currency),
    ("YES/NO", FieldType::YesNo),
    ("DATE/TIME", FieldType::DateTime),
    ("TIMESTAMP", FieldType::Timestamp),
    ("AUTONUMBER", FieldType::AutoNumber),
    ("PREFIXED AUTONUMBER", FieldType::PrefixedNumber),
    ("RANDOM ID", FieldType::RandomId),
    ("GUID", FieldType::Guid),
    ("PASSWORD", FieldType::Password),
    ("FILE", FieldType::File),
    ("ATTACHMENT", FieldType::Attachment),
    ("LIST-STRING", FieldType::ListString),
    ("LIST-NUMBER", FieldType::ListNumber),
    ("LIST-DATE/TIME", FieldType::ListDateTime),
];

impl FieldType {
    /// From Caspio's token, in any case.
    pub fn parse(token: &str) -> Option<Self> {
        TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(token.trim())).map(|(_, kind)| *kind)
    }

    /// Caspio's token.
    pub fn token(self) -> &'static str {
        TYPES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether Caspio makes the value itself when a row is inserted.
    pub fn is_generated(self) -> bool {
        matches!(self, Self::AutoNumber | Self::PrefixedNumber | Self::RandomId | Self::Guid)
    }

    /// Whether a person or a client may write it.
    pub fn is_editable(self) -> bool {
        !self.is_generated() && !matches!(self, Self::Timestamp | Self::Attachment)
    }

    /// One of the three list types.
    pub fn is_list(self) -> bool {
        matches!(self, Self::ListString | Self::ListNumber | Self::ListDateTime)
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: FieldType,
    pub unique: bool,
    /// A blank value in a unique field is no duplicate.
    pub unique_allow_nulls: bool,
    pub label: String,
    pub description: String,
    pub display_order: i64,
    pub on_insert: bool,
    pub on_update: bool,
    pub time_zone: String,
    pub format: String,
    pub prefix: String,
    pub length: u32,
    /// Members that only an ATTACHMENT has, as they were given.
    pub attachment: Map<String, Json>,
    /// Items in use.
    pub list: BTreeMap<u32, String>,
    /// Every item there ever was: one that comes back gets its old key.
    list_history: BTreeMap<u32, String>,
}

impl Field {
    /// A new field from a request body.
    pub fn create(model: &FieldModel) -> Result<Self, ApiError> {
        let name = model.name.as_deref().unwrap_or("").trim();
        let token = model.kind.as_deref().unwrap_or("");
        let kind = FieldType::parse(token).ok_or_else(|| {
            ApiError::body(format!("'{token}' is no field type. Use one of Caspio's type names."))
        })?;
        let mut field = Self::plain("", kind);
        check_name(name)?;
        field.update(&FieldModel { kind: None, ..model.clone() })?;
        Ok(field)
    }

    /// A field with nothing but a name and a type, for columns that the server makes itself: their
    /// names need not follow the rules.
    pub fn plain(name: &str, kind: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            unique: false,
            unique_allow_nulls: false,
            label: String::new(),
            description: String::new(),
            display_order: 0,
            on_insert: false,
            on_update: false,
            time_zone: String::new(),
            format: default_format(kind).to_owned(),
            prefix: String::new(),
            length: 12,
            attachment: Map::new(),
            list: BTreeMap::new(),
            list_history: BTreeMap::new(),
        }
    }

    /// Applies the given members. On a refusal the field may be half changed: work on a copy.
    pub fn update(&mut self, model: &FieldModel) -> Result<(), ApiError> {
        if let Some(name) = &model.name {
            check_name(name.trim())?;
            name.trim().clone_into(&mut self.name);
        }
        if let Some(token) = &model.kind
            && FieldType::parse(token) != Some(self.kind)
        {
            return Err(ApiError::body(
                "The type of a field cannot be changed here. Create a new field instead.",
            ));
        }
        if model.is_formula == Some(true) {
            return Err(ApiError::body("A formula cannot be set by REST. Leave IsFormula out."));
        }
        set(&mut self.unique, model.unique);
        set(&mut self.unique_allow_nulls, model.unique_allow_nulls);
        set(&mut self.on_insert, model.on_insert);
        set(&mut self.on_update, model.on_update);
        set(&mut self.display_order, model.display_order);
        set(&mut self.length, model.length);
        set(&mut self.label, model.label.clone());
        set(&mut self.description, model.description.clone());
        set(&mut self.time_zone, model.time_zone.clone());
        set(&mut self.prefix, model.prefix.clone());
        if let Some(format) = model.format.as_ref().filter(|format| !format.is_empty()) {
            self.format.clone_from(format);
        }
        let attachment = [
            (
                "AttachmentPermittedFileTypes",
                model.attachment_permitted_file_types.as_ref().map(|v| json!(v)),
            ),
            ("AttachmentMinFileSize", model.attachment_min_file_size.map(Json::from)),
            ("AttachmentMaxFileSize", model.attachment_max_file_size.map(Json::from)),
            ("AttachmentSmartResizer", model.attachment_smart_resizer.map(Json::from)),
            ("AttachmentSmartResizerForRetina", model.attachment_smart_resizer_for_retina.map(Json::from)),
            ("AttachmentAltText", model.attachment_alt_text.as_deref().map(Json::from)),
            ("AttachmentTitle", model.attachment_title.as_deref().map(Json::from)),
        ];
        for (name, value) in attachment {
            if let Some(value) = value {
                self.attachment.insert(name.to_owned(), value);
            }
        }
        if let Some(items) = &model.list_field {
            self.set_list(items)?;
        }
        self.check()
    }

    fn check(&self) -> Result<(), ApiError> {
        let rule = |holds: bool, message: &str| {
            if holds { Ok(()) } else { Err(ApiError::body(format!("Field '{}': {message}", self.name))) }
        };
        rule(self.label.chars().count() <= 255, "Label has more than 255 characters.")?;
        rule(self.description.chars().count() <= 4000, "Description has more than 4000 characters.")?;
        rule(self.prefix.chars().count() < 50, "Prefix must be shorter than 50 characters.")?;
        rule(!self.kind.is_generated() || self.unique, "Unique must be true for this type.")?;
        let no_unique = self.kind.is_list()
            || matches!(
                self.kind,
                FieldType::Text
                    | FieldType::YesNo
                    | FieldType::Password
                    | FieldType::Attachment
                    | FieldType::File
            );
        rule(!(self.unique && no_unique), "this type cannot be Unique.")?;
        match self.kind {
            FieldType::RandomId => {
                let shortest = match self.format.as_str() {
                    "0" => 8,
                    "U" | "0U" => 6,
                    _ => return rule(false, "Format must be 0, U or 0U."),
                };
                rule((shortest..=12).contains(&self.length), "Length is out of range for this Format.")
            }
            FieldType::PrefixedNumber => {
                let zeros =
                    self.format.strip_suffix('1').is_some_and(|zeros| zeros.bytes().all(|b| b == b'0'));
                rule(zeros && self.format.len() <= 7, "Format must be one of 1, 01, … 0000001.")
            }
            _ => Ok(()),
        }
    }

    fn set_list(&mut self, items: &[Json]) -> Result<(), ApiError> {
        if !self.kind.is_list() {
            return Err(ApiError::body(format!("Field '{}': ListField is for list types only.", self.name)));
        }
        self.list.clear();
        for item in items {
            let text = match item {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                _ => return Err(ApiError::body("ListField must be an array of texts.")),
            };
            let known = self.list_history.iter().find(|(_, old)| same(old, &text)).map(|(key, _)| *key);
            let key = known.unwrap_or_else(|| {
                self.list_history.last_key_value().map_or(1, |(key, _)| key.saturating_add(1))
            });
            self.list_history.insert(key, text.clone());
            self.list.insert(key, text);
        }
        Ok(())
    }

    /// The text of a list item.
    pub fn list_text(&self, key: u32) -> Option<&str> {
        self.list.get(&key).map(String::as_str)
    }

    /// The key of a list item, by its text without regard to case.
    pub fn list_key(&self, text: &str) -> Option<u32> {
        self.list.iter().find(|(_, item)| same(item, text)).map(|(key, _)| *key)
    }

    /// Whether the name is meant; case does not matter.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The definition as `GET …/fields` shows it.
    pub fn to_json(&self, order: usize) -> Json {
        let mut members = Map::new();
        let mut put = |name: &str, value: Json| members.insert(name.to_owned(), value);
        put("Name", json!(self.name));
        put("TableFieldName", Json::Null);
        put("Type", json!(self.kind.token()));
        put("Unique", json!(self.unique));
        put("Editable", json!(self.kind.is_editable()));
        put("Description", json!(self.description));
        put("DisplayOrder", json!(order));
        put("Label", json!(self.label));
        put("UniqueAllowNulls", json!(self.unique_allow_nulls));
        put("IsFormula", json!(false));
        match self.kind {
            FieldType::Timestamp => {
                put("OnInsert", json!(self.on_insert));
                put("OnUpdate", json!(self.on_update));
                put("TimeZone", json!(self.time_zone));
            }
            FieldType::RandomId => {
                put("Format", json!(self.format));
                put("Prefix", json!(self.prefix));
                put("Length", json!(self.length));
            }
            FieldType::PrefixedNumber => {
                put("Format", json!(self.format));
                put("Prefix", json!(self.prefix));
            }
            FieldType::Attachment => members.extend(self.attachment.clone()),
            kind if kind.is_list() => {
                put("ListField", json!(self.list));
            }
            _ => {}
        }
        Json::Object(members)
    }

    /// Seconds east of UTC of the field's time zone, read from a name like `(UTC-05:00) …`; 0 when
    /// the name says nothing.
    pub fn utc_offset(&self) -> i32 {
        let read = || {
            let rest = self.time_zone.split("UTC").nth(1)?;
            let sign = match rest.chars().next()? {
                '+' => 1,
                '-' => -1,
                _ => return None,
            };
            let hours: i32 = rest.get(1..3)?.parse().ok()?;
            let minutes: i32 = rest.get(4..6)?.parse().ok()?;
            Some(sign * (hours * 3600 + minutes * 60))
        };
        read().unwrap_or(0)
    }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

fn default_format(kind: FieldType) -> &'static str {
    match kind {
        FieldType::RandomId => "0U",
        FieldType::PrefixedNumber => "1",
        _ => "",
    }
}

/// A letter first, then letters, digits and underscores, at most 32.
fn check_name(name: &str) -> Result<(), ApiError> {
    let first = name.chars().next().is_some_and(char::is_alphabetic);
    let rest = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !first || !rest || name.chars().count() > 32 || name.eq_ignore_ascii_case("PK_ID") {
        return Err(ApiError::body(format!(
            "'{name}' is no field name. Use a letter, then letters, digits and underscores, at most 32 characters."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(json: Json) -> FieldModel {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn list_items_keep_their_keys() {
        let mut field =
            Field::create(&model(json!({"Name":"L","Type":"LIST-STRING","ListField":["Cat","Dog"]})))
                .unwrap();
        field.update(&model(json!({"ListField":["Dog","Bird"]}))).unwrap();
        assert_eq!(field.to_json(1)["ListField"], json!({"2":"Dog","3":"Bird"}));
        field.update(&model(json!({"ListField":["cat"]}))).unwrap();
        assert_eq!(field.list_key("CAT"), Some(1));
    }

    #[test]
    fn rules_of_a_definition() {
        for bad in [
            json!({"Name":"1A","Type":"STRING"}),
            json!({"Name":"A B","Type":"STRING"}),
            json!({"Name":"A","Type":"VARCHAR"}),
            json!({"Name":"A","Type":"GUID"}),
            json!({"Name":"A","Type":"TEXT","Unique":true}),
            json!({"Name":"A","Type":"RANDOM ID","Unique":true,"Format":"0","Length":6}),
            json!({"Name":"A","Type":"PREFIXED AUTONUMBER","Unique":true,"Format":"002"}),
        ] {
            assert!(Field::create(&model(bad.clone())).is_err(), "{bad}");
        }
        assert!(Field::create(&model(json!({"Name":"A","Type":"random id","Unique":true}))).is_ok());
    }

    #[test]
    fn zones() {
        let mut field = Field::create(&model(json!({"Name":"T","Type":"TIMESTAMP"}))).unwrap();
        assert_eq!(field.utc_offset(), 0);
        field.time_zone = "(UTC-05:30) Somewhere".into();
        assert_eq!(field.utc_offset(), -(5 * 3600 + 30 * 60));
    }
}
