//! Who made what a sweep found, and the events of it.
//!
//! A finding that is surely or perhaps the work of runs becomes an event with suspects, which the store settles as it does
//! those of webhooks: it goes on the chain of the run, or waits until the write is decided. A trigger whose `sources` leave
//! out programs does not want to hear of runs at all: what they wrote becomes no event, and a row of which that is not
//! decided yet is left to the next round, unless it stays undecided for longer than a webhook would wait.

use crate::clock::Time;
use crate::ingress::{Found, found_message, name_tag};
use crate::lineage::{Arrival, SweptRow, causes, hears_of_runs, suspicion_of};
use crate::model::{Event, Row, RowTags, TriggerKind, Value};
use crate::store::{Finding, NewMessage, OwnWrite, SuspectRow, TriggerRecord};

use super::sweep::{ReadPage, Round, trigger_of};
use super::{Coverage, CoverageError};

/// The writes that each part of a finding may come from; nothing when no run made it.
type Parts = Vec<Vec<OwnWrite>>;

/// An event that is being put together.
struct Draft<'a> {
    trigger: &'a TriggerRecord,
    place: usize,
    found: Found,
    suspects: Vec<SuspectRow>,
}

fn arrival<'a>(round: &'a Round<'_>, trigger: &'a TriggerRecord, at: Time) -> Arrival<'a> {
    Arrival {
        tenant: &round.sweep.tenant,
        webhook: round.sweep.webhook,
        connection: round.sweep.connection,
        trigger,
        at,
    }
}

impl Coverage {
    /// Which writes of runs each of the findings may come from.
    pub(super) async fn writes(
        &self,
        round: &Round<'_>,
        read: &ReadPage,
        findings: &[Finding],
    ) -> Result<Vec<Parts>, CoverageError> {
        let mut all = Vec::with_capacity(findings.len());
        for finding in findings {
            let Some(trigger) = trigger_of(round.sweep, finding) else {
                all.push(Vec::new());
                continue;
            };
            let fields = trigger.schema.fields.iter();
            let swept = SweptRow {
                kind: finding.kind,
                pk_id: finding.pk_id,
                row: row_of(read, finding),
                changed: fields
                    .filter(|f| finding.changed.contains(&name_tag(&round.key, &f.name)))
                    .collect(),
                since: finding.since,
                told: &finding.told,
            };
            let arrival = arrival(round, trigger, read.page.at);
            all.push(causes(self.parts.store.as_ref(), &round.key, arrival, &swept).await?);
        }
        Ok(all)
    }

    /// Takes from a page what its triggers do not want to hear of. True when there was any: the findings are others.
    pub(super) fn leave_unheard(
        &self,
        round: &Round<'_>,
        read: &mut ReadPage,
        findings: &[Finding],
        writes: &[Parts],
    ) -> bool {
        let young = |write: &OwnWrite| write.at.after(self.parts.lineage.window()) > Time::now();
        let mut left = false;
        for (finding, parts) in findings.iter().zip(writes).filter(|(_, parts)| !parts.is_empty()) {
            if trigger_of(round.sweep, finding).is_none_or(hears_of_runs) {
                continue;
            }
            let decided = |of: &Vec<OwnWrite>| of.iter().any(|write| write.ended_at.is_some());
            if parts.iter().all(decided) {
                read.page.unheard.push(finding.clone());
                left = true;
            } else if parts.iter().flatten().any(|write| write.ended_at.is_none() && young(write)) {
                read.page.rows.retain(|(pk_id, _)| *pk_id != finding.pk_id);
                read.page.gone.retain(|pk_id| *pk_id != finding.pk_id);
                left = true;
            }
        }
        left
    }

    /// The events of a page's findings as one message; none when there are none.
    pub(super) fn message(
        &self,
        round: &Round<'_>,
        read: &ReadPage,
        findings: &[Finding],
        writes: Vec<Parts>,
    ) -> Result<Option<NewMessage>, CoverageError> {
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        for (finding, parts) in findings.iter().zip(writes) {
            let Some(trigger) = trigger_of(round.sweep, finding) else { continue };
            // Of a deleted row nothing is known but its key.
            let row = row_of(read, finding).cloned();
            let row = row.unwrap_or_else(|| Row(vec![("PK_ID".to_owned(), Value::Integer(finding.pk_id))]));
            let tags = read.page.rows.iter().find(|(pk_id, _)| *pk_id == finding.pk_id);
            let tags = (finding.pk_id, tags.map(|(_, tags)| tags.clone()).unwrap_or_else(RowTags::default));
            let same = |draft: &&mut Draft<'_>| {
                (draft.found.event.kind, draft.place) == (finding.kind, finding.trigger)
            };
            let draft = match drafts.iter_mut().find(same).filter(|_| trigger.batch) {
                Some(draft) => draft,
                None => {
                    let found = Found::of(event(round, read, trigger));
                    drafts.push(Draft { trigger, place: finding.trigger, found, suspects: Vec::new() });
                    let Some(last) = drafts.last_mut() else { continue };
                    last
                }
            };
            if !parts.is_empty() {
                let ids = |of: &Vec<OwnWrite>| of.iter().map(|write| (write.run, write.step)).collect();
                let place = u32::try_from(draft.found.event.rows.len()).unwrap_or(u32::MAX);
                let parts = parts.iter().map(ids).collect();
                draft.suspects.push(SuspectRow { row: place, pk_id: Some(finding.pk_id), parts });
            }
            draft.found.event.rows.push(row);
            draft.found.tags.push(tags);
        }
        if drafts.is_empty() {
            return Ok(None);
        }
        let found = |draft: Draft<'_>| {
            let (arrival, all) = (arrival(round, draft.trigger, Time::now()), draft.found.event.rows.len());
            let suspicion = suspicion_of(arrival, self.parts.lineage, draft.suspects, all);
            Found { suspicion, ..draft.found }
        };
        let events: Vec<Found> = drafts.into_iter().map(found).collect();
        Ok(Some(found_message(
            &round.key,
            &round.sweep.tenant,
            round.sweep.workflow,
            &events,
            &round.sequence,
        )?))
    }
}

/// An event without rows yet.
fn event(round: &Round<'_>, read: &ReadPage, trigger: &TriggerRecord) -> Event {
    Event {
        kind: trigger.kind,
        connection: round.sweep.connection_name.clone(),
        table: trigger.table.clone(),
        rows: Vec::new(),
        event_date: read.page.date.clone(),
        message_id: String::new(),
        reconciled: true,
    }
}

fn row_of<'a>(read: &'a ReadPage, finding: &Finding) -> Option<&'a Row> {
    let there = finding.kind != TriggerKind::RecordDelete;
    read.rows.iter().find(|row| row.pk_id() == Some(finding.pk_id)).filter(|_| there)
}
