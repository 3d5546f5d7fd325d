//! How long contents and records are kept, what is removed when their time is over, and legal holds against it.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::model::{Keep, Retention, RunId, TenantId};
use crate::store::{HoldRecord, Over, OverWhat, StoreError};

use super::{Control, ControlError, Kind, Result, usable_name};

/// Messages looked at in one read, and shredded or forgotten in one commit: some milliseconds of the writer.
const PAGE: u32 = 500;
/// Longest reason of a hold.
const REASON_MAX: usize = 4 << 10;
/// Tries to empty the write-ahead log while readers are in the way. Each waits up to a second by itself.
const LOG_TRIES: u32 = 5;

/// What a tenant wants kept otherwise than the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WantedRetention {
    /// Contents of runs that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<Keep>,
    /// Contents of skipped ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Keep>,
    /// Contents of discarded ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded: Option<Keep>,
    /// Contents of dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<Keep>,
    /// Messages that could not be parsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unparsable: Option<Keep>,
    /// Records whose contents are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Keep>,
}

impl WantedRetention {
    /// These wishes, and where there is none those of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded.or(other.succeeded),
            skipped: self.skipped.or(other.skipped),
            discarded: self.discarded.or(other.discarded),
            dead: self.dead.or(other.dead),
            unparsable: self.unparsable.or(other.unparsable),
            records: self.records.or(other.records),
        }
    }

    fn over(self, host: Retention) -> Retention {
        Retention {
            succeeded: self.succeeded.unwrap_or(host.succeeded),
            skipped: self.skipped.unwrap_or(host.skipped),
            discarded: self.discarded.unwrap_or(host.discarded),
            dead: self.dead.unwrap_or(host.dead),
            unparsable: self.unparsable.unwrap_or(host.unparsable),
            records: self.records.unwrap_or(host.records),
        }
    }
}

/// How long a tenant's things are kept.
#[derive(Debug, Serialize)]
pub struct RetentionView {
    /// What counts.
    pub kept: Retention,
    /// Of it, what the tenant set itself.
    pub own: WantedRetention,
}

/// A hold to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Its name.
    pub name: String,
    /// All of this workflow.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The message of this run. Neither: all of the tenant.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Why.
    pub reason: String,
}

/// A hold, as listed.
#[derive(Debug, Serialize)]
pub struct HoldView {
    /// Its name.
    pub name: String,
    /// What it keeps, in words.
    pub keeps: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: String,
}

/// Whether to remove, or only to count.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeRequest {
    /// Only count.
    pub dry_run: bool,
}

/// What was removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PurgedView {
    /// Messages whose contents were shredded.
    pub shredded: u64,
    /// Messages whose records were deleted.
    pub forgotten: u64,
}

/// Before which time something must have ended, to be over now.
fn before(keep: Keep, now: Time) -> Option<Time> {
    let Keep::For(time) = keep else { return None };
    Some(Time(now.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))))
}

