//! No value and no name changes what is asked: checked by the emulator's own parser.
//!
//! Random trees over hostile texts go through the client as they would from a guest; what the emulator finds must be
//! what the tree means, reckoned here without SQL.

use std::sync::Arc;

use caspio_emulator::{Emulator, EmulatorOptions, Seed, Settings};
use serde_json::json;

use super::nasty::Nasty;
use super::server::{credentials, settings};
use crate::caspio::criteria::where_text;
use crate::caspio::{CallContext, Caspio, CaspioClients, parse_criteria};
use crate::model::{
    Aggregate, AggregateFunction, Aggregation, Criteria, Operator, Query, Row, SortKey, TableSchema, Value,
};

/// Cases of one task, and how many tasks.
const CASES: usize = 3_000;
const TASKS: u64 = 4;
const ROWS: usize = 60;
/// Names with letters beyond ASCII are the nastiest that Caspio allows.
const TEXTS: [&str; 2] = ["Text", "Größe"];

/// The emulator with a table of hostile texts; some are null.
async fn table()
-> (caspio_emulator::RunningEmulator, CaspioClients, Arc<Caspio>, Arc<TableSchema>, Arc<Vec<Row>>) {
    let mut nasty = Nasty::new(7);
    let mut text = || match nasty.next(6) {
        0 => json!(null),
        _ => json!(nasty.text(6)),
    };
    let rows: Vec<_> =
        (0..ROWS).map(|n| json!({"Text": text(), "Größe": text(), "Number": n.checked_sub(9)})).collect();
    let seed = json!({
        "Clients": [{"client_id": "the-id", "client_secret": "the secret&=+", "ProfileName": "test"}],
        "Tables": [{"Name": "Words", "Rows": rows, "Fields": [
            {"Name": "Text", "Type": "STRING"}, {"Name": "Größe", "Type": "TEXT"}, {"Name": "Number", "Type": "INTEGER"},
        ]}],
    });
    let options = EmulatorOptions {
        seed: Some(Seed::from_json(&seed.to_string()).expect("a seed")),
        settings: Some(Settings { rate_limit: None, ..Settings::default() }),
        ..EmulatorOptions::default()
    };
    let running = Emulator::start(options).await.expect("the emulator starts");
    let clients = CaspioClients::new(settings()).expect("clients");
    let client = clients.connect(credentials(running.base_url()));
    let context = CallContext::of_host(None, "test");
    let schema = client.fields(&context, "Words").await.expect("fields");
    let rows = client.list(&context, &schema, &Query::default()).await.expect("rows");
    assert_eq!(rows.len(), ROWS);
    (running, clients, client, Arc::new(schema), Arc::new(rows))
}

/// A random tree. Half of the texts to compare are in the table, whole, in another case, or in part.
struct Source<'r> {
    nasty: Nasty,
    rows: &'r [Row],
}

impl Source<'_> {
    fn text(&mut self) -> String {
        let field = TEXTS[self.nasty.next(2)];
        let row = &self.rows[self.nasty.next(self.rows.len())];
        match (self.nasty.next(5), row.get(field)) {
            (0, Some(Value::Text(text))) => text.clone(),
            (1, Some(Value::Text(text))) => text.to_uppercase(),
            (2, Some(Value::Text(text))) => {
                let (from, count) = (self.nasty.next(4), self.nasty.next(6));
                text.chars().skip(from).take(count).collect()
            }
            _ => self.nasty.text(6),
        }
    }

    fn leaf(&mut self) -> Criteria {
        let number = self.nasty.next(5) == 0;
        let field = if number { ["Number", "pk_id"][self.nasty.next(2)] } else { TEXTS[self.nasty.next(2)] };
        let value = |source: &mut Self| match (number, source.nasty.next(8)) {
            (true, 0) | (false, _) => Value::Text(source.text()),
            _ => Value::Integer(i64::try_from(source.nasty.next(60)).expect("small") - 5),
        };
        let operator = match self.nasty.next(if number { 8 } else { 10 }) {
            0 | 1 => Operator::Equals(value(self)),
            2 => Operator::NotEquals(value(self)),
            3 => {
                let count = self.nasty.next(4);
                let mut values: Vec<Value> = (0..count).map(|_| value(self)).collect();
                if self.nasty.next(6) == 0 {
                    values.push(Value::Null);
                }
                Operator::AnyOf(values)
            }
            4 => Operator::IsEmpty,
            5 => Operator::IsNotEmpty,
            6 => Operator::Equals(Value::Null),
            7 => Operator::NotEquals(Value::Null),
            8 => Operator::Contains(self.text()),
            _ => Operator::StartsWith(self.text()),
        };
        Criteria::Compare { field: field.to_owned(), operator }
    }

    fn tree(&mut self, depth: usize) -> Criteria {
        match self.nasty.next(if depth == 0 { 3 } else { 6 }) {
            0..=2 => self.leaf(),
            3 => Criteria::Not(Box::new(self.tree(depth - 1))),
            4 => Criteria::All((0..self.nasty.next(3)).map(|_| self.tree(depth - 1)).collect()),
            _ => Criteria::Any((0..self.nasty.next(3)).map(|_| self.tree(depth - 1)).collect()),
        }
    }
}

