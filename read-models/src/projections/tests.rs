//! Given events, then rows.

use domain::RecordedEvent;
use domain::ids::{AccountId, ActivityId, BookingId, ItineraryId};
use domain::itinerary as trip;
use uuid::Uuid;

use super::{
    ActivityFeed, ActivityRow, Audit, AuditRow, CommentRow, FeedRow, Itineraries, ItineraryRow,
    MemberRow,
};
use crate::testing::harness::rows_after;
use crate::testing::samples::{
    START, SampleLog, activity_added, commented, created, invited, joined, period, sealed,
};

const ID: Uuid = Uuid::from_u128(1);
const OWNER: Uuid = Uuid::from_u128(0xA1);
const FRIEND: Uuid = Uuid::from_u128(0xA2);
const THING: Uuid = Uuid::from_u128(0xB1);
const ITINERARY: ItineraryId = ItineraryId(ID);

/// A trip that was created, and then these events by its owner.
fn given(events: impl IntoIterator<Item = domain::Event>) -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    log.append(0, ID, OWNER, created(ID, OWNER, "Lisbon"));
    events.into_iter().for_each(|event| log.append(0, ID, OWNER, event));
    log.into_events()
}

fn trip_after(events: impl IntoIterator<Item = domain::Event>) -> ItineraryRow {
    let mut rows: Vec<ItineraryRow> = rows_after(&Itineraries, &given(events));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn add(thing: Uuid, title: &str) -> domain::Event {
    activity_added(ID, thing, OWNER, title, "Alfama").into()
}

#[test]
fn a_created_trip_is_active_and_its_owners() {
    let row = trip_after([]);

    assert_eq!((row.title.as_str(), row.status.as_str(), row.shared), ("Lisbon", "active", false));
    assert_eq!((row.owner_id, row.version), (AccountId(OWNER), 1));
    assert_eq!(row.created_at, START.plus_seconds(1));
    let members: Vec<MemberRow> = rows_after(&Itineraries, &given([]));
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].role.as_str(), members[0].state.as_str()), ("owner", "joined"));
}

#[test]
fn what_is_revised_replaces_what_was() {
    let row = trip_after([
        trip::ItineraryRenamed { itinerary_id: ITINERARY, title: "Porto".to_owned() }.into(),
        trip::ItineraryPeriodChanged {
            itinerary_id: ITINERARY,
            period: period("2026-06-01", "2026-06-03"),
        }
        .into(),
        trip::ItineraryMetadataDescribed {
            itinerary_id: ITINERARY,
            budget: Some(domain::money::Money { amount: 90_000, currency: "EUR".parse().unwrap() }),
            travellers: Some(3),
            preferences: vec!["vegetarian".to_owned()],
        }
        .into(),
    ]);

    assert_eq!((row.title.as_str(), row.search_words.as_str()), ("Porto", "porto"));
    assert_eq!(row.start_date, "2026-06-01".parse().unwrap());
    assert_eq!((row.budget_amount, row.budget_currency.as_deref()), (Some(90_000), Some("EUR")));
    assert_eq!((row.travellers, row.preferences.0), (Some(3), vec!["vegetarian".to_owned()]));
    assert_eq!((row.version, row.updated_at), (4, START.plus_seconds(4)));
}

#[test]
fn sharing_and_archiving_show_in_the_row() {
    let shared = trip::ItineraryShared { itinerary_id: ITINERARY };
    let unshared = trip::ItineraryUnshared { itinerary_id: ITINERARY };
    let archived = trip::ItineraryArchived { itinerary_id: ITINERARY };

    assert!(trip_after([shared.clone().into()]).shared);
    let row = trip_after([shared.into(), unshared.into(), archived.into()]);
    assert_eq!((row.shared, row.status.as_str()), (false, "archived"));
}

#[test]
fn a_booking_is_listed_while_it_is_attached() {
    let (first, second) = (BookingId(THING), BookingId(FRIEND));
    let attach =
        |booking_id| trip::ItineraryBookingAttached { itinerary_id: ITINERARY, booking_id }.into();
    let detach = trip::ItineraryBookingDetached { itinerary_id: ITINERARY, booking_id: first };

    let row = trip_after([attach(first), attach(second), detach.into()]);

    assert_eq!(row.booking_ids.0, [second]);
}

