//! From the parser's tree to ours: names resolved, everything else refused.
//!
//! A [`Compiler`] knows one table and the other tables of the account, which a sub-query may read.
//! A sub-query must stand on its own (no outer column): it runs once, while compiling, and becomes
//! literals. Expressions nest at most [`NESTING`] deep, sub-queries [`DEPTH`].

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, ObjectNamePart, UnaryOperator, Value as Literal,
};

use super::expr::{Comparison, Operator, Predicate, Scalar};
use super::functions::{DatePart, Function};
use super::select::{Aggregate, AggregateKind, subquery};
use crate::data::{Decimal, FieldType, Table, Value};
use crate::error::ApiError;

/// How deep sub-queries may nest.
pub const DEPTH: usize = 4;

/// How deep one expression may nest.
const NESTING: usize = 60;

/// The other tables of the account, by name.
pub type Tables<'a> = &'a dyn Fn(&str) -> Option<&'a Table>;

/// Compiles expressions over one table.
pub struct Compiler<'a> {
    pub table: &'a Table,
    pub tables: Tables<'a>,
    /// How many sub-queries are around.
    pub depth: usize,
    /// How many expressions are around, those of outer queries included.
    pub nesting: usize,
    /// Where aggregates are collected; `None` where none may stand.
    pub aggregates: Option<Vec<Aggregate>>,
    /// Status for an unknown column, a knob of `q.select`.
    pub unknown_status: u16,
}

fn refuse<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::query(message))
}

impl<'a> Compiler<'a> {
    /// For a condition over a table.
    pub fn new(table: &'a Table, tables: Tables<'a>) -> Self {
        Self { table, tables, depth: 0, nesting: 0, aggregates: None, unknown_status: 400 }
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Result<Scalar, ApiError> {
        if name.eq_ignore_ascii_case("PK_ID") {
            return Ok(self.table.key_column.map_or(Scalar::PkId, Scalar::Column));
        }
        let Some(at) = self.table.position(name) else {
            let mut error =
                ApiError::query(format!("Invalid column name '{name}'. Use a field of the table."));
            error.status = self.unknown_status;
            return Err(error);
        };
        if self.table.fields.get(at).is_some_and(|field| field.kind == FieldType::Password) {
            return refuse(format!("The password field '{name}' cannot be read. Leave it out."));
        }
        Ok(Scalar::Column(at))
    }

    fn qualified(&self, names: &[Ident]) -> Result<Scalar, ApiError> {
        match names {
            [table, column] if table.value.eq_ignore_ascii_case(&self.table.name) => {
                self.column(&column.value)
            }
            _ => refuse("A qualified name must be Table.Field of this table."),
        }
    }

    /// One level deeper; refused beyond [`NESTING`], since each level costs stack.
    fn nested<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, ApiError>) -> Result<T, ApiError> {
        if self.nesting >= NESTING {
            return refuse("An expression is nested too deep. Split it.");
        }
        self.nesting += 1;
        let result = work(self);
        self.nesting -= 1;
        result
    }

    /// The parts of `a AND b AND c`, which the parser nests to the left.
    fn chain(&mut self, expr: &Expr, operator: &BinaryOperator) -> Result<Vec<Predicate>, ApiError> {
        let mut parts = Vec::new();
        let mut rest = expr;
        while let Expr::BinaryOp { left, op, right } = rest
            && op == operator
        {
            parts.push(self.predicate(right)?);
            rest = left;
        }
        parts.push(self.predicate(rest)?);
        parts.reverse();
        Ok(parts)
    }

    /// A condition.
    pub fn predicate(&mut self, expr: &Expr) -> Result<Predicate, ApiError> {
        self.nested(|compiler| compiler.any_predicate(expr))
    }

    /// A value.
    pub fn scalar(&mut self, expr: &Expr) -> Result<Scalar, ApiError> {
        self.nested(|compiler| compiler.any_scalar(expr))
    }

