//! How many calls were sent, for whom: Caspio meters them, so people want to know.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use crate::clock::Time;
use crate::model::{ConnectionId, TenantId, WorkflowId};
use crate::store::{CallCount, DELIVERY};

use super::CallContext;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    connection: ConnectionId,
    workflow: Option<WorkflowId>,
    action: String,
    day: String,
}

/// Counters since they were last taken.
#[derive(Debug, Default)]
pub(super) struct Counts {
    counters: Mutex<HashMap<Key, u64>>,
}

/// A call that was counted when it was sent. Takes it back when it turns out not to have left.
pub(super) struct Counted<'a> {
    counts: &'a Counts,
    context: &'a CallContext,
    key: Key,
}

impl Counts {
    /// Counts a call, before it is sent: a caller that goes away meanwhile has spent it all the same.
    pub(super) fn count<'a>(
        &'a self,
        tenant: &TenantId,
        connection: ConnectionId,
        context: &'a CallContext,
        action: &str,
    ) -> Counted<'a> {
        let day = today();
        let (tenant, action) = (tenant.clone(), action.to_owned());
        let key = Key { tenant, connection, workflow: context.workflow, action, day };
        self.add(key.clone(), 1);
        context.sent.fetch_add(1, Ordering::Relaxed);
        Counted { counts: self, context, key }
    }

    /// Counts a webhook that was delivered.
    pub(super) fn delivery(&self, tenant: &TenantId, connection: ConnectionId, workflow: WorkflowId) {
        let (tenant, action, day) = (tenant.clone(), DELIVERY.to_owned(), today());
        self.add(Key { tenant, connection, workflow: Some(workflow), action, day }, 1);
    }

    fn add(&self, key: Key, count: u64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(key).or_default();
        *counter = counter.saturating_add(count);
    }

    /// All counters; they start from zero again.
    pub(super) fn take(&self) -> Vec<CallCount> {
        let taken = std::mem::take(&mut *self.counters.lock().unwrap_or_else(PoisonError::into_inner));
        let counted = taken.into_iter().filter(|(_, count)| *count > 0);
        counted
            .map(|(Key { tenant, connection, workflow, action, day }, count)| CallCount {
                tenant,
                connection,
                workflow,
                action,
                day,
                count,
            })
            .collect()
    }

    /// Adds counters that could not be stored.
    pub(super) fn put_back(&self, counts: Vec<CallCount>) {
        for CallCount { tenant, connection, workflow, action, day, count } in counts {
            self.add(Key { tenant, connection, workflow, action, day }, count);
        }
    }
}

/// The day in UTC.
fn today() -> String {
    Time::now().to_string().chars().take(10).collect()
}

impl Counted<'_> {
    /// The call never left this machine.
    pub(super) fn not_sent(self) {
        let mut counters = self.counts.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counters.get_mut(&self.key) {
            *counter = counter.saturating_sub(1);
            self.context.sent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
