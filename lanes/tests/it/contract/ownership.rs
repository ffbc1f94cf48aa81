//! Owners that were fenced, paused or replaced.

use super::cluster::{Cluster, SHARD};
use super::faulty_log::Point;
use crate::requests::{create, key, rename, share, stream};
use crate::world::until;
use lanes::LanePhase;

pub(super) fn a_fenced_owner_appends_nothing(cluster: &mut Cluster) {
    let first = cluster.owner();
    let trip = stream(1);
    first.ask(create(trip, 1)).unwrap();
    first.faults.pause(Point::BeforeAppend);
    let stale = first.begin(rename(trip, "Faro", 2));
    first.faults.await_paused();

    let second = cluster.owner();
    let meanwhile = second.ask(rename(trip, "Porto", 3)).unwrap();
    first.faults.wake();
    let stale = first.wait(stale).unwrap().unwrap();

    // Decided again, by the next owner, on what happened meanwhile.
    assert_eq!((meanwhile.version, stale.version, stale.replayed), (2, 3, false));
    until("the old owner knows", || first.phase(SHARD.0) == Some(LanePhase::NotAMember));
    let (old, new) = (first.epoch(), second.epoch());
    let history = cluster.history_of(trip);
    let epochs: Vec<i64> = history.iter().map(|event| event.envelope.epoch).collect();
    assert_eq!(epochs, [old, new, new]);
}

pub(super) fn a_paused_owner_refuses_nothing_from_a_stale_state(cluster: &mut Cluster) {
    let first = cluster.owner();
    let (trip, other) = (stream(1), stream(2));
    first.ask(create(trip, 1)).unwrap();
    first.faults.pause(Point::BeforeAppend);
    let opening = first.begin(rename(trip, "Lisbon", 2));
    first.faults.await_paused();
    // From what it knows, there is no such trip, and the title is that already.
    let stale = first.queue(vec![share(other, 3), rename(trip, "Lisbon", 4)]);
    first.faults.step();
    let opening = first.wait(opening).unwrap().unwrap();
    first.faults.await_paused();

    let second = cluster.owner();
    second.ask(create(other, 5)).unwrap();
    second.ask(rename(trip, "Porto", 6)).unwrap();
    let early = stale.iter().any(|pending| pending.is_finished());
    first.faults.wake();
    let stale = first.outcomes(stale);

    assert_eq!((opening.version, opening.events), (1, 0), "nothing to change is an answer too");
    assert!(!early, "an answer came before the commit that proves it");
    let shared = stale[0].as_ref().unwrap();
    let renamed = stale[1].as_ref().unwrap();
    assert_eq!((shared.version, shared.events), (2, 1));
    assert_eq!((renamed.version, renamed.events), (3, 1));
    let evidence: Vec<_> = cluster.refusals().iter().map(|refusal| refusal.command_id).collect();
    assert_eq!(evidence, [key(2)], "the stale judgement left no evidence");
    assert_eq!(cluster.history().len(), 5);
}

pub(super) fn an_owner_paused_after_its_commit_says_what_it_committed(cluster: &mut Cluster) {
    let first = cluster.owner();
    let trip = stream(1);
    first.ask(create(trip, 1)).unwrap();
    first.faults.pause(Point::AfterAppend);
    let committed = first.begin(rename(trip, "Faro", 2));
    first.faults.await_paused();

    let second = cluster.owner();
    let repeat = second.ask(rename(trip, "Faro", 2)).unwrap();
    let after = second.ask(rename(trip, "Porto", 3)).unwrap();
    first.faults.wake();
    let committed = first.wait(committed).unwrap().unwrap();

    assert_eq!((committed.version, committed.events, committed.replayed), (2, 1, false));
    assert_eq!((repeat.version, repeat.replayed), (2, true));
    assert_eq!(repeat.position, committed.position);
    assert_eq!(after.version, 3);
    assert_eq!(cluster.history_of(trip).len(), 3);
}

/// A take-over that comes late, by one who lost the shard meanwhile, fences the true owner.
pub(super) fn an_idle_owner_that_was_fenced_takes_over_anew_without_being_asked(
    cluster: &mut Cluster,
) {
    let owner = cluster.owner();
    let trip = stream(1);
    owner.ask(create(trip, 1)).unwrap();
    let (before, appends) = (owner.epoch(), owner.faults.appends());

    let late = cluster.usurp();

    until("the owner has taken over anew", || {
        owner.epoch() > late && owner.phase(SHARD.0) == Some(LanePhase::Serving)
    });
    assert!(late > before);
    assert_eq!(owner.faults.appends(), appends, "no command had to suffer for it");
    assert_eq!(owner.ask(rename(trip, "Porto", 2)).unwrap().version, 2);
    let epoch = owner.epoch();
    let history = cluster.history_of(trip);
    let epochs: Vec<i64> = history.iter().map(|event| event.envelope.epoch).collect();
    assert_eq!(epochs, [before, epoch]);
}
