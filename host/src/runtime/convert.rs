//! Between the contract's types and the model's.

use crate::caspio::parse_criteria;
use crate::model::{ActionError, Choice, Criteria, Field, FieldType, Operator, Query, Row, SortKey, Value};

use super::bindings::caspian::workflow::{records, tables, types};

/// Deepest criteria tree: SQL Server's own limits are far above, a person's needs far below, and as JSON in the
/// journal it must stay below 128 levels.
const CRITERIA_DEPTH: usize = 32;

pub(super) fn value_in(value: types::Value) -> Value {
    match value {
        types::Value::Null => Value::Null,
        types::Value::Text(v) => Value::Text(v),
        types::Value::Integer(v) => Value::Integer(v),
        types::Value::Number(v) => Value::Number(v),
        types::Value::Decimal(v) => Value::Decimal(v),
        types::Value::Boolean(v) => Value::Boolean(v),
        types::Value::Date(v) => Value::Date(v),
        types::Value::DateTime(v) => Value::DateTime(v),
        types::Value::Choices(v) => {
            Value::Choices(v.into_iter().map(|c| Choice { key: c.key, label: c.label }).collect())
        }
        types::Value::Bytes(v) => Value::Bytes(v),
    }
}

fn value_out(value: Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Text(v) => types::Value::Text(v),
        Value::Integer(v) => types::Value::Integer(v),
        Value::Number(v) => types::Value::Number(v),
        Value::Decimal(v) => types::Value::Decimal(v),
        Value::Boolean(v) => types::Value::Boolean(v),
        Value::Date(v) => types::Value::Date(v),
        Value::DateTime(v) => types::Value::DateTime(v),
        Value::Choices(v) => types::Value::Choices(v.into_iter().map(choice_out).collect()),
        Value::Bytes(v) => types::Value::Bytes(v),
    }
}

pub(super) fn row_in(row: Vec<types::Field>) -> Row {
    Row(row.into_iter().map(|field| (field.name, value_in(field.value))).collect())
}

pub(super) fn row_out(row: Row) -> Vec<types::Field> {
    row.0.into_iter().map(|(name, value)| types::Field { name, value: value_out(value) }).collect()
}

pub(super) fn error(error: ActionError) -> types::Error {
    match error {
        ActionError::Denied(t) => types::Error::Denied(t),
        ActionError::NotFound(t) => types::Error::NotFound(t),
        ActionError::Invalid { field, message } => {
            types::Error::Invalid(types::InvalidValue { field, message })
        }
        ActionError::Conflict(t) => types::Error::Conflict(t),
        ActionError::Throttled(t) => types::Error::Throttled(t),
        ActionError::Unavailable(t) => types::Error::Unavailable(t),
        ActionError::Limit(t) => types::Error::Limit(t),
        ActionError::Budget(t) => types::Error::Budget(t),
        ActionError::TooLarge(t) => types::Error::TooLarge(t),
        ActionError::Other { code, text } => types::Error::Other(types::OtherError { code, text }),
    }
}

/// The error of criteria that are no tree.
pub(super) fn bad_criteria(why: &'static str) -> types::Error {
    types::Error::Invalid(types::InvalidValue { field: String::new(), message: format!("criteria: {why}") })
}

fn operator(operator: records::Operator) -> Operator {
    match operator {
        records::Operator::Equals(v) => Operator::Equals(value_in(v)),
        records::Operator::NotEquals(v) => Operator::NotEquals(value_in(v)),
        records::Operator::Less(v) => Operator::Less(value_in(v)),
        records::Operator::LessOrEqual(v) => Operator::LessOrEqual(value_in(v)),
        records::Operator::Greater(v) => Operator::Greater(value_in(v)),
        records::Operator::GreaterOrEqual(v) => Operator::GreaterOrEqual(value_in(v)),
        records::Operator::Contains(t) => Operator::Contains(t),
        records::Operator::StartsWith(t) => Operator::StartsWith(t),
        records::Operator::Like(pattern) => Operator::Like(pattern),
        records::Operator::AnyOf(list) => Operator::AnyOf(list.into_iter().map(value_in).collect()),
        records::Operator::IsEmpty => Operator::IsEmpty,
        records::Operator::IsNotEmpty => Operator::IsNotEmpty,
    }
}

