//! One round of a sweep, page by page.

use std::time::Duration;

use crate::caspio::{CallContext, Caspio};
use crate::clock::{self, Time};
use crate::faults;
use crate::ingress::{Sequence, Tagger, name_tag};
use crate::model::{Criteria, Operator, Reconcile, Row, TableSchema, TriggerKind, Value};
use crate::secrets::TenantKey;
use crate::store::{Finding, SweepCommit, SweepPage, SweepRecord, SweepStep, TriggerRecord, Wants};

use super::page::{ROWS, rows_after};
use super::{Coverage, CoverageError, FAILED, failed_for};

/// Rows of the round before that one page covers at most: a table that was emptied is worked off in stretches.
const KNOWN: u32 = 2000;
/// How often the messages of a page are made anew because webhooks came meanwhile.
const TRIES: u32 = 10;

/// What a round goes by.
pub(super) struct Round<'a> {
    pub(super) sweep: &'a SweepRecord,
    reconcile: Reconcile,
    schema: &'a TableSchema,
    pub(super) key: TenantKey,
    pub(super) sequence: Sequence,
    caspio: std::sync::Arc<Caspio>,
    context: CallContext,
}

/// A page as it was read.
pub(super) struct ReadPage {
    pub(super) page: SweepPage,
    pub(super) rows: Vec<Row>,
}

impl Coverage {
    /// Goes on with a sweep until its round ends, its calls are used up, or something fails.
    pub(super) async fn sweep(&self, sweep: SweepRecord) {
        let Some(reconcile) = sweep.triggers.iter().find_map(|t| t.reconcile) else { return };
        let context = CallContext::of_host(Some(sweep.workflow), "sweep").in_background();
        let began = Time::now();
        let next = began.after(Duration::from_secs(reconcile.every_seconds));
        let mut written = 0;
        match self.round(&sweep, reconcile, &context, next, &mut written).await {
            Ok(()) => {}
            Err(error) => {
                let code = error.code();
                tracing::warn!(workflow = %sweep.workflow_name, code, %error, "a sweep does not go on; trying again");
                // What does not mend itself must not spend calls: the pauses grow up to a whole round's.
                let every = Duration::from_secs(reconcile.every_seconds);
                let again = began.after(failed_for(sweep.progress.failures).min(every));
                let spent = context.spent().saturating_sub(written);
                let put_off = self.parts.store.put_off_sweep(&sweep, Some(code), spent, again).await;
                if let Err(error) = put_off {
                    tracing::error!(code = error.code(), "the state of a sweep can't be written");
                    // What is due stays due; not in a tight loop.
                    clock::sleep(FAILED).await;
                }
            }
        }
    }

    async fn round(
        &self,
        sweep: &SweepRecord,
        reconcile: Reconcile,
        context: &CallContext,
        next: Time,
        written: &mut u32,
    ) -> Result<(), CoverageError> {
        let Some(first) = sweep.triggers.first() else { return Ok(()) };
        let round = Round {
            sweep,
            reconcile,
            schema: &first.schema,
            key: self.parts.keys.tenant(&sweep.tenant).await?,
            sequence: Sequence::of_workflow(&*self.parts.store, sweep.workflow).await?,
            caspio: self.parts.connector.connect(sweep.connection).await?,
            context: context.clone(),
        };
        let mut after = sweep.progress.reached.unwrap_or(0);
        let mut calls = sweep.progress.calls;
        loop {
            if calls >= reconcile.max_calls {
                tracing::info!(workflow = %sweep.workflow_name, "the calls of a sweep are used up; it goes on in its next round");
                return Ok(self.parts.store.put_off_sweep(sweep, None, 0, next).await?);
            }
            let before = context.spent();
            let read = self.read(&round, after).await?;
            let until = read.page.until;
            if !self.look(&round, read, before, next).await? {
                return Ok(());
            }
            *written = context.spent();
            calls = calls.saturating_add(written.saturating_sub(before));
            match until {
                Some(reached) => after = reached,
                None => return Ok(()),
            }
        }
    }

    async fn read(&self, round: &Round<'_>, after: i64) -> Result<ReadPage, CoverageError> {
        let (sweep, at, date) = (round.sweep, Time::now(), round.caspio.now().event_date());
        let mut rows = rows_after(&round.caspio, &round.context, round.schema, after, None, ROWS).await?;
        rows.retain(|row| row.pk_id().is_some());
        let full = rows.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
        let mut until = if full { rows.last().and_then(Row::pk_id) } else { None };
        let store = &self.parts.store;
        let known = store.swept_rows(sweep.workflow, &sweep.table, after, until, KNOWN + 1).await?;
        if let Some(last) = known.get(usize::try_from(KNOWN).unwrap_or(usize::MAX)) {
            until = Some(*last);
            rows.retain(|row| row.pk_id().is_some_and(|pk_id| pk_id <= *last));
        }
        let tagger = Tagger::new(&round.key, round.schema);
        let page = SweepPage {
            tenant: sweep.tenant.clone(),
            workflow: sweep.workflow,
            table: sweep.table.clone(),
            after,
            until,
            rows: rows.iter().filter_map(|row| Some((row.pk_id()?, tagger.tags(row)))).collect(),
            gone: Vec::new(),
            at,
            date,
            wants: wants(&round.key, &sweep.triggers),
            unheard: Vec::new(),
        };
        Ok(ReadPage { page, rows })
    }

