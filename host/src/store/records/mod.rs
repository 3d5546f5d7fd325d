//! What goes into the store and comes out of it, a file a subject, named as those of `sqlite/`.

mod alerts;
mod coverage;
mod journal;
mod letters;
mod messages;
mod retention;
mod runs;
mod schedules;
mod setup;
mod state;
mod webhooks;
mod writes;

pub use alerts::*;
pub use coverage::*;
pub use journal::*;
pub use letters::*;
pub use messages::*;
pub use retention::*;
pub use runs::*;
pub use schedules::*;
pub use setup::*;
pub use state::*;
pub use webhooks::*;
pub use writes::*;
