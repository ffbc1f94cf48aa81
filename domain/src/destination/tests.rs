//! What a destination accepts, and what each refusal is good for.

use proptest::prelude::*;
use uuid::Uuid;

use super::limits::{LATITUDE_MICRODEGREES_MAX, LONGITUDE_MICRODEGREES_MAX, TAGS_MAX};
use super::*;
use crate::calendar::Zone;
use crate::testing::{account, decide, fold, given};
use crate::{Actor, RefusalKind, State, Timestamp};
use RefusalKind::{NotFound, Rule};

fn operator() -> Actor {
    Actor::Account(account(1))
}

fn destination_id() -> DestinationId {
    DestinationId(Uuid::from_u128(9))
}

fn porto() -> Description {
    Description {
        slug: "porto".to_owned(),
        name: "Porto".to_owned(),
        country: "PT".to_owned(),
        coordinates: Coordinates {
            latitude_microdegrees: 41_149_600,
            longitude_microdegrees: -8_610_990,
        },
        zone: "Europe/Lisbon".parse().unwrap(),
        tags: vec!["wine".to_owned()],
    }
}

fn describe(description: Description) -> Command {
    Command::Describe { destination_id: destination_id(), description }
}

fn is_described(description: Description) -> Event {
    described(destination_id(), description)
}

fn is_retired() -> Event {
    DestinationRetired { destination_id: destination_id() }.into()
}

#[test]
fn a_destination_is_described_as_it_is_kept() {
    let spaced = Description { name: " Porto ".to_owned(), ..porto() };

    given::<Destination>(&[]).when(&operator(), &describe(spaced)).then(&[is_described(porto())]);
}

#[test]
fn another_description_replaces_the_first() {
    let renamed = Description { name: "Oporto".to_owned(), tags: vec![], ..porto() };

    let state = given::<Destination>(&[is_described(porto())])
        .when(&operator(), &describe(renamed.clone()))
        .then(&[is_described(renamed.clone())]);

    let place = Place { destination_id: destination_id(), description: renamed };
    assert_eq!(state, Destination::Described(Box::new(place)));
}

#[test]
fn the_same_description_appends_nothing() {
    given::<Destination>(&[is_described(porto())])
        .when(&operator(), &describe(porto()))
        .then_nothing();
}

#[test]
fn a_slug_never_changes() {
    let elsewhere = Description { slug: "lisbon".to_owned(), ..porto() };

    let refusal = given::<Destination>(&[is_described(porto()), is_retired()])
        .when(&operator(), &describe(elsewhere))
        .then_refused(Rule, "destination_slug_fixed");

    assert_eq!(refusal.facts["slug"], "porto");
}

#[test]
fn a_destination_is_retired_once_and_comes_back_when_described() {
    given::<Destination>(&[])
        .when(&operator(), &Command::Retire)
        .then_refused(NotFound, "destination_not_found");
    given::<Destination>(&[is_described(porto())])
        .when(&operator(), &Command::Retire)
        .then(&[is_retired()]);
    given::<Destination>(&[is_described(porto()), is_retired()])
        .when(&operator(), &Command::Retire)
        .then_nothing();

    let state = given::<Destination>(&[is_described(porto()), is_retired()])
        .when(&operator(), &describe(porto()))
        .then(&[is_described(porto())]);

    assert!(matches!(state, Destination::Described(_)));
}

#[test]
fn a_fold_of_a_retirement_that_came_first_is_nothing() {
    assert_eq!(fold::<Destination>(&[is_retired()]), Destination::NotDescribed);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_own_code() {
    let text = |text: &str| text.to_owned();
    let at = |latitude_microdegrees, longitude_microdegrees| Coordinates {
        latitude_microdegrees,
        longitude_microdegrees,
    };
    let nowhere: Zone = serde_json::from_value("Mars/Phobos".into()).unwrap();
    let slugs = ["", "Porto", "a--b", "-a", "a-", "a b", "ü", &"a".repeat(81)].map(str::to_owned);
    let mut cases = vec![
        (Description { country: text("pt"), ..porto() }, "destination_country_invalid"),
        (Description { country: text("PRT"), ..porto() }, "destination_country_invalid"),
        (Description { zone: nowhere, ..porto() }, "destination_zone_unknown"),
        (Description { name: text(" "), ..porto() }, "destination_text_blank"),
        (Description { name: "a".repeat(201), ..porto() }, "destination_text_too_long"),
        (Description { name: text("a\u{7}"), ..porto() }, "destination_text_unprintable"),
        (Description { tags: vec![text("")], ..porto() }, "destination_text_blank"),
        (
            Description { tags: vec![text("a"); TAGS_MAX + 1], ..porto() },
            "too_many_destination_tags",
        ),
    ];
    for point in [
        at(LATITUDE_MICRODEGREES_MAX + 1, 0),
        at(-LATITUDE_MICRODEGREES_MAX - 1, 0),
        at(0, LONGITUDE_MICRODEGREES_MAX + 1),
        at(0, i32::MIN),
    ] {
        let astray = Description { coordinates: point, ..porto() };
        cases.push((astray, "destination_coordinates_out_of_range"));
    }
    for slug in slugs {
        cases.push((Description { slug, ..porto() }, "destination_slug_invalid"));
    }

    for (description, code) in cases {
        let command = describe(description);
        assert_eq!(command.check().unwrap_err().code(), code);
        given::<Destination>(&[]).when(&operator(), &command).then_refused(Rule, code);
    }
}

fn commands() -> impl Strategy<Value = Command> {
    let slugs = prop::sample::select(vec!["porto", "lisbon", "Porto"]);
    let names = prop::sample::select(vec!["Porto", "Oporto", " "]);
    prop_oneof![
        4 => (slugs, names).prop_map(|(slug, name)| {
            describe(Description { slug: slug.to_owned(), name: name.to_owned(), ..porto() })
        }),
        1 => Just(Command::Retire),
    ]
}

proptest! {
    #[test]
    fn the_slug_is_the_first_ones_whatever_is_asked(
        story in prop::collection::vec(commands(), 0..20),
    ) {
        let mut state = Destination::default();
        let mut slug = None;

        for command in &story {
            let events = decide(&state, &operator(), command, Timestamp::default());
            for event in events.iter().flatten() {
                if let Event::Described(event) = event {
                    let first = slug.get_or_insert_with(|| event.slug.clone());
                    prop_assert_eq!(&event.slug, first);
                }
                state = state.evolve(event);
            }
            if events.is_ok() {
                let again = decide(&state, &operator(), command, Timestamp::default());
                prop_assert_eq!(again, Ok(vec![]), "{:?} is granted twice", command);
            }
            let snapshot = serde_json::to_vec(&state).unwrap();
            let restored: Destination = serde_json::from_slice(&snapshot).unwrap();
            prop_assert_eq!(&restored, &state);
            let erased = State::from_json(Destination::CATEGORY, &snapshot).unwrap();
            prop_assert_eq!(serde_json::to_vec(&erased).unwrap(), snapshot);
        }
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(command in commands()) {
        let command = crate::Command::Destination(command);

        let json = serde_json::to_vec(&command).unwrap();

        prop_assert_eq!(serde_json::from_slice::<crate::Command>(&json).unwrap(), command);
    }
}
