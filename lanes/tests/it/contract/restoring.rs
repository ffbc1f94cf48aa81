//! What an owner knows when it begins: everything, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::PositionVector;
use lanes::{CommandError, LanePhase};
use tempfile::TempDir;

use super::cluster::{Cluster, SHARD, position};
use super::faulty_log::Ambiguity;
use crate::requests::{With as _, create, leave, rename, share, stream};
use crate::world::{Outcome, until};

/// The process looks that often in vain before it is believed to be waiting.
const LOOKS: usize = 5;

/// A leader that has just changed does not know yet how far its partition is committed, and says
/// that it ends where it does not.
pub(super) fn nothing_is_served_before_the_own_beginning_was_read(cluster: &mut Cluster) {
    let first = cluster.owner();
    let trip = stream(1);
    let created = first.ask(create(trip, 1)).unwrap();
    first.ask(rename(trip, "Porto", 2)).unwrap();
    let second = cluster.process(TempDir::new().unwrap());

    second.faults.lag(position(&created));
    cluster.give_to(&second);
    let pending = vec![
        second.begin(rename(trip, "Porto", 2)),
        second.begin(rename(trip, "Faro", 3).expecting(2)),
        second.begin(leave(trip, 4)),
    ];
    let serving = || second.phase(SHARD.0) == Some(LanePhase::Serving);
    until("it looks for more", || second.faults.looks() >= LOOKS || serving());
    let served = serving();
    let early = pending.iter().any(|pending| pending.is_finished());
    let appends = second.faults.appends();
    second.faults.catch_up();
    let outcomes = second.outcomes(pending);

    assert!(!served && !early && appends == 0, "served a part of the log");
    assert!(outcomes[0].as_ref().unwrap().replayed);
    assert_eq!(outcomes[1].as_ref().unwrap().version, 3);
    assert_eq!(outcomes[2].as_ref().unwrap_err().code(), "itinerary_owner_leaving");
    assert_eq!(cluster.history_of(trip).len(), 3);
}

/// From nothing, from an old checkpoint, and after a batch in doubt.
pub(super) fn a_restore_equals_the_log(cluster: &mut Cluster) {
    let first = cluster.owner();
    (1..=6).for_each(|number| drop(first.ask(create(stream(number), number)).unwrap()));
    let old = first.end();
    assert_store_equals_the_log(cluster, &old);

    let second = cluster.owner();
    second.faults.obscure_next(Ambiguity::NotCommitted);
    (1..=6).for_each(|number| drop(second.ask(share(stream(number), 10 + number)).unwrap()));
    second.faults.obscure_next(Ambiguity::Committed);
    second.ask(create(stream(7), 7)).unwrap();
    let new = second.end();
    assert_store_equals_the_log(cluster, &new);

    let third = cluster.owner_in(old);
    let renamed = third.ask(rename(stream(6), "Porto", 26).expecting(2)).unwrap();
    let old = third.end();
    assert_store_equals_the_log(cluster, &old);
    assert_eq!(renamed.version, 3);
}

fn assert_store_equals_the_log(cluster: &mut Cluster, directory: &TempDir) {
    let history = cluster.history();
    let mut store = cluster.store(directory);
    let streams: BTreeSet<_> = history.iter().map(|event| event.envelope.stream).collect();
    for stream in streams {
        let of_log = history.iter().filter(|event| event.envelope.stream == stream);
        let of_store = store.events(&stream, 0, 1_000).unwrap();
        assert_eq!(of_store.len(), of_log.clone().count(), "{stream}");
        for (stored, event) in of_store.iter().zip(of_log) {
            assert_eq!(stored.position, event.position);
            assert_eq!(stored.envelope, event.envelope);
            assert_eq!(stored.value, event.value);
            let outcome = store.outcome(&stream, event.envelope.command_id).unwrap().unwrap();
            assert_eq!(outcome.position, event.position);
        }
    }
    let end: PositionVector = history.iter().map(|event| event.position).collect();
    assert!(store.checkpoint().unwrap().vector().covers(&end), "the store is behind {end}");
}

pub(super) fn a_repeat_after_a_restart_gets_the_stored_outcome(cluster: &mut Cluster) {
    let process = cluster.owner();
    let trip = stream(1);
    let created = process.ask(create(trip, 1)).unwrap();
    let renamed = process.ask(rename(trip, "Porto", 2)).unwrap();
    let refused = process.ask(leave(trip, 3));
    let mut directory = process.end();
    assert_eq!(refused.unwrap_err().code(), "itinerary_owner_leaving");

    for lost in [false, true] {
        if lost {
            directory = TempDir::new().unwrap();
        }
        cluster.restart();
        let process = cluster.owner_in(directory);
        let appends = process.faults.appends();
        let repeats = [process.ask(create(trip, 1)), process.ask(rename(trip, "Porto", 2))];
        let untouched = process.faults.appends();
        let other = process.ask(rename(trip, "Porto", 2).fingerprinted(99));
        let again = process.ask(leave(trip, 3));
        directory = process.end();

        for (repeat, first) in repeats.into_iter().zip([&created, &renamed]) {
            let repeat = repeat.unwrap();
            assert_eq!((repeat.version, &repeat.position), (first.version, &first.position));
            assert!(repeat.replayed);
        }
        assert_eq!(other, Err(CommandError::IdempotencyMismatch));
        assert_eq!(untouched, appends, "what is stored needs no commit");
        assert_eq!(again.unwrap_err().code(), "itinerary_owner_leaving");
    }
    assert_eq!(cluster.history_of(trip).len(), 2);
    assert_eq!(cluster.refusals().len(), 3);
}

pub(super) fn many_callers_at_once_lose_nothing(cluster: &mut Cluster) {
    let owner = cluster.owner();
    let port = owner.lanes.port();

    let outcomes: Vec<Outcome> = owner.wait(async {
        let sends = (1..=200u128).map(|number| {
            let port = Arc::clone(&port);
            async move {
                let created = port.send(create(stream(number), number)).await;
                let shared = port.send(share(stream(number), 1_000 + number)).await;
                [created, shared]
            }
        });
        futures::future::join_all(sends).await.into_iter().flatten().collect()
    });

    assert!(outcomes.iter().all(Result::is_ok));
    assert!(owner.lanes.readiness().ready());
    assert_eq!(cluster.history().len(), 400);
}