impl Control {
    /// How long a tenant's things are kept.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retention(&self, tenant: &TenantId) -> Result<RetentionView> {
        let own: WantedRetention = match self.store.retention(tenant).await? {
            Some(text) => serde_json::from_str(&text)
                .map_err(|_| StoreError::Corrupt("the retention of a tenant".to_owned()))?,
            None => WantedRetention::default(),
        };
        Ok(RetentionView { kept: own.over(self.retention), own })
    }

    /// Sets some of them for a tenant; the others stay as they are.
    ///
    /// # Errors
    /// When records were to be kept too shortly.
    pub async fn set_retention(&self, tenant: &TenantId, wanted: WantedRetention) -> Result<RetentionView> {
        let own = wanted.or(self.retention(tenant).await?.own);
        let kept = own.over(self.retention);
        if !kept.keeps_records() {
            return Err(ControlError::invalid(
                "retention-records",
                "records are what tells a message that comes again, so they are kept for at least 7 days; give --records 7d or \
                 more",
            ));
        }
        let text = serde_json::to_string(&own)
            .map_err(|_| StoreError::Corrupt("the retention of a tenant".to_owned()))?;
        // The audit log first: what a purge removes after this, somebody must have wanted.
        self.audit(tenant, "retention.set", &text).await?;
        self.store.set_retention(tenant, Some(text)).await?;
        Ok(RetentionView { kept, own })
    }

    /// Everything of a tenant is kept as the configuration says again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reset_retention(&self, tenant: &TenantId) -> Result<RetentionView> {
        self.audit(tenant, "retention.reset", "").await?;
        self.store.set_retention(tenant, None).await?;
        self.retention(tenant).await
    }

    /// Adds a legal hold.
    ///
    /// # Errors
    /// When the name is taken or not usable, or what it is to keep does not exist.
    pub async fn add_hold(&self, tenant: &TenantId, new: NewHold) -> Result<HoldView> {
        usable_name(&new.name, "hold")?;
        if new.reason.trim().is_empty() || new.reason.len() > REASON_MAX {
            return Err(ControlError::invalid(
                "hold-reason",
                "the reason is empty or longer than 4096 bytes; say in short why things must be kept",
            ));
        }
        let workflow = match &new.workflow {
            Some(name) => Some(self.workflow_named(tenant, name).await?),
            None => None,
        };
        if let Some(run) = new.run
            && (workflow.is_some() || self.store.run(tenant, run).await?.is_none())
        {
            return Err(ControlError::not_found(
                "run-not-found",
                "a hold keeps a workflow or a run that exists; see: caspian run list",
            ));
        }
        let key = self.keys.tenant(tenant).await?;
        let sealed_reason = key.seal("holds", "reason", new.name.as_bytes(), new.reason.as_bytes())?;
        let record = HoldRecord {
            tenant: tenant.clone(),
            name: new.name.clone(),
            workflow: workflow.as_ref().map(|workflow| workflow.id),
            run: new.run,
            sealed_reason,
            created_at: Time::now(),
        };
        let keeps = keeps(workflow.map(|workflow| workflow.name), new.run);
        let created_at = record.created_at.to_string();
        self.store.add_hold(record).await.map_err(|error| match error {
            StoreError::Exists(_) => ControlError::new(
                Kind::Conflict,
                "hold-exists",
                format!("there is a hold '{}' already; choose another name", new.name),
            ),
            other => other.into(),
        })?;
        self.audit(tenant, "retention.hold", &format!("{}: {keeps}", new.name)).await?;
        Ok(HoldView { name: new.name, keeps, reason: new.reason, created_at })
    }

    /// Legal holds by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn holds(&self, tenant: &TenantId) -> Result<Vec<HoldView>> {
        let names = self.store.workflow_names(tenant).await?;
        let key = self.keys.tenant(tenant).await?;
        let holds = self.store.holds(tenant).await?;
        let view = |x: HoldRecord| {
            let workflow = x.workflow.and_then(|id| names.iter().find(|(known, _)| *known == id));
            let reason = key.open("holds", "reason", x.name.as_bytes(), &x.sealed_reason)?;
            Ok(HoldView {
                keeps: keeps(workflow.map(|(_, name)| name.clone()), x.run),
                reason: String::from_utf8_lossy(&reason).into_owned(),
                name: x.name,
                created_at: x.created_at.to_string(),
            })
        };
        holds.into_iter().map(view).collect()
    }

    /// Ends a legal hold.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn release_hold(&self, tenant: &TenantId, name: &str) -> Result<()> {
        if !self.store.holds(tenant).await?.iter().any(|hold| hold.name == name) {
            return Err(ControlError::not_found(
                "hold-not-found",
                format!("there is no hold '{name}'; see: caspian retention holds"),
            ));
        }
        self.audit(tenant, "retention.release", name).await?;
        Ok(self.store.remove_hold(tenant, name).await?)
    }

    /// Removes what was kept long enough, of all tenants.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge_all(&self) -> Result<()> {
        for tenant in self.store.tenants().await? {
            let purged = self.purge_of(&tenant, false).await?;
            if purged != PurgedView::default() {
                self.audit_as("host", &tenant, "retention.purge", &said(purged)).await?;
            }
        }
        // Also what a host left there that was killed before it came to this.
        self.empty_log().await;
        Ok(())
    }

    /// Removes what a tenant kept long enough, now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn purge(&self, tenant: &TenantId, request: PurgeRequest) -> Result<PurgedView> {
        let purged = self.purge_of(tenant, request.dry_run).await?;
        if !request.dry_run {
            self.empty_log().await;
            self.audit(tenant, "retention.purge", &said(purged)).await?;
        }
        Ok(purged)
    }

    async fn purge_of(&self, tenant: &TenantId, dry_run: bool) -> Result<PurgedView> {
        let kept = self.retention(tenant).await?.kept;
        let now = Time::now();
        let contents = OverWhat::Contents {
            succeeded: before(kept.succeeded, now),
            skipped: before(kept.skipped, now),
            discarded: before(kept.discarded, now),
            dead: before(kept.dead, now),
            unparsable: before(kept.unparsable, now),
        };
        let shredded = self.purge_what(tenant, contents, dry_run).await?;
        let forgotten = match before(kept.records, now) {
            Some(before) => self.purge_what(tenant, OverWhat::Records(before), dry_run).await?,
            None => 0,
        };
        let purged = PurgedView { shredded, forgotten };
        if dry_run {
            return Ok(purged);
        }
        metrics::counter!("caspian_purged_messages_total", "what" => "contents").increment(purged.shredded);
        metrics::counter!("caspian_purged_messages_total", "what" => "records").increment(purged.forgotten);
        if purged != PurgedView::default() {
            tracing::info!(%tenant, shredded = purged.shredded, forgotten = purged.forgotten, "kept long enough");
        }
        Ok(purged)
    }

    async fn purge_what(&self, tenant: &TenantId, what: OverWhat, dry_run: bool) -> Result<u64> {
        let mut over = Over { tenant: tenant.clone(), what, after: None, limit: PAGE };
        let mut purged = 0;
        loop {
            let page = self.store.over(over.clone()).await?;
            purged += match (page.messages, what) {
                (messages, _) if dry_run => messages.len() as u64,
                (messages, _) if messages.is_empty() => 0,
                (messages, OverWhat::Contents { .. }) => {
                    crate::faults::pass("purge.before-commit");
                    let shredded = self.store.shred(messages, over.clone()).await?;
                    crate::faults::pass("purge.after-commit");
                    shredded
                }
                (messages, OverWhat::Records(_)) => self.store.forget(messages, over.clone()).await?,
            };
            match page.next {
                Some(next) => over.after = Some(next),
                None => return Ok(purged),
            }
        }
    }

    /// Old content is overwritten in the file, but may be left in the log until that is emptied.
    pub(super) async fn empty_log(&self) {
        for _ in 0..LOG_TRIES {
            match self.store.truncate_log().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(
                        code = error.code(),
                        "the write-ahead log can't be emptied; it is tried again hourly"
                    );
                    return;
                }
            }
        }
        tracing::warn!(
            "readers kept the write-ahead log from being emptied; it is tried again within the hour"
        );
    }
}

fn keeps(workflow: Option<String>, run: Option<RunId>) -> String {
    match (workflow, run) {
        (_, Some(run)) => format!("the message of run {run}"),
        (Some(workflow), None) => format!("all of workflow {workflow}"),
        (None, None) => "all of the tenant".to_owned(),
    }
}

fn said(purged: PurgedView) -> String {
    format!("contents of {} messages, records of {}", purged.shredded, purged.forgotten)
}