#[test]
fn activities_come_move_and_go_with_their_words() {
    let moved = trip::ItineraryActivityRescheduled {
        itinerary_id: ITINERARY,
        activity_id: ActivityId(THING),
        starts_at: START.plus_seconds(7),
        ends_at: START.plus_seconds(9),
        zone: "Asia/Tokyo".parse().unwrap(),
    };
    let removed =
        trip::ItineraryActivityRemoved { itinerary_id: ITINERARY, activity_id: ActivityId(FRIEND) };
    let events = [add(THING, "Fado"), add(FRIEND, "Tram"), moved.into(), removed.into()];

    let rows: Vec<ActivityRow> = rows_after(&Itineraries, &given(events.clone()));

    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].title.as_str(), rows[0].starts_at), ("Fado", START.plus_seconds(7)));
    assert_eq!((rows[0].kind.as_str(), rows[0].zone.as_str()), ("tour", "Asia/Tokyo"));
    assert_eq!(trip_after(events).search_words, "alfama fado lisbon");
}

#[test]
fn a_collaborator_is_invited_joins_and_leaves() {
    let left = trip::ItineraryCollaboratorLeft {
        itinerary_id: ITINERARY,
        account_id: AccountId(FRIEND),
        ended_by: AccountId(OWNER),
    };
    let steps: [domain::Event; 3] =
        [invited(ID, FRIEND, OWNER).into(), joined(ID, FRIEND).into(), left.into()];
    let state = |steps: &[domain::Event]| {
        let members: Vec<MemberRow> = rows_after(&Itineraries, &given(steps.to_vec()));
        let friend = members.into_iter().find(|member| member.account_id == AccountId(FRIEND));
        friend.map(|member| (member.role, member.state, member.itinerary_created_at))
    };
    let as_editor =
        |state: &str| Some(("editor".to_owned(), state.to_owned(), START.plus_seconds(1)));

    assert_eq!(state(&steps[..1]), as_editor("invited"));
    assert_eq!(state(&steps[..2]), as_editor("joined"));
    assert_eq!(state(&steps), None);
}

#[test]
fn a_comment_is_kept_with_its_author() {
    let events = given([commented(ID, THING, FRIEND, "b2zh").into()]);

    let comments: Vec<CommentRow> = rows_after(&Itineraries, &events);

    assert_eq!(comments.len(), 1);
    assert_eq!((comments[0].version, comments[0].author_id), (2, AccountId(FRIEND)));
    assert_eq!(comments[0].text.0, sealed(FRIEND, "b2zh"));
}

#[test]
fn a_stream_without_its_beginning_gives_no_trip() {
    let mut events = given([invited(ID, FRIEND, OWNER).into(), add(THING, "Fado")]);
    events.remove(0);

    assert_eq!(rows_after::<ItineraryRow>(&Itineraries, &events), []);
    assert_eq!(rows_after::<MemberRow>(&Itineraries, &events), []);
}

#[test]
fn the_feed_has_a_line_for_every_event() {
    let events = given([commented(ID, THING, OWNER, "b2zh").into()]);

    let lines: Vec<FeedRow> = rows_after(&ActivityFeed, &events);

    let kinds: Vec<_> = lines.iter().map(|line| line.event_type.as_str()).collect();
    assert_eq!(kinds, ["itinerary-created", "itinerary-commented"]);
    assert_eq!((lines[0].subject_id, lines[1].subject_id), (None, Some(THING)));
    assert_eq!(lines[1].account_id, Some(AccountId(OWNER)));
    assert_eq!(lines[1].details.0["text"]["ciphertext"], "b2zh");
    assert_eq!(lines[1].details.0.get("itinerary_id"), None);
}

#[test]
fn the_audit_keeps_what_travels_with_an_event() {
    let events = given([]);
    let (event, envelope) = (&events[0], &events[0].envelope);

    let rows: Vec<AuditRow> = rows_after(&Audit, &events);

    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.position(), row.version), (event.position, envelope.version));
    assert_eq!(
        (row.sequence, row.epoch, row.hash),
        (envelope.sequence, envelope.epoch, envelope.hash)
    );
    assert_eq!(row.stream_name().unwrap(), envelope.stream);
    assert_eq!(
        (row.command_id, row.correlation_id),
        (envelope.command_id, envelope.correlation_id)
    );
    assert_eq!((row.causation_id, row.event_id), (envelope.causation_id, envelope.event_id));
    assert_eq!(row.actor, format!("account:{OWNER}"));
    assert_eq!(row.recorded_at, envelope.recorded_at);
    assert_eq!(row.payload.0["period"]["zone"], "Europe/Lisbon");
}
