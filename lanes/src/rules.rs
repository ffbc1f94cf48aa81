//! The domain as a lane calls it: rules that may be wrong, so that no panic in one of them stops
//! the shard.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::{Command, Context, Event, Refusal, State};

/// The decisions and folds that a lane runs; the domain's own, unless a test replaces them.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Decides a command.
    pub decide: fn(&State, &Command, &Context) -> Result<Vec<Event>, Refusal>,
    /// Folds an event.
    pub evolve: fn(State, &Event) -> State,
}

impl Default for Rules {
    fn default() -> Self {
        Self { decide: State::decide, evolve: State::evolve }
    }
}

/// What a rule said when it panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RulePanic(pub(crate) String);

impl Rules {
    /// A decision sees the state only, so that a panic leaves it whole.
    pub(crate) fn decide(
        self,
        state: &State,
        command: &Command,
        context: &Context,
    ) -> Result<Result<Vec<Event>, Refusal>, RulePanic> {
        catch_unwind(AssertUnwindSafe(|| (self.decide)(state, command, context)))
            .map_err(|panic| RulePanic(panic_text(&*panic)))
    }

    /// A fold takes the state with it when it panics.
    pub(crate) fn evolve<'a>(
        self,
        state: State,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<State, RulePanic> {
        catch_unwind(AssertUnwindSafe(|| events.into_iter().fold(state, self.evolve)))
            .map_err(|panic| RulePanic(panic_text(&*panic)))
    }
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
