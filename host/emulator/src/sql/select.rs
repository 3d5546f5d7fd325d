//! Running a query over one table: filter, group, order, page.
//!
//! [`Query`] is what a `GET …/records` asks for. Its result is JSON rows in order; when nothing
//! orders them the caller may shuffle the matching rows first, as a server without `ORDER BY` might.
//! A query without a page is bounded by its limit; aggregates read the whole table.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};
use sqlparser::ast::{self, Expr, SelectItem, SetExpr, TableFactor};
use sqlparser::parser::Parser;

use super::compare::{group_key, sort, to_number};
use super::compile::{Compiler, DEPTH, Tables, simple_name};
use super::expr::{Predicate, Scalar, Scope};
use super::parse;
use crate::data::{Decimal, FieldType, Row, Table, Value};
use crate::error::ApiError;

/// `COUNT`, `SUM`, `AVG`, `MIN`, `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    Count,
    Sum,
    Average,
    Least,
    Greatest,
}

impl AggregateKind {
    /// By name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "avg" => Self::Average,
            "min" => Self::Least,
            "max" => Self::Greatest,
            _ => return None,
        })
    }
}

/// One aggregate of a query; without an argument it is `COUNT(*)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    pub kind: AggregateKind,
    pub argument: Option<Scalar>,
    pub distinct: bool,
}

impl Aggregate {
    fn over(&self, rows: &[&Row]) -> Result<Value, ApiError> {
        let Some(argument) = &self.argument else { return Ok(count(rows.len())) };
        let mut values = Vec::new();
        for row in rows {
            let value = argument.value(Scope { row: Some(row), aggregates: &[] })?;
            if !matches!(value, Value::Null) {
                values.push(value);
            }
        }
        if self.distinct {
            let mut seen = HashSet::new();
            values.retain(|value| seen.insert(group_key(value)));
        }
        let best = |keep: Ordering| {
            values
                .iter()
                .cloned()
                .reduce(|a, b| if sort(&b, &a) == keep { b } else { a })
                .unwrap_or(Value::Null)
        };
        match self.kind {
            AggregateKind::Count => Ok(count(values.len())),
            AggregateKind::Least => Ok(best(Ordering::Less)),
            AggregateKind::Greatest => Ok(best(Ordering::Greater)),
            AggregateKind::Sum | AggregateKind::Average => {
                let overflow = || ApiError::query("Arithmetic overflow in an aggregate.");
                let mut sum = Decimal::ZERO;
                for value in &values {
                    sum = sum.add(to_number(value)?).ok_or_else(overflow)?;
                }
                if values.is_empty() {
                    return Ok(Value::Null);
                }
                if self.kind == AggregateKind::Sum {
                    return Ok(Value::Number(sum));
                }
                let n = u32::try_from(values.len()).map_err(|_| overflow())?;
                sum.mean(n).map(Value::Number).ok_or_else(overflow)
            }
        }
    }
}

fn count(n: usize) -> Value {
    Value::Number(Decimal::from_i64(i64::try_from(n).unwrap_or(i64::MAX)))
}

/// The SQL parameters of a read.
#[derive(Debug, Clone, Default)]
pub struct Query<'a> {
    pub select: Option<&'a str>,
    pub filter: Option<&'a str>,
    pub group_by: Option<&'a str>,
    pub order_by: Option<&'a str>,
    /// Status for an unknown column in `select`.
    pub unknown_status: u16,
}

struct Plan {
    columns: Vec<(String, Scalar)>,
    filter: Predicate,
    groups: Vec<Scalar>,
    order: Vec<(Scalar, bool)>,
    aggregates: Vec<Aggregate>,
}

