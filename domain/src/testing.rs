//! Given events, when somebody asks, then events or a refusal: the shape of all aggregates' tests.

use std::fmt::Debug;

use crate::ids::AccountId;
use crate::{Actor, Aggregate, Context, Refusal, RefusalKind, Tenant, Timestamp};
use uuid::Uuid;

/// An aggregate with a history.
pub(crate) struct Given<A> {
    state: A,
    now: Timestamp,
}

/// What a decision came to.
pub(crate) struct Outcome<A: Aggregate> {
    state: A,
    decision: Result<Vec<A::Event>, A::Refusal>,
}

/// The aggregate after these events, at noon of 2026-01-01 (UTC).
pub(crate) fn given<A: Aggregate>(history: &[A::Event]) -> Given<A> {
    let now = "2026-01-01T12:00:00Z".parse().unwrap();
    Given { state: fold(history), now }
}

/// The state after these events.
pub(crate) fn fold<A: Aggregate>(history: &[A::Event]) -> A {
    history.iter().fold(A::default(), A::evolve)
}

/// Decides for the actor, at the instant.
pub(crate) fn decide<A: Aggregate>(
    state: &A,
    actor: &Actor,
    command: &A::Command,
    now: Timestamp,
) -> Result<Vec<A::Event>, A::Refusal> {
    state.decide(command, &Context { now, actor: actor.clone(), tenant: Tenant::default() })
}

/// The account with this number.
pub(crate) fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

/// A saga, as an actor.
pub(crate) fn saga() -> Actor {
    "system:trip-booking".parse().unwrap()
}

impl<A: Aggregate> Given<A> {
    pub(crate) fn when(self, actor: &Actor, command: &A::Command) -> Outcome<A> {
        let decision = decide(&self.state, actor, command, self.now);
        Outcome { state: self.state, decision }
    }
}

impl<A: Aggregate> Outcome<A>
where
    A::Event: Debug + PartialEq,
    A::Refusal: Debug,
{
    /// These events, and the state after them.
    pub(crate) fn then(self, expected: &[A::Event]) -> A {
        let events = self.decision.expect("the command is accepted");
        assert_eq!(events, expected);
        events.iter().fold(self.state, A::evolve)
    }

    /// The events, whatever they are.
    pub(crate) fn events(self) -> Vec<A::Event> {
        self.decision.expect("the command is accepted")
    }

    /// Accepted, with nothing to append.
    pub(crate) fn then_nothing(self) {
        assert_eq!(self.decision.expect("the command is accepted"), []);
    }

    /// The refusal with this code.
    pub(crate) fn then_refused(self, kind: RefusalKind, code: &str) -> Refusal {
        let refusal: Refusal = self.decision.expect_err(code).into();
        assert_eq!((refusal.code.as_str(), refusal.kind), (code, kind), "{refusal:?}");
        refusal
    }
}
