//! What must hold over the whole log, judged from its events alone.
//!
//! Nothing here uses what the aggregates decide with: a check that shared their arithmetic would
//! share their mistakes. Each file keeps its own small sums over one kind of stream.
//!
//! Events are fed in the order of each stream, the streams in any order between them. What must
//! hold at every prefix of a stream is told at once ([`Invariants::read`]) and for good. What holds
//! between streams, and at rest, is judged when everything was read ([`Invariants::judge`]): who
//! reads beside a running server judges, reads on and judges again, and believes what is found
//! again in the same words ([`Finding::what`] names every version that it was judged by).

mod bookings;
mod commands;
mod finding;
mod invoices;
mod itineraries;
mod offers;
mod payments;
mod provider;
mod sagas;

pub use bookings::BookingCounts;
pub use finding::{Check, Finding, Kind};
pub use payments::LoggedMoney;
pub use provider::{Books, ProviderMoney, Totals};

use crate::ids::{BookingId, InvoiceSeriesId, OfferId, PaymentId, SagaId};
use crate::{Envelope, Event, Position, Timestamp};
use bookings::{Beside, Bookings};
use commands::Commands;
use invoices::Invoices;
use itineraries::Attachments;
use offers::Offers;
use payments::Payments;
use sagas::Sagas;

/// The checks, with what they have seen. What they remember grows with what there is (offers,
/// payments, bookings, sagas), not with what happened to it; but for the ids of commands and
/// events, which are known to come once only by remembering them.
#[derive(Debug, Default)]
pub struct Invariants {
    commands: Commands,
    offers: Offers,
    payments: Payments,
    attachments: Attachments,
    invoices: Invoices,
    sagas: Sagas,
    bookings: Bookings,
    log_end: Option<Timestamp>,
}

/// What is found at rest.
#[derive(Debug, Default)]
pub struct Judgement {
    /// What was found, in no order.
    pub found: Vec<Finding>,
    /// How many bookings were judged, and why the others were not.
    pub bookings: BookingCounts,
    /// How many holds are open.
    pub open_holds: u64,
}

impl Invariants {
    /// Takes the next event of its stream. What it breaks, it breaks for good.
    pub fn read(&mut self, at: Position, envelope: &Envelope, event: &Event) -> Vec<Finding> {
        let (id, version) = (envelope.stream.id, envelope.version);
        self.log_end = self.log_end.max(Some(envelope.recorded_at));
        let mut wrong: Vec<(Check, String)> = Vec::new();
        let mut tell = |check, what: Option<String>| wrong.extend(what.map(|what| (check, what)));
        tell(Check::Commands, self.commands.read(envelope));
        let when = (version, envelope.recorded_at);
        match event {
            Event::Offer(event) => {
                wrong.extend(self.offers.read(OfferId(id), when, event));
            }
            Event::Payment(event) => {
                tell(Check::Payments, self.payments.read(PaymentId(id), version, event));
            }
            Event::Itinerary(event) => tell(Check::Attachments, self.attachments.read(event)),
            Event::InvoiceSeries(event) => {
                tell(Check::Invoices, self.invoices.read(InvoiceSeriesId(id), event));
            }
            Event::Saga(event) => {
                tell(Check::Sagas, self.sagas.read(SagaId(id), version, event));
            }
            Event::Booking(event) => {
                tell(Check::Bookings, self.bookings.read(BookingId(id), when, event));
            }
            // Neither holds anything that others could contradict.
            Event::Destination(_) | Event::Notification(_) => {}
        }
        let finding = |(check, what)| Finding {
            position: Some(at),
            ..Finding::violation(check, envelope.stream, version, what)
        };
        wrong.into_iter().map(finding).collect()
    }

    /// Judges what was read, as of `now`.
    #[must_use]
    pub fn judge(&self, now: Timestamp) -> Judgement {
        let mut found = Vec::new();
        let open_holds = self.offers.judge(now, &mut found);
        self.sagas.judge(&mut found);
        let Self { payments, sagas, attachments, .. } = self;
        let beside = Beside { payments, sagas, attachments };
        let bookings = self.bookings.judge(
            &self.offers.shares(),
            beside,
            self.log_end.unwrap_or(now),
            &mut found,
        );
        Judgement { found, bookings, open_holds }
    }

    /// What the log says that a payment moved.
    #[must_use]
    pub fn payment(&self, payment_id: PaymentId) -> Option<LoggedMoney> {
        self.payments.of(payment_id)
    }

    /// What the log says that each payment moved.
    pub fn payments(&self) -> impl Iterator<Item = (PaymentId, LoggedMoney)> + '_ {
        self.payments.iter()
    }

    /// How much a check that judges at every prefix has looked at; nothing for the others.
    #[must_use]
    pub fn checked(&self, check: Check) -> Option<u64> {
        let (versions, seats) = self.offers.counts();
        match check {
            Check::Commands => Some(self.commands.count()),
            Check::Capacity => Some(versions),
            Check::Seats => Some(seats),
            Check::Payments => Some(self.payments.count()),
            Check::Attachments => Some(self.attachments.count()),
            Check::Invoices => Some(self.invoices.count()),
            Check::Sagas => Some(self.sagas.count()),
            Check::Holds | Check::Bookings | Check::Provider => None,
        }
    }
}