impl Query<'_> {
    /// Runs it; gives the rows of the page and how many there are in all.
    pub fn run<'t>(
        &self,
        table: &'t Table,
        tables: Tables<'t>,
        page: std::ops::Range<usize>,
        mut shuffle: impl FnMut(&mut [&'t Row]),
    ) -> Result<(Vec<Json>, usize), ApiError> {
        let plan = self.plan(table, tables)?;
        let mut rows = matching(table, &plan.filter)?;
        if plan.order.is_empty() {
            shuffle(&mut rows);
        }
        let result = execute(&plan, &rows)?;
        let total = result.len();
        let shown = result.iter().skip(page.start).take(page.len());
        Ok((shown.map(|values| show(table, &plan, values)).collect(), total))
    }

    fn plan<'t>(&self, table: &'t Table, tables: Tables<'t>) -> Result<Plan, ApiError> {
        let mut compiler = Compiler::new(table, tables);
        let filter = match self.filter {
            Some(text) => compiler.predicate(&parse("q.where", text, |parser| parser.parse_expr())?)?,
            None => Predicate::Constant(Some(true)),
        };
        let mut groups = Vec::new();
        if let Some(text) = self.group_by {
            for expr in parse("q.groupBy", text, |parser| parser.parse_comma_separated(Parser::parse_expr))? {
                groups.push(compiler.scalar(&expr)?);
            }
        }
        compiler.aggregates = Some(Vec::new());
        compiler.unknown_status = self.unknown_status;
        let columns = match self.select.map(str::trim).filter(|text| !text.is_empty()) {
            None => all_columns(table),
            Some(text) => {
                let items = parse("q.select", text, |parser| {
                    parser.parse_comma_separated(Parser::parse_select_item)
                })?;
                select_columns(&mut compiler, &items)?
            }
        };
        compiler.unknown_status = 400;
        let mut order = Vec::new();
        if let Some(text) = self.order_by {
            let items =
                parse("q.orderBy", text, |parser| parser.parse_comma_separated(Parser::parse_order_by_expr))?;
            for item in items {
                let alias = match &item.expr {
                    Expr::Identifier(name) => {
                        columns.iter().find(|(label, _)| label.eq_ignore_ascii_case(&name.value))
                    }
                    _ => None,
                };
                let scalar = match alias {
                    Some((_, scalar)) => scalar.clone(),
                    None => compiler.scalar(&item.expr)?,
                };
                let descending = matches!(item.options.sort, Some(ast::OrderBySort::Desc));
                order.push((scalar, descending));
            }
        }
        let aggregates = compiler.aggregates.take().unwrap_or_default();
        if !groups.is_empty() || !aggregates.is_empty() {
            let stray =
                columns.iter().map(|(_, scalar)| scalar).chain(order.iter().map(|(scalar, _)| scalar));
            if stray.into_iter().any(|scalar| !scalar.covered_by(&groups)) {
                return Err(ApiError::query(
                    "A column is neither in an aggregate nor in q.groupBy. Add it to q.groupBy.",
                ));
            }
        }
        Ok(Plan { columns, filter, groups, order, aggregates })
    }
}

fn all_columns(table: &Table) -> Vec<(String, Scalar)> {
    let fields = table.fields.iter().enumerate().filter(|(_, field)| field.kind != FieldType::Password);
    let key = table.key_column.is_none().then(|| ("PK_ID".to_owned(), Scalar::PkId));
    key.into_iter().chain(fields.map(|(at, field)| (field.name.clone(), Scalar::Column(at)))).collect()
}

fn select_columns(
    compiler: &mut Compiler<'_>,
    items: &[SelectItem],
) -> Result<Vec<(String, Scalar)>, ApiError> {
    let mut columns = Vec::new();
    for item in items {
        match item {
            SelectItem::Wildcard(_) => columns.extend(all_columns(compiler.table)),
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.push((alias.value.clone(), compiler.scalar(expr)?));
            }
            SelectItem::UnnamedExpr(expr) => {
                let scalar = compiler.scalar(expr)?;
                let label = match &scalar {
                    Scalar::PkId => "PK_ID".to_owned(),
                    Scalar::Column(at) => {
                        compiler.table.fields.get(*at).map(|field| field.name.clone()).unwrap_or_default()
                    }
                    _ => {
                        return Err(ApiError::query(
                            "An expression in q.select needs a name. Write: expression AS Name.",
                        ));
                    }
                };
                columns.push((label, scalar));
            }
            _ => return Err(ApiError::query("q.select has an item of an unsupported kind.")),
        }
    }
    Ok(columns)
}

fn matching<'t>(table: &'t Table, filter: &Predicate) -> Result<Vec<&'t Row>, ApiError> {
    let mut found = Vec::new();
    let mut consider = |row: &'t Row| -> Result<(), ApiError> {
        if filter.truth(Scope { row: Some(row), aggregates: &[] })? == Some(true) {
            found.push(row);
        }
        Ok(())
    };
    match filter.pinned() {
        Some(pk_id) => {
            if let Some(row) = table.row(pk_id) {
                consider(row)?;
            }
        }
        None => {
            for row in table.rows() {
                consider(row)?;
            }
        }
    }
    Ok(found)
}

/// Keys of the rows that match a condition, ascending.
pub fn predicate_keys<'t>(table: &'t Table, tables: Tables<'t>, text: &str) -> Result<Vec<i64>, ApiError> {
    let expr = parse("q.where", text, |parser| parser.parse_expr())?;
    let predicate = Compiler::new(table, tables).predicate(&expr)?;
    Ok(matching(table, &predicate)?.into_iter().map(|row| row.pk_id).collect())
}

