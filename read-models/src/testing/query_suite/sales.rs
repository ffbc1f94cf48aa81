//! What is answered about bookings, offers and sagas.

use domain::booking::Status;
use domain::ids::{BookingId, ItineraryId, OfferId, SagaId};
use domain::offer::{self, OfferKind};
use domain::saga::Kind;
use domain::{PositionVector, RecordedEvent, Tenant, derive};
use uuid::Uuid;

use super::{OWNER, STRANGER, other_tenant, page, viewer};
use crate::queries::{
    BookingFilter, OfferFilter, QueryError, ReadQueries, SagaFilter, SagaState, Viewer,
};
use crate::testing::loader::load_all;
use crate::testing::saga_samples::saga_of;
use crate::testing::sales::{any_sale, listed, requested};
use crate::testing::samples::{START, SampleLog};
use crate::testing::worlds::StoreWorld;

fn booking(n: u32) -> Uuid {
    Uuid::from_u128(0xB000 + u128::from(n))
}

fn offer(n: u32) -> Uuid {
    Uuid::from_u128(0xF000 + u128::from(n))
}

fn trip_saga(n: u32) -> Uuid {
    derive::trip_saga(BookingId(booking(n))).0
}

/// Bookings 1 to 5 of the owner, 1 and 3 and 5 of trip 1, the others of trip 0; 2 is held, 3
/// rejected; 6 is of another tenant. The saga of 1 is stuck, that of 2 has completed and another
/// one runs.
fn bookings() -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    for n in 1..=5_u32 {
        let mut wish = requested(booking(n), OWNER, offer(1));
        wish.itinerary_id = ItineraryId(Uuid::from_u128(u128::from(n % 2)));
        log.append(n % 3, booking(n), OWNER, wish);
    }
    log.append(2, booking(2), OWNER, any_sale(12, 0, booking(2)));
    log.append(0, booking(3), OWNER, any_sale(14, 0, booking(3)));
    let of_saga = |log: &mut SampleLog, id: Uuid, n: u32, kinds: &[u8]| {
        for kind in kinds {
            log.append(n % 3, id, OWNER, saga_of(*kind, id, BookingId(booking(n))));
        }
    };
    of_saga(&mut log, trip_saga(1), 1, &[0, 7, 5]);
    let cancellation = derive::cancellation_saga(BookingId(booking(2))).0;
    of_saga(&mut log, cancellation, 2, &[0, 10]);
    of_saga(&mut log, trip_saga(2), 2, &[0, 7, 8, 3]);
    let (other, account) = (other_tenant(), requested(booking(6), OWNER, offer(1)));
    log.append_for(&other, 0, booking(6), OWNER, account);
    log.into_events()
}

async fn scene(
    world: &impl StoreWorld,
    events: &[RecordedEvent],
) -> (ReadQueries, PositionVector, Tenant) {
    let store = world.open();
    store.prepare().await.unwrap();
    load_all(&*store, events, 4).await.unwrap();
    let end = events.iter().map(|event| event.position).collect();
    (world.queries(), end, Tenant::default())
}

/// Who owns it sees it, and so does staff; nobody else does.
pub async fn a_booking_is_for_its_owner_and_comes_with_its_saga(world: &impl StoreWorld) {
    let (queries, end, tenant) = scene(world, &bookings()).await;
    let one = async |n, viewer| {
        let id = BookingId(booking(n));
        queries.booking(&tenant, viewer, id).await.unwrap()
    };

    let stuck = one(1, viewer(OWNER)).await;
    let active = one(2, Viewer::Operator).await.value.unwrap();
    let alone = one(3, viewer(OWNER)).await.value.unwrap();

    assert_eq!(stuck.at.vector, end);
    let stuck = stuck.value.unwrap();
    assert_eq!(stuck.booking.sealed.0.travellers.len(), 1);
    let saga = stuck.saga.unwrap();
    assert_eq!((saga.saga_id, saga.state.as_str()), (SagaId(trip_saga(1)), "stuck"));
    assert!(saga.steps.0["confirm"].open());
    let running = active.saga.unwrap();
    assert_eq!((running.saga_id.0 == trip_saga(2), running.state.as_str()), (false, "running"));
    assert_eq!((alone.booking.status.as_str(), alone.saga), ("rejected", None));
    assert!(one(1, viewer(STRANGER)).await.value.is_none());
    assert!(one(6, Viewer::Operator).await.value.is_none());
}

