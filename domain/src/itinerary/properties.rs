//! What holds after any commands by anybody, judged from the events alone where that is possible.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::calendar::Period;
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::testing::{account, decide, fold, reads_back, restores, saga};
use crate::{Actor, Timestamp};

fn actors() -> impl Strategy<Value = Actor> {
    prop_oneof![
        4 => Just(Actor::Account(account(1))),
        4 => (2..5_u128).prop_map(|number| Actor::Account(account(number))),
        2 => Just(saga()),
    ]
}

/// Instants around the days that periods are drawn from.
fn instants() -> impl Strategy<Value = Timestamp> {
    let begin: Timestamp = "2026-04-30T20:00:00Z".parse().unwrap();
    (0..24 * 6_i64).prop_map(move |hours| begin.plus_seconds(hours * 3_600))
}

fn zones() -> impl Strategy<Value = crate::calendar::Zone> {
    prop::sample::select(vec!["Asia/Tokyo", "America/Los_Angeles", "UTC"])
        .prop_map(|zone| zone.parse().unwrap())
}

fn periods() -> impl Strategy<Value = Period> {
    (1..5_u8, 1..7_u8, zones()).prop_map(|(start, end, zone)| Period {
        start: format!("2026-05-0{start}").parse().unwrap(),
        end: format!("2026-05-0{end}").parse().unwrap(),
        zone,
    })
}

fn titles() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["Japan", " Japan ", "Spring", ""]).prop_map(str::to_owned)
}

fn money() -> impl Strategy<Value = Money> {
    (-1..3_i64).prop_map(|amount| Money { amount, currency: "EUR".parse().unwrap() })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    (prop::option::of(money()), prop::option::of(0..3_u32), prop::collection::vec(titles(), 0..3))
        .prop_map(|(budget, travellers, preferences)| Metadata { budget, travellers, preferences })
}

fn activities() -> impl Strategy<Value = Activity> {
    (titles(), instants(), 0..30_i64, zones(), prop::option::of(money())).prop_map(
        |(title, starts_at, hours, zone, estimated_price)| Activity {
            kind: ActivityKind::Tour,
            title,
            place: "Kyoto".to_owned(),
            starts_at,
            // Some end before they start.
            ends_at: starts_at.plus_seconds((hours - 3) * 3_600),
            zone,
            details: None,
            estimated_price,
        },
    )
}

fn roles() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Viewer, Role::Editor])
}

fn commands() -> impl Strategy<Value = Command> {
    let accounts = || (1..5_u128).prop_map(account);
    let activity_ids = || (0..4_u128).prop_map(|n| ActivityId(Uuid::from_u128(n)));
    let booking_ids = || (0..3_u128).prop_map(|n| BookingId(Uuid::from_u128(n)));
    let comment_ids = (0..4_u128).prop_map(|n| CommentId(Uuid::from_u128(n)));
    let create = (titles(), periods(), prop::option::of(metadata())).prop_map(
        |(title, period, metadata)| Command::Create {
            itinerary_id: ItineraryId(Uuid::from_u128(1)),
            title,
            period,
            metadata,
        },
    );
    let revise =
        (prop::option::of(titles()), prop::option::of(periods()), prop::option::of(metadata()))
            .prop_map(|(title, period, metadata)| Command::Revise { title, period, metadata });
    prop_oneof![
        2 => create,
        4 => revise,
        6 => (activity_ids(), activities())
            .prop_map(|(activity_id, activity)| Command::AddActivity { activity_id, activity }),
        3 => (activity_ids(), activities()).prop_map(|(activity_id, to)| {
            let Activity { starts_at, ends_at, zone, .. } = to;
            Command::RescheduleActivity { activity_id, starts_at, ends_at, zone }
        }),
        1 => activity_ids().prop_map(|activity_id| Command::RemoveActivity { activity_id }),
        6 => (accounts(), roles())
            .prop_map(|(account_id, role)| Command::Invite { account_id, role }),
        6 => Just(Command::Join),
        1 => Just(Command::Leave),
        1 => accounts().prop_map(|account_id| Command::RemoveCollaborator { account_id }),
        2 => (comment_ids, accounts(), "[a-z ]{0,8}").prop_map(|(comment_id, author, text)| {
            let text = Sealed { person: author.into(), ciphertext: text };
            Command::Comment { comment_id, text }
        }),
        1 => Just(Command::Share),
        1 => Just(Command::Unshare),
        // Rare, and still in most long histories' second half.
        1 => prop::bool::weighted(0.2)
            .prop_map(|archive| if archive { Command::Archive } else { Command::Share }),
        5 => (booking_ids(), prop::option::weighted(0.9, accounts())).prop_map(
            |(booking_id, account_id)| Command::AttachBooking { booking_id, account_id }
        ),
        2 => booking_ids().prop_map(|booking_id| Command::DetachBooking { booking_id }),
    ]
}