fn execute(plan: &Plan, rows: &[&Row]) -> Result<Vec<Vec<Value>>, ApiError> {
    let grouped = !plan.groups.is_empty() || !plan.aggregates.is_empty();
    let mut made: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
    let mut make = |scope: Scope<'_>| -> Result<(), ApiError> {
        let keys: Result<Vec<Value>, ApiError> =
            plan.order.iter().map(|(scalar, _)| scalar.value(scope)).collect();
        let values: Result<Vec<Value>, ApiError> =
            plan.columns.iter().map(|(_, scalar)| scalar.value(scope)).collect();
        made.push((keys?, values?));
        Ok(())
    };
    if grouped {
        for group in group(plan, rows)? {
            let aggregates: Result<Vec<Value>, ApiError> =
                plan.aggregates.iter().map(|aggregate| aggregate.over(&group)).collect();
            make(Scope { row: group.first().copied(), aggregates: &aggregates? })?;
        }
    } else {
        for row in rows {
            make(Scope { row: Some(row), aggregates: &[] })?;
        }
    }
    if plan.order.iter().any(|(scalar, _)| matches!(scalar, Scalar::Literal(_))) {
        return Err(ApiError::query("q.orderBy must name fields."));
    }
    made.sort_by(|(left, _), (right, _)| {
        let pairs = left.iter().zip(right).zip(&plan.order);
        pairs.fold(Ordering::Equal, |so_far, ((left, right), (_, descending))| {
            so_far.then_with(|| if *descending { sort(right, left) } else { sort(left, right) })
        })
    });
    Ok(made.into_iter().map(|(_, values)| values).collect())
}

fn group<'t>(plan: &Plan, rows: &[&'t Row]) -> Result<Vec<Vec<&'t Row>>, ApiError> {
    if plan.groups.is_empty() {
        return Ok(vec![rows.to_vec()]);
    }
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let mut key = Vec::new();
        for scalar in &plan.groups {
            key.push(group_key(&scalar.value(Scope { row: Some(row), aggregates: &[] })?));
        }
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.push(row);
        }
    }
    Ok(groups)
}

fn show(table: &Table, plan: &Plan, values: &[Value]) -> Json {
    let mut members = Map::new();
    for ((label, scalar), value) in plan.columns.iter().zip(values) {
        let json = match scalar {
            Scalar::Column(at) => table.fields.get(*at).map_or(Json::Null, |field| value.to_json(field)),
            _ => value.plain_json(),
        };
        members.insert(label.clone(), json);
    }
    Json::Object(members)
}

/// Runs a sub-query that gives one column; `around` is how many sub-queries and expressions it is in.
pub fn subquery(
    query: &ast::Query,
    tables: Tables<'_>,
    around: (usize, usize),
) -> Result<Vec<Value>, ApiError> {
    let refuse = |message: &str| Err(ApiError::query(format!("Sub-query: {message}")));
    let (depth, nesting) = around;
    if depth > DEPTH {
        return refuse("nested too deep.");
    }
    let SetExpr::Select(select) = query.body.as_ref() else {
        return refuse("only a plain SELECT is supported.");
    };
    let ast::GroupByExpr::Expressions(groups, _) = &select.group_by else {
        return refuse("GROUP BY ALL is not supported.");
    };
    let plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && select.top.is_none()
        && select.having.is_none()
        && groups.is_empty();
    let [from] = select.from.as_slice() else { return refuse("it must read one table.") };
    let TableFactor::Table { name, .. } = &from.relation else { return refuse("it must read one table.") };
    if !plain || !from.joins.is_empty() {
        return refuse("only SELECT field FROM table WHERE condition is supported.");
    }
    let name = simple_name(name).unwrap_or_default();
    let Some(table) = tables(&name) else { return refuse(&format!("there is no table '{name}'.")) };
    let mut compiler = Compiler::new(table, tables);
    compiler.depth = depth;
    compiler.nesting = nesting;
    let filter = match &select.selection {
        Some(expr) => compiler.predicate(expr)?,
        None => Predicate::Constant(Some(true)),
    };
    compiler.aggregates = Some(Vec::new());
    let mut column = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => compiler.scalar(expr)?,
        _ => return refuse("it must give one column."),
    };
    let aggregates = compiler.aggregates.take().unwrap_or_default();
    if !aggregates.is_empty() && !column.covered_by(&[]) {
        return refuse("a column is not in an aggregate.");
    }
    if matches!(column, Scalar::Aggregate(_)) && aggregates.is_empty() {
        column = Scalar::Literal(Value::Null);
    }
    let plan = Plan {
        columns: vec![(String::new(), column)],
        filter,
        groups: Vec::new(),
        order: Vec::new(),
        aggregates,
    };
    let rows = matching(table, &plan.filter)?;
    let mut values: Vec<Value> = execute(&plan, &rows)?.into_iter().flatten().collect();
    if select.distinct.is_some() {
        let mut seen = HashSet::new();
        values.retain(|value| seen.insert(group_key(value)));
    }
    Ok(values)
}
