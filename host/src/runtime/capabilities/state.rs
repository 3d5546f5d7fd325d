//! `caspian:workflow/state`

use crate::model::{Action, Answer, Content, StateAction};
use crate::runtime::bindings::caspian::workflow::state::{Entry, Host};
use crate::runtime::guest::Guest;

use super::attachments::was_there;
use super::{Done, answered};

impl Host for Guest {
    async fn get(&mut self, key: String) -> Done<Option<Entry>> {
        answered(self.step(Action::State(StateAction::Get { key })).await?, |answer| match answer {
            Answer::Entry(entry) => {
                Some(entry.map(|entry| Entry { value: entry.value.0, version: entry.version }))
            }
            _ => None,
        })
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Done<u64> {
        let action = StateAction::Set { key, value: Content(value) };
        answered(self.step(Action::State(action)).await?, version)
    }

    async fn compare_and_set(&mut self, key: String, expected: Option<u64>, value: Vec<u8>) -> Done<u64> {
        let action = StateAction::CompareAndSet { key, expected, value: Content(value) };
        answered(self.step(Action::State(action)).await?, version)
    }

    async fn delete(&mut self, key: String) -> Done<bool> {
        answered(self.step(Action::State(StateAction::Delete { key })).await?, was_there)
    }

    async fn list(&mut self, prefix: String, after: Option<String>, limit: Option<u32>) -> Done<Vec<String>> {
        let action = StateAction::List { prefix, after, limit };
        answered(self.step(Action::State(action)).await?, |answer| match answer {
            Answer::Keys(keys) => Some(keys),
            _ => None,
        })
    }
}

fn version(answer: Answer) -> Option<u64> {
    match answer {
        Answer::Version(version) => Some(version),
        _ => None,
    }
}
