//! The saga that buys a booking: every line of it, or nothing.
//!
//! Started by `booking-requested`; at most one a booking, for its id derives from the booking's.
//!
//! | # | step | command | compensation |
//! |---|---|---|---|
//! | 1 | `hold:<line>`, all in parallel | offer: Hold | `release:<line>`: Release |
//! | 1 | `mark-held` | booking: MarkHeld | none: the ending closes the booking |
//! | 2 | `authorize` | payment: Request | `void`: RequestVoid, unless it is captured |
//! | 3 | `allocate:<line>`, all in parallel | offer: Allocate | `return:<line>`: Return |
//! | 4 | `attach` | itinerary: AttachBooking | `detach`: DetachBooking |
//! | 5 | `capture`, awaited | payment: RequestCapture | `refund` in full, if it is captured |
//! | 6 | **`confirm`: the point of no return** | booking: Confirm | none |
//! | 7 | `invoice`, `notify` | series: Issue; notification: Request | none: tried until done |
//!
//! What ends it before 6, and how: a refusal, or a failure after some attempts, with `reject` (the
//! refusal's code and facts become the booking's); its deadline with `expire`; a cancellation with
//! `finish-cancellation`. Each is a step like any other, and comes after everything is undone.
//!
//! - What was asked of the provider and not answered is voided: the void makes the provider refuse
//!   what comes late. A capture is waited for: whether to void or to refund hangs on it.
//! - A cancellation that arrives in time turns it around; one that met a confirmed booking waits
//!   for the end, and starts the cancellation saga there.
//! - The trip is changed by its owner and editors alone: a buyer who is neither is refused by 4.
//! - A booking for nothing pays nothing: without 2, 5 and the invoice.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ask::{self, Notice};
use super::cancellation::{CancelledTrip, Sold};
use super::command::Settings;
use super::effect::PAYMENT_TIMED_OUT;
use super::event::{Ending, FollowUp};
use super::plan::{Ask, Attempt, Plan, Rules, Step};
use super::progress::{Cancellation, Cause, Failure, Progress};
use crate::booking::{
    self, BookingCancellationRequested, BookingRequested, HeldLine, Line, Status,
};
use crate::ids::{AccountId, BookingId, ItineraryId};
use crate::money::Money;
use crate::offer::{LineRef, OfferHeld};
use crate::payment::{self, Terms};
use crate::{Sealed, Timestamp, derive, itinerary, offer, text};

/// What a trip booking is about, as the booking was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripBooking {
    /// The booking.
    pub booking_id: BookingId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The trip that it belongs to.
    pub itinerary_id: ItineraryId,
    /// What is bought.
    pub lines: Vec<Line>,
    /// What it costs.
    pub total: Money,
    /// How it is paid.
    pub payment_method: String,
    /// Who is told of it; sealed.
    pub recipient: Option<Sealed>,
}

impl From<&BookingRequested> for TripBooking {
    fn from(event: &BookingRequested) -> Self {
        Self {
            booking_id: event.booking_id,
            account_id: event.account,
            itinerary_id: event.itinerary_id,
            lines: event.lines.clone(),
            total: event.total,
            payment_method: event.payment_method.clone(),
            recipient: event.travellers.first().map(|traveller| traveller.details.clone()),
        }
    }
}

/// What the saga has to know of a cancellation.
pub(super) fn cancellation_of(event: &BookingCancellationRequested) -> Cancellation {
    let was_confirmed = event.previous == Status::Confirmed;
    Cancellation { was_confirmed, refund: event.refund_total, fee: event.fee }
}

impl Rules for TripBooking {
    fn booking_id(&self) -> BookingId {
        self.booking_id
    }

    fn deadline_seconds(&self, settings: &Settings) -> Option<u32> {
        Some(settings.payment_deadline_seconds)
    }

    fn plan<'a>(&'a self, progress: &'a Progress) -> Plan<'a> {
        let run = Run { trip: self, progress };
        let captured = progress.succeeded("capture");
        let lines = || self.lines.iter();
        let paid = |step: Step<'a>| if self.total.amount > 0 { vec![step] } else { Vec::new() };

        let holds = lines().map(|line| {
            Step::new(format!("hold:{}", line.line), move |_| run.hold(line))
                .undone_by(format!("release:{}", line.line), move |_| run.release(line))
        });
        let mark_held = Step::new("mark-held", move |_| run.mark_held());
        let authorize = Step::new("authorize", move |_| run.authorize())
            .undone_by("void", move |attempt| run.void(attempt))
            .unless(captured);
        let allocations = lines().map(|line| {
            Step::new(format!("allocate:{}", line.line), move |_| run.allocate(line))
                .undone_by(format!("return:{}", line.line), move |_| run.take_back(line))
        });
        let attach = Step::new("attach", move |_| run.attach())
            .undone_by("detach", move |_| ask::detach(self.itinerary_id, self.booking_id));
        let capture = Step::new("capture", move |attempt| run.capture(attempt))
            .awaited()
            .undone_by("refund", move |attempt| run.refund(attempt))
            .unless(!captured);
        let confirm = Step::new("confirm", move |_| run.confirm()).awaited();
        let mut told = paid(Step::new("invoice", move |attempt| run.invoice(attempt)));
        told.push(Step::new("notify", move |_| run.notify()));

        Plan {
            revocable: vec![
                holds.collect(),
                vec![mark_held],
                paid(authorize),
                allocations.collect(),
                vec![attach],
                paid(capture),
            ],
            pivot: Some(confirm),
            onward: vec![told],
        }
    }