/// The tree of a list of nodes. Children lie behind their parent and belong to one parent only, so
/// there is neither a cycle nor a blow-up.
///
/// A condition as text is a leaf; what it may hold is bounded by its parser.
pub(super) fn criteria(nodes: Vec<records::Criterion>) -> Result<Criteria, &'static str> {
    let mut built: Vec<Option<(Criteria, usize)>> = Vec::new();
    built.resize_with(nodes.len(), || None);
    for (at, node) in nodes.into_iter().enumerate().rev() {
        let mut take = |child: u32| {
            let child = usize::try_from(child).unwrap_or(usize::MAX);
            if child <= at {
                return Err("a child must lie behind its parent");
            }
            let slot = built.get_mut(child).ok_or("a child's index is out of range")?;
            slot.take().ok_or("a node has two parents")
        };
        let mut depth = 1;
        let mut children = |list: Vec<u32>| {
            list.into_iter()
                .map(|child| {
                    let (tree, below) = take(child)?;
                    depth = depth.max(below + 1);
                    Ok(tree)
                })
                .collect::<Result<Vec<_>, &'static str>>()
        };
        let tree = match node {
            records::Criterion::Compare(c) => {
                Criteria::Compare { field: c.field, operator: operator(c.operator) }
            }
            records::Criterion::Text(text) => {
                let tree = parse_criteria(&text)?;
                depth = tree.depth();
                tree
            }
            records::Criterion::All(list) => Criteria::All(children(list)?),
            records::Criterion::Any(list) => Criteria::Any(children(list)?),
            records::Criterion::Not(child) => {
                let inner = children(vec![child])?.pop().ok_or("a child's index is out of range")?;
                Criteria::Not(Box::new(inner))
            }
        };
        if depth > CRITERIA_DEPTH {
            return Err("the tree is deeper than 32");
        }
        if let Some(slot) = built.get_mut(at) {
            *slot = Some((tree, depth));
        }
    }
    let mut built = built.into_iter();
    let (root, _) = built.next().flatten().ok_or("there is no node")?;
    if built.any(|left| left.is_some()) {
        return Err("a node belongs to no parent");
    }
    Ok(root)
}

pub(super) fn field_info(field: Field) -> tables::FieldInfo {
    tables::FieldInfo {
        name: field.name,
        kind: match field.kind {
            FieldType::TextShort => tables::FieldType::TextShort,
            FieldType::TextLong => tables::FieldType::TextLong,
            FieldType::Number => tables::FieldType::Number,
            FieldType::Integer => tables::FieldType::Integer,
            FieldType::Currency => tables::FieldType::Currency,
            FieldType::YesNo => tables::FieldType::YesNo,
            FieldType::DateTime => tables::FieldType::DateTime,
            FieldType::Timestamp => tables::FieldType::Timestamp,
            FieldType::Autonumber => tables::FieldType::Autonumber,
            FieldType::PrefixedAutonumber => tables::FieldType::PrefixedAutonumber,
            FieldType::RandomId => tables::FieldType::RandomId,
            FieldType::Guid => tables::FieldType::Guid,
            FieldType::Password => tables::FieldType::Password,
            FieldType::File => tables::FieldType::File,
            FieldType::Attachment => tables::FieldType::Attachment,
            FieldType::ListString => tables::FieldType::ListString,
            FieldType::ListNumber => tables::FieldType::ListNumber,
            FieldType::ListDateTime => tables::FieldType::ListDateTime,
            FieldType::Other(token) => tables::FieldType::Other(token),
        },
        unique: field.unique,
        writable: field.writable,
        label: field.label,
        choices: field.choices.into_iter().map(choice_out).collect(),
        time_zone: field.time_zone,
    }
}

fn choice_out(choice: Choice) -> types::Choice {
    types::Choice { key: choice.key, label: choice.label }
}

/// A query of the contract.
pub(super) fn query(query: records::Query) -> Result<Query, &'static str> {
    Ok(Query {
        select: query.select,
        criteria: query.criteria.map(criteria).transpose()?,
        order: query.order.into_iter().map(sort_key).collect(),
        limit: query.limit,
    })
}

pub(super) fn sort_key(key: records::SortKey) -> SortKey {
    SortKey { field: key.field, descending: key.descending }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> records::Criterion {
        records::Criterion::Compare(records::Comparison {
            field: "A".to_owned(),
            operator: records::Operator::IsEmpty,
        })
    }

    #[test]
    fn a_tree_is_built_from_its_nodes() {
        let nodes = vec![records::Criterion::All(vec![1, 2]), leaf(), records::Criterion::Not(3), leaf()];
        let tree = criteria(nodes).unwrap();
        assert_eq!(tree.fields(), ["A", "A"]);
        assert!(matches!(tree, Criteria::All(list) if matches!(list[1], Criteria::Not(_))));
        let text = records::Criterion::Text("B = 1 AND C IS NULL".to_owned());
        let tree = criteria(vec![records::Criterion::Any(vec![1, 2]), leaf(), text]).unwrap();
        assert_eq!(tree.fields(), ["A", "B", "C"]);
        assert!(matches!(criteria(vec![records::Criterion::All(Vec::new())]), Ok(Criteria::All(_))));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        use records::Criterion::{All, Not};
        for nodes in [
            vec![],
            vec![Not(0)],
            vec![Not(1), Not(0)],
            vec![Not(7)],
            vec![All(vec![1, 1]), leaf()],
            vec![leaf(), leaf()],
            (1..200).map(Not).chain([leaf()]).collect(),
            vec![Not(1), records::Criterion::Text("1=1".to_owned())],
            (1..17).map(Not).chain([records::Criterion::Text(format!("{}A=1", "NOT ".repeat(16)))]).collect(),
        ] {
            assert!(criteria(nodes).is_err());
        }
    }
}
