//! Events of destinations, offers and bookings, for sample logs.

use domain::booking::{self, CancelledBy, HeldLine, Line, LineRefund, SoldLine, Status, Traveller};
use domain::destination;
use domain::ids::{
    AccountId, BookingId, DestinationId, HoldId, ItineraryId, OfferId, PaymentId, PersonId,
    TravellerId,
};
use domain::money::Money;
use domain::offer::{self, CancellationPolicy, CancellationTerm, Claim, LineRef, OfferKind};
use domain::{Event, Sealed, Timestamp};
use uuid::Uuid;

use super::samples::START;

/// Kinds of events that [`any_sale`] knows.
pub const KINDS: u8 = 19;

/// One of every kind of event of destinations, offers and bookings, by number, about things that
/// few numbers name.
#[must_use]
pub fn any_sale(kind: u8, which: u8, id: Uuid) -> Event {
    let hold_id = HoldId(Uuid::from_u128(0xC0 + u128::from(which % 3)));
    match kind % KINDS {
        0..=1 => of_destination(kind % KINDS, which, id),
        2..=10 => of_offer(kind % KINDS, which, OfferId(id), hold_id),
        _ => of_booking(kind % KINDS, which, BookingId(id), hold_id),
    }
}

/// Euros, in cents.
#[must_use]
pub fn eur(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().expect("the euro is a currency") }
}

/// A flight from Lisbon to Porto a month after the log begins, ten places at 50 euros.
#[must_use]
pub fn listed(offer_id: Uuid, title: &str) -> offer::OfferListed {
    offer::OfferListed {
        offer_id: OfferId(offer_id),
        kind: OfferKind::Flight,
        supplier: "Voa".to_owned(),
        title: title.to_owned(),
        places: places(),
        starts_at: departure(),
        ends_at: departure().plus_seconds(3_600),
        zone: "Europe/Lisbon".parse().expect("Lisbon has a zone"),
        capacity: 10,
        seats: None,
        price: eur(5_000),
        cancellation: policy(),
    }
}

/// A booking of two places of an offer.
#[must_use]
pub fn requested(booking_id: Uuid, account: Uuid, offer_id: Uuid) -> booking::BookingRequested {
    booking::BookingRequested {
        booking_id: BookingId(booking_id),
        account: AccountId(account),
        itinerary_id: ItineraryId(Uuid::from_u128(0xA0)),
        lines: vec![Line {
            line: 1,
            offer_id: OfferId(offer_id),
            claim: Claim::Quantity(2),
            unit_price: eur(5_000),
        }],
        travellers: vec![traveller(account)],
        total: eur(10_000),
        payment_method: "card_approved".to_owned(),
        requested_at: START,
    }
}

fn places() -> Vec<String> {
    vec!["lisbon".to_owned(), "porto".to_owned()]
}

fn departure() -> Timestamp {
    START.plus_seconds(30 * 86_400)
}

fn policy() -> CancellationPolicy {
    CancellationPolicy::new(vec![CancellationTerm { hours_before: 24, refund_percent: 50 }])
}

fn traveller(account: Uuid) -> Traveller {
    Traveller { traveller_id: TravellerId(Uuid::from_u128(0xD0)), details: secret(account) }
}

/// What stands where something sealed does: nothing here opens it.
fn secret(account: Uuid) -> Sealed {
    Sealed { person: PersonId(account), ciphertext: "c2VhbGVk".to_owned() }
}

fn of_destination(kind: u8, which: u8, id: Uuid) -> Event {
    let destination_id = DestinationId(id);
    if kind == 1 {
        return destination::DestinationRetired { destination_id }.into();
    }
    destination::DestinationDescribed {
        destination_id,
        slug: "porto".to_owned(),
        name: format!("Porto {which}"),
        country: "PT".to_owned(),
        coordinates: destination::Coordinates {
            latitude_microdegrees: 41_149_600,
            longitude_microdegrees: -8_610_990,
        },
        zone: "Europe/Lisbon".parse().expect("Lisbon has a zone"),
        tags: vec!["wine".to_owned()],
    }
    .into()
}

