//! What Waylog's aggregates know and decide.
//!
//! Pure: no I/O, clock, randomness or environment (`clippy.toml` bans them), so that the same
//! commands on the same history always decide the same events, in a lane, in a test or years later.
//!
//! Each aggregate has a folder with its commands, events, refusals and rules. [`Command`],
//! [`Event`] and [`State`] only wrap them, so that the log, the lanes and the projections can
//! carry any of them; `registry.rs` is the one place that lists them.

pub mod actor;
pub mod aggregate;
pub mod booking;
pub mod calendar;
pub mod derive;
pub mod destination;
pub mod envelope;
pub mod ids;
pub mod invariants;
pub mod invoice_series;
pub mod itinerary;
pub mod money;
pub mod notification;
pub mod offer;
mod payload;
pub mod payment;
pub mod position;
pub mod refusal;
mod registry;
pub mod saga;
pub mod sealed;
pub mod stream;
#[cfg(test)]
mod testing;
mod text;
pub mod time;

pub use actor::{Actor, Tenant};
pub use aggregate::{Aggregate, Context};
pub use envelope::{Digest, Envelope, RecordedEvent};
pub use payload::{EventPayload, PayloadRef, PayloadVisitor};
pub use position::{ConsistencyToken, LogId, Position, PositionVector};
pub use refusal::{Refusal, RefusalKind};
pub use registry::{Command, Event, State};
pub use sealed::Sealed;
pub use stream::{Category, StreamName};
pub use time::Timestamp;
