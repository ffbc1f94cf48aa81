//! What the aggregates' events mean to whoever asked for them: which step's effect they are.
//!
//! A command and the events that answer it have the same **effect key**, unique in their stream.
//! Most commands are answered by their acceptance; those that ask the outside, or whose result is
//! needed later, are answered by facts alone ([`awaits_fact`]).

use serde_json::{Map, Value};

use super::command::Outcome;
use crate::ids::{HoldId, RefundId};
use crate::payment::{Phase, WatchAttempt};
use crate::refusal::fact;
use crate::{Command, Event, booking, invoice_series, itinerary, notification, offer, payment};

/// What an event says about a command of that key.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The command's effect key.
    pub key: String,
    /// The last attempt that it answers; none if it answers whichever there are.
    pub attempt: Option<u32>,
    /// What it says.
    pub outcome: Outcome,
}

/// The key under which a command's effect will be found among the events of its stream; none if no
/// saga sends such a command.
#[must_use]
pub fn effect_key(command: &Command) -> Option<String> {
    match command {
        Command::Offer(command) => match command {
            offer::Command::Hold { hold_id, .. } => Some(of_hold("hold", *hold_id)),
            offer::Command::Release { hold_id, .. } => Some(of_hold("release", *hold_id)),
            offer::Command::Allocate { hold_id } => Some(of_hold("allocate", *hold_id)),
            offer::Command::Return { hold_id } => Some(of_hold("return", *hold_id)),
            _ => None,
        },
        Command::Booking(command) => match command {
            booking::Command::MarkHeld { .. }
            | booking::Command::Confirm { .. }
            | booking::Command::Reject { .. }
            | booking::Command::Expire
            | booking::Command::FinishCancellation => Some(command.name().to_owned()),
            _ => None,
        },
        Command::Itinerary(command) => match command {
            itinerary::Command::AttachBooking { booking_id, .. } => {
                Some(format!("attach:{booking_id}"))
            }
            itinerary::Command::DetachBooking { booking_id } => {
                Some(format!("detach:{booking_id}"))
            }
            _ => None,
        },
        Command::Payment(command) => match command {
            payment::Command::Request { .. } => Some("authorize".to_owned()),
            payment::Command::RequestCapture { .. } => Some("capture".to_owned()),
            payment::Command::RequestVoid { attempt, .. } => Some(of_void(*attempt)),
            payment::Command::RequestRefund { refund_id, .. } => Some(of_refund(*refund_id)),
            _ => None,
        },
        Command::InvoiceSeries(command) => match command {
            invoice_series::Command::Issue { document } => Some(of_document("issue", document)),
            invoice_series::Command::Credit { document } => Some(of_document("credit", document)),
        },
        Command::Notification(command) => match command {
            notification::Command::Request { .. } => Some("request".to_owned()),
            _ => None,
        },
        Command::Destination(_) | Command::Saga(_) => None,
    }
}

/// Whether only an event settles the command: its acceptance says that it was understood, not that
/// it is done.
#[must_use]
pub fn awaits_fact(command: &Command) -> bool {
    matches!(
        command,
        Command::Offer(offer::Command::Hold { .. })
            | Command::Payment(
                payment::Command::Request { .. }
                    | payment::Command::RequestCapture { .. }
                    | payment::Command::RequestVoid { .. }
                    | payment::Command::RequestRefund { .. }
            )
    )
}

/// What an event says about commands that sagas send to its stream.
#[must_use]
pub fn effects_of(event: &Event) -> Vec<Effect> {
    match event {
        Event::Offer(event) => of_offer(event).into_iter().collect(),
        Event::Booking(event) => of_booking(event).into_iter().collect(),
        Event::Itinerary(event) => match event {
            itinerary::Event::BookingAttached(e) => vec![done(format!("attach:{}", e.booking_id))],
            itinerary::Event::BookingDetached(e) => vec![done(format!("detach:{}", e.booking_id))],
            _ => Vec::new(),
        },
        Event::Payment(event) => of_payment(event),
        Event::InvoiceSeries(event) => match event {
            invoice_series::Event::Issued(e) => {
                vec![done(document_key("issue", &e.payment_id.to_string(), &e.reason))]
            }
            invoice_series::Event::Credited(e) => {
                vec![done(document_key("credit", &e.payment_id.to_string(), &e.reason))]
            }
        },
        Event::Notification(event) => match event {
            notification::Event::Requested(_) => vec![done("request".to_owned())],
            _ => Vec::new(),
        },
        Event::Destination(_) | Event::Saga(_) => Vec::new(),
    }
}

fn of_offer(event: &offer::Event) -> Option<Effect> {
    match event {
        offer::Event::Held(held) => {
            let facts = match fact(held) {
                Value::Object(facts) => facts,
                _ => Map::new(),
            };
            Some(told(of_hold("hold", held.hold_id), facts))
        }
        offer::Event::HoldReleased(e) => Some(done(of_hold("release", e.hold_id))),
        offer::Event::Allocated(e) => Some(done(of_hold("allocate", e.hold_id))),
        offer::Event::Returned(e) => Some(done(of_hold("return", e.hold_id))),
        offer::Event::Listed(_)
        | offer::Event::Repriced(_)
        | offer::Event::CapacityChanged(_)
        | offer::Event::HoldExpired(_)
        | offer::Event::Closed(_) => None,
    }
}

