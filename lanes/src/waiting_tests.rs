//! Tests of the truth about a waiting command.

use domain::ids::{AccountId, CommandId, CorrelationId};
use domain::{Actor, Category, Command, Digest, StreamName, Tenant, itinerary};
use uuid::Uuid;

use super::*;

fn waiting() -> (Waiting, Arc<Claim>, oneshot::Receiver<Reply>) {
    let request = CommandRequest {
        stream: StreamName::new(Category::Itinerary, Uuid::from_u128(1)),
        command: Command::Itinerary(itinerary::Command::Share),
        command_id: CommandId(Uuid::from_u128(2)),
        fingerprint: Digest::default(),
        actor: Actor::Account(AccountId(Uuid::from_u128(3))),
        tenant: Tenant::default(),
        correlation_id: CorrelationId(Uuid::from_u128(4)),
        causation_id: Uuid::from_u128(5),
        expected_version: None,
        traceparent: None,
    };
    let claim = Arc::new(Claim::default());
    let (waiting, answer) = Waiting::new(Box::new(request), Arc::clone(&claim));
    (waiting, claim, answer)
}

fn unavailable() -> CommandError {
    CommandError::Unavailable { reason: "away".to_owned(), retry_after_seconds: 1 }
}

#[test]
fn what_its_caller_abandoned_is_never_tried() {
    let (waiting, claim, _answer) = waiting();

    assert!(claim.abandon());
    assert!(!waiting.claim());
    assert!(!claim.tried());
}

#[test]
fn what_is_tried_cannot_be_called_untried() {
    let (waiting, claim, _answer) = waiting();

    assert!(waiting.claim());
    assert!(!claim.abandon());

    waiting.not_written();
    assert!(claim.abandon(), "nothing was written: it may be called untried again");
}

#[test]
fn an_attempt_without_an_outcome_stays_tried_and_is_never_unavailable() {
    let (mut waiting, claim, mut answer) = waiting();
    assert!(waiting.claim());

    waiting.maybe_written(1);
    waiting.not_written();
    assert!(claim.tried());
    waiting.answer(Err(unavailable()));

    let Ok(Reply::Outcome(Err(error))) = answer.try_recv() else { panic!("an outcome") };
    assert_eq!(error.code(), "outcome_unknown");
}

#[test]
fn a_later_ownership_that_does_not_find_it_makes_it_untried() {
    let (mut waiting, _claim, mut answer) = waiting();
    assert!(waiting.claim());
    waiting.maybe_written(1);

    waiting.proven_unwritten();
    waiting.answer(Err(unavailable()));

    let Ok(Reply::Outcome(Err(error))) = answer.try_recv() else { panic!("an outcome") };
    assert_eq!(error, unavailable());
}

#[test]
fn a_command_that_is_dropped_goes_back() {
    let (waiting, _claim, mut answer) = waiting();

    drop(waiting);

    let Ok(Reply::Elsewhere(request)) = answer.try_recv() else { panic!("it came back") };
    assert_eq!(request.command_id, CommandId(Uuid::from_u128(2)));
}

#[test]
fn a_command_travels_as_json_unchanged() {
    let (waiting, _claim, _answer) = waiting();

    let json = serde_json::to_vec(waiting.request()).unwrap();

    assert_eq!(&serde_json::from_slice::<CommandRequest>(&json).unwrap(), waiting.request());
}
