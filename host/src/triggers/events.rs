//! A webhook's events in Caspio, brought into step with its triggers.
//!
//! An event that changed is changed in place, so that none is missed meanwhile. Caspio allows one event
//! per kind and table, and updates of different fields; so a change may have to wait until another one has
//! let go of a field, and where two wait for each other, one is deleted and made again. A kill between
//! any two calls is mended by doing this once more.

use crate::caspio::{Caspio, EventSpec, WebhookEvent};
use crate::faults;
use crate::store::{TriggerRecord, WebhookRecord};

use super::{TriggerError, Triggers, context, failed};

/// A trigger, and the event that is or will be its own.
pub(super) struct Want<'a> {
    pub(super) trigger: &'a TriggerRecord,
    pub(super) spec: EventSpec,
    pub(super) event: Option<WebhookEvent>,
}

impl Triggers {
    /// Makes missing events, changes those that differ in place, deletes those that no trigger wants.
    pub(super) async fn sync_events(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        fresh: bool,
    ) -> Result<(), TriggerError> {
        let Some(hook) = webhook.caspio_id.as_deref() else {
            return Err(crate::store::StoreError::Corrupt("a made webhook without id".to_owned()).into());
        };
        let listed = if fresh {
            Vec::new()
        } else {
            caspio
                .list_events(&context(webhook.workflow, "events.list"), hook)
                .await
                .map_err(failed("listing the webhook's events"))?
        };
        let (mut wants, surplus) = matched(&webhook.triggers, listed);
        // What stands in the way of a wanted one goes first, the rest last.
        let (blocking, idle): (Vec<_>, Vec<_>) =
            surplus.into_iter().partition(|event| wants.iter().any(|want| clash(event, &want.spec)));
        for event in blocking {
            self.delete(caspio, webhook, hook, &event).await?;
        }
        while let Some(at) = next(&wants) {
            let want = wants.remove(at);
            let others = wants.iter().filter_map(|other| other.event.as_ref());
            let free = !others.into_iter().any(|event| clash(event, &want.spec));
            let event = match &want.event {
                Some(event) if !free => {
                    self.delete(caspio, webhook, hook, event).await?;
                    wants.push(Want { event: None, ..want });
                    continue;
                }
                Some(event) if same(event, &want) => event.id.clone(),
                Some(event) => self.change(caspio, webhook, hook, event, &want).await?,
                None => self.create(caspio, webhook, hook, &want.spec).await?,
            };
            if want.trigger.caspio_id.as_deref() != Some(event.as_str()) {
                self.store.trigger_made(webhook.id, want.trigger.position, event).await?;
                (self.on_change)(webhook.id);
            }
        }
        for event in idle {
            self.delete(caspio, webhook, hook, &event).await?;
        }
        Ok(())
    }

    async fn create(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        hook: &str,
        spec: &EventSpec,
    ) -> Result<String, TriggerError> {
        faults::pass("trigger.before-event");
        let made = caspio
            .create_event(&context(webhook.workflow, "events.create"), hook, spec)
            .await
            .map_err(failed("making an event of the webhook"))?;
        faults::pass("trigger.after-event");
        Ok(made.id)
    }

    async fn change(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        hook: &str,
        event: &WebhookEvent,
        want: &Want<'_>,
    ) -> Result<String, TriggerError> {
        faults::pass("trigger.before-change");
        let custom = has_own_payload(event, want.trigger);
        caspio
            .update_event(&context(webhook.workflow, "events.update"), hook, &event.id, &want.spec, custom)
            .await
            .map_err(failed("changing an event of the webhook"))?;
        faults::pass("trigger.after-change");
        Ok(event.id.clone())
    }

    async fn delete(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        hook: &str,
        event: &WebhookEvent,
    ) -> Result<(), TriggerError> {
        caspio
            .delete_event(&context(webhook.workflow, "events.delete"), hook, &event.id)
            .await
            .map_err(failed("deleting an event that no trigger wants"))
    }
}

fn spec(trigger: &TriggerRecord) -> EventSpec {
    EventSpec {
        event_type: trigger.kind.to_caspio().unwrap_or_default().to_owned(),
        object_name: trigger.table.clone(),
        object_fields: trigger.fields.clone(),
        event_sources: trigger.sources.clone(),
    }
}

/// The event of each trigger: by id, else with the same fields, else of the same kind and table; and
/// the events that are left over.
pub(super) fn matched(
    triggers: &[TriggerRecord],
    mut listed: Vec<WebhookEvent>,
) -> (Vec<Want<'_>>, Vec<WebhookEvent>) {
    let mut wants: Vec<Want<'_>> =
        triggers.iter().map(|trigger| Want { trigger, spec: spec(trigger), event: None }).collect();
    for fits in [has_id, has_fields, alike] {
        for want in wants.iter_mut().filter(|want| want.event.is_none()) {
            let at = listed.iter().position(|event| alike(event, want) && fits(event, want));
            want.event = at.map(|at| listed.swap_remove(at));
        }
    }
    (wants, listed)
}

/// The first that no other's event stands in the way of; else the first that has an event.
fn next(wants: &[Want<'_>]) -> Option<usize> {
    let free = |(at, want): &(usize, &Want<'_>)| {
        let others = wants.iter().enumerate().filter(|(other, _)| other != at);
        !others.filter_map(|(_, other)| other.event.as_ref()).any(|event| clash(event, &want.spec))
    };
    let all = || wants.iter().enumerate();
    let found = all().find(free).or_else(|| all().find(|(_, want)| want.event.is_some()));
    found.map(|(at, _)| at).or_else(|| (!wants.is_empty()).then_some(0))
}

fn has_id(event: &WebhookEvent, want: &Want<'_>) -> bool {
    want.trigger.caspio_id.as_deref() == Some(event.id.as_str())
}

pub(super) fn has_fields(event: &WebhookEvent, want: &Want<'_>) -> bool {
    set(&event.object_fields) == set(&want.spec.object_fields)
}

fn alike(event: &WebhookEvent, want: &Want<'_>) -> bool {
    of_kind(event, &want.spec)
}

fn of_kind(event: &WebhookEvent, spec: &EventSpec) -> bool {
    event.event_type == spec.event_type && event.object_name.eq_ignore_ascii_case(&spec.object_name)
}

/// Caspio does not take both: same kind and table, and a field in common (none named: all of them).
fn clash(event: &WebhookEvent, spec: &EventSpec) -> bool {
    let (theirs, ours) = (set(&event.object_fields), set(&spec.object_fields));
    of_kind(event, spec) && (theirs.is_empty() || ours.is_empty() || !theirs.is_disjoint(&ours))
}

pub(super) fn has_sources(event: &WebhookEvent, want: &Want<'_>) -> bool {
    set(&event.event_sources) == set(&want.spec.event_sources)
}

/// Its messages are not those that Caspio sends by itself. An account may name all fields of the table, which limits nothing.
pub(super) fn has_own_payload(event: &WebhookEvent, trigger: &TriggerRecord) -> bool {
    let named = set(&event.payload_fields);
    let left_out = |field: &crate::model::Field| {
        field.kind != crate::model::FieldType::Password && !named.contains(&field.name.to_ascii_lowercase())
    };
    event.has_template || (!named.is_empty() && trigger.schema.fields.iter().any(left_out))
}

fn same(event: &WebhookEvent, want: &Want<'_>) -> bool {
    event.active
        && has_fields(event, want)
        && has_sources(event, want)
        && !has_own_payload(event, want.trigger)
}

fn set(names: &[String]) -> std::collections::BTreeSet<String> {
    names.iter().map(|n| n.to_ascii_lowercase()).collect()
}
