//! Events as a log would deliver them, without a log.

use std::collections::BTreeMap;

use domain::ids::{
    AccountId, ActivityId, BookingId, CommandId, CommentId, CorrelationId, EventId, ItineraryId,
    PersonId,
};
use domain::itinerary as trip;
use domain::{
    Actor, Digest, Envelope, Event, Position, RecordedEvent, Sealed, StreamName, Tenant, Timestamp,
};
use uuid::Uuid;

use super::{payment_samples, saga_samples, sales};

/// The first instant of a sample log: 2026-05-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_micros(1_777_593_600_000_000);

/// A log of sample events: each stream in a partition of its own choice, a second between events.
#[derive(Debug, Default)]
pub struct SampleLog {
    events: Vec<RecordedEvent>,
    versions: BTreeMap<StreamName, u64>,
    sequences: BTreeMap<u32, u64>,
}

impl SampleLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an event of the thing with that id, by an account, for the default tenant.
    pub fn append(&mut self, partition: u32, id: Uuid, actor: Uuid, event: impl Into<Event>) {
        self.append_for(&Tenant::default(), partition, id, actor, event);
    }

    /// Appends an event of the thing with that id, by an account.
    pub fn append_for(
        &mut self,
        tenant: &Tenant,
        partition: u32,
        id: Uuid,
        actor: Uuid,
        event: impl Into<Event>,
    ) {
        let event = event.into();
        let stream = StreamName::new(event.category(), id);
        let version = self.versions.entry(stream).or_default();
        *version += 1;
        let sequence = self.sequences.entry(partition).or_default();
        *sequence += 1;
        // Offsets have gaps, as those of a real log do.
        let offset = i64::try_from(*sequence * 2).expect("a sample log is short");
        let nth = self.events.len() as u128 + 1;
        let seconds = i64::try_from(nth).expect("a sample log is short");
        self.events.push(RecordedEvent {
            position: Position { partition, offset },
            envelope: Envelope {
                event_id: EventId(Uuid::from_u128(0xE0_0000 + nth)),
                event_type: event.name().into(),
                stream,
                version: *version,
                recorded_at: START.plus_seconds(seconds),
                sequence: *sequence,
                epoch: 3,
                correlation_id: CorrelationId(Uuid::from_u128(0xC0_0000 + nth / 2)),
                causation_id: Uuid::from_u128(0xCA_0000 + nth),
                command_id: CommandId(Uuid::from_u128(0xCA_0000 + nth)),
                fingerprint: Digest([7; 32]),
                actor: Actor::Account(AccountId(actor)),
                tenant: tenant.clone(),
                hash: Digest([u8::try_from(nth % 251).expect("below 251"); 32]),
                traceparent: None,
            },
            event,
        });
    }

    /// All events, in the order of appending.
    #[must_use]
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// All events, in the order of appending.
    #[must_use]
    pub fn into_events(self) -> Vec<RecordedEvent> {
        self.events
    }
}

/// A trip that begins.
#[must_use]
pub fn created(id: Uuid, owner: Uuid, title: &str) -> trip::ItineraryCreated {
    trip::ItineraryCreated {
        itinerary_id: ItineraryId(id),
        owner: AccountId(owner),
        title: title.to_owned(),
        period: period("2026-05-01", "2026-05-09"),
    }
}

/// Something to do in Lisbon on the trip's second day.
#[must_use]
pub fn activity_added(
    id: Uuid,
    activity: Uuid,
    by: Uuid,
    title: &str,
    place: &str,
) -> trip::ItineraryActivityAdded {
    trip::ItineraryActivityAdded {
        itinerary_id: ItineraryId(id),
        activity_id: ActivityId(activity),
        kind: trip::ActivityKind::Tour,
        title: title.to_owned(),
        place: place.to_owned(),
        starts_at: START.plus_seconds(86_400),
        ends_at: START.plus_seconds(90_000),
        zone: "Europe/Lisbon".parse().expect("Lisbon has a zone"),
        details: Some("bring water".to_owned()),
        estimated_price: Some(domain::money::Money {
            amount: 2_500,
            currency: "EUR".parse().expect("the euro is a currency"),
        }),
        added_by: AccountId(by),
    }
}

/// An invitation.
#[must_use]
pub fn invited(id: Uuid, account: Uuid, by: Uuid) -> trip::ItineraryCollaboratorInvited {
    trip::ItineraryCollaboratorInvited {
        itinerary_id: ItineraryId(id),
        account_id: AccountId(account),
        role: trip::Role::Editor,
        invited_by: AccountId(by),
    }
}