fn of_offer(kind: u8, which: u8, offer_id: OfferId, hold_id: HoldId) -> Event {
    let claim = || Claim::Quantity(u32::from(which % 3) + 1);
    let line = Some(LineRef { booking_id: BookingId(hold_id.0), line: 1 });
    let (now, valid_until) = (START.plus_seconds(i64::from(which)), START.plus_seconds(900));
    match kind {
        2 => listed(offer_id.0, &format!("Voo {which}")).into(),
        3 => {
            let (old_price, price) = (eur(5_000), eur(5_000 + i64::from(which)));
            offer::OfferRepriced { offer_id, old_price, price }.into()
        }
        4 => {
            let capacity = 10 + u32::from(which);
            offer::OfferCapacityChanged { offer_id, capacity, seats: None }.into()
        }
        5 => offer::OfferHeld {
            offer_id,
            hold_id,
            line,
            claim: claim(),
            unit_price: eur(5_000),
            cancellation: policy(),
            starts_at: departure(),
            kind: OfferKind::Flight,
            places: places(),
            title: "Voo".to_owned(),
            held_at: now,
            expires_at: now.plus_seconds(1_200),
            valid_until,
        }
        .into(),
        6 => {
            let (claim, released_at) = ((which.is_multiple_of(2)).then(claim), now);
            offer::OfferHoldReleased { offer_id, hold_id, claim, released_at, valid_until }.into()
        }
        7 => offer::OfferHoldExpired { offer_id, hold_id, claim: claim(), expired_at: now }.into(),
        8 => {
            let claim = Claim::Seats(vec![format!("{which}A")]);
            offer::OfferAllocated { offer_id, hold_id, line, claim }.into()
        }
        9 => {
            let (claim, returned_at) = ((which.is_multiple_of(2)).then(claim), now);
            offer::OfferReturned { offer_id, hold_id, claim, returned_at, valid_until }.into()
        }
        _ => offer::OfferClosed { offer_id }.into(),
    }
}

fn of_booking(kind: u8, which: u8, booking_id: BookingId, hold_id: HoldId) -> Event {
    let account = Uuid::from_u128(0xB0 + u128::from(which % 3));
    let offer_id = OfferId(Uuid::from_u128(0xF0));
    match kind {
        11 => requested(booking_id.0, account, offer_id.0).into(),
        12 => booking::BookingHeld {
            booking_id,
            lines: vec![HeldLine {
                line: 1,
                offer_id,
                claim: Claim::Quantity(2),
                unit_price: eur(5_000),
                hold_id,
                cancellation: policy(),
                starts_at: departure(),
                kind: OfferKind::Flight,
                places: places(),
                title: "Voo".to_owned(),
            }],
            hold_expires_at: START.plus_seconds(1_200),
        }
        .into(),
        13 => booking::BookingConfirmed {
            booking_id,
            account: AccountId(account),
            itinerary_id: ItineraryId(Uuid::from_u128(0xA0)),
            payment_id: PaymentId(hold_id.0),
            lines: vec![SoldLine {
                line: 1,
                offer_id,
                hold_id,
                kind: OfferKind::Flight,
                places: places(),
                title: "Voo".to_owned(),
                starts_at: departure(),
                quantity: 2,
                total: eur(10_000),
            }],
            total: eur(10_000),
            confirmed_at: START.plus_seconds(60),
        }
        .into(),
        14 => booking::BookingRejected {
            booking_id,
            code: "sold_out".to_owned(),
            message: format!("{which} places are free"),
            facts: r#"{"available":1}"#.to_owned(),
        }
        .into(),
        15 => booking::BookingExpired { booking_id }.into(),
        16 => booking::BookingCancellationRequested {
            booking_id,
            previous: Status::Confirmed,
            by: CancelledBy::Traveller,
            reason: secret(account),
            cancelled_at: START.plus_seconds(120),
            refunds: vec![LineRefund { line: 1, percent: 50, amount: eur(5_000) }],
            refund_total: eur(5_000),
            fee: eur(5_000),
        }
        .into(),
        17 => booking::BookingCancelled { booking_id }.into(),
        _ => booking::BookingTravellersChanged { booking_id, travellers: vec![traveller(account)] }
            .into(),
    }
}
