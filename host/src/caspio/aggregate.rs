//! Numbers over records: `q.select` with aggregates, `q.groupBy`.
//!
//! Columns of the result get names of this host, so that what the guest calls them is no part of the
//! request. Groups are always sorted down to the grouped fields, so that pages never overlap. Such a
//! query can't be split when it is too long: numbers of parts don't add up.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::Value as Json;

use crate::model::{
    Aggregate, AggregateFunction, Aggregation, Criteria, Field, FieldType, Row, TableSchema, Value,
};

use super::criteria::{column_name, where_text};
use super::envelope::{self, JsonRow};
use super::paths::{self, Path};
use super::query::PAGE;
use super::records::subject;
use super::transport::Call;
use super::values::{number_from_json, value_from_json, whole_from_json};
use super::{CallContext, Caspio, CaspioError};

/// Aggregates of one query.
const MOST: usize = 50;
/// Longest name of one.
const LONGEST_NAME: usize = 64;

/// How a column of the result becomes a value.
enum Kind<'a> {
    Whole,
    Number,
    Like(Option<&'a Field>),
}

/// One column of the result.
struct Column<'a> {
    /// As the guest knows it.
    name: String,
    /// As Caspio answers it.
    label: String,
    sql: String,
    kind: Kind<'a>,
}

/// A query, ready to be paged through.
struct Asked<'a> {
    columns: Vec<Column<'a>>,
    group_by: Vec<String>,
    order: String,
    condition: Option<String>,
}

impl Caspio {
    /// How many records match.
    ///
    /// # Errors
    /// Unknown field, value that does not fit its field, request too long, and as of any call.
    pub async fn count(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        criteria: Option<&Criteria>,
    ) -> Result<u64, CaspioError> {
        let all = Aggregate { name: "n".to_owned(), function: AggregateFunction::Count, field: None };
        let aggregation =
            Aggregation { aggregates: vec![all], criteria: criteria.cloned(), ..Aggregation::default() };
        let rows = self.aggregate(context, schema, &aggregation).await?;
        match rows.first().and_then(|row| row.get("n")) {
            Some(Value::Integer(n)) => u64::try_from(*n).map_err(|_| envelope::unreadable()),
            _ => Err(envelope::unreadable()),
        }
    }

    /// A row for each group, at most the limit.
    ///
    /// # Errors
    /// A name or field that can't be, request too long, and as of any call.
    pub async fn aggregate(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        aggregation: &Aggregation,
    ) -> Result<Vec<Row>, CaspioError> {
        let asked = Asked::of(schema, aggregation)?;
        let limit = aggregation.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let mut rows = Vec::new();
        let mut bytes_left = self.shared.settings.max_response_bytes;
        for page in 1_u32.. {
            if rows.len() >= limit {
                break;
            }
            let path = Path::records(schema)?;
            let page = page.to_string();
            let parameters = asked.parameters(&page);
            let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let url = paths::url(&self.credentials.base, &path, &parameters)?;
            let subject = super::classify::Subject { names_fields: true, ..subject(schema, false) };
            let call = Call { subject, max_bytes: bytes_left, ..self.call(Method::GET, url) };
            let body = self.body(context, &call).await?;
            bytes_left = bytes_left.saturating_sub(body.len());
            let found: Vec<JsonRow> = envelope::result(&body)?;
            rows.extend(found.iter().map(|json| asked.row(json)));
            if asked.group_by.is_empty() || found.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
        }
        rows.truncate(limit);
        Ok(rows)
    }
}

