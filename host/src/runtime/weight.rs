//! About how many bytes a call and its answer are: what the host holds in memory and journals of them.

use crate::model::{
    Action, ActionError, Aggregation, Answer, AttachmentAction, Choice, Criteria, DirectoryAction, Field,
    FileAction, Operator, Query, Row, StateAction, Task, TaskAction, Value, ViewAction,
};

/// What each item takes besides its text.
const ITEM: usize = 16;
/// Key, media type and dates of a file.
const DATES: usize = 96;

/// A call of a guest.
pub(super) fn of_action(action: &Action) -> usize {
    let rest = match action {
        Action::ListRecords { query, .. } => of_query(query),
        Action::CreateRecord { row, .. } => of_row(row),
        Action::UpdateRecords { criteria, changes: row, .. } | Action::UpsertRecord { criteria, row, .. } => {
            of_criteria(criteria).saturating_add(of_row(row))
        }
        Action::DeleteRecords { criteria, .. } => of_criteria(criteria),
        Action::GetRecord { .. } | Action::ListTables | Action::ListFields { .. } => 0,
        Action::Count { criteria, .. } => criteria.as_ref().map_or(0, of_criteria),
        Action::Aggregate { aggregation, .. } => of_aggregation(aggregation),
        Action::View(action) => match action {
            ViewAction::List | ViewAction::Fields { .. } => 0,
            ViewAction::Records { query, .. } => of_query(query),
            ViewAction::Get { key, .. } => key.len(),
        },
        Action::Attachment { field, action, .. } => field.len().saturating_add(match action {
            AttachmentAction::List { criteria } => criteria.as_ref().map_or(0, of_criteria),
            AttachmentAction::Upload { file_name, content, .. } => {
                file_name.len().saturating_add(content.0.len())
            }
            AttachmentAction::Rename { file_name, .. } => file_name.len(),
            AttachmentAction::Download { .. } | AttachmentAction::Delete { .. } => 0,
        }),
        Action::File(action) => match action {
            FileAction::Folders { parent: key } | FileAction::List { folder: key } => {
                key.as_ref().map_or(0, String::len)
            }
            FileAction::Download { key } | FileAction::Delete { key } => key.len(),
            FileAction::Upload { folder, name, content, .. } => {
                let names = folder.as_ref().map_or(0, String::len).saturating_add(name.len());
                names.saturating_add(content.0.len())
            }
        },
        Action::Directory(action) => match action {
            DirectoryAction::List => 0,
            DirectoryAction::Users { query, .. } => of_query(query),
            DirectoryAction::CreateUser { row, .. } => of_row(row),
            DirectoryAction::UpdateUser { user, changes, .. } => user.len().saturating_add(of_row(changes)),
            DirectoryAction::DeleteUser { user, .. } | DirectoryAction::ActivateUser { user, .. } => {
                user.len()
            }
        }
        .saturating_add(action.directory().map_or(0, str::len)),
        Action::Task(TaskAction::List) => 0,
        Action::Task(TaskAction::Get { task } | TaskAction::Run { task }) => task.len(),
        Action::Timer(_) => 0,
        Action::State(action) => match action {
            StateAction::Get { key } | StateAction::Delete { key } => key.len(),
            StateAction::List { prefix, after, .. } => {
                prefix.len().saturating_add(after.as_ref().map_or(0, String::len))
            }
            StateAction::Set { key, value } | StateAction::CompareAndSet { key, value, .. } => {
                key.len().saturating_add(value.0.len())
            }
        },
    };
    let named = action.table().or(action.view()).map_or(0, str::len);
    rest.saturating_add(ITEM).saturating_add(named)
}

fn of_query(query: &Query) -> usize {
    texts(query.select.iter().map(String::as_str))
        .saturating_add(texts(query.order.iter().map(|key| key.field.as_str())))
        .saturating_add(query.criteria.as_ref().map_or(0, of_criteria))
}

fn of_aggregation(aggregation: &Aggregation) -> usize {
    let aggregates = aggregation.aggregates.iter();
    let names = aggregates.map(|a| a.name.len().saturating_add(a.field.as_ref().map_or(0, String::len)));
    sum(names)
        .saturating_add(texts(aggregation.group_by.iter().map(String::as_str)))
        .saturating_add(texts(aggregation.order.iter().map(|key| key.field.as_str())))
        .saturating_add(aggregation.criteria.as_ref().map_or(0, of_criteria))
}

/// What it was answered.
pub(super) fn of_answer(answer: &Result<Answer, ActionError>) -> usize {
    match answer {
        Ok(Answer::Rows(rows) | Answer::Updated { rows, .. }) => sum(rows.iter().map(of_row)),
        Ok(Answer::Record(row)) => row.as_ref().map_or(0, of_row),
        Ok(Answer::Created(row) | Answer::Upserted { row, .. }) => of_row(row),
        Ok(Answer::Tables(names) | Answer::Keys(names)) => texts(names.iter().map(String::as_str)),
        Ok(Answer::Fields(fields)) => sum(fields.iter().map(of_field)),
        Ok(Answer::Content(content)) => content.0.len(),
        Ok(Answer::Entry(entry)) => entry.as_ref().map_or(0, |entry| entry.value.0.len()),
        Ok(Answer::Attachments(list)) => sum(list.iter().map(|a| a.file_name.len().saturating_add(DATES))),
        Ok(Answer::Folders(list)) => sum(list.iter().map(|f| f.name.len().saturating_add(DATES))),
        Ok(Answer::Files(list)) => sum(list.iter().map(|f| f.name.len().saturating_add(DATES))),
        Ok(Answer::Directories(list)) => texts(list.iter().map(|directory| directory.name.as_str())),
        Ok(Answer::Tasks(list)) => sum(list.iter().map(of_task)),
        Ok(Answer::Task(task)) => of_task(task),
        Ok(Answer::Activated(address)) => address.as_ref().map_or(0, String::len),
        Ok(Answer::Uploaded(stored)) => stored.key.len().saturating_add(stored.name.len()),
        // Texts of errors are the host's own, and short.
        Ok(
            Answer::Deleted(_) | Answer::Count(_) | Answer::Done | Answer::WasThere(_) | Answer::Version(_),
        )
        | Err(_) => ITEM,
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

fn of_field(field: &Field) -> usize {
    let choices = texts(field.choices.iter().map(|choice| choice.label.as_str()));
    field.name.len().saturating_add(field.label.len()).saturating_add(choices)
}

fn of_task(task: &Task) -> usize {
    texts(
        [&task.key, &task.name, &task.status, &task.frequency, &task.time_zone, &task.note]
            .map(String::as_str)
            .into_iter(),
    )
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
            Operator::Contains(text) | Operator::StartsWith(text) | Operator::Like(text) => text.len(),
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
