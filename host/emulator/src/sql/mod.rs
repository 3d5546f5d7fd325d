//! The SQL in `q.select`, `q.where`, `q.groupBy` and `q.orderBy`.
//!
//! `sqlparser` reads the text (SQL Server dialect), [`compile`] resolves names against the table and
//! turns it into the small tree of [`expr`], and [`select`] runs it over rows. Whatever SQL Server
//! would refuse, or this subset lacks, is a 400 `IncorrectQueryParameter`; unknown columns are found
//! even in an empty table. The parser bounds the depth of an expression, the address of a request
//! its length.

pub mod compare;
pub mod compile;
pub mod expr;
pub mod functions;
pub mod like;
pub mod select;

pub use select::{Query, predicate_keys};

use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::error::ApiError;

/// Reads a whole text with one rule of the parser; text after the end is refused.
fn parse<T>(
    what: &str,
    text: &str,
    rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, ApiError> {
    let refuse =
        |reason: String| ApiError::query(format!("{what} cannot be read: {reason}. Correct the SQL text."));
    let mut parser =
        Parser::new(&MsSqlDialect {}).try_with_sql(text).map_err(|error| refuse(error.to_string()))?;
    let tree = rule(&mut parser).map_err(|error| refuse(error.to_string()))?;
    match parser.peek_token().token {
        Token::EOF => Ok(tree),
        other => Err(refuse(format!("unexpected '{other}'"))),
    }
}