fn of_booking(event: &booking::Event) -> Option<Effect> {
    let key = match event {
        booking::Event::Held(_) => "mark-held",
        booking::Event::Confirmed(_) => "confirm",
        booking::Event::Rejected(_) => "reject",
        booking::Event::Expired(_) => "expire",
        booking::Event::Cancelled(_) => "finish-cancellation",
        booking::Event::Requested(_)
        | booking::Event::CancellationRequested(_)
        | booking::Event::TravellersChanged(_) => return None,
    };
    Some(done(key.to_owned()))
}

/// A closed payment keeps nothing: whatever was open of it has failed, whatever comes later.
fn of_payment(event: &payment::Event) -> Vec<Effect> {
    let closed = |code: &str, message: &str| {
        ["authorize", "capture"].map(|key| failure(key, None, code, message, false)).to_vec()
    };
    match event {
        payment::Event::Authorized(e) if e.kept => {
            vec![told("authorize", reference(&e.reference))]
        }
        payment::Event::Succeeded(e) if e.kept => vec![told("capture", reference(&e.reference))],
        // What is one too many changes nothing for the one that was kept.
        payment::Event::Authorized(_) => vec![not_kept("authorize")],
        payment::Event::Succeeded(_) => vec![not_kept("capture")],
        payment::Event::Failed(e) => match e.phase {
            Phase::Authorization => {
                vec![failure("authorize", None, &e.code, &e.message, false)]
            }
            Phase::Capture => {
                vec![failure("capture", Some(e.attempt), &e.code, &e.message, true)]
            }
        },
        payment::Event::TimedOut(_) => {
            closed(PAYMENT_TIMED_OUT, "the provider gave no answer in time")
        }
        payment::Event::VoidRequested(_) => closed("payment_closed", "the payment is being voided"),
        payment::Event::Voided(e) => {
            let mut effects = closed("payment_closed", "the payment is voided");
            effects.push(done("void".to_owned()));
            // The watch hears only what it asked for: an earlier void was before what it is about.
            effects.extend(WatchAttempt::of(e.attempt).map(|_| done(of_void(e.attempt))));
            effects
        }
        payment::Event::VoidFailed(e) => {
            let attempt = WatchAttempt::of(e.attempt).map_or(e.attempt, |watch| watch.number);
            vec![failure(&of_void(e.attempt), Some(attempt), &e.code, &e.message, true)]
        }
        payment::Event::Refunded(e) => vec![done(of_refund(e.refund_id))],
        payment::Event::RefundFailed(e) => {
            vec![failure(&of_refund(e.refund_id), None, &e.code, &e.message, true)]
        }
        payment::Event::Requested(_)
        | payment::Event::CaptureRequested(_)
        | payment::Event::RefundRequested(_)
        | payment::Event::WatchRequested(_) => Vec::new(),
    }
}

fn not_kept(key: &str) -> Effect {
    let message = "the provider's answer came too late or differs";
    failure(key, None, "payment_not_kept", message, false)
}

/// The code under which a payment that was never answered fails its step.
pub(super) const PAYMENT_TIMED_OUT: &str = "payment_timed_out";

fn of_hold(what: &str, hold_id: HoldId) -> String {
    format!("{what}:{hold_id}")
}

/// Each episode of the payment watch asks for voids of its own.
fn of_void(attempt: u32) -> String {
    match WatchAttempt::of(attempt) {
        Some(WatchAttempt { episode, .. }) => format!("void:{episode}"),
        None => "void".to_owned(),
    }
}

fn of_refund(refund_id: RefundId) -> String {
    format!("refund:{refund_id}")
}

fn of_document(what: &str, document: &invoice_series::Document) -> String {
    document_key(what, &document.payment_id.to_string(), &document.reason)
}

fn document_key(what: &str, payment_id: &str, reason: &str) -> String {
    format!("{what}:{payment_id}:{reason}")
}

fn reference(reference: &str) -> Map<String, Value> {
    Map::from_iter([("reference".to_owned(), Value::from(reference))])
}

fn done(key: String) -> Effect {
    told(key, Map::new())
}

fn told(key: impl Into<String>, facts: Map<String, Value>) -> Effect {
    Effect { key: key.into(), attempt: None, outcome: Outcome::Succeeded { facts } }
}

fn failure(key: &str, attempt: Option<u32>, code: &str, message: &str, retryable: bool) -> Effect {
    let (code, message, facts) = (code.to_owned(), message.to_owned(), Map::new());
    let outcome = Outcome::Failed { code, message, facts, retryable };
    Effect { key: key.to_owned(), attempt, outcome }
}
