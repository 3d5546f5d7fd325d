//! The parameters of a read of records.

use crate::model::{Criteria, Query, SortKey, TableSchema};

use super::criteria::{InList, column_name, name_text, where_text};
use super::paths::{self, Path};
use super::split::split;
use super::{BaseUrl, CaspioError};

/// Requests that one list of values may become: enough for 10,000 `PK_ID`s, the most that one step works on. Each is
/// an integration call.
const MOST_PARTS: usize = 60;
/// Caspio's largest page.
pub(super) const PAGE: u32 = 1000;
/// Caspio's smallest.
const SMALLEST_PAGE: u32 = 5;
/// As long as any page number that is reached.
const LONG_PAGE_NUMBER: &str = "9999999";

/// A read, ready to be paged through.
pub(super) struct Read {
    pub(super) path: Path,
    select: Option<String>,
    order: String,
    pub(super) page_size: u32,
    /// Fields other than `PK_ID` are named, so that one of them may be unknown to Caspio.
    pub(super) names_fields: bool,
    /// The conditions of one request each; none: all records. Several only when rows of all of them can
    /// be merged by `PK_ID`.
    pub(super) wheres: Vec<Option<String>>,
}

impl Read {
    /// Of a query.
    ///
    /// # Errors
    /// Unknown field, value that does not fit, or a request that is too long and can't be split.
    pub(super) fn of_query(base: &BaseUrl, schema: &TableSchema, query: &Query) -> Result<Self, CaspioError> {
        let select = if query.select.is_empty() { None } else { Some(select_text(schema, &query.select)?) };
        let page_size = query.limit.unwrap_or(PAGE).clamp(SMALLEST_PAGE, PAGE);
        let order = order_text(schema, &query.order)?;
        let compared = query.criteria.iter().flat_map(Criteria::fields);
        let mut named = compared.chain(query.select.iter().map(String::as_str));
        let names_fields = named.any(|field| !field.eq_ignore_ascii_case("PK_ID"))
            || !matches!(&*order, "PK_ID" | "PK_ID DESC");
        let path = Path::records(schema)?;
        let mut read = Self { path, select, order, page_size, names_fields, wheres: Vec::new() };
        read.wheres = match &query.criteria {
            None => vec![None],
            Some(criteria) => read.conditions(base, schema, criteria)?,
        };
        Ok(read)
    }

    fn conditions(
        &self,
        base: &BaseUrl,
        schema: &TableSchema,
        criteria: &Criteria,
    ) -> Result<Vec<Option<String>>, CaspioError> {
        let whole = where_text(criteria, schema)?;
        let too_long = match self.url(base, Some(&whole), LONG_PAGE_NUMBER) {
            Ok(_) => return Ok(vec![Some(whole)]),
            Err(error) => error,
        };
        // Rows of several requests are merged by their keys; how Caspio sorts text is not known here.
        if self.order != "PK_ID" {
            return Err(CaspioError::too_large(
                "the criteria and fields make a request of more than 2,047 characters; without an order of its own \
                 such a query may be asked in several requests: leave the order out, or compare fewer values",
            ));
        }
        let fits = |part: &str| self.url(base, Some(part), LONG_PAGE_NUMBER).is_ok();
        match parts_that_fit(schema, criteria, &fits)? {
            Some(parts) => Ok(parts.into_iter().map(Some).collect()),
            None => Err(too_long),
        }
    }

    /// The URL of one page, from 1.
    pub(super) fn page(
        &self,
        base: &BaseUrl,
        condition: Option<&str>,
        page: u32,
    ) -> Result<reqwest::Url, CaspioError> {
        self.url(base, condition, &page.to_string())
    }

    fn url(&self, base: &BaseUrl, condition: Option<&str>, page: &str) -> Result<reqwest::Url, CaspioError> {
        let size = self.page_size.to_string();
        let mut query = Vec::with_capacity(5);
        if let Some(select) = &self.select {
            query.push(("q.select", select.as_str()));
        }
        if let Some(condition) = condition {
            query.push(("q.where", condition));
        }
        query.push(("q.orderBy", &self.order));
        query.push(("q.pageSize", &size));
        query.push(("q.pageNumber", page));
        paths::url(base, &self.path, &query)
    }
}

/// Texts that together mean the criteria, each of which fits a request; none when they can't be taken apart so far.
///
/// # Errors
/// When more than [`MOST_PARTS`] are needed.
pub(super) fn parts_that_fit(
    schema: &TableSchema,
    criteria: &Criteria,
    fits: &dyn Fn(&str) -> bool,
) -> Result<Option<Vec<String>>, CaspioError> {
    let parts = match InList::alone(criteria, schema)? {
        // Each value once, which a tree of values can't tell.
        Some(list) => list.split(fits),
        None => {
            let parts = split(criteria, MOST_PARTS, &|part| Ok(fits(&where_text(part, schema)?)))?;
            let texts = parts.map(|parts| parts.iter().map(|part| where_text(part, schema)).collect());
            texts.transpose()?
        }
    };
    if parts.as_ref().is_some_and(|parts: &Vec<String>| parts.len() > MOST_PARTS) {
        return Err(CaspioError::too_large(format!(
            "the values to compare need more than {MOST_PARTS} requests; ask in several calls"
        )));
    }
    Ok(parts)
}

