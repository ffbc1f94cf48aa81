//! All or nothing: what a booking on which no saga works has of places, money and its trip.
//!
//! | booking | captured - refunded | places | trip |
//! |---|---|---|---|
//! | confirmed | the price, nothing refunded | every line sold, nothing held | attached |
//! | cancelled after it was confirmed | the fee that the cancellation fixed | none | not attached |
//! | rejected, expired, cancelled before | nothing, no authorization open | none | not attached |
//!
//! Not judged: a booking that a saga works on (a stuck one is told of); one whose payment waits for
//! the provider; one whose saga has still to begin, or to undo it, unless the log went on without
//! that for a minute. What an operator settled by hand excuses what the step, or the saga, was to
//! do, and never a cancellation that nobody works on.

use std::collections::BTreeMap;

use super::finding::{Check, Finding, Kind};
use super::itineraries::Attachments;
use super::offers::Share;
use super::payments::Payments;
use super::sagas::{About, Sagas, State};
use crate::booking::{Event, Status};
use crate::ids::{BookingId, ItineraryId, OfferId};
use crate::money::Money;
use crate::{Category, StreamName, Timestamp, saga};

/// Every booking, as far as it is judged.
#[derive(Debug, Default)]
pub(super) struct Bookings {
    bookings: BTreeMap<BookingId, Seen>,
}

#[derive(Debug)]
struct Seen {
    version: u64,
    changed_at: Timestamp,
    status: Status,
    itinerary_id: ItineraryId,
    total: Money,
    /// Line, offer, places.
    lines: Vec<(u32, OfferId, u64)>,
    /// What a cancellation of the confirmed booking keeps, in minor units.
    fee: Option<i64>,
}

/// What the judgement of bookings came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookingCounts {
    /// Judged: no saga works on them.
    pub judged: u64,
    /// A saga works on them.
    pub under_way: u64,
    /// Their payment waits for the provider, or their saga has still to begin.
    pub waiting: u64,
    /// Their saga is stuck.
    pub stuck: u64,
}

/// What else has to be known of a booking.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) payments: &'a Payments,
    pub(super) sagas: &'a Sagas,
    pub(super) attachments: &'a Attachments,
}

/// What keeps a booking from being judged.
enum Now {
    Judged,
    UnderWay,
    Stuck,
    Waiting(String),
    Begins(String),
}

/// What is not as it should be, and what an operator can have settled to make it so; nothing if no
/// step does that.
type Wrong = (Option<About>, String);

/// How long the log may go on, in its own time, without the saga that has to begin.
const BEGINS_MICROS_MAX: i64 = 60_000_000;

impl Bookings {
    /// What is wrong with the event.
    pub(super) fn read(
        &mut self,
        booking_id: BookingId,
        (version, changed_at): (u64, Timestamp),
        event: &Event,
    ) -> Option<String> {
        if let Event::Requested(asked) = event {
            let line = |line: &crate::booking::Line| {
                (line.line, line.offer_id, u64::from(line.claim.quantity()))
            };
            let seen = Seen {
                version,
                changed_at,
                status: Status::Requested,
                itinerary_id: asked.itinerary_id,
                total: asked.total,
                lines: asked.lines.iter().map(line).collect(),
                fee: None,
            };
            let twice = self.bookings.insert(booking_id, seen).is_some();
            return twice.then(|| "it is requested a second time".to_owned());
        }
        let Some(seen) = self.bookings.get_mut(&booking_id) else {
            return Some(format!("{} stands before its request", event.name()));
        };
        (seen.version, seen.changed_at) = (version, changed_at);
        let before = seen.status;
        seen.status = match event {
            Event::Requested(_) | Event::TravellersChanged(_) => return None,
            Event::Held(_) => Status::Held,
            Event::Confirmed(_) => Status::Confirmed,
            Event::Rejected(_) => Status::Rejected,
            Event::Expired(_) => Status::Expired,
            Event::Cancelled(_) => Status::Cancelled,
            Event::CancellationRequested(asked) => {
                let confirmed = before == Status::Confirmed;
                seen.fee = confirmed.then_some(asked.fee.amount);
                Status::Cancelling
            }
        };
        (!leads(before, seen.status))
            .then(|| format!("{} follows while it is {}", event.name(), before.name()))
    }

