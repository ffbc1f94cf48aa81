//! What an itinerary accepts, and what each refusal is good for.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use super::limits::{
    ACTIVITIES_MAX, AMOUNT_MAX, BOOKINGS_MAX, COLLABORATORS_MAX, COMMENTS_MAX, PREFERENCES_MAX,
};
use super::*;
use crate::calendar::{Period, Zone};
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::testing::{account, decide, fold, given, saga};
use crate::{Actor, RefusalKind};
use RefusalKind::{AlreadyExists, Forbidden, NotFound, Rule};

const OWNER: u128 = 1;
const EDITOR: u128 = 2;
const VIEWER: u128 = 3;
const INVITED: u128 = 4;
const STRANGER: u128 = 5;

fn by(number: u128) -> Actor {
    Actor::Account(account(number))
}

fn itinerary_id() -> ItineraryId {
    ItineraryId(Uuid::from_u128(100))
}

fn activity_id(number: u128) -> ActivityId {
    ActivityId(Uuid::from_u128(200 + number))
}

fn booking_id(number: u128) -> BookingId {
    BookingId(Uuid::from_u128(300_000 + number))
}

fn comment_id(number: u128) -> CommentId {
    CommentId(Uuid::from_u128(400_000 + number))
}

fn zone() -> Zone {
    "Asia/Tokyo".parse().unwrap()
}

fn period(start: &str, end: &str) -> Period {
    Period { start: start.parse().unwrap(), end: end.parse().unwrap(), zone: zone() }
}

