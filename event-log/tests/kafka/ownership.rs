//! Who may own which shard: shared among the members, proven to the coordinator, given up at once
//! by those who leave.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_log::{EventLog, LogError, OwnershipHandler, ShardId, ShardOwner};

use crate::child::{self, Second};
use crate::world::{World, eventually};

/// Remembers what it was told.
#[derive(Default)]
struct Shards {
    held: Mutex<BTreeSet<ShardId>>,
    lost: Mutex<Vec<ShardId>>,
}

impl Shards {
    fn held(&self) -> BTreeSet<ShardId> {
        self.held.lock().unwrap().clone()
    }
}

impl OwnershipHandler for Shards {
    fn assigned(&self, shards: &[ShardId]) {
        self.held.lock().unwrap().extend(shards);
    }

    fn revoked(&self, shards: &[ShardId], lost: bool) {
        self.held.lock().unwrap().retain(|shard| !shards.contains(shard));
        if lost {
            self.lost.lock().unwrap().extend(shards);
        }
    }
}

fn both() -> BTreeSet<ShardId> {
    BTreeSet::from([ShardId(0), ShardId(1)])
}

#[test]
fn two_members_share_the_shards_and_what_one_leaves_the_other_takes() {
    let Some(world) = World::new("share") else { return };
    let (one, two) = (world.log(), world.log());
    let (mine, theirs) = (Arc::new(Shards::default()), Arc::new(Shards::default()));

    let first = one.join(mine.clone()).unwrap();
    eventually("the only member holds all shards", || mine.held() == both());
    let second = two.join(theirs.clone()).unwrap();
    eventually("each holds one", || mine.held().len() == 1 && theirs.held().len() == 1);
    let kept = *mine.held().first().unwrap();
    let other = *theirs.held().first().unwrap();
    assert_ne!(kept, other);
    first.prove(kept).unwrap();
    let refused = first.prove(other);
    let started = Instant::now();
    second.leave().unwrap();
    eventually("the rest moves", || mine.held() == both());
    let moved = started.elapsed();

    assert!(matches!(refused, Err(LogError::NotAMember)), "{refused:?}");
    assert!(theirs.held().is_empty(), "who leaves gives up first");
    assert!(theirs.lost.lock().unwrap().is_empty(), "what is given up in order is not lost");
    println!("the shard of one who left moved in {moved:?}");
    assert!(moved < Duration::from_secs(4), "leaving must not wait for the session: {moved:?}");
    first.prove(other).unwrap();
}

#[test]
fn one_who_left_proves_nothing_and_may_leave_again() {
    let Some(world) = World::new("left") else { return };
    let log = world.log();
    let shards = Arc::new(Shards::default());
    let member = log.join(shards.clone()).unwrap();
    eventually("assigned", || shards.held() == both());

    member.leave().unwrap();

    assert!(matches!(member.prove(ShardId(0)), Err(LogError::NotAMember)));
    assert!(shards.held().is_empty());
    member.leave().unwrap();
}

#[test]
fn one_who_is_dropped_leaves_at_once() {
    let Some(world) = World::new("dropped") else { return };
    let log = world.log();
    let (gone, here) = (Arc::new(Shards::default()), Arc::new(Shards::default()));
    let member = log.join(gone.clone()).unwrap();
    eventually("assigned", || gone.held() == both());

    let started = Instant::now();
    drop(member);
    let _next = log.join(here.clone()).unwrap();
    eventually("the next member holds all", || here.held() == both());

    assert!(gone.held().is_empty());
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// The role of the second process: joins, is paused, and says what its proof came to.
fn prove_when_told(world: &World) {
    let log = world.log();
    let shards = Arc::new(Shards::default());
    let member = log.join(shards.clone()).unwrap();
    eventually("assigned", || shards.held() == both());
    member.prove(ShardId(0)).unwrap();
    child::say("proven");
    child::hear();
    match member.prove(ShardId(0)) {
        Ok(()) => child::say("still proven"),
        Err(error) => child::say(error.code()),
    }
    eventually("it is told that its shards are lost", || shards.lost.lock().unwrap().len() == 2);
    child::say("told");
}

#[test]
fn a_member_that_was_paused_and_expelled_cannot_prove_its_shard() {
    if let Some(world) = child::role() {
        return prove_when_told(&world);
    }
    let Some(world) = World::new("expelled") else { return };
    let log = world.log();
    let shards = Arc::new(Shards::default());
    let mut second = Second::start(
        "ownership::a_member_that_was_paused_and_expelled_cannot_prove_its_shard",
        &world,
    );
    assert_eq!(second.said(), "proven");

    second.signal("STOP");
    let member = log.join(shards.clone()).unwrap();
    eventually("the shards of the paused one move", || shards.held() == both());
    second.tell("go on");
    second.signal("CONT");

    assert_eq!(second.said(), "not_a_member");
    assert_eq!(second.said(), "told");
    drop(member);
}

#[test]
fn a_member_that_was_paused_alone_cannot_prove_its_shard_either() {
    if let Some(world) = child::role() {
        return prove_when_told(&world);
    }
    let Some(world) = World::new("expelled-alone") else { return };
    let log = world.log();
    let mut second = Second::start(
        "ownership::a_member_that_was_paused_alone_cannot_prove_its_shard_either",
        &world,
    );
    assert_eq!(second.said(), "proven");

    second.signal("STOP");
    world.wait_until_the_group_is_empty();
    second.tell("go on");
    second.signal("CONT");

    assert_eq!(second.said(), "not_a_member");
    drop(log);
}

#[test]
fn everybody_learns_who_opened_a_shard_last() {
    let Some(world) = World::new("directory") else { return };
    let (mine, theirs) = (world.log(), world.log());
    assert_eq!(theirs.owner(ShardId(0)), None);

    let first = mine.open_shard(ShardId(0), "http://first:1").unwrap();
    let owner = ShardOwner { epoch: first.epoch, address: "http://first:1".to_owned() };
    eventually("the first owner is known", || theirs.owner(ShardId(0)) == Some(owner.clone()));
    let second = mine.open_shard(ShardId(0), "http://second:1").unwrap();
    let owner = ShardOwner { epoch: second.epoch, address: "http://second:1".to_owned() };
    eventually("the second owner is known", || theirs.owner(ShardId(0)) == Some(owner.clone()));

    let late = world.log();
    eventually("also to one who comes later", || late.owner(ShardId(0)) == Some(owner.clone()));
    assert_eq!(late.owner(ShardId(1)), None);
}