    fn ending<'a>(&'a self, progress: &'a Progress) -> (Ending, Option<Step<'a>>) {
        // A booking that is being cancelled refuses whatever else it is asked, before and after the
        // saga has been told.
        let cancelled =
            progress.cancellation.is_some() || progress.failed_with(booking_cancelling().code());
        let timed_out = |failure: &Failure| failure.code == PAYMENT_TIMED_OUT;
        let (ending, key, command) = match &progress.cause {
            _ if cancelled => finished(),
            None | Some(Cause::Cancelled) => finished(),
            Some(Cause::Deadline) => expired(),
            Some(Cause::Failed { failure, .. }) if timed_out(failure) => expired(),
            Some(Cause::Failed { failure, .. }) => (Ending::Failed, "reject", rejection(failure)),
        };
        let ask = move |_| ask::booking(self.booking_id, command.clone());
        (ending, Some(Step::new(key, ask)))
    }

    fn undone_by(&self, progress: &Progress, cancellation: &Cancellation) -> Option<FollowUp> {
        let run = Run { trip: self, progress };
        let sold = |line: &Line| {
            let (line, offer_id) = (line.line, line.offer_id);
            Sold { line, offer_id, hold_id: derive::hold(progress.saga_id, line) }
        };
        let cancelled = CancelledTrip {
            booking_id: self.booking_id,
            account_id: self.account_id,
            itinerary_id: self.itinerary_id,
            lines: self.lines.iter().map(sold).collect(),
            payment_id: run.terms().payment_id,
            refund: cancellation.refund,
            fee: cancellation.fee,
            recipient: self.recipient.clone(),
        };
        let saga_id = derive::cancellation_saga(self.booking_id);
        Some(FollowUp { saga_id, process: super::Process::Cancellation(cancelled) })
    }

    fn cancellable(&self) -> bool {
        true
    }
}

fn booking_cancelling() -> booking::Refusal {
    booking::Refusal::Cancelling
}

fn finished() -> (Ending, &'static str, booking::Command) {
    (Ending::Cancelled, "finish-cancellation", booking::Command::FinishCancellation)
}

fn expired() -> (Ending, &'static str, booking::Command) {
    (Ending::Expired, "expire", booking::Command::Expire)
}

/// The first failure becomes the booking's, cut to what a booking keeps.
fn rejection(failure: &Failure) -> booking::Command {
    use booking::limits::{CODE_CHARACTERS_MAX, FACTS_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX};
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    let code = or(text::readable(&failure.code, CODE_CHARACTERS_MAX), "unknown");
    let message = or(text::readable(&failure.message, MESSAGE_CHARACTERS_MAX), "no reason given");
    let facts = serde_json::to_string(&failure.facts).expect("facts are JSON");
    let kept = facts.chars().count() <= FACTS_CHARACTERS_MAX;
    booking::Command::Reject { code, message, facts: if kept { facts } else { "{}".to_owned() } }
}

/// One run: its facts and how far it is.
#[derive(Clone, Copy)]
struct Run<'a> {
    trip: &'a TripBooking,
    progress: &'a Progress,
}