/// Steps of a story; most begin with the owner's creation.
fn stories() -> impl Strategy<Value = Vec<(Actor, Command)>> {
    let opening = (periods(), prop::bool::weighted(0.9)).prop_map(|(period, create)| {
        let (itinerary_id, title) = (ItineraryId(Uuid::from_u128(1)), "Japan".to_owned());
        let command = Command::Create { itinerary_id, title, period, metadata: None };
        create.then(|| (Actor::Account(account(1)), command))
    });
    (opening, prop::collection::vec((actors(), commands()), 0..80))
        .prop_map(|(opening, rest)| opening.into_iter().chain(rest).collect())
}

/// What the invariants say, kept from events alone and without the aggregate's own bookkeeping.
#[derive(Default)]
struct Witness {
    owner: Option<AccountId>,
    invited: BTreeMap<AccountId, Role>,
    roles: BTreeMap<AccountId, Role>,
    attached: BTreeSet<BookingId>,
    detached: BTreeSet<BookingId>,
    archived: bool,
}

impl Witness {
    fn see(&mut self, actor: &Actor, command: &Command, event: &Event) {
        assert!(!self.archived || matches!(event, Event::BookingDetached(_)), "{event:?}");
        let role = actor.account().and_then(|account| self.roles.get(&account).copied());
        let owner = actor.account().is_some() && actor.account() == self.owner;
        match event {
            Event::Created(event) => {
                assert!(self.owner.is_none(), "created twice");
                assert_eq!(Some(event.owner), actor.account());
                self.owner = Some(event.owner);
            }
            Event::Renamed(_)
            | Event::PeriodChanged(_)
            | Event::ActivityAdded(_)
            | Event::ActivityRescheduled(_)
            | Event::ActivityRemoved(_) => assert!(owner || role == Some(Role::Editor)),
            Event::MetadataDescribed(_) => assert!(owner || role == Some(Role::Editor)),
            Event::Commented(_) => assert!(owner || role.is_some()),
            Event::Shared(_) | Event::Unshared(_) => assert!(owner),
            Event::Archived(_) => {
                assert!(owner);
                self.archived = true;
            }
            Event::CollaboratorInvited(event) => {
                assert!(owner && Some(event.account_id) != self.owner);
                assert!(!self.roles.contains_key(&event.account_id));
                self.invited.insert(event.account_id, event.role);
            }
            Event::CollaboratorJoined(event) => {
                assert_eq!(actor.account(), Some(event.account_id));
                assert_eq!(self.invited.remove(&event.account_id), Some(event.role));
                self.roles.insert(event.account_id, event.role);
            }
            Event::CollaboratorLeft(event) => {
                assert!(owner || actor.account() == Some(event.account_id));
                let invited = self.invited.remove(&event.account_id);
                assert!(self.roles.remove(&event.account_id).or(invited).is_some());
            }
            Event::BookingAttached(event) => {
                assert_eq!(actor.account(), None);
                let Command::AttachBooking { account_id: Some(buyer), .. } = command else {
                    panic!("attached for nobody: {command:?}")
                };
                let edits = self.roles.get(buyer) == Some(&Role::Editor);
                assert!(edits || Some(*buyer) == self.owner, "attached for a stranger");
                assert!(!self.detached.contains(&event.booking_id), "attached after a detach");
                assert!(self.attached.insert(event.booking_id), "attached twice");
            }
            Event::BookingDetached(event) => {
                assert_eq!(actor.account(), None);
                assert!(self.detached.insert(event.booking_id), "detached twice");
            }
        }
    }