/// Newest first, page by page, narrowed down to a trip and a status.
pub async fn bookings_are_listed_by_trip_status_and_page(world: &impl StoreWorld) {
    let (queries, _, tenant) = scene(world, &bookings()).await;
    let listed = async |filter: BookingFilter, limit, cursor| {
        let page = page(limit, cursor);
        let answer = queries.bookings(&tenant, viewer(OWNER), &filter, &page).await.unwrap();
        let of = |found: &crate::queries::BookingDetail| found.booking.booking_id.0;
        (answer.value.items.iter().map(of).collect::<Vec<_>>(), answer.value.next_cursor)
    };
    let all = BookingFilter::default;

    let (first, cursor) = listed(all(), 2, None).await;
    let (second, end) = listed(all(), 100, cursor.clone()).await;
    let itinerary_id = Some(ItineraryId(Uuid::from_u128(1)));
    let (of_trip, _) = listed(BookingFilter { itinerary_id, ..all() }, 100, None).await;
    let (held, _) = listed(BookingFilter { status: Some(Status::Held), ..all() }, 9, None).await;

    assert_eq!(first, [booking(5), booking(4)]);
    assert_eq!(second, [booking(3), booking(2), booking(1)]);
    assert_eq!((end, held), (None, vec![booking(2)]));
    assert_eq!(of_trip, [booking(5), booking(3), booking(1)]);
    let others = queries.bookings(&tenant, viewer(STRANGER), &all(), &page(9, None)).await.unwrap();
    assert!(others.value.items.is_empty());
    let foreign = queries.payments(&tenant, viewer(OWNER), None, &page(2, cursor)).await;
    assert!(matches!(foreign, Err(QueryError::InvalidCursor(_))));
}

/// Offers 1 to 4, each a day later than the one before; 2 is a hotel in São Tomé, 3 is sold out,
/// 4 is closed; 5 is of another tenant.
fn offers() -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    for n in 1..=4_u32 {
        let mut offer_listed = listed(offer(n), &format!("Voo {n}"));
        offer_listed.starts_at = offer_listed.starts_at.plus_seconds(i64::from(n) * 86_400);
        if n == 2 {
            offer_listed.kind = OfferKind::Hotel;
            offer_listed.title = "Pousada".to_owned();
            offer_listed.places = vec!["São Tomé".to_owned()];
        }
        log.append(n % 3, offer(n), OWNER, offer_listed);
    }
    let offer_id = OfferId(offer(3));
    let capacity = offer::OfferCapacityChanged { offer_id, capacity: 1, seats: None };
    log.append(0, offer(3), OWNER, capacity);
    log.append(0, offer(3), OWNER, any_sale(5, 0, offer(3)));
    log.append(1, offer(4), OWNER, offer::OfferClosed { offer_id: OfferId(offer(4)) });
    log.append_for(&other_tenant(), 0, offer(5), OWNER, listed(offer(5), "Voo"));
    log.into_events()
}

/// One offer with its numbers; nothing of another tenant's.
pub async fn an_offer_says_how_much_of_it_is_left(world: &impl StoreWorld) {
    let (queries, end, tenant) = scene(world, &offers()).await;

    let sold_out = queries.offer(&tenant, OfferId(offer(3))).await.unwrap();
    let other = queries.offer(&tenant, OfferId(offer(5))).await.unwrap().value;

    assert_eq!(sold_out.at.vector, end);
    let row = sold_out.value.unwrap();
    assert_eq!((row.capacity, row.held, row.allocated, row.available), (1, 1, 0, 0));
    assert!(other.is_none());
}

