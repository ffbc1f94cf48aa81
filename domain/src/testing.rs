//! Given events, when somebody asks, then events or a refusal: the shape of all aggregates' tests.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::ids::AccountId;
use crate::{Actor, Aggregate, Command, Context, Refusal, RefusalKind, State, Tenant, Timestamp};

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

/// A snapshot taken anywhere among the events reads back as what they came to there, alone and as
/// one of any aggregate, and goes on as they do.
pub(crate) fn restores<A>(events: &[A::Event], cut: Index) -> Result<(), TestCaseError>
where
    A: Aggregate + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let (before, after) = events.split_at(cut.index(events.len() + 1));

    let snapshot = serde_json::to_vec(&fold::<A>(before)).unwrap();
    let restored: A = serde_json::from_slice(&snapshot).unwrap();

    prop_assert_eq!(&restored, &fold(before));
    prop_assert_eq!(after.iter().fold(restored, A::evolve), fold(events));
    let erased = State::from_json(A::CATEGORY, &snapshot).unwrap();
    prop_assert_eq!(serde_json::to_vec(&erased).unwrap(), snapshot);
    Ok(())
}

/// A command arrives at another owner as it was sent.
pub(crate) fn reads_back(command: Command) -> Result<(), TestCaseError> {
    let json = serde_json::to_vec(&command).unwrap();

    prop_assert_eq!(serde_json::from_slice::<Command>(&json).unwrap(), command);
    Ok(())
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
