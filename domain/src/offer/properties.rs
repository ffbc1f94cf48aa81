//! What holds after any commands by anybody at any time, judged from the events alone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::{BookingId, HoldId, OfferId};
use crate::money::Money;
use crate::testing::{account, decide, fold, reads_back, restores, saga};
use crate::{Actor, Timestamp};

const CAPACITY: u32 = 6;

fn eur(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn begin() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn seat_names() -> Vec<SeatId> {
    ["1A", "1B", "1C", "1D", "1E", "1F"].map(str::to_owned).to_vec()
}

fn listing(mapped: bool) -> Listing {
    Listing {
        kind: OfferKind::Tour,
        supplier: "Guia".to_owned(),
        title: "Tram 28".to_owned(),
        places: vec!["lisbon".to_owned()],
        starts_at: begin().plus_seconds(3_600),
        ends_at: begin().plus_seconds(7_200),
        zone: "Europe/Lisbon".parse().unwrap(),
        capacity: CAPACITY,
        seats: mapped.then(seat_names),
        price: eur(100),
        cancellation: CancellationPolicy::default(),
    }
}

fn claims() -> impl Strategy<Value = Claim> {
    prop_oneof![
        4 => (0..4_u32).prop_map(Claim::Quantity),
        4 => prop::sample::subsequence(seat_names(), 1..3).prop_map(Claim::Seats),
    ]
}

fn commands() -> impl Strategy<Value = Command> {
    let hold_ids = || (0..6_u128).prop_map(|number| HoldId(Uuid::from_u128(number)));
    let instants = || (0..1_200_i64).prop_map(|second| begin().plus_seconds(second));
    let hold = (hold_ids(), claims(), 1..400_u32, instants(), prop::bool::weighted(0.9)).prop_map(
        |(hold_id, claim, ttl_seconds, valid_until, agreed)| Command::Hold {
            hold_id,
            line: Some(LineRef { booking_id: BookingId(hold_id.0), line: 1 }),
            claim,
            unit_price: eur(if agreed { 100 } else { 90 }),
            ttl_seconds,
            valid_until,
        },
    );
    let release = (hold_ids(), instants())
        .prop_map(|(hold_id, valid_until)| Command::Release { hold_id, valid_until });
    let change = (1..8_usize, any::<bool>()).prop_map(|(capacity, mapped)| {
        let seats = mapped.then(|| seat_names().into_iter().take(capacity).collect());
        Command::ChangeCapacity { capacity: u32::try_from(capacity).unwrap(), seats }
    });
    prop_oneof![
        12 => hold,
        4 => hold_ids().prop_map(|hold_id| Command::Allocate { hold_id }),
        3 => release,
        3 => hold_ids().prop_map(|hold_id| Command::Return { hold_id }),
        2 => hold_ids().prop_map(|hold_id| Command::ExpireHold { hold_id }),
        2 => change,
        1 => (99..101_i64).prop_map(|amount| Command::Reprice { price: eur(amount) }),
        1 => prop::bool::weighted(0.3).prop_map(|close| {
            if close { Command::Close } else { Command::Reprice { price: eur(100) } }
        }),
    ]
}

/// Who asks what, and when: time never goes back.
type Story = Vec<(Timestamp, Actor, Command)>;

fn stories() -> impl Strategy<Value = Story> {
    let actors = prop_oneof![1 => Just(Actor::Account(account(1))), 4 => Just(saga())];
    let steps = prop::collection::vec((0..90_i64, actors, commands()), 0..80);
    (any::<bool>(), steps).prop_map(|(mapped, steps)| {
        let (offer_id, terms) = (OfferId(Uuid::from_u128(9)), Box::new(listing(mapped)));
        let opening = Command::List { offer_id, terms };
        let mut now = begin();
        let mut story = vec![(now, Actor::Account(account(1)), opening)];
        for (seconds, actor, command) in steps {
            now = now.plus_seconds(seconds);
            story.push((now, actor, command));
        }
        story
    })
}

/// What the invariants say, kept from events alone and without the aggregate's own bookkeeping.
#[derive(Default)]
struct Witness {
    capacity: u32,
    map: Option<BTreeSet<SeatId>>,
    price: Option<Money>,
    held: BTreeMap<HoldId, (Claim, Timestamp)>,
    sold: BTreeMap<HoldId, Claim>,
    /// Until when a hold must not come again.
    ended: BTreeMap<HoldId, Timestamp>,
    /// Holds whose sale was taken back in advance.
    unsold: BTreeSet<HoldId>,
    closed: bool,
}

impl Witness {
    fn see(&mut self, now: Timestamp, event: &Event) {
        match event {
            Event::Listed(event) => {
                assert!(self.price.is_none(), "listed twice");
                self.capacity = event.capacity;
                self.map = event.seats.clone().map(BTreeSet::from_iter);
                self.price = Some(event.price);
            }
            Event::Repriced(event) => {
                assert_eq!(Some(event.old_price), self.price);
                self.price = Some(event.price);
            }
            Event::CapacityChanged(event) => {
                self.capacity = event.capacity;
                self.map = event.seats.clone().map(BTreeSet::from_iter);
            }
            Event::Held(event) => {
                assert!(!self.closed && now < event.starts_at && now <= event.valid_until);
                assert_eq!(Some(event.unit_price), self.price, "held at another price");
                let ended = self.ended.get(&event.hold_id);
                assert!(ended.is_none_or(|until| *until < now), "held through a closed door");
                assert!(!self.sold.contains_key(&event.hold_id));
                let hold = (event.claim.clone(), event.expires_at);
                assert_eq!(self.held.insert(event.hold_id, hold), None, "held twice");
                self.unsold.remove(&event.hold_id);
            }
            Event::HoldReleased(event) => {
                let held = self.held.remove(&event.hold_id).map(|(claim, _)| claim);
                assert_eq!(event.claim, held);
                self.end(event.hold_id, event.valid_until);
            }
            Event::HoldExpired(event) => {
                let (claim, expires_at) = self.held.remove(&event.hold_id).expect("it was held");
                assert!(expires_at <= now, "expired before its time");
                assert_eq!(event.claim, claim);
            }
            Event::Allocated(event) => {
                let (claim, expires_at) = self.held.remove(&event.hold_id).expect("it was held");
                assert!(now < expires_at, "an expired hold was sold");
                assert!(!self.unsold.contains(&event.hold_id), "sold through a closed door");
                assert_eq!(event.claim, claim);
                self.sold.insert(event.hold_id, claim);
            }
            Event::Returned(event) => {
                assert_eq!(event.claim, self.sold.remove(&event.hold_id));
                if self.held.contains_key(&event.hold_id) {
                    self.unsold.insert(event.hold_id);
                } else {
                    self.end(event.hold_id, event.valid_until);
                }
            }
            Event::Closed(_) => self.closed = true,
        }
        self.agrees();
    }

    fn end(&mut self, hold_id: HoldId, until: Timestamp) {
        let known = self.ended.entry(hold_id).or_insert(until);
        *known = until.max(*known);
    }

    /// At every version, between two events of one decision too.
    fn agrees(&self) {
        let claims = || self.held.values().map(|(claim, _)| claim).chain(self.sold.values());
        let used: u32 = claims().map(Claim::quantity).sum();
        assert!(used <= self.capacity, "{used} of {}", self.capacity);
        let mut taken = BTreeSet::new();
        for seat in claims().flat_map(Claim::seats) {
            assert!(taken.insert(seat), "seat {seat} is taken twice");
            assert!(self.map.as_ref().is_some_and(|map| map.contains(seat)));
        }
    }

    fn agrees_with(&self, state: &Offer) {
        let (Offer::Open(stock) | Offer::Closed(stock)) = state else { return };
        assert_eq!(matches!(state, Offer::Closed(_)), self.closed);
        let held: u32 = self.held.values().map(|(claim, _)| claim.quantity()).sum();
        let sold: u32 = self.sold.values().map(Claim::quantity).sum();
        assert_eq!((stock.held, stock.allocated, stock.capacity), (held, sold, self.capacity));
        assert!(stock.holds.keys().eq(self.held.keys()));
        assert!(stock.allocations.keys().eq(self.sold.keys()));
    }
}

proptest! {
    #[test]
    fn the_invariants_hold_at_every_version(story in stories()) {
        let (mut state, mut witness) = (Offer::default(), Witness::default());

        for (now, actor, command) in &story {
            for event in decide(&state, actor, command, *now).unwrap_or_default() {
                witness.see(*now, &event);
                state = state.evolve(&event);
            }
            witness.agrees_with(&state);
        }
    }

    #[test]
    fn asking_again_at_once_for_what_was_granted_appends_nothing(story in stories()) {
        let mut state = Offer::default();

        for (now, actor, command) in &story {
            let Ok(events) = decide(&state, actor, command, *now) else { continue };
            state = events.iter().fold(state, Offer::evolve);
            if matches!(command, Command::List { .. }) {
                continue;
            }
            prop_assert_eq!(decide(&state, actor, command, *now), Ok(vec![]), "{:?}", command);
        }
    }

    /// The order in which a paused dispatcher and a compensation meet must not matter.
    #[test]
    fn after_a_compensation_its_step_is_refused(story in stories(), claim in claims()) {
        let mut state = Offer::default();

        for (now, actor, command) in &story {
            let events = decide(&state, actor, command, *now).unwrap_or_default();
            state = events.iter().fold(state, Offer::evolve);
        }
        let now = story.last().map_or_else(begin, |(now, ..)| *now);
        let hold_id = HoldId(Uuid::from_u128(3));
        let valid_until = now.plus_seconds(900);
        for command in [Command::Return { hold_id }, Command::Release { hold_id, valid_until }] {
            let events = decide(&state, &saga(), &command, now);
            prop_assert!(events.is_ok(), "{:?}", events);
            state = events.iter().flatten().fold(state, Offer::evolve);
        }

        let later = now.plus_seconds(900);
        let (line, unit_price, ttl_seconds) = (None, eur(100), 60);
        let hold = Command::Hold { hold_id, line, claim, unit_price, ttl_seconds, valid_until };
        for step in [hold, Command::Allocate { hold_id }] {
            prop_assert!(decide(&state, &saga(), &step, later).is_err(), "{:?}", step);
        }
    }

    #[test]
    fn a_snapshot_at_any_version_continues_like_the_fold(
        story in stories(),
        cut: prop::sample::Index,
    ) {
        let mut events = Vec::new();
        for (now, actor, command) in &story {
            let state: Offer = fold(&events);
            events.extend(decide(&state, actor, command, *now).unwrap_or_default());
        }

        restores::<Offer>(&events, cut)?;
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(command in commands()) {
        reads_back(crate::Command::Offer(command))?;
    }
}

/// The generator must reach what the properties speak of, or they prove nothing.
#[test]
fn the_stories_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();

    for _ in 0..200 {
        let mut state = Offer::default();
        for (now, actor, command) in stories().new_tree(&mut runner).unwrap().current() {
            for event in decide(&state, &actor, &command, now).unwrap_or_default() {
                seen.insert(event.name());
                state = state.evolve(&event);
            }
        }
    }

    let mut names = Event::NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), names);
}