impl<'a> Asked<'a> {
    fn of(schema: &'a TableSchema, aggregation: &Aggregation) -> Result<Self, CaspioError> {
        let invalid =
            |name: &str, message: &str| Err(CaspioError::invalid(super::error::shown(name), message));
        if aggregation.aggregates.is_empty() || aggregation.aggregates.len() > MOST {
            return invalid("", "a query for numbers has 1 to 50 aggregates");
        }
        let mut columns: Vec<Column<'a>> = Vec::new();
        let mut group_by: Vec<String> = Vec::new();
        for name in &aggregation.group_by {
            let sql = column_name(schema, name)?;
            if group_by.contains(&sql) {
                return invalid(name, "it is grouped by twice; name it once");
            }
            let field = schema.field(name);
            let name = field.map_or("PK_ID", |field| field.name.as_str()).to_owned();
            columns.push(Column { label: name.clone(), name, sql: sql.clone(), kind: Kind::Like(field) });
            group_by.push(sql);
        }
        let prefix = free_prefix(schema);
        for (n, aggregate) in aggregation.aggregates.iter().enumerate() {
            let name = &aggregate.name;
            let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fit) {
                return invalid(name, "an aggregate's name is 1 to 64 letters, digits and underscores");
            }
            if columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)) {
                return invalid(name, "two columns of the result have this name; rename the aggregate");
            }
            let label = format!("{prefix}{n}");
            let (function, kind) = function(schema, aggregate)?;
            columns.push(Column { name: name.clone(), sql: format!("{function} AS {label}"), label, kind });
        }
        let order = order(&columns, aggregation, &group_by)?;
        let condition = aggregation.criteria.as_ref().map(|tree| where_text(tree, schema)).transpose()?;
        Ok(Self { columns, group_by, order, condition })
    }

    /// Of one page; a query without groups has one row.
    fn parameters(&self, page: &str) -> Vec<(&'static str, String)> {
        let select: Vec<&str> = self.columns.iter().map(|column| column.sql.as_str()).collect();
        let mut parameters = vec![("q.select", select.join(","))];
        if let Some(condition) = &self.condition {
            parameters.push(("q.where", condition.clone()));
        }
        if self.group_by.is_empty() {
            parameters.push(("q.limit", "1".to_owned()));
        } else {
            parameters.push(("q.groupBy", self.group_by.join(",")));
            parameters.push(("q.orderBy", self.order.clone()));
            parameters.push(("q.pageSize", PAGE.to_string()));
            parameters.push(("q.pageNumber", page.to_owned()));
        }
        parameters
    }

    fn row(&self, json: &JsonRow) -> Row {
        let value = |column: &Column<'_>| {
            let found = json.iter().find(|(label, _)| label.eq_ignore_ascii_case(&column.label));
            let json = found.map_or(&Json::Null, |(_, json)| json);
            match column.kind {
                Kind::Whole => whole_from_json(json),
                Kind::Number => number_from_json(json),
                Kind::Like(field) => value_from_json(field, json),
            }
        };
        Row(self.columns.iter().map(|column| (column.name.clone(), value(column))).collect())
    }
}

/// What the labels of aggregates begin with, so that none is the name of a field.
fn free_prefix(schema: &TableSchema) -> String {
    let mut prefix = "agg".to_owned();
    while schema
        .fields
        .iter()
        .any(|field| field.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(&prefix)))
    {
        prefix.push('_');
    }
    prefix
}

fn function<'a>(schema: &'a TableSchema, aggregate: &Aggregate) -> Result<(String, Kind<'a>), CaspioError> {
    let invalid = |field: &str, message: &str| Err(CaspioError::invalid(field, message));
    let Some(name) = &aggregate.field else {
        return if aggregate.function == AggregateFunction::Count {
            Ok(("COUNT(*)".to_owned(), Kind::Whole))
        } else {
            invalid("", "only `count` goes without a field; name one")
        };
    };
    let column = column_name(schema, name)?;
    let field = schema.field(name);
    let kind = field.map(|field| &field.kind);
    let is_number = matches!(
        kind,
        Some(FieldType::Number | FieldType::Integer | FieldType::Currency | FieldType::Autonumber)
    );
    Ok(match aggregate.function {
        AggregateFunction::Count => (format!("COUNT({column})"), Kind::Whole),
        AggregateFunction::CountDistinct => (format!("COUNT(DISTINCT {column})"), Kind::Whole),
        AggregateFunction::Sum | AggregateFunction::Average if !is_number => {
            return invalid(name, "only numbers have a sum or a mean; use another field");
        }
        AggregateFunction::Sum => (format!("SUM({column})"), Kind::Number),
        AggregateFunction::Average => (format!("AVG({column})"), Kind::Number),
        AggregateFunction::Minimum | AggregateFunction::Maximum if kind == Some(&FieldType::YesNo) => {
            return invalid(name, "yes and no have no smallest; count with criteria instead");
        }
        AggregateFunction::Minimum => (format!("MIN({column})"), Kind::Like(field)),
        AggregateFunction::Maximum => (format!("MAX({column})"), Kind::Like(field)),
    })
}

/// By grouped fields and aggregates, down to all grouped fields.
fn order(
    columns: &[Column<'_>],
    aggregation: &Aggregation,
    group_by: &[String],
) -> Result<String, CaspioError> {
    let mut text = String::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut add = |key: &str, descending: bool| {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{key}{}", if descending { " DESC" } else { "" });
    };
    for key in &aggregation.order {
        let named =
            columns.iter().enumerate().find(|(_, column)| column.name.eq_ignore_ascii_case(&key.field));
        let Some((n, column)) = named else {
            return Err(CaspioError::invalid(
                super::error::shown(&key.field),
                "numbers are sorted by grouped fields and by names of aggregates only",
            ));
        };
        let sql = group_by.get(n).map_or(column.label.as_str(), String::as_str);
        if !seen.contains(&sql) {
            seen.push(sql);
            add(sql, key.descending);
        }
    }
    for sql in group_by {
        if !seen.contains(&sql.as_str()) {
            add(sql, false);
        }
    }
    Ok(text)
}

#[cfg(test)]
#[path = "tests/aggregate.rs"]
mod tests;
