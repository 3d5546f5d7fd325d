//! Conditions that come as text: parsed, and only what is understood becomes a tree.
//!
//! `sqlparser` reads the text as SQL Server would; of what it found only comparisons of a field with a
//! constant and their joins are taken. There are no functions, no sub-queries, no comparison of two
//! fields, no comment that hides something: what is sent to Caspio is printed from our tree. Error texts
//! say which kind of thing is refused and never repeat the text, which may hold values.

use sqlparser::ast::{BinaryOperator, Expr, Ident, InTarget, UnaryOperator, Value as Sql};
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::model::{Criteria, Operator, Value};

/// Longest text, in bytes. Long lists of values come typed; and a chain of this length is no deep recursion.
const LONGEST: usize = 4096;
/// Stack of the parser in bytes: far more than its own limit of recursion needs.
const STACK: usize = 4 << 20;
/// Deepest nesting, as of typed trees.
const DEEPEST: usize = 32;

type Parsed<T> = Result<T, &'static str>;

/// The tree of a condition.
///
/// # Errors
/// What is wrong with it, without a word of it.
pub fn parse_criteria(text: &str) -> Result<Criteria, &'static str> {
    if text.len() > LONGEST {
        return Err("the condition is longer than 4,096 bytes; compare fewer values, or use typed criteria");
    }
    // The parser recurses, and who calls may stand on the small stack of a guest: it gets a stack of its own.
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().name("criteria".to_owned()).stack_size(STACK);
        match parser.spawn_scoped(scope, || parse(text)) {
            Ok(thread) => {
                thread.join().unwrap_or(Err("the parser failed at the condition; write it otherwise"))
            }
            // The same answer, whether there are threads to spare or not.
            Err(_) => parse(text),
        }
    })
}

fn parse(text: &str) -> Parsed<Criteria> {
    let unread = "the condition can't be read as SQL; write e.g. Status = 'Open' AND DueDate < '2026-01-31'";
    let dialect = MsSqlDialect {};
    let mut parser = Parser::new(&dialect).try_with_sql(text).map_err(|_| unread)?;
    let expr = parser.parse_expr().map_err(|_| unread)?;
    if parser.peek_token().token != Token::EOF {
        return Err("after the condition there is more text; remove it");
    }
    tree(expr, 1)
}

fn tree(expr: Expr, depth: usize) -> Parsed<Criteria> {
    if depth > DEEPEST {
        return Err("the condition is nested more than 32 deep; make it flatter");
    }
    Ok(match expr {
        Expr::Nested(inner) => tree(*inner, depth + 1)?,
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => not(tree(*expr, depth + 1)?),
        Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
            let members = chain(*left, &op, *right)?;
            let members = members.into_iter().map(|member| tree(member, depth + 1)).collect::<Parsed<_>>()?;
            if op == BinaryOperator::And { Criteria::All(members) } else { Criteria::Any(members) }
        }
        Expr::BinaryOp { left, op, right } => comparison(*left, &op, *right)?,
        Expr::IsNull(field) => compare(*field, Operator::Equals(Value::Null))?,
        Expr::IsNotNull(field) => compare(*field, Operator::NotEquals(Value::Null))?,
        Expr::In { expr, target: InTarget::List(list), negated, global: false } => {
            let values = list.into_iter().map(constant).collect::<Parsed<Vec<_>>>()?;
            if values.iter().any(|value| matches!(value, Value::Null)) {
                return Err("nothing equals NULL; leave it out of the list and add: OR field IS NULL");
            }
            negated_if(negated, compare(*expr, Operator::AnyOf(values))?)
        }
        Expr::Between { expr, negated, low, high } => {
            let field = name(*expr)?;
            let at = |operator| Criteria::Compare { field: field.clone(), operator };
            let range = vec![
                at(Operator::GreaterOrEqual(constant(*low)?)),
                at(Operator::LessOrEqual(constant(*high)?)),
            ];
            negated_if(negated, Criteria::All(range))
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char: None } => match constant(*pattern)? {
            Value::Text(pattern) => negated_if(negated, compare(*expr, Operator::Like(pattern))?),
            _ => return Err("LIKE takes a pattern in single quotes"),
        },
        Expr::In { target: InTarget::Subquery(_), .. } | Expr::Subquery(_) | Expr::Exists { .. } => {
            return Err(
                "sub-queries are not allowed; read the other table first and compare with its values",
            );
        }
        Expr::Function(_) | Expr::Cast { .. } | Expr::Convert { .. } => {
            return Err("functions are not allowed; compare with a constant");
        }
        _ => {
            return Err("only comparisons of a field with a constant are allowed, joined by AND, OR and NOT");
        }
    })
}

