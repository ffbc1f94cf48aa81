//! The shape of every aggregate: decide, then evolve.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Actor, Category, Refusal, Tenant, Timestamp};

/// What surrounds a decision: everything that is not in the command and not in the history.
#[derive(Clone, Debug)]
pub struct Context {
    /// The lane's time; never earlier than any event already in the shard.
    pub now: Timestamp,
    /// Who asks.
    pub actor: Actor,
    /// Whose data it is.
    pub tenant: Tenant,
}

/// One consistency boundary: a state that is folded from its stream, and the rules that decide
/// what may be appended to it.
pub trait Aggregate: Clone + Default + Serialize + DeserializeOwned + Send + 'static {
    /// The first part of its streams' names.
    const CATEGORY: Category;
    /// Raised whenever `evolve` or the state's shape changes: older snapshots are then ignored.
    const FOLD_VERSION: u32;
    /// What can be asked.
    type Command;
    /// What can have happened.
    type Event;
    /// How it says no.
    type Refusal: Into<Refusal>;

    /// Decides what happens, from the state, the command and its context alone. No events mean that
    /// everything asked for is true already.
    ///
    /// # Errors
    /// The rule that the command breaks.
    fn decide(
        &self,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after the event. Total: it knows no rules and cannot fail.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;
}
