//! How choices of LIST fields are written.
//!
//! Caspio's own client writes `"[1], [3]"`; accounts were seen that take an array of keys, or of labels. When Caspio
//! refuses a value of a row with choices, the next form is tried: a refused request did nothing. The form that an
//! account took is remembered.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::model::{Row, TableSchema, Value};

use super::values::{Purpose, row_to_json};
use super::{Caspio, CaspioError};

/// A way of writing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListForm {
    /// `"[1], [3]"`
    Text,
    /// `[1, 3]`
    Keys,
    /// `["English"]`
    Labels,
}

const FORMS: [ListForm; 3] = [ListForm::Text, ListForm::Keys, ListForm::Labels];

/// The form that this account took last.
#[derive(Debug, Default)]
pub(super) struct KnownForm(AtomicU8);

/// A row on its way, in the form that is tried now.
pub(super) struct Sending<'a> {
    schema: &'a TableSchema,
    row: &'a Row,
    purpose: Purpose,
    known: &'a KnownForm,
    /// The form that is tried first, and how many were tried.
    first: usize,
    tried: usize,
    first_error: Option<CaspioError>,
}

impl<'a> Sending<'a> {
    /// A row that may have to be sent in several forms.
    pub(super) fn new(caspio: &'a Caspio, schema: &'a TableSchema, row: &'a Row, purpose: Purpose) -> Self {
        let known = &caspio.list_form;
        let first = usize::from(known.0.load(Ordering::Relaxed));
        Self { schema, row, purpose, known, first, tried: 0, first_error: None }
    }

    fn form(&self) -> ListForm {
        FORMS.into_iter().cycle().nth(self.first + self.tried).unwrap_or(ListForm::Text)
    }

    fn has_choices(&self) -> bool {
        self.row.0.iter().any(|(_, value)| matches!(value, Value::Choices(list) if !list.is_empty()))
    }

    /// The body to send.
    pub(super) fn body(&self) -> Result<Vec<u8>, CaspioError> {
        row_to_json(self.schema, self.row, self.purpose, self.form())
    }

    /// What came of it: the answer, or none when the next form is to be tried. When all were, the error is that of the first.
    pub(super) fn answered<T>(&mut self, result: Result<T, CaspioError>) -> Result<Option<T>, CaspioError> {
        match result {
            Ok(answer) => {
                if self.tried > 0 {
                    let form = self.form();
                    let place = FORMS.iter().position(|known| *known == form).unwrap_or_default();
                    self.known.0.store(u8::try_from(place).unwrap_or_default(), Ordering::Relaxed);
                }
                Ok(Some(answer))
            }
            Err(error) if error.is_invalid() && !error.is_undecided() && self.has_choices() => {
                self.tried += 1;
                let first = self.first_error.get_or_insert(error);
                if self.tried < FORMS.len() { Ok(None) } else { Err(first.clone()) }
            }
            Err(error) => Err(self.first_error.take().filter(|_| !error.is_undecided()).unwrap_or(error)),
        }
    }
}