    /// Looks at a page and writes it down. False: the workflow wants no sweep any more.
    async fn look(
        &self,
        round: &Round<'_>,
        mut read: ReadPage,
        spent_before: u32,
        next: Time,
    ) -> Result<bool, CoverageError> {
        let store = &self.parts.store;
        self.confirm(round, &mut read).await?;
        let mut findings = store.sweep_findings(read.page.clone()).await?;
        if !findings.is_empty() {
            // Their webhooks may be on the way.
            clock::sleep(Duration::from_secs(self.parts.settings.settle_seconds)).await;
            findings = store.sweep_findings(read.page.clone()).await?;
        }
        for _ in 0..TRIES {
            let next_at = if read.page.until.is_some() { Time::now() } else { next };
            let writes = self.writes(round, &read, &findings).await?;
            if self.leave_unheard(round, &mut read, &findings, &writes) {
                findings = store.sweep_findings(read.page.clone()).await?;
                continue;
            }
            let step = SweepStep {
                message: self.message(round, &read, &findings, writes)?,
                page: read.page.clone(),
                findings: findings.clone(),
                calls: round.context.spent().saturating_sub(spent_before),
                next_at,
            };
            faults::pass("sweep.before-commit");
            match store.commit_sweep(step).await? {
                SweepCommit::Done => {
                    faults::pass("sweep.after-commit");
                    self.found(round, &findings);
                    return Ok(true);
                }
                SweepCommit::Changed(left) => findings = left,
                SweepCommit::Gone => return Ok(false),
            }
        }
        Err(CoverageError::Busy)
    }

    fn found(&self, round: &Round<'_>, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        for finding in findings {
            metrics::counter!("caspian_sweep_findings_total", "kind" => finding.kind.as_str()).increment(1);
        }
        tracing::info!(
            workflow = %round.sweep.workflow_name,
            events = findings.len(),
            every_seconds = round.reconcile.every_seconds,
            "a sweep found changes that no webhook told of"
        );
        self.parts.queued.notify_one();
    }

    /// That rows are missing in a page is no proof: Caspio is asked for them once more, in one call. Those that are there
    /// after all belong to the page; those that it does not come to are left as they were.
    async fn confirm(&self, round: &Round<'_>, read: &mut ReadPage) -> Result<(), CoverageError> {
        let missing = self.parts.store.missing_rows(read.page.clone()).await?;
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else { return Ok(()) };
        let until = Criteria::Compare {
            field: "PK_ID".to_owned(),
            operator: Operator::LessOrEqual(Value::Integer(*last)),
        };
        let after = first.saturating_sub(1);
        let there = rows_after(&round.caspio, &round.context, round.schema, after, Some(until), ROWS).await?;
        let full = there.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
        let seen_until = if full { there.last().and_then(Row::pk_id).unwrap_or(after) } else { *last };
        let tagger = Tagger::new(&round.key, round.schema);
        for pk_id in missing.into_iter().filter(|pk_id| *pk_id <= seen_until) {
            match there.iter().find(|row| row.pk_id() == Some(pk_id)) {
                Some(row) => {
                    read.page.rows.push((pk_id, tagger.tags(row)));
                    read.rows.push(row.clone());
                }
                None => read.page.gone.push(pk_id),
            }
        }
        Ok(())
    }
}

fn wants(key: &TenantKey, triggers: &[TriggerRecord]) -> Wants {
    let mut wants = Wants::default();
    for trigger in triggers.iter().filter(|t| t.reconcile.is_some()) {
        match trigger.kind {
            TriggerKind::RecordInsert => wants.inserts = true,
            TriggerKind::RecordDelete => wants.deletes = true,
            _ => wants.updates.push(trigger.fields.iter().map(|name| name_tag(key, name)).collect()),
        }
    }
    wants
}

/// The triggers in the order of `Wants`.
pub(super) fn trigger_of<'a>(sweep: &'a SweepRecord, finding: &Finding) -> Option<&'a TriggerRecord> {
    let alike = |t: &&TriggerRecord| t.reconcile.is_some() && t.kind == finding.kind;
    sweep.triggers.iter().filter(alike).nth(finding.trigger)
}
