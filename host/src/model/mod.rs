//! The words of the product as types: ids, values, rows, schemas, criteria, actions, events, states.
//!
//! A leaf: every part may use it, it uses none. What is stored (journal, typed events) is these
//! types as JSON, so a change here is a change of the journal's format: add, never rename, and
//! raise [`JOURNAL_VERSION`] when a meaning changes.

mod action;
mod answer;
mod criteria;
mod durable;
mod event;
mod ids;
mod limits;
mod query;
mod reconcile;
mod retention;
mod schema;
mod state;
mod subjects;
mod value;

pub use action::{Action, ActionError, Effect};
pub use answer::{Answer, Attachment, Directory, File, Folder, StateEntry, StoredFile, Task};
pub use criteria::{Criteria, Operator};
pub use durable::{StateAction, TimerAction};
pub use event::{Event, TriggerKind};
pub use ids::{
    AlertId, BackfillId, ConnectionId, EventId, IdError, MessageId, RunId, TenantId, UrlId, WebhookId,
    WorkflowId,
};
pub use limits::Limits;
pub use query::{Aggregate, AggregateFunction, Aggregation, Query, SortKey, Source};
pub use reconcile::{NameTag, Reconcile, RowTags};
pub use retention::{Keep, KeepError, Retention};
pub use schema::{Field, FieldType, SchemaKind, TableSchema};
pub use state::{AlertKind, BackfillState, Cause, MessageState, RunState, TokenScope, WorkflowState};
pub use subjects::{AttachmentAction, DirectoryAction, FileAction, TaskAction, ViewAction};
pub use value::{Choice, Content, Row, Value};

/// Version of what is derived from a run (virtual clock, random, fingerprints) and of the journal's
/// encoding. Stored with every run, because runs sleep across upgrades.
pub const JOURNAL_VERSION: u32 = 1;
