//! The same change, told by two webhooks of a workflow.
//!
//! While one webhook takes another's place, both fire for a while, so that no change is missed. What is the
//! same for both is the kind, the table, the row, Caspio's `eventDate` and the data; of these a keyed fingerprint is
//! made, and no value of the row is kept. Ids of message, event and webhook differ, and say nothing here.

use serde_json::{Map, Value};

use crate::model::Event;
use crate::secrets::TenantKey;

/// The fingerprint of each event that was cut from a message, in their order.
pub(super) fn of(key: &TenantKey, message: &Map<String, Value>, events: &[Event]) -> Vec<[u8; 32]> {
    let none = Vec::new();
    let data = message.get("data").and_then(Value::as_array).unwrap_or(&none);
    // One event of the whole message, or one a row.
    let whole = events.len() != data.len() || events.iter().any(|event| event.rows.len() != 1);
    let parts: Vec<&[Value]> = if whole { vec![data] } else { data.chunks(1).collect() };
    events
        .iter()
        .zip(parts)
        .map(|(event, rows)| {
            let table = event.table.to_ascii_lowercase();
            let rows: Vec<Value> = rows.iter().map(sorted).collect();
            let text = serde_json::to_vec(&(event.kind.as_str(), table, &event.event_date, rows));
            key.fingerprint("twin 1", &text.unwrap_or_default())
        })
        .collect()
}

/// With the members of objects by name: their order is not the same for both.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let of = |name: &String| Some((name.clone(), sorted(members.get(name)?)));
            Value::Object(names.into_iter().filter_map(of).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Row, TriggerKind};
    use crate::secrets::MasterKey;

    fn fingerprints(message: &Value, events: usize, rows: usize) -> Vec<[u8; 32]> {
        // One key for all that are compared.
        static KEY: std::sync::OnceLock<TenantKey> = std::sync::OnceLock::new();
        let key = KEY.get_or_init(|| MasterKey::generate().unwrap().new_tenant_key("default").unwrap().0);
        let event = Event {
            kind: TriggerKind::from_caspio(message["eventType"].as_str().unwrap()).unwrap(),
            connection: String::new(),
            table: message["objectName"].as_str().unwrap().to_owned(),
            rows: vec![Row::default(); rows],
            event_date: message["eventDate"].as_str().unwrap().to_owned(),
            message_id: String::new(),
            reconciled: false,
        };
        of(key, message.as_object().unwrap(), &vec![event; events])
    }

    fn message() -> Value {
        json!({"messageId": "m1", "webhookId": "w1", "eventId": "e1", "eventType": "table.recordUpdate",
            "objectName": "Patients", "eventDate": "2026-01-16T19:52:55",
            "data": [{"PK_ID": 1, "Name": "Ada", "List": {"1": "a", "2": "b"}}, {"PK_ID": 2, "Name": "Eve"}]})
    }

    #[test]
    fn a_change_is_known_by_what_both_webhooks_say_of_it() {
        let mut other = message();
        for (member, value) in
            [("messageId", "m2"), ("webhookId", "w2"), ("eventId", "e2"), ("objectName", "PATIENTS")]
        {
            other[member] = json!(value);
        }
        other["data"][0] = json!({"List": {"2": "b", "1": "a"}, "Name": "Ada", "PK_ID": 1});
        let (one, two) = (fingerprints(&message(), 2, 1), fingerprints(&other, 2, 1));
        assert_eq!((one.len(), &one), (2, &two));
        assert_ne!(one[0], one[1]);
        let whole = fingerprints(&message(), 1, 2);
        assert_eq!((whole.len(), &whole), (1, &fingerprints(&other, 1, 2)));
        assert!(!one.contains(&whole[0]));
    }

    #[test]
    fn other_changes_are_others() {
        let one = fingerprints(&message(), 2, 1);
        for (member, value) in [
            ("eventType", "table.recordDelete"),
            ("objectName", "Tasks"),
            ("eventDate", "2026-01-16T19:52:56"),
        ] {
            let mut other = message();
            other[member] = json!(value);
            assert!(fingerprints(&other, 2, 1).iter().all(|f| !one.contains(f)), "{member}");
        }
        let mut other = message();
        other["data"][0]["List"]["2"] = json!("c");
        let other = fingerprints(&other, 2, 1);
        assert_eq!((other[0] == one[0], other[1] == one[1]), (false, true));
    }
}