    /// Judges every booking on which nothing works.
    pub(super) fn judge(
        &self,
        shares: &BTreeMap<BookingId, Vec<Share>>,
        beside: Beside<'_>,
        log_end: Timestamp,
        found: &mut Vec<Finding>,
    ) -> BookingCounts {
        let mut counts = BookingCounts::default();
        for (booking_id, seen) in &self.bookings {
            match seen.now(*booking_id, beside) {
                Now::UnderWay => counts.under_way += 1,
                Now::Stuck => counts.stuck += 1,
                Now::Waiting(what) => {
                    counts.waiting += 1;
                    found.push(seen.finding(*booking_id, Kind::Waiting, what));
                }
                Now::Begins(what) => {
                    counts.waiting += 1;
                    let late = log_end.micros() - seen.changed_at.micros() > BEGINS_MICROS_MAX;
                    let kind = if late { Kind::Violation } else { Kind::Waiting };
                    found.push(seen.finding(*booking_id, kind, what));
                }
                Now::Judged => {
                    counts.judged += 1;
                    let shares = shares.get(booking_id).map_or(&[][..], Vec::as_slice);
                    let excused = |about: About| {
                        beside.sagas.of_booking(*booking_id).any(|(_, saga)| saga.excuses(about))
                    };
                    let wrong = seen.wrong(*booking_id, shares, beside).into_iter();
                    let (settled, broken): (Vec<Wrong>, Vec<Wrong>) =
                        wrong.partition(|(about, _)| about.is_some_and(excused));
                    for (kind, wrong) in [(Kind::SettledByHand, settled), (Kind::Violation, broken)]
                    {
                        if !wrong.is_empty() {
                            let what = seen.told(*booking_id, &wrong, beside);
                            found.push(seen.finding(*booking_id, kind, what));
                        }
                    }
                }
            }
        }
        // What is held or sold for a booking that nobody asked for.
        for (booking_id, shares) in shares {
            if !self.bookings.contains_key(booking_id) {
                let places: u64 = shares.iter().map(|share| share.places).sum();
                let stream = StreamName::new(Category::Booking, booking_id.0);
                let what = format!("{places} places are held or sold for it; it does not exist");
                found.push(Finding::violation(Check::Bookings, stream, 0, what));
            }
        }
        counts
    }
}

/// Whether a booking may go from one status to the other.
const fn leads(from: Status, to: Status) -> bool {
    use Status::{Cancelled, Cancelling, Confirmed, Expired, Held, Rejected, Requested};
    matches!(
        (from, to),
        (Requested, Held)
            | (Held, Confirmed)
            | (Requested | Held, Rejected | Expired)
            | (Requested | Held | Confirmed, Cancelling)
            | (Cancelling, Cancelled)
    )
}

impl Seen {
    fn finding(&self, booking_id: BookingId, kind: Kind, what: String) -> Finding {
        let stream = StreamName::new(Category::Booking, booking_id.0);
        Finding {
            kind,
            check: Check::Bookings,
            stream,
            version: self.version,
            position: None,
            what,
        }
    }

    fn now(&self, booking_id: BookingId, beside: Beside<'_>) -> Now {
        let sagas = || beside.sagas.of_booking(booking_id).map(|(_, saga)| saga);
        if sagas().any(|saga| matches!(saga.state, State::Stuck(_))) {
            return Now::Stuck;
        }
        if sagas().any(|saga| !saga.ended()) {
            return Now::UnderWay;
        }
        let open = beside.payments.of_booking(booking_id);
        let open = open.filter_map(|(id, sums)| Some((id, sums.version, sums.waits_for()?)));
        if let Some((id, version, what)) = open.last() {
            return Now::Waiting(format!("its payment-{id} v{version} waits for its {what}"));
        }
        let begins = |kind: saga::Kind| Now::Begins(format!("its saga ({kind}) has to begin"));
        let ended = |kind| sagas().find(|saga| saga.kind == kind).map(|saga| &saga.state);
        match (ended(saga::Kind::TripBooking), self.status) {
            (None, Status::Requested) => begins(saga::Kind::TripBooking),
            (None, Status::Cancelling) if self.fee.is_none() => begins(saga::Kind::TripBooking),
            // It came through, or somebody said that it did.
            (Some(State::Ended(how)), Status::Cancelling)
                if self.fee.is_some()
                    && *how != "compensated"
                    && ended(saga::Kind::Cancellation).is_none() =>
            {
                begins(saga::Kind::Cancellation)
            }
            // It ended without the booking, and is told of the cancellation in a moment.
            (Some(_), Status::Cancelling) if self.fee.is_none() && !sagas().any(|s| s.noted) => {
                Now::Begins("its saga has to undo it".to_owned())
            }
            _ => Now::Judged,
        }
    }

