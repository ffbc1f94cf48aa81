//! The running of sagas: sends the commands that they ask for and tells them what came of them.
//!
//! What a saga does is decided in `domain`, by its own stream; what is open is a projection.
//! Nothing else is kept: this process may die at any point, and any number of it may run, because
//! every command has an id that follows from its saga, step and attempt, and is decided once.
//!
//! Promises:
//! - a command whose outcome is unknown is sent again under the same id, until it is known;
//! - a refusal is an outcome, and the saga hears of it; what is away is not, and is tried again;
//! - a hold whose time is over is expired within seconds;
//! - a shard that is away keeps nobody waiting but its own.
//!
//! Deliberately absent: any rule of a saga, and any database.

mod dispatcher;
mod holds;
mod sending;
mod settings;
mod stuck;
mod telemetry;
mod work;

/// Who asks for what sagas and timers want done.
const ACTOR: lanes::SystemActor = lanes::SystemActor("sagas");

pub use dispatcher::{Dispatcher, HoldsStanding};
pub use settings::DispatcherSettings;
pub use telemetry::describe_metrics;