fn eur(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn created() -> Event {
    ItineraryCreated {
        itinerary_id: itinerary_id(),
        owner: account(OWNER),
        title: "Japan".to_owned(),
        period: period("2026-05-01", "2026-05-10"),
    }
    .into()
}

fn invited(account_id: AccountId, role: Role) -> Event {
    let (itinerary_id, invited_by) = (itinerary_id(), account(OWNER));
    ItineraryCollaboratorInvited { itinerary_id, account_id, role, invited_by }.into()
}

fn joined(account_id: AccountId, role: Role) -> Event {
    ItineraryCollaboratorJoined { itinerary_id: itinerary_id(), account_id, role }.into()
}

fn left(number: u128, ended_by: u128) -> Event {
    let (account_id, ended_by) = (account(number), account(ended_by));
    ItineraryCollaboratorLeft { itinerary_id: itinerary_id(), account_id, ended_by }.into()
}

/// Tea on 2 May, 10:00 to 11:00 in Tokyo.
fn tea() -> Activity {
    Activity {
        kind: ActivityKind::Meal,
        title: "Tea".to_owned(),
        place: "Kyoto".to_owned(),
        starts_at: "2026-05-02T01:00:00Z".parse().unwrap(),
        ends_at: "2026-05-02T02:00:00Z".parse().unwrap(),
        zone: zone(),
        details: Some("with sweets".to_owned()),
        estimated_price: Some(eur(2_500)),
    }
}

fn added(activity_id: ActivityId, activity: Activity) -> Event {
    ItineraryActivityAdded {
        itinerary_id: itinerary_id(),
        activity_id,
        kind: activity.kind,
        title: activity.title,
        place: activity.place,
        starts_at: activity.starts_at,
        ends_at: activity.ends_at,
        zone: activity.zone,
        details: activity.details,
        estimated_price: activity.estimated_price,
        added_by: account(OWNER),
    }
    .into()
}

fn attached(number: u128) -> Event {
    let booking_id = booking_id(number);
    ItineraryBookingAttached { itinerary_id: itinerary_id(), booking_id }.into()
}

fn detached(number: u128) -> Event {
    let booking_id = booking_id(number);
    ItineraryBookingDetached { itinerary_id: itinerary_id(), booking_id }.into()
}

fn commented(number: u128, author: u128, text: &str) -> Event {
    let (comment_id, author) = (comment_id(number), account(author));
    let text = sealed(author, text);
    ItineraryCommented { itinerary_id: itinerary_id(), comment_id, author, text }.into()
}

fn archived() -> Event {
    ItineraryArchived { itinerary_id: itinerary_id() }.into()
}

/// A trip with an editor, a viewer, an open invitation, tea and booking 1.
fn plan() -> Vec<Event> {
    vec![
        created(),
        invited(account(EDITOR), Role::Editor),
        joined(account(EDITOR), Role::Editor),
        invited(account(VIEWER), Role::Viewer),
        joined(account(VIEWER), Role::Viewer),
        invited(account(INVITED), Role::Editor),
        added(activity_id(1), tea()),
        attached(1),
        commented(1, VIEWER, "nice"),
    ]
}

fn plan_and(more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    plan().into_iter().chain(more).collect()
}

fn create() -> Command {
    Command::Create {
        itinerary_id: itinerary_id(),
        title: "Japan".to_owned(),
        period: period("2026-05-01", "2026-05-10"),
        metadata: None,
    }
}

fn rename(title: &str) -> Command {
    Command::Revise { title: Some(title.to_owned()), period: None, metadata: None }
}

fn change_period(period: Period) -> Command {
    Command::Revise { title: None, period: Some(period), metadata: None }
}

fn describe(metadata: Metadata) -> Command {
    Command::Revise { title: None, period: None, metadata: Some(metadata) }
}

fn add(activity: Activity) -> Command {
    Command::AddActivity { activity_id: activity_id(2), activity }
}

fn reschedule(number: u128, starts_at: &str, ends_at: &str) -> Command {
    Command::RescheduleActivity {
        activity_id: activity_id(number),
        starts_at: starts_at.parse().unwrap(),
        ends_at: ends_at.parse().unwrap(),
        zone: zone(),
    }
}

fn remove(number: u128) -> Command {
    Command::RemoveActivity { activity_id: activity_id(number) }
}

fn invite(number: u128, role: Role) -> Command {
    Command::Invite { account_id: account(number), role }
}

fn remove_collaborator(number: u128) -> Command {
    Command::RemoveCollaborator { account_id: account(number) }
}

/// The domain never opens it: any text stands for a ciphertext.
fn sealed(author: AccountId, text: &str) -> Sealed {
    Sealed { person: author.into(), ciphertext: text.to_owned() }
}

fn comment_by(author: u128, number: u128, text: &str) -> Command {
    Command::Comment { comment_id: comment_id(number), text: sealed(account(author), text) }
}

fn comment(number: u128, text: &str) -> Command {
    comment_by(OWNER, number, text)
}

fn attach(number: u128) -> Command {
    attach_for(Some(OWNER), number)
}

/// What a saga asks for the buyer.
fn attach_for(buyer: Option<u128>, number: u128) -> Command {
    let account_id = buyer.map(account);
    Command::AttachBooking { booking_id: booking_id(number), account_id }
}

fn detach(number: u128) -> Command {
    Command::DetachBooking { booking_id: booking_id(number) }
}

/// When `actor` asks `command` of the plan, then exactly these events.
fn accepted(actor: u128, command: &Command, expected: &[Event]) {
    given::<Itinerary>(&plan()).when(&by(actor), command).then(expected);
}

/// When `actor` asks `command` of the plan, then it is true already.
fn unchanged(actor: u128, command: &Command) {
    given::<Itinerary>(&plan()).when(&by(actor), command).then_nothing();
}

#[test]
fn who_creates_a_trip_owns_it() {
    given::<Itinerary>(&[]).when(&by(OWNER), &create()).then(&[created()]);
}

#[test]
fn a_trip_may_be_created_with_its_metadata() {
    let (budget, preferences) = (Some(eur(100_000)), vec!["window seat".to_owned()]);
    let metadata = Metadata { budget, travellers: Some(2), preferences: preferences.clone() };
    let Command::Create { itinerary_id, title, period, .. } = create() else { unreachable!() };
    let command = Command::Create { itinerary_id, title, period, metadata: Some(metadata) };

    let outcome = given::<Itinerary>(&[]).when(&by(OWNER), &command);

    let travellers = Some(2);
    outcome.then(&[
        created(),
        ItineraryMetadataDescribed { itinerary_id, budget, travellers, preferences }.into(),
    ]);
}

#[test]
fn empty_metadata_at_creation_says_nothing() {
    let Command::Create { itinerary_id, title, period, .. } = create() else { unreachable!() };
    let metadata = Some(Metadata::default());
    let command = Command::Create { itinerary_id, title, period, metadata };

    given::<Itinerary>(&[]).when(&by(OWNER), &command).then(&[created()]);
}

#[test]
fn a_revision_appends_one_event_for_each_real_change() {
    let itinerary_id = itinerary_id();
    let days = period("2026-05-02", "2026-05-12");
    let command = Command::Revise {
        title: Some("  Japan in spring ".to_owned()),
        period: Some(days.clone()),
        metadata: Some(Metadata { travellers: Some(3), ..Metadata::default() }),
    };

    accepted(
        EDITOR,
        &command,
        &[
            ItineraryRenamed { itinerary_id, title: "Japan in spring".to_owned() }.into(),
            ItineraryPeriodChanged { itinerary_id, period: days }.into(),
            ItineraryMetadataDescribed {
                itinerary_id,
                budget: None,
                travellers: Some(3),
                preferences: vec![],
            }
            .into(),
        ],
    );
}

#[test]
fn a_revision_that_changes_nothing_appends_nothing() {
    unchanged(
        OWNER,
        &Command::Revise {
            title: Some(" Japan ".to_owned()),
            period: Some(period("2026-05-01", "2026-05-10")),
            metadata: Some(Metadata::default()),
        },
    );
}

#[test]
fn a_revision_is_refused_as_a_whole() {
    let command = Command::Revise {
        title: Some("Another title".to_owned()),
        period: Some(period("2026-05-03", "2026-05-10")),
        metadata: None,
    };

    let outcome = given::<Itinerary>(&plan()).when(&by(OWNER), &command);

    let refusal = outcome.then_refused(Rule, "activities_outside_period");
    assert_eq!(refusal.facts["activity_ids"], json!([activity_id(1)]));
}

#[test]
fn moving_the_zone_alone_may_drop_an_activity_out_of_the_days() {
    let mut days = period("2026-05-02", "2026-05-10");
    days.zone = "America/Los_Angeles".parse().unwrap();

    let outcome = given::<Itinerary>(&plan()).when(&by(OWNER), &change_period(days));

    outcome.then_refused(Rule, "activities_outside_period");
}

#[test]
fn an_editor_adds_an_activity_in_his_own_name() {
    let command = add(Activity { details: Some("  ".to_owned()), ..tea() });
    let Event::ActivityAdded(mut expected) = added(activity_id(2), tea()) else { unreachable!() };
    expected.added_by = account(EDITOR);
    expected.details = None;

    accepted(EDITOR, &command, &[expected.into()]);
}

#[test]
fn an_activity_may_take_no_time_and_have_no_place() {
    let mut walk = Activity { place: String::new(), estimated_price: None, ..tea() };
    walk.ends_at = walk.starts_at;

    accepted(OWNER, &add(walk.clone()), &[added(activity_id(2), walk)]);
}

#[test]
fn an_activity_is_moved_and_taken_out() {
    let (itinerary_id, activity_id) = (itinerary_id(), activity_id(1));
    let (starts_at, ends_at) = ("2026-05-03T01:00:00Z", "2026-05-03T02:00:00Z");
    let moved = ItineraryActivityRescheduled {
        itinerary_id,
        activity_id,
        starts_at: starts_at.parse().unwrap(),
        ends_at: ends_at.parse().unwrap(),
        zone: zone(),
    };
    let removed = ItineraryActivityRemoved { itinerary_id, activity_id };

    accepted(EDITOR, &reschedule(1, starts_at, ends_at), &[moved.into()]);
    unchanged(EDITOR, &reschedule(1, "2026-05-02T01:00:00Z", "2026-05-02T02:00:00Z"));
    accepted(EDITOR, &remove(1), &[removed.into()]);
}

#[test]
fn an_invitation_is_made_renewed_and_replaced() {
    accepted(OWNER, &invite(STRANGER, Role::Viewer), &[invited(account(STRANGER), Role::Viewer)]);
    unchanged(OWNER, &invite(INVITED, Role::Editor));
    accepted(OWNER, &invite(INVITED, Role::Viewer), &[invited(account(INVITED), Role::Viewer)]);
    unchanged(OWNER, &invite(VIEWER, Role::Viewer));
}

#[test]
fn the_invited_account_joins_in_the_role_offered_last() {
    let history = plan_and([invited(account(INVITED), Role::Viewer)]);

    let outcome = given::<Itinerary>(&history).when(&by(INVITED), &Command::Join);

    outcome.then(&[joined(account(INVITED), Role::Viewer)]);
    unchanged(VIEWER, &Command::Join);
}

#[test]
fn collaborators_and_invited_accounts_leave_or_are_removed() {
    accepted(EDITOR, &Command::Leave, &[left(EDITOR, EDITOR)]);
    accepted(INVITED, &Command::Leave, &[left(INVITED, INVITED)]);
    accepted(OWNER, &remove_collaborator(VIEWER), &[left(VIEWER, OWNER)]);
    accepted(OWNER, &remove_collaborator(INVITED), &[left(INVITED, OWNER)]);
}

#[test]
fn who_has_left_changes_nothing_any_more() {
    let history = plan_and([left(EDITOR, EDITOR)]);

    let outcome = given::<Itinerary>(&history).when(&by(EDITOR), &rename("Mine"));

    outcome.then_refused(Forbidden, "itinerary_editor_required");
}

#[test]
fn viewers_comment() {
    accepted(VIEWER, &comment_by(VIEWER, 2, "c3VzaGk_"), &[commented(2, VIEWER, "c3VzaGk_")]);
}

#[test]
fn a_comments_text_is_judged_before_it_is_sealed() {
    let long = |characters: usize| "ü".repeat(characters);
    let code = |text: &str| comment_text(text).unwrap_err().code();

    assert_eq!(comment_text(" Sushi?\nSure.\t").unwrap(), "Sushi?\nSure.");
    assert_eq!(comment_text(&long(4_000)).unwrap(), long(4_000));
    assert_eq!(code(" \t"), "itinerary_text_blank");
    assert_eq!(code(&long(4_001)), "itinerary_text_too_long");
    assert_eq!(code("nul \0 here"), "itinerary_text_unprintable");
}

#[test]
fn the_link_is_switched_on_and_off() {
    let itinerary_id = itinerary_id();
    let (shared, unshared): (Event, Event) =
        (ItineraryShared { itinerary_id }.into(), ItineraryUnshared { itinerary_id }.into());
    let history = plan_and([shared.clone()]);

    accepted(OWNER, &Command::Share, &[shared]);
    unchanged(OWNER, &Command::Unshare);
    given::<Itinerary>(&history).when(&by(OWNER), &Command::Share).then_nothing();
    given::<Itinerary>(&history).when(&by(OWNER), &Command::Unshare).then(&[unshared]);
}

#[test]
fn an_archived_trip_keeps_what_it_was_and_only_lets_bookings_go() {
    let trip = fold::<Itinerary>(&plan());
    let Itinerary::Active(before) = trip else { panic!("an active trip") };

    let after = given::<Itinerary>(&plan()).when(&by(OWNER), &Command::Archive).then(&[archived()]);

    assert_eq!(after, Itinerary::Archived(before));
    given::<Itinerary>(&plan_and([archived()])).when(&saga(), &detach(1)).then(&[detached(1)]);
}

#[test]
fn a_booking_is_attached_once() {
    given::<Itinerary>(&plan()).when(&saga(), &attach(2)).then(&[attached(2)]);
    given::<Itinerary>(&plan()).when(&saga(), &attach(1)).then_nothing();
}

#[test]
fn what_an_editor_bought_is_attached() {
    let attach = attach_for(Some(EDITOR), 2);

    given::<Itinerary>(&plan()).when(&saga(), &attach).then(&[attached(2)]);
}

#[test]
fn what_a_former_editor_bought_is_not_attached_and_still_detached() {
    let (itinerary_id, account_id) = (itinerary_id(), account(EDITOR));
    let left = ItineraryCollaboratorLeft { itinerary_id, account_id, ended_by: account(OWNER) };
    let history = plan_and([left.into()]);

    given::<Itinerary>(&history)
        .when(&saga(), &attach_for(Some(EDITOR), 2))
        .then_refused(Forbidden, "itinerary_editor_required");
    given::<Itinerary>(&history).when(&saga(), &detach(2)).then(&[detached(2)]);
}

#[test]
fn an_attachment_of_before_the_buyer_was_named_is_read_and_refused() {
    let stored = json!({ "name": "attach-booking", "booking_id": booking_id(2) });

    let command: Command = serde_json::from_value(stored).unwrap();

    assert_eq!(command, attach_for(None, 2));
    given::<Itinerary>(&plan())
        .when(&saga(), &command)
        .then_refused(Forbidden, "itinerary_editor_required");
}

#[test]
fn a_detachment_that_comes_first_closes_the_door() {
    let trip = given::<Itinerary>(&plan()).when(&saga(), &detach(9)).then(&[detached(9)]);
    assert_ne!(trip, fold(&plan()));

    let history = plan_and([detached(9)]);

    given::<Itinerary>(&history).when(&saga(), &detach(9)).then_nothing();
    given::<Itinerary>(&history)
        .when(&saga(), &attach(9))
        .then_refused(Rule, "itinerary_booking_detached");
}

#[test]
fn a_trip_full_of_bookings_still_lets_go_of_each() {
    let full: Vec<Event> =
        [created()].into_iter().chain((0..BOOKINGS_MAX as u128).map(attached)).collect();

    given::<Itinerary>(&full).when(&saga(), &detach(0)).then(&[detached(0)]);
    given::<Itinerary>(&full).when(&saga(), &detach(999_999)).then_nothing();
}

/// One refusal: who is refused what, after what, and how.
struct Refused(Vec<Event>, Actor, Command, RefusalKind, &'static str);

fn for_lack_of_standing() -> Vec<Refused> {
    let mut cases = Vec::new();
    for command in [rename("X"), add(tea()), remove(1), reschedule(1, DAY_1, DAY_1)] {
        for actor in [VIEWER, INVITED, STRANGER] {
            let code = "itinerary_editor_required";
            cases.push(Refused(plan(), by(actor), command.clone(), Forbidden, code));
        }
    }
    for buyer in [Some(VIEWER), Some(INVITED), Some(STRANGER), None] {
        // One that is attached is no exception.
        for command in [attach_for(buyer, 1), attach_for(buyer, 2)] {
            let code = "itinerary_editor_required";
            cases.push(Refused(plan(), saga(), command, Forbidden, code));
        }
    }
    let for_the_owner = [
        invite(STRANGER, Role::Viewer),
        remove_collaborator(VIEWER),
        Command::Share,
        Command::Unshare,
        Command::Archive,
    ];
    for command in for_the_owner {
        for actor in [EDITOR, VIEWER, INVITED, STRANGER] {
            let code = "itinerary_owner_required";
            cases.push(Refused(plan(), by(actor), command.clone(), Forbidden, code));
        }
    }
    for actor in [OWNER, STRANGER] {
        let code = "itinerary_invitation_required";
        cases.push(Refused(plan(), by(actor), Command::Join, Forbidden, code));
        for command in [attach(1), detach(1)] {
            let code = "itinerary_saga_required";
            cases.push(Refused(plan(), by(actor), command, Forbidden, code));
        }
    }
    let code = "itinerary_collaborator_required";
    for actor in [INVITED, STRANGER] {
        cases.push(Refused(plan(), by(actor), comment(2, "hi"), Forbidden, code));
    }
    cases.push(Refused(plan(), by(STRANGER), Command::Leave, Forbidden, code));
    for command in [create(), rename("X"), Command::Share, Command::Join, comment(2, "hi")] {
        let code = "itinerary_account_required";
        cases.push(Refused(plan(), saga(), command.clone(), Forbidden, code));
        cases.push(Refused(vec![], saga(), command, Forbidden, code));
    }
    cases
}

const DAY_1: &str = "2026-05-01T03:00:00Z";

fn for_the_state_it_is_in() -> Vec<Refused> {
    let mut cases = vec![
        Refused(plan(), by(OWNER), create(), AlreadyExists, "itinerary_already_exists"),
        Refused(
            plan_and([archived()]),
            by(STRANGER),
            create(),
            AlreadyExists,
            "itinerary_already_exists",
        ),
        Refused(
            plan(),
            by(OWNER),
            Command::AddActivity { activity_id: activity_id(1), activity: tea() },
            AlreadyExists,
            "activity_already_exists",
        ),
        Refused(plan(), by(OWNER), comment(1, "x"), AlreadyExists, "comment_already_exists"),
        Refused(
            plan(),
            by(OWNER),
            invite(EDITOR, Role::Viewer),
            AlreadyExists,
            "already_itinerary_collaborator",
        ),
        Refused(plan(), by(OWNER), remove(7), NotFound, "activity_not_found"),
        Refused(plan(), by(OWNER), reschedule(7, DAY_1, DAY_1), NotFound, "activity_not_found"),
        Refused(
            plan(),
            by(OWNER),
            remove_collaborator(STRANGER),
            NotFound,
            "collaborator_not_found",
        ),
        Refused(plan(), by(OWNER), invite(OWNER, Role::Editor), Rule, "itinerary_owner_invited"),
        Refused(plan(), by(OWNER), Command::Leave, Rule, "itinerary_owner_leaving"),
        Refused(plan_and([detached(1)]), saga(), attach(1), Rule, "itinerary_booking_detached"),
        Refused(
            plan(),
            by(OWNER),
            change_period(period("2026-05-03", "2026-05-10")),
            Rule,
            "activities_outside_period",
        ),
    ];
    for command in every_command_of_an_account() {
        let code = "itinerary_not_found";
        cases.push(Refused(vec![], by(OWNER), command.clone(), NotFound, code));
        let code = "itinerary_archived";
        cases.push(Refused(plan_and([archived()]), by(OWNER), command, Rule, code));
    }
    cases.push(Refused(vec![], saga(), attach(1), NotFound, "itinerary_not_found"));
    cases.push(Refused(vec![], saga(), detach(1), NotFound, "itinerary_not_found"));
    cases.push(Refused(plan_and([archived()]), saga(), attach(2), Rule, "itinerary_archived"));
    cases
}

/// All but Create.
fn every_command_of_an_account() -> Vec<Command> {
    vec![
        rename("X"),
        add(tea()),
        reschedule(1, DAY_1, DAY_1),
        remove(1),
        invite(STRANGER, Role::Viewer),
        Command::Join,
        Command::Leave,
        remove_collaborator(VIEWER),
        comment(2, "hi"),
        Command::Share,
        Command::Unshare,
        Command::Archive,
    ]
}

fn for_its_values() -> Vec<Refused> {
    let describing = |preferences: Vec<String>, budget, travellers| {
        describe(Metadata { preferences, budget, travellers })
    };
    let long = |characters: usize| "ü".repeat(characters);
    let nowhere: Zone = serde_json::from_str("\"Mars/Olympus\"").unwrap();
    let on_mars = Period { zone: nowhere.clone(), ..period("2026-05-01", "2026-05-10") };
    let at = |starts_at: &str, ends_at: &str| {
        let (starts_at, ends_at) = (starts_at.parse().unwrap(), ends_at.parse().unwrap());
        add(Activity { starts_at, ends_at, ..tea() })
    };
    let values = [
        (rename(" \n "), "itinerary_text_blank"),
        (add(Activity { title: " ".to_owned(), ..tea() }), "itinerary_text_blank"),
        (describing(vec![String::new()], None, None), "itinerary_text_blank"),
        (rename(&long(201)), "itinerary_text_too_long"),
        (add(Activity { title: long(201), ..tea() }), "itinerary_text_too_long"),
        (add(Activity { place: long(201), ..tea() }), "itinerary_text_too_long"),
        (add(Activity { details: Some(long(4_001)), ..tea() }), "itinerary_text_too_long"),
        (describing(vec![long(101)], None, None), "itinerary_text_too_long"),
        (rename("two\nlines"), "itinerary_text_unprintable"),
        (add(Activity { place: "a\tb".to_owned(), ..tea() }), "itinerary_text_unprintable"),
        (comment(2, ""), "itinerary_text_unsealed"),
        (comment(2, "plain words"), "itinerary_text_unsealed"),
        (comment_by(VIEWER, 2, "c3VzaGk_"), "comment_sealed_for_another"),
        (
            add(Activity { details: Some("\u{1b}[2J".into()), ..tea() }),
            "itinerary_text_unprintable",
        ),
        (describing(vec!["x".to_owned(); PREFERENCES_MAX + 1], None, None), "too_many_preferences"),
        (describing(vec![], Some(eur(-1)), None), "itinerary_amount_out_of_range"),
        (describing(vec![], Some(eur(AMOUNT_MAX + 1)), None), "itinerary_amount_out_of_range"),
        (
            add(Activity { estimated_price: Some(eur(-1)), ..tea() }),
            "itinerary_amount_out_of_range",
        ),
        (describing(vec![], None, Some(0)), "itinerary_travellers_out_of_range"),
        (describing(vec![], None, Some(501)), "itinerary_travellers_out_of_range"),
        (change_period(period("2026-05-10", "2026-05-09")), "itinerary_period_reversed"),
        (change_period(period("2026-05-01", "2027-05-02")), "itinerary_period_too_long"),
        (change_period(period("1899-12-31", "1900-01-02")), "itinerary_period_outside_calendar"),
        (change_period(period("2199-12-31", "2200-01-01")), "itinerary_period_outside_calendar"),
        (change_period(on_mars), "itinerary_zone_unknown"),
        (add(Activity { zone: nowhere, ..tea() }), "itinerary_zone_unknown"),
        (at("2026-05-02T02:00:00Z", "2026-05-02T01:59:59.999999Z"), "activity_reversed"),
        (reschedule(1, "2026-05-02T02:00:00Z", "2026-05-02T01:00:00Z"), "activity_reversed"),
        (at("2026-04-30T14:59:59Z", "2026-05-01T02:00:00Z"), "activity_outside_period"),
        (at("2026-05-10T14:00:00Z", "2026-05-10T15:00:00Z"), "activity_outside_period"),
        (reschedule(1, "2027-01-01T00:00:00Z", "2027-01-01T01:00:00Z"), "activity_outside_period"),
    ];
    let refused = |(command, code)| Refused(plan(), by(OWNER), command, Rule, code);
    values.into_iter().map(refused).collect()
}

fn for_want_of_room() -> Vec<Refused> {
    let activities = (0..ACTIVITIES_MAX as u128).map(|n| added(activity_id(10 + n), tea()));
    let comments = (0..COMMENTS_MAX as u128).map(|n| commented(n, OWNER, "hi"));
    // Invitations, collaborators, and detached bookings count too.
    let half = COLLABORATORS_MAX as u128 / 2;
    let accounts = (1_000..1_000 + half)
        .flat_map(|n| [invited(account(n), Role::Viewer), joined(account(n), Role::Viewer)])
        .chain((2_000..2_000 + half).map(|n| invited(account(n), Role::Viewer)));
    let bookings = (0..BOOKINGS_MAX as u128 - 1).map(detached).chain([attached(999_999)]);
    let full = |events: Vec<Event>| [created()].into_iter().chain(events).collect::<Vec<_>>();
    vec![
        Refused(full(activities.collect()), by(OWNER), add(tea()), Rule, "too_many_activities"),
        Refused(
            full(comments.collect()),
            by(OWNER),
            comment(9_999, "hi"),
            Rule,
            "too_many_comments",
        ),
        Refused(
            full(accounts.collect()),
            by(OWNER),
            invite(STRANGER, Role::Viewer),
            Rule,
            "too_many_collaborators",
        ),
        Refused(
            full(bookings.collect()),
            saga(),
            attach(5_000),
            Rule,
            "too_many_itinerary_bookings",
        ),
    ]
}

fn assert_refused(cases: Vec<Refused>) {
    for Refused(history, actor, command, kind, code) in cases {
        given::<Itinerary>(&history).when(&actor, &command).then_refused(kind, code);
    }
}

#[test]
fn who_has_no_standing_is_refused() {
    assert_refused(for_lack_of_standing());
}

#[test]
fn what_the_state_forbids_is_refused() {
    assert_refused(for_the_state_it_is_in());
}

#[test]
fn values_that_make_no_sense_are_refused() {
    assert_refused(for_its_values());
}

#[test]
fn what_would_outgrow_the_trip_is_refused() {
    assert_refused(for_want_of_room());
}

#[test]
fn every_refusal_is_provoked_by_one_of_these_tests() {
    let provoked = for_lack_of_standing()
        .into_iter()
        .chain(for_the_state_it_is_in())
        .chain(for_its_values())
        .chain(for_want_of_room())
        .map(|Refused(.., code)| code);

    let declared: BTreeSet<_> = Refusal::CODES.iter().copied().collect();

    assert_eq!(provoked.collect::<BTreeSet<_>>(), declared);
}

#[test]
fn values_at_their_limits_are_accepted() {
    let full_year = period("2028-01-01", "2028-12-31");
    let metadata = Metadata {
        budget: Some(eur(AMOUNT_MAX)),
        travellers: Some(500),
        preferences: vec!["ü".repeat(100); PREFERENCES_MAX],
    };
    let command = Command::Revise {
        title: Some("ü".repeat(200)),
        period: Some(full_year),
        metadata: Some(metadata),
    };

    let trip = fold::<Itinerary>(&[created()]);
    let events = decide(&trip, &by(OWNER), &command, crate::Timestamp::default()).unwrap();

    assert_eq!(events.len(), 3);
}

#[test]
fn a_refusal_carries_its_facts_under_the_names_of_its_fields() {
    let starts_at = "2026-05-10T14:00:00Z".parse().unwrap();
    let ends_at = "2026-05-10T15:00:00Z".parse().unwrap();
    let command = add(Activity { starts_at, ends_at, ..tea() });

    let outcome = given::<Itinerary>(&plan()).when(&by(OWNER), &command);

    let refusal = outcome.then_refused(Rule, "activity_outside_period");
    assert_eq!(
        serde_json::to_value(refusal).unwrap(),
        json!({
            "code": "activity_outside_period",
            "kind": "rule",
            "message": concat!(
                "the activity lies outside the days 2026-05-01 to 2026-05-10, ",
                "as counted in Asia/Tokyo",
            ),
            "facts": { "start": "2026-05-01", "end": "2026-05-10", "zone": "Asia/Tokyo" },
        })
    );
}

/// Another shape needs another `FOLD_VERSION`: snapshots of the old one are out there.
#[test]
fn the_state_reads_like_the_api() {
    let state = fold::<Itinerary>(&plan_and([detached(2)]));
    let id = |number: u128| Uuid::from_u128(number).to_string();

    let expected = json!({
        "status": "active",
        "itinerary_id": id(100),
        "owner": id(OWNER),
        "title": "Japan",
        "period": { "start": "2026-05-01", "end": "2026-05-10", "zone": "Asia/Tokyo" },
        "metadata": { "preferences": [] },
        "shared": false,
        "activities": { id(201): {
            "kind": "meal",
            "title": "Tea",
            "place": "Kyoto",
            "starts_at": "2026-05-02T01:00:00.000000Z",
            "ends_at": "2026-05-02T02:00:00.000000Z",
            "zone": "Asia/Tokyo",
            "estimated_price": { "amount": 2500, "currency": "EUR" },
            "added_by": id(OWNER),
        } },
        "collaborators": { id(EDITOR): "editor", id(VIEWER): "viewer" },
        "invitations": { id(INVITED): "editor" },
        "comments": [id(400_001)],
        "bookings": [id(300_001)],
        "detached_bookings": [id(300_002)],
    });
    assert_eq!(serde_json::to_value(state).unwrap(), expected);
    assert_eq!(
        serde_json::to_value(Itinerary::default()).unwrap(),
        json!({ "status": "not_created" })
    );
}

#[test]
fn an_event_before_the_creation_folds_to_nothing() {
    assert_eq!(fold::<Itinerary>(&[archived(), attached(1)]), Itinerary::NotCreated);
}

#[test]
fn commands_travel_under_their_names() {
    let mut commands = every_command_of_an_account();
    commands.extend([create(), attach(1), detach(1)]);

    for command in commands {
        let json = serde_json::to_value(&command).unwrap();

        assert_eq!(json["name"], command.name());
        assert_eq!(serde_json::from_value::<Command>(json).unwrap(), command);
    }
}
