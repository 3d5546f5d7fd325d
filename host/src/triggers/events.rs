//! A webhook's events in Caspio, brought into step with its triggers.

use crate::caspio::{Caspio, EventSpec, WebhookEvent};
use crate::faults;
use crate::store::{TriggerRecord, WebhookRecord};

use super::{TriggerError, Triggers, context, failed};

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
        let mut existing = if fresh {
            Vec::new()
        } else {
            caspio
                .list_events(&context(webhook.workflow, "events.list"), hook)
                .await
                .map_err(failed("listing the webhook's events"))?
        };
        for trigger in &webhook.triggers {
            let spec = spec(trigger);
            let id = match take_match(&mut existing, trigger, &spec) {
                Some(event) => {
                    if !same(&event, &spec) {
                        caspio
                            .update_event(&context(webhook.workflow, "events.update"), hook, &event.id, &spec)
                            .await
                            .map_err(failed("changing an event of the webhook"))?;
                    }
                    event.id
                }
                None => {
                    faults::pass("trigger.before-event");
                    let made = caspio
                        .create_event(&context(webhook.workflow, "events.create"), hook, &spec)
                        .await
                        .map_err(failed("making an event of the webhook"))?;
                    faults::pass("trigger.after-event");
                    made.id
                }
            };
            if trigger.caspio_id.as_deref() != Some(id.as_str()) {
                self.store.trigger_made(webhook.id, trigger.position, id).await?;
                (self.on_change)(webhook.id);
            }
        }
        for event in existing {
            caspio
                .delete_event(&context(webhook.workflow, "events.delete"), hook, &event.id)
                .await
                .map_err(failed("deleting an event that no trigger wants"))?;
        }
        Ok(())
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

/// The event of a trigger: by id, else with the same fields, else of the same type and table
/// (Caspio allows few of them, so a changed one is changed in place).
fn take_match(
    existing: &mut Vec<WebhookEvent>,
    trigger: &TriggerRecord,
    spec: &EventSpec,
) -> Option<WebhookEvent> {
    let alike = |e: &WebhookEvent| {
        e.event_type == spec.event_type && e.object_name.eq_ignore_ascii_case(&spec.object_name)
    };
    let at = existing
        .iter()
        .position(|e| alike(e) && Some(e.id.as_str()) == trigger.caspio_id.as_deref())
        .or_else(|| {
            existing.iter().position(|e| alike(e) && set(&e.object_fields) == set(&spec.object_fields))
        })
        .or_else(|| existing.iter().position(alike))?;
    Some(existing.swap_remove(at))
}

fn same(event: &WebhookEvent, spec: &EventSpec) -> bool {
    event.active
        && set(&event.object_fields) == set(&spec.object_fields)
        && set(&event.event_sources) == set(&spec.event_sources)
}

fn set(names: &[String]) -> std::collections::BTreeSet<String> {
    names.iter().map(|n| n.to_ascii_lowercase()).collect()
}
