//! What an account stores: values, fields, tables.
//!
//! `decimal` and `value` know what a value is and how it is read and written as JSON, `field` what
//! a column may hold, `model` how a
//! definition is written, `generate` the values that Caspio makes, `stored` the bytes of a file, `table`
//! the rows and the rules that hold between them. Nothing here knows of HTTP; a refusal is an [`crate::error::ApiError`] because its code is part of the rule.

pub mod decimal;
pub mod field;
pub mod generate;
pub mod model;
pub mod stored;
pub mod table;
pub mod value;

pub use decimal::Decimal;
pub use field::{Field, FieldType};
pub use model::FieldModel;
pub use stored::StoredFile;
pub use table::{Change, Row, Table, Writer};
pub use value::Value;
