//! Real services, private to one directory: started, watched, broken on purpose, and stopped.
//!
//! A set of services belongs to a directory: `state.json` names its processes and ports, `logs/`
//! holds what they said. Everything listens on the loopback alone, on ports that were free, and as
//! an unprivileged account when the caller is root. Two users of the machine never meet.
//!
//! [`Services`] is for tests; `scripts/services` is the same engine behind a command line.

mod account;
mod endpoints;
mod engine;
mod handle;
pub mod install;
mod kafka;
mod kind;
mod launch;
mod mariadb;
mod options;
mod ports;
mod postgres;
mod probe;
mod process;
mod programs;
mod recipe;
mod redis;
mod registry;
mod report;
mod roster;
mod state;

pub use endpoints::Endpoints;
pub use engine::Engine;
pub use handle::Services;
pub use kind::Kind;
pub use options::Options;
pub use report::{Condition, Row, table};