fn fold(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

/// What a tree says of a row, with SQL's third truth value for null.
fn truth(tree: &Criteria, row: &Row) -> Option<bool> {
    let join = |list: &[Criteria], wanted: bool| {
        let truths: Vec<_> = list.iter().map(|one| truth(one, row)).collect();
        if truths.contains(&Some(wanted)) {
            Some(wanted)
        } else if truths.contains(&None) {
            None
        } else {
            Some(!wanted)
        }
    };
    match tree {
        Criteria::All(list) => join(list, false),
        Criteria::Any(list) => join(list, true),
        Criteria::Not(inner) => truth(inner, row).map(|truth| !truth),
        Criteria::Compare { field, operator } => holds(row.get(field).expect("a field"), operator),
    }
}

fn holds(own: &Value, operator: &Operator) -> Option<bool> {
    let is_null = matches!(own, Value::Null);
    let equal = |other: &Value| match (own, other) {
        (Value::Null, _) => None,
        (Value::Text(own), Value::Text(other)) => Some(fold(own) == fold(other)),
        (Value::Integer(own), Value::Integer(other)) => Some(own == other),
        (Value::Integer(own), Value::Text(digits)) => Some(digits.parse() == Ok(*own)),
        (own, other) => panic!("{own:?} and {other:?}"),
    };
    let text = |matches: &dyn Fn(&str) -> bool| match own {
        Value::Text(own) => Some(matches(&own.to_lowercase())),
        _ => None,
    };
    match operator {
        Operator::Equals(Value::Null) => Some(is_null),
        Operator::NotEquals(Value::Null) => Some(!is_null),
        Operator::Equals(value) => equal(value),
        Operator::NotEquals(value) => equal(value).map(|equal| !equal),
        Operator::AnyOf(values) => {
            let null = values.iter().any(|value| matches!(value, Value::Null));
            let others: Vec<_> = values.iter().filter(|value| !matches!(value, Value::Null)).collect();
            match (is_null, null) {
                (true, true) => Some(true),
                // An empty list is no comparison.
                (true, false) => {
                    if others.is_empty() {
                        Some(false)
                    } else {
                        None
                    }
                }
                _ => Some(others.into_iter().any(|value| equal(value) == Some(true))),
            }
        }
        Operator::Contains(part) => text(&|own| own.contains(&part.to_lowercase())),
        Operator::StartsWith(part) => text(&|own| own.starts_with(&part.to_lowercase())),
        Operator::IsEmpty | Operator::IsNotEmpty => {
            let empty = is_null || matches!(own, Value::Text(text) if fold(text).is_empty());
            Some(empty == matches!(operator, Operator::IsEmpty))
        }
        Operator::Like(pattern) => {
            let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
            text(&|own| like(&pattern, &own.chars().collect::<Vec<_>>()))
        }
        other => panic!("{other:?} is not asked"),
    }
}

/// The patterns that the host writes: `%`, and what is meant literally in brackets.
fn like(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], text) => (0..=text.len()).any(|from| like(rest, &text[from..])),
        (['[', c, ']', rest @ ..], [own, text @ ..]) | ([c, rest @ ..], [own, text @ ..]) => {
            c == own && like(rest, text)
        }
        _ => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_changes_a_predicate() {
    let (running, _clients, client, schema, rows) = table().await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (client, schema, rows) = (client.clone(), schema.clone(), rows.clone());
            tokio::spawn(async move {
                let context = CallContext::of_host(None, "test");
                let mut source = Source { nasty: Nasty::new(20_261_125 + number), rows: &rows };
                let (mut asked, mut found_some) = (0, 0);
                while asked < CASES {
                    let tree = source.tree(3);
                    let query = Query { criteria: Some(tree.clone()), ..Query::default() };
                    let Ok(text) = where_text(&tree, &schema) else {
                        let error = client.list(&context, &schema, &query).await.expect_err("refused");
                        assert_eq!(error.code(), "invalid");
                        continue;
                    };
                    let found = match client.list(&context, &schema, &query).await {
                        Ok(found) => found,
                        Err(error) if error.code() == "too-large" => continue,
                        Err(error) => panic!("{text}: {error}"),
                    };
                    let found: Vec<_> = found.iter().map(Row::pk_id).collect();
                    let meant = rows.iter().filter(|row| truth(&tree, row) == Some(true));
                    assert_eq!(found, meant.map(Row::pk_id).collect::<Vec<_>>(), "{text}");
                    // What is printed is understood by our own parser, too, and as the same.
                    if text.len() <= 4096 && !text.contains("1=1") && !text.contains("1=0") {
                        let again = parse_criteria(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
                        assert!(rows.iter().all(|row| truth(&again, row) == truth(&tree, row)), "{text}");
                    }
                    asked += 1;
                    found_some += usize::from(!found.is_empty() && found.len() < ROWS);
                }
                (asked, found_some)
            })
        })
        .collect();
    let (mut asked, mut found_some) = (0, 0);
    for task in tasks {
        let (all, some) = task.await.expect("no predicate changed");
        asked += all;
        found_some += some;
    }
    assert!(asked >= 10_000 && found_some > asked / 4, "{asked} cases, {found_some} with some of the rows");
    running.shutdown().await;
}

