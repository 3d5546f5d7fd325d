//! About how many bytes a call and its answer are: what the host holds in memory and journals of them.

use crate::model::{Action, ActionError, Answer, Choice, Criteria, Operator, Row, Value};

/// What each item takes besides its text.
const ITEM: usize = 16;

/// A call of a guest.
pub(super) fn of_action(action: &Action) -> usize {
    let rest = match action {
        Action::ListRecords { query, .. } => texts(query.select.iter().map(String::as_str))
            .saturating_add(texts(query.order.iter().map(|key| key.field.as_str())))
            .saturating_add(query.criteria.as_ref().map_or(0, of_criteria)),
        Action::CreateRecord { row, .. } => of_row(row),
        Action::UpdateRecords { criteria, changes: row, .. } | Action::UpsertRecord { criteria, row, .. } => {
            of_criteria(criteria).saturating_add(of_row(row))
        }
        Action::DeleteRecords { criteria, .. } => of_criteria(criteria),
        Action::GetRecord { .. } | Action::ListTables | Action::ListFields { .. } => 0,
    };
    rest.saturating_add(ITEM).saturating_add(action.table().map_or(0, str::len))
}

/// What it was answered.
pub(super) fn of_answer(answer: &Result<Answer, ActionError>) -> usize {
    match answer {
        Ok(Answer::Rows(rows) | Answer::Updated { rows, .. }) => sum(rows.iter().map(of_row)),
        Ok(Answer::Record(row)) => row.as_ref().map_or(0, of_row),
        Ok(Answer::Created(row) | Answer::Upserted { row, .. }) => of_row(row),
        Ok(Answer::Tables(names)) => texts(names.iter().map(String::as_str)),
        Ok(Answer::Fields(fields)) => texts(fields.iter().map(|field| field.name.as_str())),
        // Texts of errors are the host's own, and short.
        Ok(Answer::Deleted(_)) | Err(_) => ITEM,
    }
}

fn sum(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.fold(0, |all, size| all.saturating_add(size).saturating_add(ITEM))
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    sum(texts.map(str::len))
}

fn of_row(row: &Row) -> usize {
    sum(row.0.iter().map(|(name, value)| name.len().saturating_add(of_value(value))))
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Decimal(text) | Value::Date(text) | Value::DateTime(text) => text.len(),
        Value::Choices(choices) => texts(choices.iter().map(|Choice { label, .. }| label.as_str())),
        Value::Bytes(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => 0,
    }
}

/// At most as deep as the trees that the contract's conversion lets through.
fn of_criteria(criteria: &Criteria) -> usize {
    match criteria {
        Criteria::Compare { field, operator } => field.len().saturating_add(match operator {
            Operator::Equals(value)
            | Operator::NotEquals(value)
            | Operator::Less(value)
            | Operator::LessOrEqual(value)
            | Operator::Greater(value)
            | Operator::GreaterOrEqual(value) => of_value(value),
            Operator::Contains(text) | Operator::StartsWith(text) => text.len(),
            Operator::AnyOf(values) => sum(values.iter().map(of_value)),
            Operator::IsEmpty | Operator::IsNotEmpty => 0,
        }),
        Criteria::All(list) | Criteria::Any(list) => sum(list.iter().map(of_criteria)),
        Criteria::Not(inner) => of_criteria(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_items_weigh() {
        let row = Row(vec![("A".to_owned(), Value::Text("x".repeat(1000))), ("B".to_owned(), Value::Null)]);
        let size = of_action(&Action::CreateRecord { table: "T".to_owned(), row: row.clone() });
        assert!((1000..1100).contains(&size), "{size}");
        assert_eq!(of_answer(&Ok(Answer::Rows(vec![row.clone(), row]))), 2 * (1002 + 3 * ITEM));
        let empty = Criteria::Any(vec![Criteria::All(Vec::new()); 100]);
        assert!(of_criteria(&empty) >= 100 * ITEM, "nodes without text are not free");
    }
}
