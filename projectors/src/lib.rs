//! The running of projections: reader, batches, positions, parking, rebuild, switch.
//!
//! [`Projectors`] runs every projection that it is given until it is shut down. Its promises: an
//! event is folded once into each generation whatever dies when; a failure of one projection,
//! stream or partition stops nobody else; nothing that goes wrong is silent.
//!
//! How it hangs together: one `Feed` reads and decodes for all; a `Source` gives one projection its
//! records (from the feed, or by itself while it is behind); a `Runner` folds them through a
//! `Folder`, which owns what is committed together; a `Candidate` fills a second generation through
//! a `Folder` of its own. Deliberately absent: any knowledge of a projection's rows, and of a
//! database.

mod aim;
mod candidate;
mod comparison;
mod continuity;
mod control;
mod decoded;
mod error;
mod feed;
mod folder;
mod folding;
mod generations;
pub mod http;
mod indexing;
mod news;
mod placement;
mod plan;
mod progress;
mod projectors;
mod promotion;
mod rate;
mod reader;
mod rebuild;
mod rebuilds;
mod replay;
mod runner;
mod settings;
mod source;
mod status;
mod supervision;
mod verify;
mod versions;

pub use comparison::{Comparison, TableComparison, Verdict};
pub use continuity::{Break, BreakKind};
pub use decoded::{DecodeError, EventDecoder};
pub use error::ProjectorError;
pub use news::News;
pub use placement::Placement;
pub use projectors::Projectors;
pub use rebuild::{Proof, RebuildState, RebuildStatus};
pub use replay::Replayed;
pub use settings::ProjectorSettings;
pub use status::{DeadLetter, GenerationStatus, ProjectionStatus, Readiness, RunState};
pub use verify::{Difference, Verification, verify};
