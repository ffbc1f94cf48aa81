//! Lanes: one fenced owner per shard decides commands and appends their events.
//!
//! Everybody sends commands through [`CommandPort`]: to the lane in this process, or over the
//! internal hop to the shard's owner.
//!
//! Promises, each with tests under `tests/`:
//! - every answer is given after a commit of the batch that decided it, refusals too; only a stored
//!   outcome is repeated without one;
//! - every outcome is known, or said to be unknown; "unavailable" means that nothing was tried;
//! - the same command id is decided at most once in its stream;
//! - one bad command, a panic in a rule included, fails alone.

mod book;
mod clock;
mod commit;
mod control;
mod decide;
pub mod derive;
mod draft;
mod errands;
mod gear;
mod hop_client;
mod internal_hop;
mod lane;
mod lanes;
mod ledger;
mod loading;
mod local_stores;
mod mailbox;
mod port;
mod readiness;
mod recent_outcomes;
mod roster;
mod rounds;
mod router;
mod rules;
mod settings;
mod state_cache;
mod system_request;
mod take_over;
mod telemetry;
mod waiting;

pub use clock::{SystemClock, WallClock};
pub use errands::{Begun, Came, ErrandSettings, Errands};
pub use gear::StreamStores;
pub use lanes::{Lanes, LanesParts, StartError, remote_port};
pub use local_stores::LocalStreamStores;
pub use port::{Accepted, CommandError, CommandPort, CommandRequest, TokenText};
pub use readiness::{LanePhase, LaneStatus, Readiness};
pub use rounds::{Piece, RoundSettings, Rounds, Standing, WorkList};
pub use rules::Rules;
pub use settings::LaneSettings;
pub use system_request::{Cause, SystemActor};
pub use telemetry::describe_metrics;
