//! One round of a sweep, page by page.

use std::time::Duration;

use crate::caspio::{CallContext, Caspio};
use crate::clock::{self, Time};
use crate::faults;
use crate::ingress::{Found, Tagger, found_message, name_tag};
use crate::model::{Criteria, Event, Operator, Reconcile, Row, RowTags, TableSchema, TriggerKind, Value};
use crate::secrets::TenantKey;
use crate::store::{
    Finding, NewMessage, SweepCommit, SweepPage, SweepRecord, SweepStep, TriggerRecord, Wants,
};

use super::page::{ROWS, rows_after};
use super::{Coverage, CoverageError, FAILED, failed_for};

/// Rows of the round before that one page covers at most: a table that was emptied is worked off in stretches.
const KNOWN: u32 = 2000;
/// How often the messages of a page are made anew because webhooks came meanwhile.
const TRIES: u32 = 10;

/// What a round goes by.
struct Round<'a> {
    sweep: &'a SweepRecord,
    reconcile: Reconcile,
    schema: &'a TableSchema,
    key: TenantKey,
    caspio: std::sync::Arc<Caspio>,
    context: CallContext,
}

/// A page as it was read.
struct ReadPage {
    page: SweepPage,
    rows: Vec<Row>,
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
            let step = SweepStep {
                message: message(round, &read, &findings)?,
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
fn trigger_of<'a>(sweep: &'a SweepRecord, finding: &Finding) -> Option<&'a TriggerRecord> {
    let alike = |t: &&TriggerRecord| t.reconcile.is_some() && t.kind == finding.kind;
    sweep.triggers.iter().filter(alike).nth(finding.trigger)
}

/// The events of a page's findings as one message; none when there are none.
fn message(
    round: &Round<'_>,
    read: &ReadPage,
    findings: &[Finding],
) -> Result<Option<NewMessage>, CoverageError> {
    let mut events: Vec<Found> = Vec::new();
    let mut batches: Vec<(TriggerKind, usize, usize)> = Vec::new();
    for finding in findings {
        let Some(trigger) = trigger_of(round.sweep, finding) else { continue };
        let row = read.rows.iter().find(|row| row.pk_id() == Some(finding.pk_id)).cloned();
        // Of a deleted row nothing is known but its key.
        let row = row.unwrap_or_else(|| Row(vec![("PK_ID".to_owned(), Value::Integer(finding.pk_id))]));
        let tags = read.page.rows.iter().find(|(pk_id, _)| *pk_id == finding.pk_id);
        let tags = (finding.pk_id, tags.map(|(_, tags)| tags.clone()).unwrap_or_else(RowTags::default));
        let same = batches.iter().find(|(kind, at, _)| (*kind, *at) == (finding.kind, finding.trigger));
        if let Some((_, _, event)) = same.filter(|_| trigger.batch)
            && let Some(event) = events.get_mut(*event)
        {
            event.event.rows.push(row);
            event.tags.push(tags);
            continue;
        }
        batches.push((finding.kind, finding.trigger, events.len()));
        events.push(Found {
            event: Event {
                kind: finding.kind,
                connection: round.sweep.connection_name.clone(),
                table: trigger.table.clone(),
                rows: vec![row],
                event_date: read.page.date.clone(),
                message_id: String::new(),
                reconciled: true,
            },
            tags: vec![tags],
        });
    }
    if events.is_empty() {
        return Ok(None);
    }
    Ok(Some(found_message(&round.key, &round.sweep.tenant, round.sweep.workflow, &events)?))
}
