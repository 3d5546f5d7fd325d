//! The journal of a run: every host call of the guest as a step, intent → done → result.
//!
//! An attempt opens the run's journal and asks it before every call. What is final is answered from
//! it; what is new is performed and recorded: the intent of an effect is durable before the effect
//! is sent, its result before the guest goes on, and a read at the latest with the next intent.
//! Final are a successful effect, a finished sleep, and every step before it; steps after the last one are forgotten
//! when the run is executed again, except an intent without result, which never is:
//! it is done again when its plan allows that, or the run is parked.
//!
//! A call that is not the one recorded at its place is divergence: the run is parked with both calls.
//! A journal is also played back, without anything being sent or written (`playback`): to see whether a component still does
//! what it did. When the store can't commit a result, the commit is repeated until it can; the effect is not.

mod entry;
mod plan;
mod playback;
mod session;

pub use entry::{StepClear, decode_step, resolved_step};
pub use plan::Plan;
pub use playback::{CallDifference, DifferenceKind, Playback, PlaybackEnd};
pub use session::{Divergence, Journal, JournalError, Next, Opened, Slot};
