//! Derived ids: what follows from a thing has one name, however often and by whomever it is named.
//!
//! UUIDv8 over SHA-256 of what they derive from. Every part is preceded by its length and the whole
//! by its purpose, so that no two derivations meet by concatenation. Where an id is derived from
//! another, the first 48 bits are that one's: in a UUIDv7 they are its time, so that what is
//! created together is stored together in every index; the other 74 bits keep ids apart.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Tenant;
use crate::ids::{
    BookingId, CommandId, DestinationId, HoldId, InvoiceSeriesId, NotificationId, PaymentId,
    RefundId, SagaId,
};

/// The id that stands for these parts under that purpose, stored near another id if there is one.
///
/// Of that other id only the first 48 bits are taken, which many share: what tells it apart from
/// its neighbours has to be among the parts.
#[must_use]
pub fn id(purpose: &str, near: Option<Uuid>, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let (id, _) = hash.split_first_chunk::<16>().expect("a SHA-256 hash has 32 bytes");
    let mut id = *id;
    if let Some(near) = near {
        id[..6].copy_from_slice(&near.as_bytes()[..6]);
    }
    Uuid::new_v8(id)
}

/// From an id, and what tells its derivatives apart.
fn from(purpose: &str, root: Uuid, more: &[&[u8]]) -> Uuid {
    let root_bytes = root.as_bytes().as_slice();
    let parts: Vec<&[u8]> = std::iter::once(root_bytes).chain(more.iter().copied()).collect();
    id(purpose, Some(root), &parts)
}

/// The saga that buys a booking.
#[must_use]
pub fn trip_saga(booking_id: BookingId) -> SagaId {
    SagaId(from("trip-booking", booking_id.0, &[]))
}

/// The saga that undoes a confirmed booking.
#[must_use]
pub fn cancellation_saga(booking_id: BookingId) -> SagaId {
    SagaId(from("cancellation", booking_id.0, &[]))
}

/// The saga that sees to what a payment could not undo, the so-manieth time.
#[must_use]
pub fn payment_watch(payment_id: PaymentId, episode: u32) -> SagaId {
    SagaId(from("payment-watch", payment_id.0, &[&episode.to_be_bytes()]))
}

/// The hold that a saga asks for, for one line of its booking.
#[must_use]
pub fn hold(saga_id: SagaId, line: u32) -> HoldId {
    HoldId(from("hold", saga_id.0, &[&line.to_be_bytes()]))
}

/// The payment of a saga.
#[must_use]
pub fn payment(saga_id: SagaId) -> PaymentId {
    PaymentId(from("payment", saga_id.0, &[]))
}

/// One attempt of a saga's step to return money.
#[must_use]
pub fn refund(saga_id: SagaId, step: &str, attempt: u32) -> RefundId {
    RefundId(from("refund", saga_id.0, &[step.as_bytes(), &attempt.to_be_bytes()]))
}

/// The command of one attempt of a saga's step.
#[must_use]
pub fn step_command(saga_id: SagaId, step: &str, attempt: u32) -> CommandId {
    CommandId(from("step", saga_id.0, &[step.as_bytes(), &attempt.to_be_bytes()]))
}

/// What a saga tells somebody with that template.
#[must_use]
pub fn notification(saga_id: SagaId, template: &str) -> NotificationId {
    NotificationId(from("notification", saga_id.0, &[template.as_bytes()]))
}

/// A seller's invoices of one calendar year.
#[must_use]
pub fn invoice_series(seller: &str, year: i16) -> InvoiceSeriesId {
    let parts = [seller.as_bytes(), &year.to_be_bytes() as &[u8]];
    InvoiceSeriesId(id("invoice-series", None, &parts))
}

/// The destination of that slug: a tenant has one.
#[must_use]
pub fn destination(tenant: &Tenant, slug: &str) -> DestinationId {
    let parts = [tenant.as_str().as_bytes(), slug.as_bytes()];
    DestinationId(id("destination", None, &parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn booking(number: u128) -> BookingId {
        BookingId(Uuid::from_u128(number << 80))
    }

    #[test]
    fn anything_else_names_something_else() {
        let saga = trip_saga(booking(1));
        let other: Tenant = "other".parse().unwrap();

        let ids = [
            saga.0,
            trip_saga(booking(2)).0,
            cancellation_saga(booking(1)).0,
            hold(saga, 1).0,
            hold(saga, 2).0,
            payment(saga).0,
            payment_watch(payment(saga), 1).0,
            payment_watch(payment(saga), 2).0,
            refund(saga, "refund", 1).0,
            refund(saga, "refund", 2).0,
            step_command(saga, "refund", 1).0,
            step_command(saga, "capture", 1).0,
            notification(saga, "booking-confirmed").0,
            invoice_series("seller", 2026).0,
            invoice_series("seller", 2027).0,
            destination(&Tenant::default(), "porto").0,
            destination(&other, "porto").0,
        ];

        let distinct: BTreeSet<Uuid> = ids.into_iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert!(ids.iter().all(|id| id.get_version_num() == 8));
    }

    #[test]
    fn what_derives_from_an_id_lies_near_it() {
        let saga = trip_saga(booking(1));

        assert_eq!(saga.0.as_bytes()[..6], booking(1).0.as_bytes()[..6]);
        assert_eq!(hold(saga, 1).0.as_bytes()[..6], saga.0.as_bytes()[..6]);
    }

    /// These names are in the log for ever: another derivation would book twice.
    #[test]
    fn names_stay_what_they_are() {
        let saga = trip_saga(booking(1));

        assert_eq!(saga.to_string(), "00000000-0001-89cc-9c90-c212623375d2");
        assert_eq!(hold(saga, 1).to_string(), "00000000-0001-889c-b9da-81fc92d94358");
        assert_eq!(
            step_command(saga, "capture", 2).to_string(),
            "00000000-0001-8027-b86a-1b9451022b3f"
        );
    }
}
