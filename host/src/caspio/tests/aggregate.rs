use super::*;
use crate::caspio::tests::schema;
use crate::caspio::tests::server::{Server, client, ok};
use crate::model::{Operator, SortKey};

fn aggregate(name: &str, function: AggregateFunction, field: Option<&str>) -> Aggregate {
    Aggregate { name: name.to_owned(), function, field: field.map(str::to_owned) }
}

fn grouped() -> Aggregation {
    Aggregation {
        aggregates: vec![
            aggregate("patients", AggregateFunction::Count, None),
            aggregate("owed", AggregateFunction::Sum, Some("balance")),
            aggregate("oldest", AggregateFunction::Minimum, Some("Born")),
        ],
        group_by: vec!["ACTIVE".to_owned(), "Odd [name]".to_owned()],
        criteria: Some(Criteria::Compare {
            field: "Visits".to_owned(),
            operator: Operator::Greater(Value::Integer(0)),
        }),
        order: vec![SortKey { field: "owed".to_owned(), descending: true }],
        limit: Some(5),
    }
}

#[test]
fn names_of_the_guest_are_no_part_of_the_request() {
    let schema = schema();
    let aggregation = grouped();
    let asked = Asked::of(&schema, &aggregation).expect("asked");
    assert_eq!(
        asked.parameters("1"),
        [
            (
                "q.select",
                "Active,[Odd [name]]],COUNT(*) AS agg0,SUM(Balance) AS agg1,MIN(Born) AS agg2".to_owned()
            ),
            ("q.where", "Visits > 0".to_owned()),
            ("q.groupBy", "Active,[Odd [name]]]".to_owned()),
            ("q.orderBy", "agg1 DESC,Active,[Odd [name]]]".to_owned()),
            ("q.pageSize", "1000".to_owned()),
            ("q.pageNumber", "1".to_owned()),
        ]
    );
}

#[tokio::test]
async fn groups_are_typed_by_their_fields() {
    let answer = r#"{"Result":[{"Active":true,"Odd [name]":"x","agg0":2,"AGG1":"12.5000","agg2":"1970-01-02T00:00:00"},
        {"Active":false,"Odd [name]":"","agg0":1,"agg1":null,"agg2":null}]}"#;
    let server = Server::start([ok(answer), ok(r#"{"Result":[{"agg0":7}]}"#)]).await;
    let (_clients, client) = client(&server);
    let context = CallContext::of_host(None, "test");
    let rows = client.aggregate(&context, &schema(), &grouped()).await.expect("rows");
    let text = |t: &str| Value::Text(t.to_owned());
    let row = |values: [Value; 5]| {
        let names = ["Active", "Odd [name]", "patients", "owed", "oldest"].map(str::to_owned);
        Row(names.into_iter().zip(values).collect())
    };
    assert!(
        rows == [
            row([
                Value::Boolean(true),
                text("x"),
                Value::Integer(2),
                Value::Decimal("12.5000".to_owned()),
                Value::DateTime("1970-01-02T00:00:00".to_owned())
            ]),
            row([Value::Boolean(false), text(""), Value::Integer(1), Value::Null, Value::Null]),
        ]
    );
    assert_eq!(client.count(&context, &schema(), None).await.expect("a count"), 7);
    assert_eq!(
        server.lines()[1],
        "GET /integrations/rest/v3/tables/Patients/records?q.select=COUNT(*)%20AS%20agg0&q.limit=1"
    );
}

#[test]
fn what_can_not_be_reckoned_is_refused_with_its_name() {
    use AggregateFunction::{Average, Count, CountDistinct, Maximum, Sum};
    let schema = schema();
    let of = |aggregates: Vec<Aggregate>| Aggregation { aggregates, ..Aggregation::default() };
    for (aggregation, code) in [
        (of(vec![]), "invalid"),
        (of((0..51).map(|n| aggregate(&format!("n{n}"), Count, None)).collect()), "invalid"),
        (of(vec![aggregate("", Count, None)]), "invalid"),
        (of(vec![aggregate("a b", Count, None)]), "invalid"),
        (of(vec![aggregate("x) FROM T --", Count, None)]), "invalid"),
        (of(vec![aggregate("ﬁ", Count, None)]), "invalid"),
        (of(vec![aggregate("n", Count, None), aggregate("N", Count, None)]), "invalid"),
        (of(vec![aggregate("n", Sum, None)]), "invalid"),
        (of(vec![aggregate("n", Sum, Some("Email"))]), "invalid"),
        (of(vec![aggregate("n", Average, Some("Born"))]), "invalid"),
        (of(vec![aggregate("n", Maximum, Some("Active"))]), "invalid"),
        (of(vec![aggregate("n", Count, Some("Secret"))]), "invalid"),
        (of(vec![aggregate("n", CountDistinct, Some("Languages"))]), "invalid"),
        (of(vec![aggregate("n", Count, Some("Nope"))]), "not-found"),
        (Aggregation { group_by: vec!["Nope".to_owned()], ..grouped() }, "not-found"),
        (Aggregation { group_by: vec!["Email".to_owned(), "EMAIL".to_owned()], ..grouped() }, "invalid"),
        (
            Aggregation { order: vec![SortKey { field: "Born".to_owned(), descending: false }], ..grouped() },
            "invalid",
        ),
    ] {
        let error = Asked::of(&schema, &aggregation).err().expect("refused");
        assert_eq!(error.code(), code, "{aggregation:?}");
    }
    let taken = TableSchema {
        fields: vec![Field { name: "AGG0".to_owned(), ..schema.fields[0].clone() }],
        ..schema.clone()
    };
    let asked = Asked::of(&taken, &of(vec![aggregate("n", Count, None)])).expect("asked");
    assert_eq!(asked.columns[0].label, "agg_0");
}
