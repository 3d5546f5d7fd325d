//! Connections, workflows and their versions, counters of calls, the audit log. `sealed` fields are ciphertext (see `secrets`).

use crate::clock::Time;
use crate::model::{ConnectionId, RunState, TenantId, TokenScope, WorkflowId, WorkflowState};

/// A token of the control API. The token itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Unique.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// When it was added.
    pub created_at: Time,
}

/// Action under which webhook deliveries are counted. Caspio meters them too, but nobody here sends them.
pub const DELIVERY: &str = "webhook";

/// Calls to Caspio in a UTC day and month beyond which a connection's runs wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallBudget {
    /// A day; none: as many as wanted.
    pub per_day: Option<u32>,
    /// A calendar month; none: as many as wanted.
    pub per_month: Option<u32>,
}

/// A connection.
#[derive(Debug, Clone)]
pub struct ConnectionRecord {
    /// Id.
    pub id: ConnectionId,
    /// Owner.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub name: String,
    /// `https://host[:port]`
    pub base_url: String,
    /// Client ID of the Web services profile.
    pub client_id: String,
    /// Sealed by the tenant key: table `connections`, column `secret`, row = id.
    pub sealed_secret: Vec<u8>,
    /// When it was added.
    pub created_at: Time,
    /// Its budget of calls.
    pub budget: CallBudget,
}

/// A version to deploy.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Owner.
    pub tenant: TenantId,
    /// The workflow's name.
    pub name: String,
    /// The manifest as given.
    pub manifest: String,
    /// SHA-256 of the component.
    pub component: [u8; 32],
    /// Which connection it uses.
    pub connection: ConnectionId,
    /// The contract that its component was checked against.
    pub contract: String,
    /// Who deploys it, as in the audit log.
    pub actor: String,
    /// When.
    pub at: Time,
}

/// What a deploy made.
#[derive(Debug, Clone, Copy)]
pub struct Deployed {
    /// The workflow, new or not.
    pub workflow: WorkflowId,
    /// Number of the new version.
    pub number: u32,
}

/// A workflow.
#[derive(Debug, Clone)]
pub struct WorkflowRecord {
    /// Id.
    pub id: WorkflowId,
    /// Owner.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub name: String,
    /// State.
    pub state: WorkflowState,
    /// The version that new runs bind to.
    pub active_version: u32,
    /// When it was first deployed.
    pub created_at: Time,
}

/// A version of a workflow. Never changed.
#[derive(Debug, Clone)]
pub struct VersionRecord {
    /// The workflow.
    pub workflow: WorkflowId,
    /// From 1.
    pub number: u32,
    /// The manifest as given.
    pub manifest: String,
    /// SHA-256 of the component.
    pub component: [u8; 32],
    /// Which connection it uses.
    pub connection: ConnectionId,
    /// When it was deployed.
    pub created_at: Time,
}

/// A version, as in the history of its workflow.
#[derive(Debug, Clone)]
pub struct PastVersion {
    /// The version.
    pub version: VersionRecord,
    /// The contract that its component was checked against.
    pub contract: String,
    /// Who deployed it.
    pub actor: String,
    /// The version that was active until it was deployed.
    pub before: Option<u32>,
    /// Its runs by state.
    pub runs: Vec<(RunState, u64)>,
}

/// A component that a workflow needs: of its active version, or of one that unfinished runs are bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededComponent {
    /// The workflow's name.
    pub workflow: String,
    /// The version.
    pub version: u32,
    /// SHA-256 of the component.
    pub component: [u8; 32],
}

/// A counter of integration calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCount {
    /// Tenant.
    pub tenant: TenantId,
    /// Connection.
    pub connection: ConnectionId,
    /// Workflow; none for the host's own calls.
    pub workflow: Option<WorkflowId>,
    /// Action, e.g. `records.create` or `oauth.token`.
    pub action: String,
    /// Day in UTC, `YYYY-MM-DD`.
    pub day: String,
    /// How many.
    pub count: u64,
}

/// A line of the audit log.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Tenant.
    pub tenant: TenantId,
    /// When.
    pub at: Time,
    /// Who, e.g. `admin`.
    pub actor: String,
    /// What, e.g. `connection.add`.
    pub action: String,
    /// About what, e.g. a name. Never a value or secret.
    pub subject: String,
}