/// By kind, place, days, words and what is left, in the order in which they begin, page by page.
pub async fn offers_are_found_by_what_travellers_ask(world: &impl StoreWorld) {
    let (queries, _, tenant) = scene(world, &offers()).await;
    let found = async |filter: OfferFilter, limit, cursor| {
        let answer = queries.offers(&tenant, &filter, &page(limit, cursor)).await.unwrap();
        let ids = answer.value.items.iter().map(|row| row.offer_id.0).collect::<Vec<_>>();
        (ids, answer.value.next_cursor)
    };
    let all = OfferFilter::default;
    let place = |text: &str| OfferFilter { place: Some(text.to_owned()), ..all() };
    let words = |text: &str| OfferFilter { query: Some(text.to_owned()), ..all() };
    let day = |n: i64| {
        let zone: domain::calendar::Zone = "Europe/Lisbon".parse().unwrap();
        zone.date_at(START.plus_seconds((30 + n) * 86_400))
    };

    let (first, cursor) = found(all(), 3, None).await;
    let (second, end) = found(all(), 3, cursor).await;
    assert_eq!((first, second), (vec![offer(1), offer(2), offer(3)], vec![offer(4)]));
    assert_eq!(end, None);
    let cases = [
        (OfferFilter { kind: Some(OfferKind::Hotel), ..all() }, vec![2]),
        (place("SAO-TOME"), vec![2]),
        (place("lisbon"), vec![1, 3, 4]),
        (place("lis"), vec![]),
        (OfferFilter { from: Some(day(2)), to: Some(day(3)), ..all() }, vec![2, 3]),
        (OfferFilter { available: Some(1), ..all() }, vec![1, 2]),
        (OfferFilter { available: Some(11), ..all() }, vec![]),
        (words("pous tome"), vec![2]),
        (words("!"), vec![]),
        (
            OfferFilter { available: Some(2), query: Some("voo".to_owned()), ..place("Porto") },
            vec![1],
        ),
    ];
    for (filter, expected) in cases {
        let expected: Vec<_> = expected.into_iter().map(offer).collect();
        assert_eq!(found(filter.clone(), 9, None).await.0, expected, "{filter:?}");
    }
    let (of_place, cursor) = found(place("lisbon"), 1, None).await;
    let (next, _) = found(place("lisbon"), 1, cursor).await;
    assert_eq!((of_place, next), (vec![offer(1)], vec![offer(3)]));
}

/// What runs and what is stuck, and what a saga has done, in its order.
pub async fn sagas_are_listed_by_state_and_tell_their_story(world: &impl StoreWorld) {
    let (queries, end, tenant) = scene(world, &bookings()).await;
    let listed = async |state, kind, limit, cursor| {
        let filter = SagaFilter { state, kind };
        let answer = queries.sagas(&tenant, filter, &page(limit, cursor)).await.unwrap();
        let ids = answer.value.items.iter().map(|row| row.saga_id.0).collect::<Vec<_>>();
        (ids, answer.value.next_cursor)
    };

    let told = queries.saga(&tenant, SagaId(trip_saga(2))).await.unwrap();
    let (stuck, _) = listed(Some(SagaState::Stuck), None, 9, None).await;
    let (newest, cursor) = listed(None, Some(Kind::TripBooking), 1, None).await;
    let (older, _) = listed(None, Some(Kind::TripBooking), 9, cursor).await;
    let (cancellations, _) = listed(None, Some(Kind::Cancellation), 9, None).await;

    assert_eq!(told.at.vector, end);
    let told = told.value.unwrap();
    assert_eq!((told.saga.state.as_str(), told.saga.version), ("completed", 4));
    let types: Vec<_> = told.timeline.iter().map(|line| line.event_type.as_str()).collect();
    let expected = ["saga-started", "saga-step-requested", "saga-step-succeeded", "saga-completed"];
    assert_eq!(types, expected);
    assert_eq!((stuck, newest), (vec![trip_saga(1)], vec![trip_saga(2)]));
    assert_eq!((older.len(), cancellations.len()), (2, 0));
    assert!(queries.saga(&other_tenant(), SagaId(trip_saga(1))).await.unwrap().value.is_none());
}