#[tokio::test]
async fn no_name_becomes_part_of_a_request() {
    let (running, _clients, client, schema, _rows) = table().await;
    let context = CallContext::of_host(None, "test");
    let mut nasty = Nasty::new(3);
    for round in 0..10_000 {
        let name = match round % 3 {
            0 => nasty.text(6),
            1 => format!("Text{}", nasty.text(6)),
            _ => format!("{}PK_ID", nasty.text(6)),
        };
        if name.eq_ignore_ascii_case("PK_ID") || schema.field(&name).is_some() {
            continue;
        }
        let operator = Operator::Equals(Value::Text("x".to_owned()));
        let criteria = Criteria::Compare { field: name.clone(), operator };
        for query in [
            Query { criteria: Some(criteria), ..Query::default() },
            Query { select: vec![name.clone()], ..Query::default() },
            Query { order: vec![SortKey { field: name.clone(), descending: true }], ..Query::default() },
        ] {
            let error = client.list(&context, &schema, &query).await.expect_err("no such field");
            assert_eq!(error.code(), "not-found", "{name:?}");
        }
        let number = |name: &str, field: Option<String>| Aggregation {
            aggregates: vec![Aggregate { name: name.to_owned(), function: AggregateFunction::Count, field }],
            ..Aggregation::default()
        };
        for aggregation in [
            number("n", Some(name.clone())),
            Aggregation { group_by: vec![name.clone()], ..number("n", None) },
            Aggregation {
                group_by: vec!["Text".to_owned()],
                order: vec![SortKey { field: name.clone(), descending: false }],
                ..number("n", None)
            },
        ] {
            client.aggregate(&context, &schema, &aggregation).await.expect_err("no such field");
        }
        let row = Row(vec![(name.clone(), Value::Null)]);
        assert!(client.check_new(&schema, &row).is_err() && client.check_changes(&schema, &row).is_err());
    }
    // Two of the set-up, and no token was needed again.
    assert_eq!(context.spent(), 0, "nothing was sent");
    running.shutdown().await;
}

/// Conditions as text: whatever is put together, it is refused, or what is sent is what was understood.
#[test]
fn no_text_is_understood_in_two_ways() {
    const WORDS: &[&str] = &[
        "Text",
        "[Text]",
        "Größe",
        "[Größe]",
        "Number",
        "PK_ID",
        "=",
        "<>",
        "<",
        ">=",
        "!=",
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        "'a'",
        "N'é'",
        "''",
        "'it''s'",
        "1",
        "-2.50",
        "NULL",
        "IS",
        "IN",
        "LIKE",
        "BETWEEN",
        ",",
        "--",
        "/*",
        "*/",
        "\n",
        ";",
        "'",
        "\"Text\"",
        "[",
        "]",
        "@x",
        "SELECT",
        "FROM",
        "Words",
        "LEN",
        "1=1",
        "TRUE",
        "ESCAPE",
        "ANY",
        "+",
        "COLLATE",
        ".",
        "0x27",
        "{",
        "}",
        "CASE",
        "EXISTS",
    ];
    let schema = TableSchema {
        fields: super::schema()
            .fields
            .into_iter()
            .map(|mut field| {
                field.name = match field.name.as_str() {
                    "Email" => "Text".to_owned(),
                    "Notes" => "Größe".to_owned(),
                    "Visits" => "Number".to_owned(),
                    _ => field.name,
                };
                field
            })
            .collect(),
        ..super::schema()
    };
    let mut nasty = Nasty::new(11);
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut text = String::new();
        for _ in 0..=nasty.next(3) {
            for words in [&WORDS[..6], &WORDS[6..11], &WORDS[16..23], &WORDS[11..14]] {
                // Mostly what belongs there, sometimes anything.
                let words = if nasty.next(9) == 0 { WORDS } else { words };
                text.push_str(words[nasty.next(words.len())]);
                text.push(' ');
            }
        }
        if nasty.next(4) > 0 {
            // Without the word that would join the next comparison.
            text.truncate(text.trim_end().rfind(' ').unwrap_or_default());
        }
        let Ok(tree) = parse_criteria(&text) else { continue };
        let Ok(sent) = where_text(&tree, &schema) else { continue };
        understood += 1;
        let again = parse_criteria(&sent).unwrap_or_else(|why| panic!("{text}: {sent}: {why}"));
        assert_eq!(where_text(&again, &schema).expect("printed"), sent, "{text}");
    }
    assert!(understood > 10_000, "{understood}");
}