    /// Everything that is not as the status says.
    fn wrong(&self, booking_id: BookingId, shares: &[Share], beside: Beside<'_>) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let (places, money, trip) = (Some(About::Places), Some(About::Money), Some(About::Trip));
        let (mut captured, mut refunded, mut reserved) = (0, 0, 0);
        for (id, sums) in beside.payments.of_booking(booking_id) {
            if sums.currency != self.total.currency {
                wrong.push((money, format!("payment-{id} is in {}", sums.currency)));
            }
            captured += sums.captured;
            refunded += sums.refunded;
            reserved += sums.reserved;
        }
        let held: u64 = shares.iter().filter(|share| !share.sold).map(|share| share.places).sum();
        let attached = beside.attachments.of_booking(booking_id);
        let Money { amount: price, currency } = self.total;
        if held > 0 {
            wrong.push((places, format!("{held} places are still held")));
        }
        if reserved > 0 {
            wrong.push((money, format!("{currency} {reserved} are still authorized")));
        }
        let kept = match (self.status, self.fee) {
            (Status::Confirmed, _) => {
                self.unsold(shares, &mut wrong);
                if attached != [self.itinerary_id] {
                    let itinerary_id = self.itinerary_id;
                    wrong.push((trip, format!("it is not attached to itinerary-{itinerary_id}")));
                }
                if refunded > 0 {
                    wrong.push((money, format!("{currency} {refunded} are refunded")));
                }
                price
            }
            (Status::Cancelled | Status::Rejected | Status::Expired, fee) => {
                let sold: u64 = shares.iter().filter(|s| s.sold).map(|s| s.places).sum();
                if sold > 0 {
                    wrong.push((places, format!("{sold} places are still sold")));
                }
                for id in &attached {
                    wrong.push((trip, format!("it is still attached to itinerary-{id}")));
                }
                fee.filter(|_| self.status == Status::Cancelled).unwrap_or(0)
            }
            (status @ (Status::Requested | Status::Held | Status::Cancelling), _) => {
                // Who asked for it to be undone was promised that.
                let ending = Some(About::Ending).filter(|_| status != Status::Cancelling);
                wrong.push((ending, "no saga works on it any more".to_owned()));
                return wrong;
            }
        };
        if captured - refunded != kept {
            let balance = captured - refunded;
            let what = format!(
                "{currency} {balance} are kept ({captured} captured, {refunded} refunded), \
                 and {kept} should be"
            );
            wrong.push((money, what));
        }
        wrong
    }

    /// Lines that are not sold as they were asked for, and what is sold beside them.
    fn unsold(&self, shares: &[Share], wrong: &mut Vec<Wrong>) {
        let sold = |wanted: Option<(u32, OfferId)>| -> u64 {
            let of = |share: &&Share| match wanted {
                Some(line) => (share.line, share.offer_id) == line,
                None => !self.lines.iter().any(|l| (l.0, l.1) == (share.line, share.offer_id)),
            };
            shares.iter().filter(|share| share.sold).filter(of).map(|share| share.places).sum()
        };
        for (line, offer_id, places) in &self.lines {
            let found = sold(Some((*line, *offer_id)));
            if found != *places {
                let what = format!(
                    "{found} of {places} places of line {line} are sold (offer-{offer_id})"
                );
                wrong.push((Some(About::Places), what));
            }
        }
        let beside = sold(None);
        if beside > 0 {
            let what = format!("{beside} places are sold to lines that it does not have");
            wrong.push((Some(About::Places), what));
        }
    }

    /// What is wrong, with all that it was judged by.
    fn told(&self, booking_id: BookingId, wrong: &[Wrong], beside: Beside<'_>) -> String {
        let sagas = beside.sagas.of_booking(booking_id).map(|(id, saga)| {
            let how = match &saga.state {
                State::Ended(how) => how,
                State::Running | State::Stuck(_) => "active",
            };
            format!("saga-{id} v{} {how}", saga.version)
        });
        let payments = beside.payments.of_booking(booking_id);
        let payments = payments.map(|(id, sums)| format!("payment-{id} v{}", sums.version));
        let seen: Vec<String> = sagas.chain(payments).collect();
        let by = if seen.is_empty() { "no saga, no payment".to_owned() } else { seen.join(", ") };
        let wrong: Vec<&str> = wrong.iter().map(|(_, what)| what.as_str()).collect();
        format!("{}, but {} [{by}]", self.status.name(), wrong.join("; "))
    }
}
