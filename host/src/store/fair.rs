//! Who is next, when more runs are due than there are places.
//!
//! First between tenants, then between the workflows of the chosen one: next is who has the fewest runs under way for
//! its weight; of equals, who was served least for its weight (start-time fair queueing). So a flood takes all places
//! only while nobody else wants one, a single run of another waits for one place at most, and nobody starves. Who was
//! idle gains nothing by it. Kept in memory: after a start everybody begins equal.

use std::collections::HashMap;
use std::hash::Hash;

use crate::clock::Time;
use crate::model::{TenantId, WorkflowId};

/// A queue that has a due run and may have it begun.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Owner, and its weight.
    pub tenant: (TenantId, u32),
    /// Workflow, and its weight among the tenant's.
    pub workflow: (WorkflowId, u32),
    /// Since when its first run is due.
    pub due_at: Time,
}

/// Runs under way.
#[derive(Debug, Default)]
pub struct Load {
    tenants: HashMap<TenantId, u32>,
    workflows: HashMap<WorkflowId, u32>,
    hosts: HashMap<String, u32>,
}

impl Load {
    /// Counts more of them.
    pub fn add(&mut self, tenant: &TenantId, workflow: WorkflowId, host: &str, runs: u32) {
        let more = |count: &mut u32| *count = count.saturating_add(runs);
        more(self.tenants.entry(tenant.clone()).or_default());
        more(self.workflows.entry(workflow).or_default());
        more(self.hosts.entry(host.to_owned()).or_default());
    }

    /// Of a workflow.
    #[must_use]
    pub fn of_workflow(&self, workflow: WorkflowId) -> u32 {
        self.workflows.get(&workflow).copied().unwrap_or_default()
    }

    /// Against an integration host.
    #[must_use]
    pub fn of_host(&self, host: &str) -> u32 {
        self.hosts.get(host).copied().unwrap_or_default()
    }

    fn of_tenant(&self, tenant: &TenantId) -> u32 {
        self.tenants.get(tenant).copied().unwrap_or_default()
    }
}

/// How much each was served, as the virtual time at which its last turn ends.
#[derive(Debug)]
struct Turns<K> {
    now: f64,
    ends: HashMap<K, f64>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { now: 0.0, ends: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> Turns<K> {
    fn start(&self, who: &K) -> f64 {
        self.ends.get(who).copied().unwrap_or(self.now).max(self.now)
    }

    fn serve(&mut self, who: &K, weight: u32) {
        let start = self.start(who);
        self.now = start;
        // Whose turn has ended is as if it had had none.
        self.ends.retain(|_, end| *end > start);
        self.ends.insert(who.clone(), start + 1.0 / f64::from(weight.max(1)));
    }

    /// The smaller, the sooner.
    fn rank(&self, who: &K, under_way: u32, weight: u32) -> (f64, f64) {
        (f64::from(under_way) / f64::from(weight.max(1)), self.start(who))
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Shares {
    tenants: Turns<TenantId>,
    workflows: HashMap<TenantId, Turns<WorkflowId>>,
}

fn sooner(a: (f64, f64), b: (f64, f64)) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
}

impl Shares {
    /// Whose turn it is; the place in `waiting`, with what it is.
    #[must_use]
    pub fn next<'w>(
        &self,
        waiting: impl Iterator<Item = (usize, &'w Waiting)> + Clone,
        load: &Load,
    ) -> Option<(usize, &'w Waiting)> {
        let of_tenant = |w: &Waiting| {
            let (tenant, weight) = &w.tenant;
            self.tenants.rank(tenant, load.of_tenant(tenant), *weight)
        };
        let (_, first) = waiting
            .clone()
            .min_by(|(_, a), (_, b)| sooner(of_tenant(a), of_tenant(b)).then(a.due_at.cmp(&b.due_at)))?;
        let none = Turns::default();
        let turns = self.workflows.get(&first.tenant.0).unwrap_or(&none);
        let of_workflow = |w: &Waiting| {
            let (workflow, weight) = w.workflow;
            turns.rank(&workflow, load.of_workflow(workflow), weight)
        };
        waiting
            .filter(|(_, w)| w.tenant.0 == first.tenant.0)
            .min_by(|(_, a), (_, b)| sooner(of_workflow(a), of_workflow(b)).then(a.due_at.cmp(&b.due_at)))
    }

    /// One of its runs was begun.
    pub fn served(&mut self, x: &Waiting) {
        self.tenants.serve(&x.tenant.0, x.tenant.1);
        self.workflows.entry(x.tenant.0.clone()).or_default().serve(&x.workflow.0, x.workflow.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        shares: Shares,
        load: Load,
        waiting: Vec<Waiting>,
    }

    impl Bench {
        fn of(waiting: &[(&str, u32, u32)]) -> Self {
            let one = |(tenant, of_tenant, of_workflow): &(&str, u32, u32)| Waiting {
                tenant: (tenant.parse().unwrap(), *of_tenant),
                workflow: (WorkflowId::new(), *of_workflow),
                due_at: Time(0),
            };
            let waiting = waiting.iter().map(one).collect();
            Self { shares: Shares::default(), load: Load::default(), waiting }
        }

        /// Begins runs; those stay under way when `held`. Answers how many of each.
        fn begin(&mut self, count: usize, held: bool) -> Vec<u32> {
            let mut begun = vec![0; self.waiting.len()];
            for _ in 0..count {
                let (at, next) = self.shares.next(self.waiting.iter().enumerate(), &self.load).unwrap();
                let next = next.clone();
                self.shares.served(&next);
                if held {
                    self.load.add(&next.tenant.0, next.workflow.0, "host", 1);
                }
                begun[at] += 1;
            }
            begun
        }
    }

    #[test]
    fn places_go_by_weight_first_between_tenants() {
        // One tenant with two workflows gets no more than one with one.
        let mut bench = Bench::of(&[("a", 1, 1), ("a", 1, 1), ("b", 1, 1)]);
        assert_eq!(bench.begin(64, true), [16, 16, 32]);
        let mut bench = Bench::of(&[("a", 3, 1), ("a", 3, 3), ("b", 1, 1)]);
        assert_eq!(bench.begin(64, true), [12, 36, 16]);
    }

    #[test]
    fn with_one_place_turns_go_by_weight_and_nobody_starves() {
        let mut bench = Bench::of(&[("a", 3, 1), ("b", 1, 1)]);
        assert_eq!(bench.begin(400, false), [300, 100]);
        let mut bench = Bench::of(&[("a", 1, 100), ("a", 1, 1)]);
        assert_eq!(bench.begin(1010, false), [1000, 10]);
    }

    #[test]
    fn a_newcomer_is_next_and_idling_is_no_credit() {
        let mut bench = Bench::of(&[("a", 1, 1), ("b", 1, 1)]);
        let late = bench.waiting.pop().unwrap();
        bench.begin(64, true);
        bench.waiting.push(late);
        assert_eq!(bench.begin(1, true), [0, 1], "who has no run under way is next");
        let mut bench = Bench::of(&[("a", 1, 1), ("b", 1, 1)]);
        let late = bench.waiting.pop().unwrap();
        bench.begin(1000, false);
        bench.waiting.push(late);
        assert_eq!(bench.begin(10, false), [5, 5]);
    }
}
