//! Events of sagas, as a log would deliver them.

use domain::booking::Line;
use domain::ids::{AccountId, BookingId, CommandId, ItineraryId, OfferId, SagaId};
use domain::money::Money;
use domain::offer::Claim;
use domain::saga::{
    Action, Cancellation, Consequence, Ending, FollowUp, JsonText, Kind, Process,
    SagaCancellationNoted, SagaCompensated, SagaCompensationFailed, SagaCompensationRequested,
    SagaCompensationSucceeded, SagaCompleted, SagaDeadlinePassed, SagaResolvedByOperator,
    SagaStarted, SagaStepFailed, SagaStepRequested, SagaStepSucceeded, SagaStuck, Settings,
    Standing, TripBooking,
};
use domain::{Actor, Category, Command, Event, StreamName, booking};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::samples::START;

/// How many kinds of events [`any_event`] tells apart.
pub const KINDS: u8 = 13;

/// The saga of one line, for a booking that few numbers name.
#[must_use]
pub fn trip(which: u8) -> Process {
    let number = u128::from(which % 3);
    let price = euro(12_900);
    Process::TripBooking(TripBooking {
        booking_id: BookingId(Uuid::from_u128(0xA0 + number)),
        account_id: AccountId(Uuid::from_u128(0xB0 + number)),
        itinerary_id: ItineraryId(Uuid::from_u128(0x170 + number)),
        lines: vec![Line {
            line: 1,
            offer_id: OfferId(Uuid::from_u128(0xF0 + number)),
            claim: Claim::Quantity(1),
            unit_price: price,
        }],
        total: price,
        payment_method: "card".to_owned(),
        recipient: None,
    })
}

/// One of every kind of event of a saga, by number. Every saga has a booking of its own, as in a
/// log: no two ask the same of one stream.
#[must_use]
pub fn any_event(kind: u8, which: u8, id: Uuid) -> Event {
    let booking_id = BookingId(Uuid::from_u128(id.as_u128() % 3 + 1));
    event_of(kind, which, id, about(which, booking_id))
}

/// One of every kind of event of the saga of that booking, by number.
#[must_use]
pub fn saga_of(kind: u8, id: Uuid, booking_id: BookingId) -> Event {
    event_of(kind, 0, id, about(0, booking_id))
}

fn about(which: u8, booking_id: BookingId) -> Process {
    match trip(which) {
        Process::TripBooking(trip) => Process::TripBooking(TripBooking { booking_id, ..trip }),
        other @ (Process::Cancellation(_) | Process::PaymentWatch(_)) => other,
    }
}

fn event_of(kind: u8, which: u8, id: Uuid, process: Process) -> Event {
    let saga_id = SagaId(id);
    let (kind_of, booking_id) = (process.kind(), process.booking_id());
    let deadline_at = START.plus_seconds(900);
    match kind % KINDS {
        0 => SagaStarted {
            saga_id,
            kind: kind_of,
            booking_id,
            process: JsonText(process),
            settings: JsonText(Settings::default()),
            deadline_at: Some(deadline_at),
        }
        .into(),
        1 => {
            SagaDeadlinePassed { saga_id, deadline_at, interrupts: which.is_multiple_of(2) }.into()
        }
        2 => {
            let cancellation = Cancellation {
                was_confirmed: true,
                refund: euro(i64::from(which)),
                fee: euro(12_900 - i64::from(which)),
            };
            let cancellation = JsonText(cancellation);
            let early = !which.is_multiple_of(2);
            let standing = if early { Standing::Running } else { Standing::Irrevocable };
            SagaCancellationNoted { saga_id, cancellation, standing, follow_up: None }.into()
        }
        3 => {
            let follow_up =
                (which.is_multiple_of(2)).then_some(JsonText(FollowUp { saga_id, process }));
            SagaCompleted { saga_id, kind: kind_of, booking_id, follow_up }.into()
        }
        4 => {
            let (kind, ending) = (Kind::TripBooking, Ending::Expired);
            SagaCompensated { saga_id, kind, booking_id, ending }.into()
        }
        5 => SagaStuck {
            saga_id,
            step: "refund".to_owned(),
            attempt: 12,
            code: "declined".to_owned(),
            message: format!("não {which}"),
        }
        .into(),
        6 => SagaResolvedByOperator {
            saga_id,
            action: Action::Force,
            step: Some("refund".to_owned()),
            reason: "the provider is back".to_owned(),
            operator: Actor::Account(AccountId(Uuid::from_u128(0xB0))),
            ends: false,
            follow_up: None,
        }
        .into(),
        kind => step_event(kind, which, saga_id, booking_id),
    }
}

fn step_event(kind: u8, which: u8, saga_id: SagaId, booking_id: BookingId) -> Event {
    let (step, attempt) = ("confirm".to_owned(), u32::from(which % 3) + 1);
    let (target, effect) = (StreamName::new(Category::Booking, booking_id.0), step.clone());
    let command_id = CommandId(Uuid::from_u128(0xC0 + u128::from(which)));
    let command = JsonText(Command::Booking(booking::Command::FinishCancellation));
    let not_before = START.plus_seconds(i64::from(which));
    let facts = JsonText(Map::from_iter([("reference".to_owned(), Value::from("r-1"))]));
    let (code, message) = ("booking_cancelling".to_owned(), "it is".to_owned());
    match kind {
        7 => SagaStepRequested {
            saga_id,
            step,
            attempt,
            command_id,
            target,
            effect,
            command,
            not_before,
        }
        .into(),
        8 => SagaStepSucceeded { saga_id, step, attempt, target, effect, facts }.into(),
        9 => SagaStepFailed {
            saga_id,
            step,
            attempt,
            target,
            effect,
            code,
            message,
            facts,
            retryable: false,
            consequence: Consequence::Compensate,
        }
        .into(),
        10 => SagaCompensationRequested {
            saga_id,
            step,
            attempt,
            command_id,
            target,
            effect,
            command,
            not_before,
        }
        .into(),
        11 => SagaCompensationSucceeded { saga_id, step, attempt, target, effect, facts }.into(),
        _ => SagaCompensationFailed {
            saga_id,
            step,
            attempt,
            target,
            effect,
            code,
            message,
            facts,
            retryable: true,
            consequence: Consequence::Retry,
        }
        .into(),
    }
}

fn euro(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().expect("the euro is a currency") }
}
