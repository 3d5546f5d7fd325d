//! What a Caspian workflow in Rust depends on.
//!
//! A workflow is one function. It gets an event, acts through the host, and says how it went:
//!
//! ```no_run
//! use caspian_sdk::prelude::*;
//!
//! #[workflow]
//! fn handle(event: Event) -> Result<(), Failure> {
//!     let patient = event.row()?;
//!     let title = settings::require("title")?;
//!     let task = Row::new().set("Title", title).set("PatientId", patient.pk_id()?);
//!     records("Tasks").create(task)?;
//!     log::info!("task created");
//!     Ok(())
//! }
//! ```
//!
//! - [`Event`] and [`Row`] read what happened, typed; [`Row::set`] builds what is written.
//! - [`records`] reads and changes records of a table; [`field`] says which; [`Query`] sorts and limits;
//!   [`Aggregate`] reckons numbers over many. [`view`] reads views.
//! - [`Table::attachments`] and [`files`] move files; [`directory`] manages users; [`task`] starts imports and exports.
//! - [`timers`] lets the run sleep for seconds or months; [`state`] keeps values from run to run.
//! - [`settings`] reads the manifest's `[settings]`; [`log`] writes the run's log.
//! - [`Error`] is why an action was not done; `?` turns it into a [`Failure`]: tried again when
//!   Caspio throttles or can't be reached, final otherwise. [`OrFail`] does it for other errors.
//!
//! **Determinism.** A run may be executed several times, each time in a fresh instance; calls that
//! were made before are answered from the journal. So the same answers must lead to the same calls in
//! the same order. Clocks, random numbers and `HashMap` are made so by the host; [`Event::attempt`] is
//! what differs from try to try: don't let calls depend on it.
//!
//! **Bounds.** One instance serves one attempt; time, fuel, memory, calls and log have limits that the
//! manifest sets. A limit or a panic ends the attempt, and the host says so in the run.
//!
//! `Debug` of rows and values shows kinds, never values: they are a patient's.

mod aggregate;
mod attachment;
mod criteria;
mod date;
mod directory;
mod error;
mod event;
mod failure;
pub mod files;
pub mod log;
mod query;
pub mod raw;
mod row;
pub mod settings;
pub mod state;
mod table;
mod task;
pub mod timers;
mod value;
mod view;
mod workflow;

pub use aggregate::Aggregate;
pub use attachment::Attachments;
pub use caspian_sdk_macros::workflow;
pub use criteria::{Criteria, Field, condition, field, not, pk_id};
pub use date::{Date, DateTime};
pub use directory::{Directory, directories, directory};
pub use error::Error;
pub use event::{Event, TriggerKind};
pub use failure::{Failure, OrFail};
pub use query::Query;
pub use row::Row;
pub use table::{Table, Upserted, records, tables};
pub use task::{Task, task, tasks};
pub use value::{Choice, Decimal, FromValue, Value};
pub use view::{View, view, views};
pub use workflow::Output;

#[doc(no_inline)]
pub use raw::caspian::workflow::tables::{FieldInfo, FieldType};

#[doc(hidden)]
pub use workflow::run as __run;

/// All that a workflow usually needs: `use caspian_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Aggregate, Choice, Criteria, Date, DateTime, Decimal, Error, Event, Failure, OrFail, Query, Row,
        Table, TriggerKind, Value, condition, directory, field, files, log, not, pk_id, records, settings,
        state, task, timers, view, workflow,
    };
}
