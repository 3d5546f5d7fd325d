//! Data import/export tasks: list, get, run.
//!
//! A run is answered with 204 before anything is known of its end; see [`crate::tasks`].

use serde_json::{Value as Json, json};

use super::is_granted;
use crate::account::Account;
use crate::auth::Client;
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::tasks::{self, Task};

/// Answers what is under `/dataImportExportTasks`.
pub fn route(
    account: &mut Account,
    request: &Request,
    client: &Client,
    rest: &[&str],
) -> Result<Reply, ApiError> {
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let tasks = account.tasks.iter().filter(|task| is_granted(client, &task.name));
            let list: Vec<Json> = tasks.map(Task::to_json).collect();
            Ok(Reply::json(200, json!({"Result": list})))
        }
        ("GET", [key]) => Ok(Reply::json(200, json!({"Result": find(account, client, key)?.to_json()}))),
        ("POST", [key, run]) if run.eq_ignore_ascii_case("run") => {
            find(account, client, key)?;
            tasks::run(account, key)?;
            Ok(Reply::empty(204))
        }
        (_, [] | [_]) => Err(ApiError::method()),
        (_, [_, run]) if run.eq_ignore_ascii_case("run") => Err(ApiError::method()),
        _ => Err(ApiError::path()),
    }
}

fn find<'a>(account: &'a Account, client: &Client, key: &str) -> Result<&'a Task, ApiError> {
    let task = account.tasks.iter().find(|task| task.key.eq_ignore_ascii_case(key));
    let task = task.ok_or_else(|| ApiError::object("task", key))?;
    if is_granted(client, &task.name) {
        return Ok(task);
    }
    Err(ApiError::forbidden("The profile may not touch this task."))
}
