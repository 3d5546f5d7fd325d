//! Reads of one run that were answered, for workflows that ask for it (`[run] cache_reads`).
//!
//! An answer is good until the run itself writes to the table. What others change meanwhile is not seen: that is what the
//! workflow asks for. Only good answers are kept, and no more than some MiB of them.

use crate::model::{Action, Answer, Effect, Row, Value};

/// Bytes of answers that are kept, about; what does not fit is asked again.
const MOST_BYTES: usize = 8 << 20;

/// Answers by what was asked.
#[derive(Debug, Default)]
pub(super) struct ReadCache {
    answers: Vec<(Action, Answer)>,
    bytes: usize,
}

impl ReadCache {
    /// The answer to the same question.
    pub(super) fn get(&self, action: &Action) -> Option<Answer> {
        self.answers.iter().find(|(asked, _)| asked == action).map(|(_, answer)| answer.clone())
    }

    /// What an action was answered. An effect makes all that is known of its table unsure, and all that is not about
    /// one table.
    pub(super) fn note(&mut self, action: &Action, answer: Option<&Answer>) {
        match (action.effect(), answer) {
            (Effect::Changes, _) => {
                let same = |asked: &Action| match (asked.table(), action.table()) {
                    (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                    _ => true,
                };
                self.answers.retain(|(asked, _)| !same(asked));
                self.bytes = self.answers.iter().map(|(_, answer)| weight(answer)).sum();
            }
            (Effect::None, Some(answer)) => {
                let bytes = weight(answer);
                if self.bytes.saturating_add(bytes) <= MOST_BYTES && self.get(action).is_none() {
                    self.bytes = self.bytes.saturating_add(bytes);
                    self.answers.push((action.clone(), answer.clone()));
                }
            }
            (Effect::None | Effect::Keeps | Effect::Sleeps, _) => {}
        }
    }
}

fn weight(answer: &Answer) -> usize {
    let of_value = |value: &Value| match value {
        Value::Text(text) | Value::Decimal(text) | Value::Date(text) | Value::DateTime(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Choices(choices) => choices.iter().map(|c| 32 + c.label.len()).sum(),
        _ => 0,
    };
    let of_row =
        |row: &Row| -> usize { row.0.iter().map(|(name, value)| 48 + name.len() + of_value(value)).sum() };
    256 + match answer {
        Answer::Rows(rows) => rows.iter().map(of_row).sum(),
        Answer::Record(row) => row.as_ref().map_or(0, of_row),
        Answer::Fields(fields) => fields.len() * 256,
        Answer::Tables(names) => names.iter().map(String::len).sum(),
        Answer::Content(content) => content.0.len(),
        Answer::Attachments(list) => list.len() * 256,
        Answer::Files(list) => list.len() * 256,
        Answer::Folders(list) => list.len() * 256,
        _ => 0,
    }
}
