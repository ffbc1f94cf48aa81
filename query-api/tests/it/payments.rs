//! Who sees which payment, and what of it.

use read_models::testing::payment_samples::{
    eur, payment_authorized, payment_requested, payment_succeeded, terms,
};
use read_models::testing::samples::SampleLog;
use serde_json::json;
use uuid::Uuid;

use super::world::{OWNER, STRANGER, Who, World};

const PAYMENT: Uuid = Uuid::from_u128(0x9A1);
const BOOKING: Uuid = Uuid::from_u128(0xB00);

/// A payment that was captured, of which the provider says that it took more.
fn history() -> SampleLog {
    let terms = terms(PAYMENT, BOOKING, OWNER);
    let mut log = SampleLog::new();
    log.append(0, PAYMENT, OWNER, payment_requested(terms.clone()));
    log.append(0, PAYMENT, OWNER, payment_authorized(&terms));
    let mut succeeded = payment_succeeded(&terms);
    succeeded.reported = Some(eur(13_000));
    log.append(0, PAYMENT, OWNER, succeeded);
    log
}

#[tokio::test]
async fn a_payment_shows_what_was_taken_to_who_pays_and_the_dispute_to_staff() {
    let world = World::with(history().events()).await;
    let path = format!("/v1/payments/{PAYMENT}");

    let owner = world.get(Who::traveller(OWNER), &path).await.expect(200);
    let staff = world.get(Who::staff("support"), &path).await.expect(200);

    assert_eq!(
        (owner.header("etag"), owner.header("cache-control")),
        ("\"3\"", "private, no-cache")
    );
    assert_eq!((&owner.body["id"], &owner.body["booking_id"]), (&json!(PAYMENT), &json!(BOOKING)));
    assert_eq!(owner.body["status"], "captured");
    assert_eq!(owner.body["captured"], json!({ "amount": 12_900, "currency": "EUR" }));
    assert_eq!(owner.body["refunded"], json!({ "amount": 0, "currency": "EUR" }));
    assert_eq!(owner.body["provider_reference"], "cap_1");
    assert_eq!((owner.body.get("disputed"), &staff.body["disputed"]), (None, &json!(true)));
}

#[tokio::test]
async fn a_payment_does_not_exist_for_others() {
    let world = World::with(history().events()).await;
    let others = [Who::traveller(STRANGER), Who::staff("operator").of("other")];

    for who in others {
        let one = world.get(who, &format!("/v1/payments/{PAYMENT}")).await;
        let listed = world.get(who, "/v1/payments").await.expect(200);
        let history = format!("/v1/audit/streams/payment-{PAYMENT}/events");

        assert_eq!((one.status, one.code()), (404, "payment_not_found"), "{who:?}");
        assert!(listed.data().is_empty(), "{who:?}");
        if who.roles == "traveller" {
            assert_eq!(world.get(who, &history).await.status, 404);
        }
    }
    let history = format!("/v1/audit/streams/payment-{PAYMENT}/events");
    let own = world.get(Who::traveller(OWNER), &history).await.expect(200);
    assert_eq!(own.data().len(), 3);
}

#[tokio::test]
async fn payments_are_listed_by_booking() {
    let world = World::with(history().events()).await;
    let who = Who::traveller(OWNER);

    let found = world.get(who, &format!("/v1/payments?booking_id={BOOKING}")).await.expect(200);
    let none = world.get(who, &format!("/v1/payments?booking_id={PAYMENT}")).await.expect(200);
    let wrong = world.get(who, "/v1/payments?booking=1").await;

    assert_eq!(found.data()[0]["id"], json!(PAYMENT));
    assert!(none.data().is_empty());
    assert_eq!(wrong.status, 400);
}