    fn agrees_with(&self, state: &Itinerary) {
        let trip = match state {
            Itinerary::NotCreated => return assert_eq!(self.owner, None),
            Itinerary::Active(trip) => {
                assert!(!self.archived);
                trip
            }
            Itinerary::Archived(trip) => {
                assert!(self.archived);
                trip
            }
        };
        assert_eq!(Some(trip.owner), self.owner);
        assert_eq!((&trip.collaborators, &trip.invitations), (&self.roles, &self.invited));
        assert!(self.roles.keys().all(|account| !self.invited.contains_key(account)));
        assert_eq!(trip.detached_bookings, self.detached);
        assert_eq!(trip.bookings, &self.attached - &self.detached);
        assert!(trip.period.start <= trip.period.end);
        for activity in trip.activities.values() {
            assert!(activity.starts_at <= activity.ends_at);
            for instant in [activity.starts_at, activity.ends_at] {
                let day = trip.period.zone.date_at(instant);
                assert!((trip.period.start..=trip.period.end).contains(&day), "{day} {trip:?}");
            }
        }
    }
}

/// Whether asking again for what was granted is asking for what is true already.
fn idempotent(command: &Command) -> bool {
    matches!(
        command,
        Command::Revise { .. }
            | Command::RescheduleActivity { .. }
            | Command::Invite { .. }
            | Command::Join
            | Command::Share
            | Command::Unshare
            | Command::AttachBooking { .. }
            | Command::DetachBooking { .. }
    )
}

proptest! {
    #[test]
    fn the_invariants_hold_at_every_version(story in stories()) {
        let (mut state, mut witness) = (Itinerary::default(), Witness::default());

        for (actor, command) in &story {
            for event in decide(&state, actor, command, Timestamp::default()).unwrap_or_default() {
                witness.see(actor, command, &event);
                state = state.evolve(&event);
            }
            witness.agrees_with(&state);
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_at_any_time(story in stories(), micros: i64) {
        let mut state = Itinerary::default();
        let (early, late) = (Timestamp::default(), Timestamp::from_micros(micros));

        for (actor, command) in &story {
            let first = decide(&state, actor, command, early);
            let second = decide(&state.clone(), actor, command, late);

            prop_assert_eq!(&first, &second);
            state = first.unwrap_or_default().iter().fold(state, Itinerary::evolve);
        }
    }

    #[test]
    fn asking_again_for_what_was_granted_appends_nothing(story in stories()) {
        let mut state = Itinerary::default();

        for (actor, command) in &story {
            let Ok(events) = decide(&state, actor, command, Timestamp::default()) else { continue };
            state = events.iter().fold(state, Itinerary::evolve);
            let again = decide(&state, actor, command, Timestamp::default());

            if idempotent(command) {
                prop_assert_eq!(again, Ok(vec![]));
            } else {
                prop_assert!(again.is_err(), "{:?} is granted twice", command);
            }
        }
    }

    #[test]
    fn a_snapshot_at_any_version_continues_like_the_fold(
        story in stories(),
        cut: prop::sample::Index,
    ) {
        let mut events = Vec::new();
        for (actor, command) in &story {
            let state: Itinerary = fold(&events);
            events.extend(decide(&state, actor, command, Timestamp::default()).unwrap_or_default());
        }

        restores::<Itinerary>(&events, cut)?;
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(command in commands()) {
        reads_back(crate::Command::Itinerary(command))?;
    }
}

/// The generator must reach what the properties speak of, or they prove nothing.
#[test]
fn the_stories_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();

    for _ in 0..300 {
        let mut state = Itinerary::default();
        for (actor, command) in stories().new_tree(&mut runner).unwrap().current() {
            for event in decide(&state, &actor, &command, Timestamp::default()).unwrap_or_default()
            {
                seen.insert(event.name());
                state = state.evolve(&event);
            }
        }
    }

    assert_eq!(seen.into_iter().collect::<Vec<_>>(), {
        let mut names = Event::NAMES.to_vec();
        names.sort_unstable();
        names
    });
}
