//! Appends whose outcome is not learnt, and appends that fail inside the log.

use domain::itinerary::{Command as Itinerary, Metadata};
use domain::{Command, StreamName};
use lanes::{CommandRequest, LanePhase};
use uuid::Uuid;

use super::cluster::{Cluster, SHARD};
use super::faulty_log::{Ambiguity, Point};
use crate::requests::{create, key, leave, rename, share, stream};
use crate::world::until;

pub(super) fn an_ambiguous_commit_that_happened_is_a_success(cluster: &mut Cluster) {
    let owner = cluster.owner();
    let trip = stream(1);
    owner.ask(create(trip, 1)).unwrap();
    let before = owner.epoch();

    owner.faults.obscure_next(Ambiguity::Committed);
    let renamed = owner.ask(rename(trip, "Porto", 2)).unwrap();
    owner.faults.obscure_next(Ambiguity::Committed);
    let refused = owner.ask(leave(trip, 3));
    let repeat = owner.ask(rename(trip, "Porto", 2)).unwrap();

    assert_eq!((renamed.version, renamed.events, renamed.replayed), (2, 1, false));
    assert_eq!(refused.unwrap_err().code(), "itinerary_owner_leaving");
    assert_eq!((repeat.replayed, repeat.position), (true, renamed.position));
    assert!(owner.epoch() > before, "a writer that is in doubt is never used again");
    let history = cluster.history_of(trip);
    let epochs: Vec<i64> = history.iter().map(|event| event.envelope.epoch).collect();
    assert_eq!(epochs, [before, before], "it is the first attempt that counts");
}

pub(super) fn an_ambiguous_commit_that_did_not_happen_is_decided_again_once(cluster: &mut Cluster) {
    let owner = cluster.owner();
    let trip = stream(1);
    owner.ask(create(trip, 1)).unwrap();
    let before = owner.epoch();

    owner.faults.obscure_next(Ambiguity::NotCommitted);
    let renamed = owner.ask(rename(trip, "Porto", 2)).unwrap();
    let epoch = owner.epoch();
    owner.faults.obscure_next(Ambiguity::NotCommitted);
    let refused = owner.ask(leave(trip, 3));

    assert_eq!((renamed.version, renamed.events, renamed.replayed), (2, 1, false));
    assert_eq!(refused.unwrap_err().code(), "itinerary_owner_leaving");
    assert_eq!(cluster.refusals().len(), 1);
    let history = cluster.history_of(trip);
    let epochs: Vec<i64> = history.iter().map(|event| event.envelope.epoch).collect();
    assert_eq!(epochs, [before, epoch]);
    assert!(epoch > before);
}

/// The owner is in doubt, and no member any more when it wants to find out.
pub(super) fn an_ambiguous_commit_is_resolved_by_the_next_owner(cluster: &mut Cluster) {
    let mut owner = cluster.owner();
    let trip = stream(1);
    owner.ask(create(trip, 1)).unwrap();
    let (happened, lost) = (Ambiguity::Committed, Ambiguity::NotCommitted);
    for (ambiguity, number, version) in [(happened, 2, 2), (lost, 3, 3)] {
        owner.faults.pause(Point::BeforeAppend);
        let title = format!("Porto {number}");
        let pending = owner.begin(rename(trip, &title, number));
        owner.faults.await_paused();

        owner.faults.obscure_next(ambiguity);
        cluster.take_away();
        owner.faults.wake();
        until("it knows", || owner.phase(SHARD.0) == Some(LanePhase::NotAMember));
        let next = cluster.owner();
        let renamed = owner.wait(pending).unwrap().unwrap();

        assert_eq!(renamed.version, version, "{ambiguity:?}");
        assert_eq!(renamed.replayed, ambiguity == happened, "{ambiguity:?}");
        owner = next;
    }
    assert_eq!(owner.ask(share(trip, 4)).unwrap().version, 4);
    assert_eq!(cluster.history_of(trip).len(), 4);
}

/// Describes a trip with so many words that they are large however well they are compressed.
fn describe(trip: StreamName, number: u128) -> CommandRequest {
    let mut request = rename(trip, "", number);
    let word = |seed: u128| {
        // Bits without a pattern, the same in every run.
        let bits =
            |factor: u128| Uuid::from_u128((2 * seed + 7).wrapping_pow(41).wrapping_mul(factor));
        format!(
            "{}{}",
            bits(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            bits(u128::MAX / 7 * 3 + 2)
        )
    };
    let words = Metadata { preferences: (1..=50).map(word).collect(), ..Metadata::default() };
    let described = Itinerary::Revise { title: None, period: None, metadata: Some(words) };
    request.command = Command::Itinerary(described);
    request
}

pub(super) fn aborted_events_are_invisible_and_their_command_fails_alone(cluster: &mut Cluster) {
    let owner = cluster.owner();
    let trip = stream(1);
    owner.ask(create(trip, 1)).unwrap();
    owner.faults.pause(Point::BeforeAppend);
    let first = owner.begin(share(trip, 2));
    owner.faults.await_paused();
    let batch = owner.queue(vec![create(stream(3), 3), describe(trip, 4), create(stream(5), 5)]);

    cluster.refuse_large_events(true);
    owner.faults.wake();
    owner.wait(first).unwrap().unwrap();
    let batch = owner.outcomes(batch);
    let seen: Vec<_> = cluster.refusals().iter().map(|refusal| refusal.command_id).collect();
    cluster.refuse_large_events(false);
    let again = owner.ask(describe(trip, 4));
    let repeat = owner.ask(create(stream(3), 3)).unwrap();

    assert!(batch[0].is_ok() && batch[2].is_ok(), "{batch:?}");
    assert_eq!(batch[1].as_ref().unwrap_err().code(), "defect");
    assert_eq!(seen, [key(4)], "the evidence is of the one that failed");
    assert_eq!(again.map(|accepted| (accepted.version, accepted.replayed)), Ok((3, false)));
    assert!(repeat.replayed);
    assert_eq!(cluster.history().len(), 5);
}