impl Run<'_> {
    /// When the payment has to be there. A trip booking always has a deadline.
    fn deadline_at(self) -> Timestamp {
        self.progress.deadline_at.unwrap_or_default()
    }

    fn margin_seconds(self) -> u32 {
        self.progress.settings.hold_margin_seconds
    }

    fn hold(self, line: &Line) -> Ask {
        let Line { line: number, offer_id, .. } = *line;
        let ttl_seconds = self.progress.settings.payment_deadline_seconds + self.margin_seconds();
        let booking_id = self.trip.booking_id;
        ask::offer(
            offer_id,
            offer::Command::Hold {
                hold_id: derive::hold(self.progress.saga_id, number),
                line: Some(LineRef { booking_id, line: number }),
                claim: line.claim.clone(),
                unit_price: line.unit_price,
                ttl_seconds,
                valid_until: self.valid_until(),
            },
        )
    }

    /// A hold makes no sense once it could not be paid for.
    fn valid_until(self) -> Timestamp {
        self.deadline_at().plus_seconds(i64::from(self.margin_seconds()))
    }

    fn release(self, line: &Line) -> Ask {
        let hold_id = derive::hold(self.progress.saga_id, line.line);
        let valid_until = self.valid_until();
        ask::offer(line.offer_id, offer::Command::Release { hold_id, valid_until })
    }

    fn allocate(self, line: &Line) -> Ask {
        let hold_id = derive::hold(self.progress.saga_id, line.line);
        ask::offer(line.offer_id, offer::Command::Allocate { hold_id })
    }

    fn take_back(self, line: &Line) -> Ask {
        ask::take_back(line.offer_id, derive::hold(self.progress.saga_id, line.line))
    }

    /// What the offers answered is what the booking is told; a line without an answer is missing,
    /// and the booking refuses the rest.
    fn mark_held(self) -> Ask {
        let answered = self.trip.lines.iter().filter_map(|line| {
            let step = self.progress.steps.get(&format!("hold:{}", line.line))?;
            let held = serde_json::from_value::<OfferHeld>(Value::Object(step.facts.clone()));
            Some((line, held.ok()?))
        });
        let answered: Vec<(&Line, OfferHeld)> = answered.collect();
        let first = answered.iter().map(|(_, held)| held.expires_at).min();
        let lines = answered.into_iter().map(|(line, held)| HeldLine {
            line: line.line,
            offer_id: held.offer_id,
            claim: held.claim,
            unit_price: held.unit_price,
            hold_id: held.hold_id,
            cancellation: held.cancellation,
            starts_at: held.starts_at,
            kind: held.kind,
            places: held.places,
            title: held.title,
        });
        let lines = lines.collect();
        let hold_expires_at = first.unwrap_or_else(|| self.valid_until());
        ask::booking(self.trip.booking_id, booking::Command::MarkHeld { lines, hold_expires_at })
    }

    fn terms(self) -> Terms {
        Terms {
            payment_id: derive::payment(self.progress.saga_id),
            booking_id: self.trip.booking_id,
            saga_id: self.progress.saga_id,
            account_id: self.trip.account_id,
            amount: self.trip.total,
            method: self.trip.payment_method.clone(),
            due_at: self.deadline_at(),
        }
    }

    fn authorize(self) -> Ask {
        let terms = self.terms();
        ask::payment(terms.payment_id, payment::Command::Request { terms })
    }

    fn void(self, attempt: Attempt) -> Ask {
        let (terms, reason) = (self.terms(), "the booking was not confirmed".to_owned());
        let attempt = attempt.number;
        ask::payment(terms.payment_id, payment::Command::RequestVoid { terms, attempt, reason })
    }

    fn attach(self) -> Ask {
        let TripBooking { booking_id, account_id, .. } = *self.trip;
        let account_id = Some(account_id);
        let command = itinerary::Command::AttachBooking { booking_id, account_id };
        ask::itinerary(self.trip.itinerary_id, command)
    }

    fn capture(self, attempt: Attempt) -> Ask {
        let attempt = attempt.number;
        ask::payment(self.terms().payment_id, payment::Command::RequestCapture { attempt })
    }

    fn refund(self, attempt: Attempt) -> Ask {
        let reason = "the booking was not confirmed";
        let (saga_id, amount) = (self.progress.saga_id, self.trip.total);
        ask::refund(self.terms().payment_id, saga_id, amount, reason, attempt)
    }

    fn confirm(self) -> Ask {
        let payment_id = self.terms().payment_id;
        ask::booking(self.trip.booking_id, booking::Command::Confirm { payment_id })
    }

    fn invoice(self, attempt: Attempt) -> Ask {
        let Terms { payment_id, booking_id, amount, .. } = self.terms();
        let sale = (payment_id, booking_id, amount);
        ask::issue(&self.progress.settings, attempt, sale, "sale")
    }

    fn notify(self) -> Ask {
        let facts = Map::from_iter([
            ("account_id".to_owned(), crate::refusal::fact(self.trip.account_id)),
            ("itinerary_id".to_owned(), crate::refusal::fact(self.trip.itinerary_id)),
            ("total".to_owned(), crate::refusal::fact(self.trip.total)),
        ]);
        let (template, recipient) = ("booking-confirmed", self.trip.recipient.clone());
        let booking_id = self.trip.booking_id;
        ask::notify(self.progress, Notice { booking_id, template, recipient, facts })
    }
}