/// The fields to read, each once, and `PK_ID`.
fn select_text(schema: &TableSchema, names: &[String]) -> Result<String, CaspioError> {
    let mut columns: Vec<String> = vec!["PK_ID".to_owned()];
    for name in names {
        if name.eq_ignore_ascii_case("PK_ID") {
            continue;
        }
        let field = schema.field(name).ok_or_else(|| CaspioError::unknown_field(schema, name))?;
        if field.kind == crate::model::FieldType::Password {
            return Err(CaspioError::invalid(
                field.name.as_str(),
                "Caspio never returns passwords; leave the field out",
            ));
        }
        let column = name_text(&field.name);
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    Ok(columns.join(","))
}

/// The sort keys, each once (SQL Server refuses a repetition), always down to `PK_ID`.
fn order_text(schema: &TableSchema, keys: &[SortKey]) -> Result<String, CaspioError> {
    let mut seen: Vec<String> = Vec::new();
    let mut text: Vec<String> = Vec::new();
    for key in keys {
        let column = column_name(schema, &key.field)?;
        if seen.contains(&column) {
            continue;
        }
        let is_pk_id = column == "PK_ID";
        text.push(if key.descending { format!("{column} DESC") } else { column.clone() });
        seen.push(column);
        if is_pk_id {
            return Ok(text.join(","));
        }
    }
    text.push("PK_ID".to_owned());
    Ok(text.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caspio::tests::schema;
    use crate::model::{Operator, Value};

    fn base() -> BaseUrl {
        BaseUrl::parse("c1abc123.caspio.com").expect("base")
    }

    fn key(field: &str, descending: bool) -> SortKey {
        SortKey { field: field.to_owned(), descending }
    }

    #[test]
    fn the_order_always_ends_with_pk_id() {
        let schema = schema();
        for (keys, text) in [
            (vec![], "PK_ID"),
            (vec![key("email", false)], "Email,PK_ID"),
            (vec![key("Email", true), key("EMAIL", false), key("Visits", false)], "Email DESC,Visits,PK_ID"),
            (vec![key("pk_id", true), key("Email", false)], "PK_ID DESC"),
        ] {
            assert_eq!(order_text(&schema, &keys).expect("order"), text);
        }
        assert!(order_text(&schema, &[key("Nope", false)]).expect_err("unknown").is_about_schema());
        assert!(order_text(&schema, &[key("Languages", false)]).is_err());
    }

    #[test]
    fn select_has_pk_id_and_the_schemas_spelling() {
        let schema = schema();
        let names = ["EMAIL", "email", "PK_ID", "Languages"].map(str::to_owned);
        assert_eq!(select_text(&schema, &names).expect("select"), "PK_ID,Email,Languages");
        assert!(select_text(&schema, &["Secret".to_owned()]).is_err(), "a password");
        assert!(select_text(&schema, &["A, (SELECT 1) B".to_owned()]).is_err());
    }

    #[test]
    fn a_long_list_of_values_is_split_when_rows_can_be_merged() {
        let schema = schema();
        let values = (0..5000).map(|n| Value::Integer(1_000_000 + n)).collect();
        let criteria = Criteria::Compare { field: "pk_id".to_owned(), operator: Operator::AnyOf(values) };
        let query = Query { criteria: Some(criteria), ..Query::default() };
        let read = Read::of_query(&base(), &schema, &query).expect("split");
        assert!((20..60).contains(&read.wheres.len()), "{}", read.wheres.len());
        let mut ids = Vec::new();
        for part in read.wheres.iter().flatten() {
            let url = read.page(&base(), Some(part), 1).expect("fits");
            assert!(url.as_str().len() <= paths::MAX_URI);
            let list = part.strip_prefix("PK_ID IN (").and_then(|t| t.strip_suffix(')')).expect("a list");
            ids.extend(list.split(',').map(|id| id.parse::<i64>().expect("id")));
        }
        assert_eq!(ids, (1_000_000..1_005_000).collect::<Vec<_>>());

        let sorted = Query { order: vec![key("Email", false)], ..query };
        assert_eq!(
            Read::of_query(&base(), &schema, &sorted).err().map(|e| e.code().to_owned()).as_deref(),
            Some("too-large")
        );
    }

    #[test]
    fn alternatives_are_split_with_what_must_hold_besides() {
        let schema = schema();
        let values = (0..500).map(|n| Value::Integer(1_000_000 + n)).collect();
        let list = Criteria::Compare { field: "Visits".to_owned(), operator: Operator::AnyOf(values) };
        let active = Criteria::Compare {
            field: "Active".to_owned(),
            operator: Operator::Equals(Value::Boolean(true)),
        };
        let query = Query { criteria: Some(Criteria::All(vec![list, active])), ..Query::default() };
        let read = Read::of_query(&base(), &schema, &query).expect("split");
        assert!((2..5).contains(&read.wheres.len()), "{}", read.wheres.len());
        assert!(read.wheres.iter().flatten().all(|part| part.ends_with("AND Active=1)")));
    }

    #[test]
    fn one_value_that_is_too_long_is_refused() {
        let schema = schema();
        let values = vec![Value::Text("x".repeat(3000)), Value::Text("y".to_owned())];
        let criteria = Criteria::Compare { field: "Email".to_owned(), operator: Operator::AnyOf(values) };
        let query = Query { criteria: Some(criteria), ..Query::default() };
        assert_eq!(
            Read::of_query(&base(), &schema, &query).err().map(|e| e.code().to_owned()).as_deref(),
            Some("too-large")
        );
    }
}
