//! What is answered about payments.

use domain::ids::{BookingId, PaymentId};
use domain::{PositionVector, RecordedEvent, Tenant};
use uuid::Uuid;

use super::{OWNER, STRANGER, other_tenant, page, viewer};
use crate::queries::{QueryError, ReadQueries, Viewer};
use crate::testing::loader::load_all;
use crate::testing::payment_samples::{
    payment_authorized, payment_requested, payment_succeeded, terms,
};
use crate::testing::samples::SampleLog;
use crate::testing::worlds::StoreWorld;

fn payment_id(n: u128) -> Uuid {
    Uuid::from_u128(0x9000 + n)
}

fn booking(n: u128) -> Uuid {
    Uuid::from_u128(0xB000 + n)
}

/// Payments 1 to 5 of the owner, for bookings 1, 0, 1, 0, 1; the first was captured. Payment 6 is
/// of another tenant.
fn history() -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    for n in 1..=5_u32 {
        let (id, booking) = (payment_id(n.into()), booking(u128::from(n) % 2));
        let terms = terms(id, booking, OWNER);
        log.append(n % 3, id, OWNER, payment_requested(terms.clone()));
        if n == 1 {
            log.append(n % 3, id, OWNER, payment_authorized(&terms));
            log.append(n % 3, id, OWNER, payment_succeeded(&terms));
        }
    }
    let other = terms(payment_id(6), booking(1), OWNER);
    log.append_for(&other_tenant(), 0, payment_id(6), OWNER, payment_requested(other));
    log.into_events()
}

async fn scene(world: &impl StoreWorld) -> (ReadQueries, PositionVector) {
    let store = world.open();
    store.prepare().await.unwrap();
    let events = history();
    load_all(&*store, &events, 4).await.unwrap();
    (world.queries(), events.iter().map(|event| event.position).collect())
}

/// Who owns the booking sees its payment, and so does staff; nobody else does.
pub async fn a_payment_is_for_the_account_of_its_booking(world: &impl StoreWorld) {
    let (queries, end) = scene(world).await;
    let tenant = Tenant::default();
    let id = PaymentId(payment_id(1));

    let answer = queries.payment(&tenant, viewer(OWNER), id).await.unwrap();

    let row = answer.value.unwrap();
    assert_eq!((row.status.as_str(), row.currency.as_str()), ("captured", "EUR"));
    assert_eq!((row.amount_requested, row.amount_captured), (12_900, 12_900));
    assert_eq!(row.provider_reference.as_deref(), Some("cap_1"));
    assert_eq!(answer.at.vector, end);
    let sees = async |tenant: &Tenant, viewer| {
        let page = page(100, None);
        let one = queries.payment(tenant, viewer, id).await.unwrap().value;
        let all = queries.payments(tenant, viewer, None, &page).await.unwrap().value.items;
        assert_eq!(one.is_some(), all.iter().any(|row| row.payment_id == id));
        one.is_some()
    };
    assert!(sees(&tenant, Viewer::Operator).await);
    assert!(!sees(&tenant, viewer(STRANGER)).await);
    assert!(!sees(&other_tenant(), Viewer::Operator).await);
}

/// Newest first, page by page, of one booking when that is asked for.
pub async fn payments_are_listed_by_booking_and_page(world: &impl StoreWorld) {
    let (queries, _) = scene(world).await;
    let tenant = Tenant::default();
    let listed = async |booking_id, limit, cursor| {
        let page = page(limit, cursor);
        let answer = queries.payments(&tenant, viewer(OWNER), booking_id, &page).await.unwrap();
        let ids = answer.value.items.iter().map(|row| row.payment_id.0).collect::<Vec<_>>();
        (ids, answer.value.next_cursor)
    };

    let (first, cursor) = listed(None, 2, None).await;
    let (second, end) = listed(None, 100, cursor.clone()).await;
    let (of_booking, _) = listed(Some(BookingId(booking(1))), 100, None).await;

    assert_eq!(first, [payment_id(5), payment_id(4)]);
    assert_eq!(second, [payment_id(3), payment_id(2), payment_id(1)]);
    assert_eq!(end, None);
    assert_eq!(of_booking, [payment_id(5), payment_id(3), payment_id(1)]);
    let foreign = page(2, Some("bm90IG91cnM".to_owned()));
    let refused = queries.payments(&tenant, viewer(OWNER), None, &foreign).await;
    assert!(matches!(refused, Err(QueryError::InvalidCursor(_))));
}