/// The members of `a AND b AND c`, which the parser reads as `(a AND b) AND c`. A loop: a long chain is no deep tree.
fn chain(left: Expr, joined: &BinaryOperator, right: Expr) -> Parsed<Vec<Expr>> {
    let mut members = vec![right];
    let mut rest = left;
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == *joined => {
                members.push(*right);
                rest = *left;
            }
            first => {
                members.push(first);
                members.reverse();
                return Ok(members);
            }
        }
    }
}

fn not(inner: Criteria) -> Criteria {
    Criteria::Not(Box::new(inner))
}

fn negated_if(negated: bool, criteria: Criteria) -> Criteria {
    if negated { not(criteria) } else { criteria }
}

fn compare(field: Expr, operator: Operator) -> Parsed<Criteria> {
    Ok(Criteria::Compare { field: name(field)?, operator })
}

fn comparison(left: Expr, op: &BinaryOperator, right: Expr) -> Parsed<Criteria> {
    let turned = !matches!(left, Expr::Identifier(_));
    let (field, other) = if turned { (right, left) } else { (left, right) };
    let value = constant(other)?;
    if matches!(value, Value::Null) {
        return Err("nothing equals NULL; write IS NULL or IS NOT NULL");
    }
    let operator = match (op, turned) {
        (BinaryOperator::Eq, _) => Operator::Equals(value),
        (BinaryOperator::NotEq, _) => Operator::NotEquals(value),
        (BinaryOperator::Lt, false) | (BinaryOperator::Gt, true) => Operator::Less(value),
        (BinaryOperator::LtEq, false) | (BinaryOperator::GtEq, true) => Operator::LessOrEqual(value),
        (BinaryOperator::Gt, false) | (BinaryOperator::Lt, true) => Operator::Greater(value),
        (BinaryOperator::GtEq, false) | (BinaryOperator::LtEq, true) => Operator::GreaterOrEqual(value),
        _ => return Err("fields are compared with = <> < <= > >= LIKE, IN, BETWEEN or IS NULL"),
    };
    compare(field, operator)
}

/// A field's name; it is looked up in the schema when the condition is printed.
fn name(expr: Expr) -> Parsed<String> {
    match expr {
        Expr::Identifier(Ident { value, quote_style: None | Some('['), .. }) => Ok(value),
        Expr::Identifier(_) => Err("field names stand bare or in [brackets]; text stands in single quotes"),
        Expr::CompoundIdentifier(_) => Err("field names stand without the table's name"),
        _ => Err("a field must be compared with a constant; compare no two constants, fields or expressions"),
    }
}

fn number(digits: String) -> Value {
    digits.parse().map_or(Value::Decimal(digits), Value::Integer)
}

fn constant(expr: Expr) -> Parsed<Value> {
    match expr {
        Expr::Value(value) => match value.value {
            Sql::SingleQuotedString(text) | Sql::NationalStringLiteral(text) => Ok(Value::Text(text)),
            Sql::Number(digits, _) => Ok(number(digits)),
            Sql::Boolean(yes) => Ok(Value::Boolean(yes)),
            Sql::Null => Ok(Value::Null),
            _ => Err("constants are numbers and text in single quotes"),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match constant(*expr)? {
            Value::Decimal(digits) if !digits.starts_with('-') => Ok(number(format!("-{digits}"))),
            Value::Integer(n) if n >= 0 => Ok(number(format!("-{n}"))),
            _ => Err("a minus stands before a number only"),
        },
        Expr::Nested(inner) => match *inner {
            // Once is enough; more would be a recursion without bound.
            Expr::Nested(_) => Err("constants stand in one pair of parentheses at most"),
            inner => constant(inner),
        },
        // No words of SQL Server, but of many who write conditions.
        Expr::Identifier(Ident { value, quote_style: None, .. }) if value.eq_ignore_ascii_case("true") => {
            Ok(Value::Boolean(true))
        }
        Expr::Identifier(Ident { value, quote_style: None, .. }) if value.eq_ignore_ascii_case("false") => {
            Ok(Value::Boolean(false))
        }
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            Err("a field can't be compared with another field; text stands in single quotes")
        }
        Expr::Subquery(_) => {
            Err("sub-queries are not allowed; read the other table first and compare with its values")
        }
        Expr::Function(_) | Expr::Cast { .. } | Expr::Convert { .. } => {
            Err("functions are not allowed; compare with a constant")
        }
        _ => Err("constants are numbers and text in single quotes"),
    }
}

#[cfg(test)]
#[path = "tests/parse.rs"]
mod tests;