    fn any_predicate(&mut self, expr: &Expr) -> Result<Predicate, ApiError> {
        match expr {
            Expr::Nested(inner) => self.predicate(inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(not(true, self.predicate(expr)?)),
            Expr::BinaryOp { op: BinaryOperator::And, .. } => {
                Ok(Predicate::And(self.chain(expr, &BinaryOperator::And)?))
            }
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
                Ok(Predicate::Or(self.chain(expr, &BinaryOperator::Or)?))
            }
            Expr::BinaryOp { left, op, right } => {
                let comparison = match op {
                    BinaryOperator::Eq => Comparison::Equal,
                    BinaryOperator::NotEq => Comparison::NotEqual,
                    BinaryOperator::Lt => Comparison::Less,
                    BinaryOperator::LtEq => Comparison::LessOrEqual,
                    BinaryOperator::Gt => Comparison::Greater,
                    BinaryOperator::GtEq => Comparison::GreaterOrEqual,
                    other => return refuse(format!("'{other}' makes no condition. Use a comparison.")),
                };
                Ok(Predicate::Compare(self.scalar(left)?, comparison, self.scalar(right)?))
            }
            Expr::IsNull(inner) => Ok(Predicate::IsNull(self.scalar(inner)?)),
            Expr::IsNotNull(inner) => Ok(not(true, Predicate::IsNull(self.scalar(inner)?))),
            Expr::Between { expr, negated, low, high } => {
                let value = self.scalar(expr)?;
                let low = Predicate::Compare(value.clone(), Comparison::GreaterOrEqual, self.scalar(low)?);
                let high = Predicate::Compare(value, Comparison::LessOrEqual, self.scalar(high)?);
                Ok(not(*negated, Predicate::And(vec![low, high])))
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = match escape_char {
                    None => None,
                    Some(escape) => Some(self.escape(escape)?),
                };
                let like =
                    Predicate::Like { value: self.scalar(expr)?, pattern: self.scalar(pattern)?, escape };
                Ok(not(*negated, like))
            }
            Expr::In { expr, target, negated, .. } => {
                let value = self.scalar(expr)?;
                let items = match target {
                    sqlparser::ast::InTarget::List(items) => {
                        let items: Result<Vec<Scalar>, ApiError> =
                            items.iter().map(|item| self.scalar(item)).collect();
                        items?
                    }
                    sqlparser::ast::InTarget::Subquery(query) => {
                        let values = subquery(query, self.tables, (self.depth + 1, self.nesting))?;
                        values.into_iter().map(Scalar::Literal).collect()
                    }
                    _ => return refuse("IN needs a list in parentheses."),
                };
                Ok(not(*negated, Predicate::In(value, items)))
            }
            Expr::Exists { subquery: query, negated } => {
                let some = !subquery(query, self.tables, (self.depth + 1, self.nesting))?.is_empty();
                Ok(Predicate::Constant(Some(some != *negated)))
            }
            _ => refuse(
                "An expression of non-boolean type stands where a condition is expected. Compare it, for example with = 1.",
            ),
        }
    }