/// An invitation that is accepted.
#[must_use]
pub fn joined(id: Uuid, account: Uuid) -> trip::ItineraryCollaboratorJoined {
    trip::ItineraryCollaboratorJoined {
        itinerary_id: ItineraryId(id),
        account_id: AccountId(account),
        role: trip::Role::Editor,
    }
}

/// What stands where something sealed does: nothing here opens it.
#[must_use]
pub fn sealed(person: Uuid, ciphertext: &str) -> Sealed {
    Sealed { person: PersonId(person), ciphertext: ciphertext.to_owned() }
}

/// A comment; `text` stands where the ciphertext does.
#[must_use]
pub fn commented(id: Uuid, comment: Uuid, author: Uuid, text: &str) -> trip::ItineraryCommented {
    trip::ItineraryCommented {
        itinerary_id: ItineraryId(id),
        comment_id: CommentId(comment),
        author: AccountId(author),
        text: sealed(author, text),
    }
}

/// Days in Lisbon.
#[must_use]
pub fn period(start: &str, end: &str) -> domain::calendar::Period {
    domain::calendar::Period {
        start: start.parse().expect("a sample date"),
        end: end.parse().expect("a sample date"),
        zone: "Europe/Lisbon".parse().expect("Lisbon has a zone"),
    }
}

/// The kinds of [`any_event`] that begin a stream.
pub const OPENINGS: &[u8] =
    &[0, SALES, SALES + 2, SALES + 11, PAYMENTS, PAYMENTS + 12, PAYMENTS + 14, SAGAS];
/// The first kind of [`any_event`] that is of `sales`.
const SALES: u8 = 16;
/// The first kind of [`any_event`] that is of `payment_samples`.
const PAYMENTS: u8 = SALES + sales::KINDS;
/// The first kind of [`any_event`] that is of `saga_samples`.
const SAGAS: u8 = PAYMENTS + payment_samples::KINDS;

/// One of every kind of event, by number, about things that few numbers name: so that a random
/// history hits the same activity or account again and again.
#[must_use]
pub fn any_event(kind: u8, which: u8, id: Uuid) -> Event {
    let itinerary_id = ItineraryId(id);
    let thing = Uuid::from_u128(0xA0 + u128::from(which % 3));
    let account_id = AccountId(Uuid::from_u128(0xB0 + u128::from(which % 3)));
    let booking_id = BookingId(thing);
    let title = format!("Título {which}");
    match kind % (SAGAS + saga_samples::KINDS) {
        0 => created(id, account_id.0, &title).into(),
        1 => trip::ItineraryRenamed { itinerary_id, title }.into(),
        2 => {
            let period = period("2026-06-01", "2026-06-02");
            trip::ItineraryPeriodChanged { itinerary_id, period }.into()
        }
        3 => trip::ItineraryMetadataDescribed {
            itinerary_id,
            budget: None,
            travellers: Some(u32::from(which)),
            preferences: vec![title],
        }
        .into(),
        4 => activity_added(id, thing, account_id.0, &title, "Alfama").into(),
        5 => trip::ItineraryActivityRescheduled {
            itinerary_id,
            activity_id: ActivityId(thing),
            starts_at: START.plus_seconds(i64::from(which)),
            ends_at: START.plus_seconds(i64::from(which) + 60),
            zone: "Asia/Tokyo".parse().expect("Tokyo has a zone"),
        }
        .into(),
        6 => trip::ItineraryActivityRemoved { itinerary_id, activity_id: ActivityId(thing) }.into(),
        7 => trip::ItineraryBookingAttached { itinerary_id, booking_id }.into(),
        8 => trip::ItineraryBookingDetached { itinerary_id, booking_id }.into(),
        9 => invited(id, account_id.0, id).into(),
        10 => joined(id, account_id.0).into(),
        11 => trip::ItineraryCollaboratorLeft { itinerary_id, account_id, ended_by: account_id }
            .into(),
        12 => commented(id, thing, account_id.0, &title).into(),
        13 => trip::ItineraryShared { itinerary_id }.into(),
        14 => trip::ItineraryUnshared { itinerary_id }.into(),
        15 => trip::ItineraryArchived { itinerary_id }.into(),
        sale @ ..PAYMENTS => sales::any_sale(sale - SALES, which, id),
        payment @ ..SAGAS => payment_samples::any_event(payment - PAYMENTS, which, id),
        saga => saga_samples::any_event(saga - SAGAS, which, id),
    }
}
