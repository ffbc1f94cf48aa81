//! What is answered about destinations, rankings, what is left of offers, and messages.

use domain::calendar::Date;
use domain::destination::{DestinationDescribed, DestinationRetired};
use domain::ids::{BookingId, DestinationId, NotificationId, OfferId};
use domain::notification::NotificationSent;
use domain::{PositionVector, RecordedEvent, Tenant, derive, offer};
use uuid::Uuid;

use super::{OWNER, STRANGER, other_tenant, page, viewer};
use crate::projections::{Availability, Offers, Period};
use crate::queries::{
    DestinationFilter, Measure, NotificationFilter, QueryError, ReadQueries, Viewer,
};
use crate::testing::loader::{Loader, load};
use crate::testing::payment_samples::notification_requested;
use crate::testing::sales::{any_sale, listed, requested};
use crate::testing::samples::{START, SampleLog};
use crate::testing::worlds::StoreWorld;

fn booking(n: u32) -> Uuid {
    Uuid::from_u128(0xB000 + u128::from(n))
}

fn offer(n: u32) -> Uuid {
    Uuid::from_u128(0xF000 + u128::from(n))
}

fn destination(tenant: &Tenant, slug: &str) -> DestinationId {
    derive::destination(tenant, slug)
}

fn description(
    tenant: &Tenant,
    (slug, name, country, tags): (&str, &str, &str, &[&str]),
) -> DestinationDescribed {
    DestinationDescribed {
        destination_id: destination(tenant, slug),
        slug: slug.to_owned(),
        name: name.to_owned(),
        country: country.to_owned(),
        coordinates: domain::destination::Coordinates {
            latitude_microdegrees: -1,
            longitude_microdegrees: 179_999_999,
        },
        zone: "Europe/Lisbon".parse().unwrap(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

/// Lisbon (whose slug is `lisboa`), Porto and São Tomé; Oslo is retired, and Faro of another
/// tenant. Two offers from Lisbon to Porto, one of them closed, three places of the other sold;
/// bookings 1 and 2 of both places, 2 cancelled, and 3 of Porto a week before them.
fn history() -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    let (tenant, other) = (Tenant::default(), other_tenant());
    // Before anything describes what they name.
    for n in 1..=2 {
        log.append(n % 3, offer(n), OWNER, listed(offer(n), "Voo"));
    }
    let (offer_id, hold_id) = (OfferId(offer(1)), domain::ids::HoldId(offer(9)));
    let (line, claim) = (None, offer::Claim::Quantity(3));
    log.append(1, offer(1), OWNER, offer::OfferAllocated { offer_id, hold_id, line, claim });
    log.append(2, offer(2), OWNER, offer::OfferClosed { offer_id: OfferId(offer(2)) });
    for n in 1..=3 {
        let mut confirmed = confirmed(booking(n));
        if n == 3 {
            confirmed.confirmed_at = START.plus_seconds(-7 * 86_400);
            confirmed.lines[0].places = vec!["Porto".to_owned(), "Atlantis".to_owned()];
            confirmed.lines[0].quantity = 9;
        }
        log.append(n % 3, booking(n), OWNER, confirmed);
    }
    let cancelled = domain::booking::BookingCancelled { booking_id: BookingId(booking(2)) };
    log.append(2, booking(2), OWNER, cancelled);
    for said in [
        ("lisboa", "Lisbon", "PT", &["beach", "Fado Vadio"][..]),
        ("porto", "Porto", "PT", &["wine"]),
        ("sao-tome", "São Tomé", "ST", &["beach"]),
        ("oslo", "Oslo", "NO", &["wine"]),
    ] {
        let id = destination(&tenant, said.0).0;
        log.append(0, id, OWNER, description(&tenant, said));
    }
    let destination_id = destination(&tenant, "oslo");
    log.append(0, destination_id.0, OWNER, DestinationRetired { destination_id });
    let faro = description(&other, ("faro", "Faro", "PT", &["beach"]));
    log.append_for(&other, 1, faro.destination_id.0, OWNER, faro);
    log.into_events()
}

fn confirmed(id: Uuid) -> domain::booking::BookingConfirmed {
    let event = any_sale(13, 0, id);
    let domain::Event::Booking(domain::booking::Event::Confirmed(confirmed)) = event else {
        panic!("a confirmation")
    };
    confirmed
}

async fn scene(
    world: &impl StoreWorld,
    events: &[RecordedEvent],
) -> (ReadQueries, PositionVector, Tenant) {
    let store = world.open();
    store.prepare().await.unwrap();
    load(&*store, &world.projections(), events, 4).await.unwrap();
    let end = events.iter().map(|event| event.position).collect();
    (world.queries(), end, Tenant::default())
}

/// By country, tag and words, in the order of slugs, page by page, without those that are retired.
pub async fn destinations_are_found_by_country_tag_and_words(world: &impl StoreWorld) {
    let (queries, end, tenant) = scene(world, &history()).await;
    let found = async |filter: DestinationFilter, limit, cursor| {
        let answer = queries.destinations(&tenant, &filter, &page(limit, cursor)).await.unwrap();
        assert_eq!(answer.at.vector, end);
        let slugs = answer.value.items.into_iter().map(|listed| listed.destination.slug);
        (slugs.collect::<Vec<_>>(), answer.value.next_cursor)
    };
    let all = DestinationFilter::default;
    let tag = |text: &str| DestinationFilter { tag: Some(text.to_owned()), ..all() };
    let country = |text: &str| DestinationFilter { country: Some(text.to_owned()), ..all() };
    let words = |text: &str| DestinationFilter { query: Some(text.to_owned()), ..all() };

    let (first, cursor) = found(all(), 2, None).await;
    let (second, last) = found(all(), 2, cursor.clone()).await;

    assert_eq!((first, second), (vec!["lisboa".into(), "porto".into()], vec!["sao-tome".into()]));
    assert_eq!(last, None);
    for (filter, expected) in [
        (tag("BEACH"), vec!["lisboa", "sao-tome"]),
        (tag("fado vadio"), vec!["lisboa"]),
        (tag("fado"), vec![]),
        (tag("%"), vec![]),
        (country("pt"), vec!["lisboa", "porto"]),
        (words("sao t"), vec!["sao-tome"]),
        (words("lisb"), vec!["lisboa"]),
        (words("oslo"), vec![]),
        (words("!"), vec![]),
        (DestinationFilter { country: Some("ST".to_owned()), ..tag("beach") }, vec!["sao-tome"]),
    ] {
        assert_eq!(found(filter.clone(), 9, None).await.0, expected, "{filter:?}");
    }
    let foreign = queries.offers(&tenant, &Default::default(), &page(2, cursor)).await;
    assert!(matches!(foreign, Err(QueryError::InvalidCursor(_))));
}

/// What is offered and booked is counted by slug and by name, whatever came first.
pub async fn a_destination_knows_what_is_offered_and_booked_there(world: &impl StoreWorld) {
    let (queries, end, tenant) = scene(world, &history()).await;
    let one =
        async |slug: &str| queries.destination(&tenant, destination(&tenant, slug)).await.unwrap();

    let lisbon = one("lisboa").await;

    assert_eq!(lisbon.at.vector, end);
    let lisbon = lisbon.value.unwrap();
    assert_eq!((lisbon.counts.offers_listed, lisbon.counts.offers_open), (2, 1));
    assert_eq!(lisbon.counts.places_sold, 3);
    assert_eq!((lisbon.counts.bookings_confirmed, lisbon.counts.bookings_cancelled), (2, 1));
    assert_eq!(lisbon.destination.longitude_microdegrees, 179_999_999);
    assert_eq!(one("porto").await.value.unwrap().counts.bookings_confirmed, 3);
    assert_eq!(one("sao-tome").await.value.unwrap().counts, Default::default());
    assert_eq!(one("oslo").await.value.unwrap().destination.status, "retired");
    let faro = queries.destination(&tenant, destination(&other_tenant(), "faro")).await.unwrap();
    assert!(faro.value.is_none() && one("nowhere").await.value.is_none());
}

/// The catalogue's destinations of a period, most booked first; undescribed places are left out.
pub async fn destinations_are_ranked_by_what_was_booked(world: &impl StoreWorld) {
    let (queries, end, tenant) = scene(world, &history()).await;
    let ranked = async |period, by| {
        let (nothing, day) = (PositionVector::empty(), Date::in_utc(START));
        let answer = queries.popular_destinations(&tenant, (period, day), by, 2, &nothing).await;
        let answer = answer.unwrap();
        assert_eq!(answer.at.vector, end);
        let of = |one: crate::queries::PopularDestination| {
            (one.destination.slug, one.bookings, one.places)
        };
        answer.value.into_iter().map(of).collect::<Vec<_>>()
    };

    let week = ranked(Period::Week, Measure::Bookings).await;
    let month = ranked(Period::Month, Measure::Places).await;

    assert_eq!(week, [("lisboa".to_owned(), 2, 4), ("porto".to_owned(), 2, 4)]);
    assert_eq!(month, week, "the third booking was in April");
}

/// Places by bookings or by what they sold, most first; other periods and tenants do not count.
pub async fn places_are_ranked_by_period_and_measure(world: &impl StoreWorld) {
    let mut log = SampleLog::new();
    let mut big = confirmed(booking(9));
    big.lines[0].quantity = 100;
    big.lines[0].places = vec!["Évora".to_owned()];
    log.append(1, booking(9), OWNER, big.clone());
    for n in 1..=3 {
        log.append(n % 3, booking(n), OWNER, confirmed(booking(n)));
    }
    let mut earlier = confirmed(booking(4));
    earlier.confirmed_at = START.plus_seconds(-86_400);
    log.append(1, booking(4), OWNER, earlier);
    log.append_for(&other_tenant(), 0, booking(5), OWNER, confirmed(booking(5)));
    let (queries, end, tenant) = scene(world, log.events()).await;
    let ranked = async |period, by| {
        let at = (period, Date::in_utc(START));
        let answer = queries.popular_places(&tenant, at, by, &end).await.unwrap();
        assert_eq!(answer.at.vector, end);
        let of = |row: crate::projections::PopularPlaceRow| (row.place, row.bookings, row.places);
        answer.value.into_iter().map(of).collect::<Vec<_>>()
    };
    let row = |place: &str, bookings, places| (place.to_owned(), bookings, places);

    let day = ranked(Period::Day, Measure::Bookings).await;
    let by_places = ranked(Period::Day, Measure::Places).await;
    let week = ranked(Period::Week, Measure::Bookings).await;

    assert_eq!(day, [row("porto", 3, 6), row("lisbon", 3, 6), row("evora", 1, 100)]);
    assert_eq!(by_places, [row("evora", 1, 100), row("porto", 3, 6), row("lisbon", 3, 6)]);
    assert_eq!(week, [row("porto", 4, 8), row("lisbon", 4, 8), row("evora", 1, 100)]);
}

/// Each offer's numbers by its id; nothing of another tenant's.
pub async fn what_is_left_is_looked_up_by_offer(world: &impl StoreWorld) {
    let mut log = SampleLog::new();
    for n in 1..=2 {
        log.append(n % 3, offer(n), OWNER, listed(offer(n), "Voo"));
    }
    log.append(1, offer(1), OWNER, any_sale(5, 2, offer(1)));
    log.append_for(&other_tenant(), 0, offer(3), OWNER, listed(offer(3), "Voo"));
    let (queries, end, tenant) = scene(world, log.events()).await;

    let ids = [1, 2, 3, 4].map(|n| OfferId(offer(n)));
    let left = queries.availability(&tenant, ids, &end).await.unwrap();

    assert_eq!(left.at.vector, end);
    let numbers: Vec<_> = left.value.values().map(|row| (row.held, row.free)).collect();
    assert_eq!(numbers, [(3, 7), (0, 10)]);
    let none = queries.availability(&tenant, [], &end).await.unwrap();
    assert!(none.value.is_empty());
}

/// Of what two read models know of an offer, the newer one tells.
pub async fn an_offer_shows_the_newest_numbers_that_are_known(world: &impl StoreWorld) {
    let mut log = SampleLog::new();
    for n in 1..=2 {
        log.append(n % 3, offer(n), OWNER, listed(offer(n), "Voo"));
    }
    for _ in 0..4 {
        log.append(1, offer(1), OWNER, any_sale(5, 2, offer(1)));
    }
    let (events, tenant) = (log.into_events(), Tenant::default());
    let (queries, ..) = scene(world, &events[..3]).await;
    let store = world.open();
    let mut ahead = Loader::new(&*store, &Availability, 1).await.unwrap();
    ahead.batch(&events[..4]).await.unwrap();
    let left = async |wanted| {
        let filter = crate::queries::OfferFilter { available: wanted, ..Default::default() };
        let answer = queries.offers(&tenant, &filter, &page(9, None)).await.unwrap();
        answer.value.items.iter().map(|row| row.available).collect::<Vec<_>>()
    };

    let one = queries.offer(&tenant, OfferId(offer(1))).await.unwrap().value.unwrap();
    assert_eq!((one.held, one.available), (6, 4), "what is left was ahead");
    assert_eq!(left(None).await, [4, 10]);
    assert_eq!(left(Some(5)).await, [10]);
    let mut behind = Loader::new(&*store, &Offers, 1).await.unwrap();
    behind.batch(&events[..5]).await.unwrap();
    assert_eq!(left(None).await, [1, 10], "the offer's own row was ahead");
}

/// Who owns the booking sees what is said about it, and so does staff.
pub async fn messages_are_for_the_account_of_their_booking(world: &impl StoreWorld) {
    let mut log = SampleLog::new();
    let message = |n: u32| Uuid::from_u128(0x7000 + u128::from(n));
    log.append(0, booking(1), OWNER, requested(booking(1), OWNER, offer(1)));
    for n in 1..=3 {
        let about = if n == 3 { booking(2) } else { booking(1) };
        log.append(n, message(n), OWNER, notification_requested(message(n), about));
    }
    let sent = NotificationSent {
        notification_id: NotificationId(message(1)),
        booking_id: BookingId(booking(1)),
        reference: None,
    };
    log.append(1, message(1), OWNER, sent);
    let (queries, end, tenant) = scene(world, log.events()).await;
    let listed = async |viewer, filter: NotificationFilter, limit, cursor| {
        let page = page(limit, cursor);
        let answer = queries.notifications(&tenant, viewer, &filter, &page).await.unwrap();
        assert_eq!(answer.at.vector, end);
        let ids = answer.value.items.iter().map(|row| row.notification_id.0).collect::<Vec<_>>();
        (ids, answer.value.next_cursor)
    };
    let all = NotificationFilter::default;

    let (first, cursor) = listed(viewer(OWNER), all(), 1, None).await;
    let (second, last) = listed(viewer(OWNER), all(), 1, cursor).await;

    assert_eq!((first, second, last), (vec![message(2)], vec![message(1)], None));
    assert_eq!(listed(Viewer::Operator, all(), 9, None).await.0.len(), 3);
    assert!(listed(viewer(STRANGER), all(), 9, None).await.0.is_empty());
    let of_booking = NotificationFilter { booking_id: Some(BookingId(booking(2))), ..all() };
    assert_eq!(listed(Viewer::Operator, of_booking, 9, None).await.0, [message(3)]);
    let status = Some(domain::notification::Status::Requested);
    let waiting = NotificationFilter { status, ..all() };
    let (waiting, _) = listed(Viewer::Operator, waiting, 9, None).await;
    assert!(waiting.contains(&message(2)) && !waiting.contains(&message(1)), "{waiting:?}");
    let one = async |viewer, n| {
        let id = NotificationId(message(n));
        queries.notification(&tenant, viewer, id).await.unwrap().value.is_some()
    };
    assert!(one(viewer(OWNER), 1).await && one(Viewer::Operator, 3).await);
    assert!(!one(viewer(STRANGER), 1).await && !one(viewer(OWNER), 3).await);
}