    fn escape(&self, expr: &Expr) -> Result<char, ApiError> {
        let text = match expr {
            Expr::Value(value) => value.value.clone().into_string().unwrap_or_default(),
            _ => String::new(),
        };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => refuse("ESCAPE needs one character in single quotes."),
        }
    }

    fn any_scalar(&mut self, expr: &Expr) -> Result<Scalar, ApiError> {
        match expr {
            Expr::Nested(inner) => self.scalar(inner),
            Expr::Collate { expr, .. } => self.scalar(expr),
            Expr::Identifier(name) => self.column(&name.value),
            Expr::CompoundIdentifier(names) => self.qualified(names),
            Expr::Value(literal) => Ok(Scalar::Literal(constant(&literal.value)?)),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.scalar(expr),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.scalar(expr)? {
                Scalar::Literal(Value::Number(number)) => Ok(Scalar::Literal(Value::Number(number.neg()))),
                other => Ok(Scalar::Negative(Box::new(other))),
            },
            Expr::BinaryOp { left, op, right } => {
                let operator = match op {
                    BinaryOperator::Plus => Operator::Add,
                    BinaryOperator::Minus => Operator::Subtract,
                    BinaryOperator::Multiply => Operator::Multiply,
                    BinaryOperator::Divide => Operator::Divide,
                    BinaryOperator::Modulo => Operator::Modulo,
                    other => return refuse(format!("'{other}' makes no value here.")),
                };
                Ok(Scalar::Arithmetic(operator, Box::new(self.scalar(left)?), Box::new(self.scalar(right)?)))
            }
            Expr::Subquery(query) => {
                let mut values = subquery(query, self.tables, (self.depth + 1, self.nesting))?;
                match (values.pop(), values.is_empty()) {
                    (value, true) => Ok(Scalar::Literal(value.unwrap_or(Value::Null))),
                    _ => refuse("A sub-query used as a value must give one row."),
                }
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let operand = match operand {
                    Some(operand) => Some(self.scalar(operand)?),
                    None => None,
                };
                let mut branches = Vec::new();
                for branch in conditions {
                    let condition = match &operand {
                        None => self.predicate(&branch.condition)?,
                        Some(value) => {
                            let other = self.scalar(&branch.condition)?;
                            Predicate::Compare(value.clone(), Comparison::Equal, other)
                        }
                    };
                    branches.push((condition, self.scalar(&branch.result)?));
                }
                let otherwise = match else_result {
                    Some(result) => self.scalar(result)?,
                    None => Scalar::Literal(Value::Null),
                };
                Ok(Scalar::Case(branches, Box::new(otherwise)))
            }
            Expr::Cast { kind: CastKind::Cast, expr, data_type, .. } => self.cast(expr, data_type),
            Expr::Convert { is_try: false, expr, data_type: Some(data_type), .. } => {
                self.cast(expr, data_type)
            }
            Expr::Substring { expr, substring_from: Some(from), substring_for: Some(length), .. } => {
                let arguments = vec![self.scalar(expr)?, self.scalar(from)?, self.scalar(length)?];
                Ok(Scalar::Call(Function::Substring, arguments))
            }
            Expr::Trim { trim_where: None, trim_what: None, expr, .. } => {
                Ok(Scalar::Call(Function::Trim, vec![self.scalar(expr)?]))
            }
            Expr::Function(function) => self.function(function),
            _ => refuse(
                "This kind of expression is not supported here. Use fields, literals and plain functions.",
            ),
        }
    }

    fn cast(&mut self, expr: &Expr, data_type: &DataType) -> Result<Scalar, ApiError> {
        let function = match data_type {
            DataType::Int(_) | DataType::Integer(_) | DataType::BigInt(_) | DataType::SmallInt(_) => {
                Function::ToInteger
            }
            DataType::Decimal(_) | DataType::Numeric(_) | DataType::Float(_) | DataType::Real => {
                Function::ToNumber
            }
            DataType::Varchar(_) | DataType::Nvarchar(_) | DataType::Char(_) => Function::ToText,
            DataType::Date => Function::ToDay,
            DataType::Datetime(_) => Function::ToDate,
            other => {
                let name = other.to_string().to_ascii_uppercase();
                match name.as_str() {
                    "DATETIME2" | "SMALLDATETIME" => Function::ToDate,
                    "MONEY" => Function::ToNumber,
                    _ => return refuse(format!("CAST to {name} is not supported.")),
                }
            }
        };
        Ok(Scalar::Call(function, vec![self.scalar(expr)?]))
    }

    fn function(&mut self, function: &sqlparser::ast::Function) -> Result<Scalar, ApiError> {
        if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty() {
            return refuse("Window functions are not supported here. Use q.groupBy or read the rows.");
        }
        let name = simple_name(&function.name).unwrap_or_default();
        let FunctionArguments::List(list) = &function.args else {
            return refuse(format!("'{name}' needs arguments in parentheses."));
        };
        let mut arguments = Vec::new();
        let mut star = false;
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(expr),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => star = true,
                _ => return refuse(format!("An argument of '{name}' cannot be used here.")),
            }
        }
        let distinct = match list.duplicate_treatment {
            Some(sqlparser::ast::DuplicateTreatment::Distinct) => true,
            Some(sqlparser::ast::DuplicateTreatment::All) | None => false,
        };
        if let Some(kind) = AggregateKind::parse(&name) {
            return self.aggregate(kind, &arguments, star, distinct);
        }
        if star || distinct {
            return refuse(format!("'{name}' takes plain arguments only."));
        }
        let dated: Option<fn(DatePart) -> Function> = match name.to_ascii_lowercase().as_str() {
            "dateadd" => Some(Function::Add),
            "datediff" => Some(Function::Difference),
            "datepart" => Some(Function::Part),
            _ => None,
        };
        if let Some(make) = dated {
            let Some((Expr::Identifier(part), rest)) = arguments.split_first() else {
                return refuse(format!("'{name}' starts with a date part, for example day."));
            };
            let Some(part) = DatePart::parse(&part.value) else {
                return refuse(format!("'{}' is no date part that is known here.", part.value));
            };
            if rest.len() != if matches!(make(part), Function::Part(_)) { 1 } else { 2 } {
                return refuse(format!("'{name}' has the wrong number of arguments."));
            }
            let values: Result<Vec<Scalar>, ApiError> = rest.iter().map(|expr| self.scalar(expr)).collect();
            return Ok(Scalar::Call(make(part), values?));
        }
        let Some((known, arity)) = Function::parse(&name) else {
            return refuse(format!("The function '{name}' is not known here."));
        };
        if !arity.contains(&arguments.len()) {
            return refuse(format!("'{name}' has the wrong number of arguments."));
        }
        let values: Result<Vec<Scalar>, ApiError> = arguments.iter().map(|expr| self.scalar(expr)).collect();
        Ok(Scalar::Call(known, values?))
    }

    fn aggregate(
        &mut self,
        kind: AggregateKind,
        arguments: &[&Expr],
        star: bool,
        distinct: bool,
    ) -> Result<Scalar, ApiError> {
        // Taken out while its argument compiles: an aggregate within an aggregate finds none.
        let Some(mut collected) = self.aggregates.take() else {
            return refuse("An aggregate cannot stand here. Use it in q.select or q.orderBy.");
        };
        let argument = match arguments {
            [] if star && kind == AggregateKind::Count => None,
            [one] if !star => Some(self.scalar(one)?),
            _ => return refuse("An aggregate takes one argument."),
        };
        let at = collected.len();
        collected.push(Aggregate { kind, argument, distinct });
        self.aggregates = Some(collected);
        Ok(Scalar::Aggregate(at))
    }
}

fn not(negated: bool, predicate: Predicate) -> Predicate {
    if negated { Predicate::Not(Box::new(predicate)) } else { predicate }
}

fn constant(literal: &Literal) -> Result<Value, ApiError> {
    match literal {
        Literal::Number(text, _) => Decimal::parse(text)
            .map(Value::Number)
            .ok_or_else(|| ApiError::query("A number literal has too many digits. Shorten it.")),
        Literal::SingleQuotedString(text) | Literal::NationalStringLiteral(text) => {
            Ok(Value::Text(text.clone()))
        }
        Literal::Null => Ok(Value::Null),
        _ => refuse(
            "A literal of this kind is not supported. Use numbers, 'text' or N'text'; YES/NO is 1 or 0.",
        ),
    }
}

/// A name without a qualifier.
pub fn simple_name(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident.value.clone()),
        _ => None,
    }
}
