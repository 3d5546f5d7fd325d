//! `caspian:workflow/tasks`

use crate::model::{self, Action, Answer, TaskAction};
use crate::runtime::bindings::caspian::workflow::tasks::{Host, Task};
use crate::runtime::guest::Guest;

use super::{Done, answered};

impl Host for Guest {
    async fn list(&mut self) -> Done<Vec<Task>> {
        answered(self.step(Action::Task(TaskAction::List)).await?, |answer| match answer {
            Answer::Tasks(list) => Some(list.into_iter().map(task_out).collect()),
            _ => None,
        })
    }

    async fn get(&mut self, task: String) -> Done<Task> {
        answered(self.step(Action::Task(TaskAction::Get { task })).await?, |answer| match answer {
            Answer::Task(task) => Some(task_out(task)),
            _ => None,
        })
    }

    async fn run(&mut self, task: String) -> Done<()> {
        answered(self.step(Action::Task(TaskAction::Run { task })).await?, |answer| match answer {
            Answer::Done => Some(()),
            _ => None,
        })
    }
}

fn task_out(task: model::Task) -> Task {
    let model::Task { key, name, status, frequency, time_zone, note } = task;
    Task { key, name, status, frequency, time_zone, note }
}
