//! Calls from end to end: what is sent, what is repeated, what an error means.

use std::time::Duration;

use super::schema;
use super::server::{Act, Server, client, credentials, ok, settings, status, token};
use crate::caspio::{
    CallContext, Caspio, CaspioClients, CaspioError, ClientSettings, EventSpec, NewWebhook, Updated,
};
use crate::model::{Cause, Criteria, Operator, Query, Row, RunId, SortKey, Value, WorkflowId};

fn context() -> CallContext {
    CallContext::of_host(None, "test")
}

fn row(email: &str) -> Row {
    Row(vec![("Email".to_owned(), Value::Text(email.to_owned()))])
}

async fn create(client: &Caspio) -> Result<Row, CaspioError> {
    client.create(&context(), &schema(), &row("a@b")).await
}

async fn update(client: &Caspio, ids: &[i64], rows: bool) -> Result<Updated, CaspioError> {
    client.update_pks(&context(), &schema(), ids, &row("a@b"), rows).await
}

#[tokio::test]
async fn a_token_is_asked_once_for_many_callers() {
    let server = Server::start((0..20).map(|_| ok(r#"{"Result":["A","B"]}"#))).await;
    let (_clients, client) = client(&server);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.tables(&context()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("task").expect("tables"), ["A", "B"]);
    }
    assert_eq!(server.token_calls(), 1);
    let asked = server.asked();
    assert_eq!(asked[0].line, "GET /integrations/rest/v3/tables");
    let head = asked[0].head.to_lowercase();
    assert!(
        head.contains("authorization: bearer abc") && head.contains("accept: application/json"),
        "{head}"
    );
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_effects_too() {
    let server = Server::start([status(401), ok(r#"{"RecordsAffected":1}"#), status(401), status(401)]).await;
    let (_clients, client) = client(&server);
    assert_eq!(update(&client, &[1], false).await.expect("second try").affected, 1);
    assert_eq!(server.token_calls(), 2);
    let error = update(&client, &[1], false).await.expect_err("refused again");
    assert_eq!((error.code(), error.is_undecided()), ("credentials", false));
    assert_eq!(server.token_calls(), 3);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn an_old_token_is_replaced_when_a_query_is_refused_for_no_good_reason() {
    let refused = || Act::Answer(400, "", r#"{"Code":"IncorrectQueryParameter","Message":"m"}"#.to_owned());
    let server =
        Server::start([refused(), ok(r#"{"Result":[]}"#), refused(), ok("{}"), refused(), refused()]).await;
    let (_clients, client) = client(&server);
    client.tables(&context()).await.expect_err("a young token is not to blame");
    client.tables(&context()).await.expect("read");
    assert_eq!(server.token_calls(), 1);
    client.token.backdate(Duration::from_secs(2 * 3600));
    client.tables(&context()).await.expect_err("the script's answer has no result");
    assert_eq!((server.token_calls(), server.asked().len()), (2, 4));
    client.token.backdate(Duration::from_secs(2 * 3600));
    client.tables(&context()).await.expect_err("it was the query");
    assert_eq!((server.token_calls(), server.asked().len()), (3, 6));
}

#[tokio::test]
async fn wrong_credentials_have_their_own_text_and_are_asked_once_for_all_who_waited() {
    let server = Server::start([]).await;
    server.tokens((0..9).map(|_| Act::Answer(400, "", r#"{"error":"invalid_client"}"#.to_owned())));
    let (_clients, client) = client(&server);
    let (a, b, c) = tokio::join!(async { client.check(&context()).await }, create(&client), create(&client));
    for error in [a.err(), b.err(), c.err()].into_iter().flatten() {
        let text = error.to_string();
        assert!(
            text.contains("clinic") && text.contains("client secret") && !text.contains("the-id"),
            "{text}"
        );
        assert!(!error.is_undecided() && error.transient_cause() == Some(Cause::Connection));
    }
    assert_eq!((server.token_calls(), server.asked().len()), (1, 0));
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_tried_again_and_leaves_effects_decided() {
    let server = Server::start([]).await;
    server.tokens([status(503), Act::Drop, status(500), Act::Drop]);
    let (_clients, client) = client(&server);
    let error = create(&client).await.expect_err("no token");
    assert_eq!(error.transient_cause(), Some(Cause::Unavailable));
    assert!(!error.is_undecided(), "the create was not sent");
    assert_eq!((server.token_calls(), server.asked().len()), (4, 0));
}

#[tokio::test]
async fn reads_are_repeated_effects_are_not() {
    let server = Server::start([status(500), Act::Drop, Act::Cut(200), ok(r#"{"Result":[]}"#)]).await;
    let (_clients, client) = client(&server);
    assert!(client.tables(&context()).await.expect("at last").is_empty());
    assert_eq!(server.asked().len(), 4);

    for act in [status(500), status(503), Act::Drop, Act::Cut(200), ok("<html>"), ok("{}")] {
        let server = Server::start([act.clone()]).await;
        let (_clients, client) = self::client(&server);
        assert!(create(&client).await.expect_err("failed").is_undecided(), "{act:?}");
        assert_eq!(server.asked().len(), 1, "{act:?}");
        let server = Server::start([act.clone(), act.clone()]).await;
        let (_clients, client) = self::client(&server);
        let put = update(&client, &[1], false).await.expect_err("failed");
        let delete = client.delete_pks(&context(), &schema(), &[1]).await.expect_err("failed");
        assert!(put.is_undecided() && delete.is_undecided(), "{act:?}");
        assert_eq!(put.transient_cause(), Some(Cause::Unavailable));
        assert_eq!(server.asked().len(), 2, "{act:?}");
    }
}

#[tokio::test]
async fn what_was_never_sent_is_decided_and_not_counted() {
    let clients = CaspioClients::new(ClientSettings { read_retries: 0, ..settings() }).expect("clients");
    // A port that nobody listens to.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address");
    let client = clients.connect(credentials(&format!("http://{free}")));
    let context = context();
    let error = client.create(&context, &schema(), &row("a")).await.expect_err("nobody there");
    assert!(!error.is_undecided());
    assert_eq!(error.transient_cause(), Some(Cause::Unavailable));
    assert_eq!(context.spent(), 0);
    assert!(clients.take_counts().is_empty());
    assert!(!format!("{error} {error:?}").contains("127.0.0.1"));
}

#[tokio::test]
async fn a_create_that_caspio_did_is_never_reported_as_failed() {
    let stored = r#"{"Result":[{"PK_ID":9,"Email":"a@b","Visits":1}]}"#;
    let created = |headers, body: &str| Act::Answer(201, headers, body.to_owned());
    let location = "Location: https://x/integrations/rest/v3/tables/Patients/records/9\r\n";
    let sent = |id: Option<i64>| {
        let mut row = row("a@b");
        id.inspect(|id| row.0.insert(0, ("PK_ID".to_owned(), Value::Integer(*id))));
        row
    };
    for (acts, visits, expected) in [
        (vec![created("", stored)], true, sent(Some(9))),
        (vec![created("", "")], false, sent(None)),
        (vec![created("", r#"{"Result":[]}"#)], false, sent(None)),
        (vec![created("Location: /abc\r\n", "")], false, sent(None)),
        (vec![Act::Cut(201)], false, sent(None)),
        (vec![created(location, ""), ok(stored)], true, sent(Some(9))),
        (vec![created(location, ""), status(404)], false, sent(Some(9))),
    ] {
        let server = Server::start(acts).await;
        let (_clients, client) = client(&server);
        let mut answer = create(&client).await.expect("it happened");
        assert_eq!(answer.get("Visits").is_some(), visits);
        answer.0.retain(|(name, _)| name != "Visits");
        assert!(answer == expected);
        let asked = &server.asked()[0];
        assert_eq!(asked.line, "POST /integrations/rest/v3/tables/Patients/records?response=rows");
        assert_eq!(asked.body, r#"{"Email":"a@b"}"#);
    }
}

#[tokio::test]
async fn reads_are_paged_in_order() {
    let page = |from: i64, count: i64| {
        let rows: Vec<_> = (from..from + count).map(|id| serde_json::json!({"PK_ID": id})).collect();
        ok(&serde_json::json!({"Result": rows}).to_string())
    };
    let server =
        Server::start([page(1, 1000), page(1001, 1000), page(2001, 3), page(1, 1000), page(1, 5)]).await;
    let (_clients, client) = client(&server);
    let all = client.list(&context(), &schema(), &Query::default()).await.expect("rows");
    assert_eq!(all.iter().map(|r| r.pk_id()).collect::<Vec<_>>(), (1..=2003).map(Some).collect::<Vec<_>>());
    let base = "GET /integrations/rest/v3/tables/Patients/records?";
    let lines = server.lines();
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("{base}q.orderBy=PK_ID&q.pageSize=1000&q.pageNumber={}", n + 1));
    }
    // A full page is the end when the limit says so.
    let ids = client.pk_ids(&context(), &schema(), &Criteria::All(vec![]), 1000).await.expect("ids");
    assert_eq!((ids.len(), server.lines().len()), (1000, 4));
    assert_eq!(
        server.lines()[3],
        format!("{base}q.select=PK_ID&q.where=1=1&q.orderBy=PK_ID&q.pageSize=1000&q.pageNumber=1")
    );

    let query = Query {
        select: vec!["visits".to_owned()],
        criteria: Some(Criteria::Compare {
            field: "email".to_owned(),
            operator: Operator::Equals(Value::Text("O'Hara & é".to_owned())),
        }),
        order: vec![SortKey { field: "BORN".to_owned(), descending: true }],
        limit: Some(2),
    };
    assert_eq!(client.list(&context(), &schema(), &query).await.expect("rows").len(), 2);
    let select = "q.select=PK_ID,Visits&q.where=Email=N%27O%27%27Hara%20%26%20%C3%A9%27";
    assert_eq!(
        server.lines()[4],
        format!("{base}{select}&q.orderBy=Born%20DESC,PK_ID&q.pageSize=5&q.pageNumber=1")
    );

    let none = Query { limit: Some(0), ..Query::default() };
    assert!(client.list(&context(), &schema(), &none).await.expect("nothing").is_empty());
    assert_eq!(server.lines().len(), 5);
}

#[tokio::test]
async fn a_split_read_is_merged() {
    let rows = |ids: &[i64]| {
        let rows: Vec<_> = ids.iter().map(|id| serde_json::json!({"PK_ID": id})).collect();
        ok(&serde_json::json!({"Result": rows}).to_string())
    };
    let server = Server::start([rows(&[3, 9]), rows(&[1, 3, 4])]).await;
    let (_clients, client) = client(&server);
    // Of 12 characters each, so that two requests hold them.
    let values = (0..300).map(|n| Value::Text(format!("p{n:04}"))).collect();
    let criteria = Criteria::Compare { field: "Email".to_owned(), operator: Operator::AnyOf(values) };
    assert_eq!(client.pk_ids(&context(), &schema(), &criteria, 3).await.expect("ids"), [1, 3, 4]);
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn effects_by_pk_id_are_split_and_undecided_in_the_middle() {
    let ids: Vec<i64> = (1_000_000..1_000_400).collect();
    let part = |n: u32| ok(&format!("{{\"RecordsAffected\":{n}}}"));
    let server = Server::start([part(230), part(170)]).await;
    let (_clients, client) = client(&server);
    assert_eq!(client.delete_pks(&context(), &schema(), &ids).await.expect("deleted"), 400);
    let lines = server.lines();
    assert_eq!(lines.len(), 2);
    assert!(
        lines
            .iter()
            .all(|l| l.starts_with("DELETE ") && l.contains("q.where=PK_ID%20IN%20(10") && l.len() < 2100)
    );

    for second in [status(400), status(500), Act::Drop] {
        let server = Server::start([part(230), second.clone()]).await;
        let (_clients, client) = self::client(&server);
        let error = update(&client, &ids, false).await.expect_err("half");
        assert!(error.is_undecided(), "{second:?}");
    }
    // Refused for its rate: not done, so the same part is sent again.
    let server = Server::start([part(230), status(429), status(429), part(170)]).await;
    let (_clients, client) = self::client(&server);
    assert_eq!(update(&client, &ids, false).await.expect("waited").affected, 400);
    let lines = server.lines();
    assert!(lines[1] == lines[2] && lines[2] == lines[3] && lines[0] != lines[1]);
    for first in [status(429), status(400)] {
        let server = Server::start([first.clone()]).await;
        let (_clients, client) = self::client(&server);
        assert!(!update(&client, &ids, false).await.expect_err("none").is_undecided(), "{first:?}");
    }
    assert_eq!(client.delete_pks(&context(), &schema(), &[]).await.expect("nothing"), 0);
}

#[tokio::test]
async fn an_update_answers_its_rows() {
    let row = r#"{"PK_ID":5,"Email":"a@b"}"#;
    for acts in [
        vec![ok(&format!("{{\"RecordsAffected\":1,\"Result\":[{row}]}}"))],
        vec![ok("{\"RecordsAffected\":1,\"Result\":[]}"), ok(&format!("{{\"Result\":[{row}]}}"))],
    ] {
        let server = Server::start(acts).await;
        let (_clients, client) = client(&server);
        let updated = update(&client, &[5], true).await.expect("updated");
        assert_eq!((updated.affected, updated.rows.len()), (1, 1));
        assert_eq!(updated.rows[0].pk_id(), Some(5));
        let asked = &server.asked()[0];
        assert_eq!(
            asked.line,
            "PUT /integrations/rest/v3/tables/Patients/records?q.where=PK_ID=5&response=rows"
        );
    }
    let server = Server::start([ok("{\"RecordsAffected\":0}")]).await;
    let (_clients, client) = client(&server);
    assert_eq!(update(&client, &[5], true).await.expect("none there"), Updated::default());
}

#[tokio::test]
async fn a_throttled_host_is_left_alone_by_all_its_connections() {
    let array = r#"[{"name":"api-calls-rate","message":"You have exceeded your API call rate limits."}]"#;
    for act in [
        Act::Answer(429, "Retry-After: 30\r\n", String::new()),
        Act::Answer(400, "Retry-After: 30\r\n", array.to_owned()),
    ] {
        let server = Server::start([act]).await;
        let (clients, first) = client(&server);
        let second = clients.connect(credentials(&server.base));
        let elsewhere = clients.connect(credentials("other.example"));
        assert!(clients.without_budget().is_empty() && clients.next_budget().is_none());

        let error = create(&first).await.expect_err("throttled");
        assert_eq!((error.transient_cause(), error.is_undecided()), (Some(Cause::Throttled), false));
        assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(29)));

        let context = context();
        let error = second.tables(&context).await.expect_err("same host");
        assert_eq!(error.transient_cause(), Some(Cause::Throttled));
        assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(28)));
        assert_eq!((context.spent(), server.asked().len()), (0, 1), "nothing was sent");

        let mut blocked = clients.without_budget();
        blocked.sort();
        let mut both = vec![first.connection(), second.connection()];
        both.sort();
        assert_eq!(blocked, both);
        assert!(!blocked.contains(&elsewhere.connection()));
        assert!(clients.next_budget().is_some_and(|wait| wait > Duration::from_secs(28)));
    }
}

#[tokio::test]
async fn calls_are_counted_for_whom_they_are_made() {
    let server = Server::start([ok(r#"{"Result":[]}"#), status(500), ok(r#"{"Result":[]}"#)]).await;
    let (clients, client) = client(&server);
    let workflow = WorkflowId::new();
    let run = CallContext::of_run(workflow, RunId::new());
    let list = run.for_action("records.list");
    client.list(&list, &schema(), &Query::default()).await.expect("rows");
    client.tables(&run.for_action("tables.list")).await.expect("tables");
    assert_eq!(run.spent(), 4);
    let mut counts = clients.take_counts();
    counts.sort_by(|a, b| a.action.cmp(&b.action));
    let seen: Vec<_> = counts.iter().map(|c| (c.action.as_str(), c.count)).collect();
    assert_eq!(seen, [("oauth.token", 1), ("records.list", 1), ("tables.list", 2)]);
    assert!(counts.iter().all(|c| c.workflow == Some(workflow) && c.day.len() == 10));
    assert!(clients.take_counts().is_empty());
    clients.put_back(counts);
    assert_eq!(clients.take_counts().iter().map(|c| c.count).sum::<u64>(), 4);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused() {
    let server = Server::start([ok(&"x".repeat(2000)), ok(&"x".repeat(2000))]).await;
    let clients =
        CaspioClients::new(ClientSettings { max_response_bytes: 1000, ..settings() }).expect("clients");
    let client = clients.connect(credentials(&server.base));
    let error = client.tables(&context()).await.expect_err("large");
    assert_eq!((error.code(), error.is_undecided()), ("too-large", false));
    assert!(update(&client, &[1], false).await.expect_err("large").is_undecided());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start([Act::Answer(302, "Location: http://127.0.0.1:1/\r\n", String::new())]).await;
    let (_clients, client) = client(&server);
    let error = client.tables(&context()).await.expect_err("redirected");
    assert!(error.to_string().contains("integration URL"), "{error}");
}

#[tokio::test]
async fn fields_are_read_and_a_missing_table_is_named() {
    let fields = r#"{"Result":[{"Name":"Email","Type":"STRING","Unique":true,"Editable":true},{"Name":"N","Type":"AUTONUMBER"}]}"#;
    let missing = r#"{"Code":"ObjectNotFound","Message":"m","RequestId":"r"}"#;
    let server = Server::start([ok(fields), Act::Answer(404, "", missing.to_owned())]).await;
    let (_clients, client) = client(&server);
    let schema = client.fields(&context(), "My Table").await.expect("fields");
    assert_eq!((schema.table.as_str(), schema.fields.len()), ("My Table", 2));
    assert_eq!(server.lines()[0], "GET /integrations/rest/v3/tables/My%20Table/fields");
    let error = client.fields(&context(), "Nope").await.expect_err("missing");
    assert!(error.code() == "not-found" && error.to_string().contains("'Nope'"), "{error}");
}

#[tokio::test]
async fn webhooks_and_events_have_their_life() {
    let server = Server::start([
        Act::Answer(201, "", r#"{"Id":"b5x49p","Name":"n","Secret":"s3","CallThrottling":10}"#.to_owned()),
        Act::Answer(201, "", r#"{"Id":"b5x49p","Name":"n"}"#.to_owned()),
        ok(r#"[{"Id":"a","Name":"n","OutgoingUrls":["https://u"],"Status":"Active"},{"Id":"b"}]"#),
        ok(r#"{"Result":[{"Id":"a","Secret":"x"}]}"#),
        Act::Answer(201, "", r#"{"Id":"e1","Type":"table.recordUpdate","ObjectName":"T","Status":"Active"}"#.to_owned()),
        ok(r#"[{"Id":"e1","Type":"table.recordInsert","ObjectName":"T","EventSources":["Tasks"],"Status":"Inactive"},
            {"Id":"e2","Type":"table.recordDelete","ObjectName":"T","EventSources":["Datasheet","DataPages","RESTAPIs","TriggeredActions","Tasks","DataParts","Extensions"]}]"#),
        ok(r#"{"Id":"e1","Type":"table.recordUpdate","ObjectName":"T","Status":"Active"}"#),
        status(204),
        status(404),
        status(204),
        status(403),
    ])
    .await;
    let (_clients, client) = client(&server);
    let context = context();
    let new =
        NewWebhook { name: "n".into(), description: "d".into(), outgoing_urls: vec!["https://u".into()] };
    let made = client.create_webhook(&context, &new).await.expect("made");
    assert_eq!((made.id.as_str(), made.secret.expose()), ("b5x49p", "s3"));
    assert!(!format!("{made:?}").contains("s3"));
    assert!(client.create_webhook(&context, &new).await.expect_err("no secret").is_undecided());
    let listed = client.list_webhooks(&context).await.expect("bare");
    assert_eq!((listed.len(), listed[0].active, listed[0].outgoing_urls.len()), (2, true, 1));
    assert_eq!(client.list_webhooks(&context).await.expect("wrapped").len(), 1);
    let spec = EventSpec {
        event_type: "table.recordUpdate".into(),
        object_name: "T".into(),
        object_fields: vec![],
        event_sources: vec!["DataPages".into()],
    };
    let event = client.create_event(&context, "b5x49p", &spec).await.expect("event");
    assert!(event.active && event.id == "e1" && event.event_type == spec.event_type);
    let events = client.list_events(&context, "b5x49p").await.expect("events");
    assert!(!events[0].active && events[0].event_sources == ["Tasks"]);
    assert!(events[1].event_sources.is_empty(), "all of them");
    client.update_event(&context, "b5x49p", "e1", &spec, true).await.expect("changed");
    client.delete_event(&context, "b5x49p", "e1").await.expect("deleted");
    client.delete_event(&context, "b5x49p", "e1").await.expect("gone is done");
    client.delete_webhook(&context, "b5x49p").await.expect("deleted");
    assert_eq!(client.delete_webhook(&context, "b5x49p").await.expect_err("not allowed").code(), "forbidden");

    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /integrations/rest/v3/outgoingWebhooks");
    assert_eq!(asked[0].body, r#"{"Name":"n","Description":"d","OutgoingUrls":["https://u"]}"#);
    assert_eq!(asked[4].line, "POST /integrations/rest/v3/outgoingWebhooks/b5x49p/events");
    let common = r#""EventSources":["DataPages"],"Enabled":true}"#;
    let start = r#"{"EventType":"table.recordUpdate","ObjectName":"T","#;
    assert_eq!(asked[4].body, format!("{start}{common}"));
    let payload = r#""EventSources":["DataPages"],"CustomPayloadFields":[],"CustomPayloadTemplate":null,"Enabled":true}"#;
    assert_eq!(asked[6].body, format!(r#"{start}"ObjectFields":[],{payload}"#));
    assert_eq!(asked[9].line, "DELETE /integrations/rest/v3/outgoingWebhooks/b5x49p");
}

#[tokio::test]
async fn clients_are_kept_until_their_credentials_change() {
    let clients = CaspioClients::new(settings()).expect("clients");
    let credentials = credentials("c1abc123.caspio.com");
    let first = clients.connect(credentials.clone());
    assert!(std::sync::Arc::ptr_eq(&first, &clients.connect(credentials.clone())));
    assert!(clients.get(first.connection()).is_some());
    let changed = crate::caspio::Credentials { client_id: "other".to_owned(), ..credentials };
    assert!(!std::sync::Arc::ptr_eq(&first, &clients.connect(changed)));
    clients.forget(first.connection());
    assert!(clients.get(first.connection()).is_none());
    assert!(!format!("{first:?} {clients:?}").contains("secret"));
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed() {
    let server = Server::start((0..3).map(|_| ok(r#"{"Result":[]}"#))).await;
    server.tokens([ok(r#"{"access_token":"old","expires_in":0}"#), token()]);
    let (_clients, client) = client(&server);
    for _ in 0..3 {
        client.tables(&context()).await.expect("tables");
    }
    assert_eq!(server.token_calls(), 2);
    let heads: Vec<_> = server.asked().into_iter().map(|asked| asked.head.to_lowercase()).collect();
    assert!(
        heads[0].contains("bearer old") && heads[1].contains("bearer abc") && heads[2].contains("bearer abc")
    );
}

#[tokio::test]
async fn choices_are_written_in_the_form_that_the_account_takes() {
    let refused = || Act::Answer(400, "", r#"{"Code":"InvalidInputValue","Message":"m"}"#.to_owned());
    let stored = || ok(r#"{"RecordsAffected":1}"#);
    let script = [refused(), refused(), stored(), stored(), refused(), refused(), refused(), refused()];
    let server = Server::start(script).await;
    let (_clients, client) = client(&server);
    let choices = vec![crate::model::Choice { key: 0, label: "english".to_owned() }];
    let row = Row(vec![("Languages".to_owned(), Value::Choices(choices))]);
    let update = async || client.update_pks(&context(), &schema(), &[1], &row, false).await;
    assert_eq!(update().await.expect("the third form").affected, 1);
    assert_eq!(update().await.expect("at once").affected, 1);
    let error = update().await.expect_err("no form");
    assert_eq!((error.code(), error.is_undecided()), ("invalid", false));
    let bodies: Vec<String> = server.asked().into_iter().map(|asked| asked.body).collect();
    let forms = [r#"{"Languages":"[2]"}"#, r#"{"Languages":[2]}"#, r#"{"Languages":["English"]}"#];
    assert_eq!(bodies, [forms[0], forms[1], forms[2], forms[2], forms[2], forms[0], forms[1]]);
    // A row without choices is not to blame for its form.
    client.update_pks(&context(), &schema(), &[1], &self::row("x"), false).await.expect_err("refused");
    assert_eq!(server.asked().len(), 8);
}

#[tokio::test]
async fn files_go_as_forms_and_come_as_they_are() {
    let uploaded = r#"{"Result":[{"Name":"a.txt","ExternalKey":"k1"}]}"#;
    let server = Server::start([
        Act::Answer(201, "", uploaded.to_owned()),
        Act::Answer(201, "", "<html>".to_owned()),
        ok("the content"),
        ok(&"x".repeat(200)),
        status(404),
        status(204),
        status(404),
        Act::Cut(204),
        Act::Drop,
    ])
    .await;
    let clients = CaspioClients::new(ClientSettings { max_file_bytes: 100, ..settings() }).expect("clients");
    let client = clients.connect(credentials(&server.base));
    let context = context();
    let file = ("a.txt", b"content".as_slice());
    let stored = client.upload_file(&context, Some("f 1"), file, false).await.expect("stored");
    assert_eq!((stored.key.as_str(), stored.name.as_str()), ("k1", "a.txt"));
    let stored = client.upload_file(&context, None, file, true).await.expect("stored, whatever the answer");
    assert_eq!((stored.key.as_str(), stored.name.as_str()), ("", "a.txt"));
    let large = client.upload_file(&context, None, ("a.txt", &[0; 101]), true).await.expect_err("too large");
    assert_eq!(large.code(), "too-large");
    assert_eq!(client.download_file(&context, "k1").await.expect("content"), b"the content");
    let large = client.download_file(&context, "k1").await.expect_err("too large");
    assert!(large.code() == "too-large" && large.to_string().contains("100 bytes"), "{large}");
    assert_eq!(client.download_file(&context, "k1").await.expect_err("none").code(), "not-found");
    assert!(client.delete_file(&context, "k1").await.expect("deleted"));
    assert!(!client.delete_file(&context, "k1").await.expect("was gone"));
    assert!(client.delete_file(&context, "k1").await.expect("the status says it"));
    assert!(client.delete_file(&context, "k1").await.expect_err("who knows").is_undecided());
    let asked = server.asked();
    let base = "/integrations/rest/v3/files";
    assert_eq!(asked[0].line, format!("POST {base}?externalKey=f%201"));
    assert_eq!(asked[1].line, format!("PUT {base}"));
    let head = asked[0].head.to_lowercase();
    assert!(head.contains("content-type: multipart/form-data; boundary=caspian-"), "{head}");
    assert!(asked[0].body.contains("name=\"Files\"; filename=\"a.txt\"\r\n"), "{}", asked[0].body);
    assert!(asked[1].body.contains("name=\"File\"; filename=\"a.txt\"\r\n"), "{}", asked[1].body);
    assert!(asked[2].head.to_lowercase().contains("accept: application/octet-stream"), "{}", asked[2].head);
    assert_eq!(asked.len(), 9);
}
