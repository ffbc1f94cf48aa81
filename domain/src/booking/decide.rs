//! The booking's decisions: one function a command, guards first, events last.

use super::error::Refusal;
use super::event::{
    BookingCancellationRequested, BookingCancelled, BookingConfirmed, BookingExpired, BookingHeld,
    BookingRejected, BookingRequested, BookingTravellersChanged, Event,
};
use super::purchase::Purchase;
use super::value::{CancelledBy, HeldLine, Line, LineRefund, SoldLine, Status, Traveller};
use super::{Booking, Command, check};
use crate::ids::{AccountId, BookingId, ItineraryId, PaymentId};
use crate::money::Money;
use crate::time::Timestamp;
use crate::{Actor, Context, Sealed};

type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether the booking exists, then where it stands.
pub(super) fn decide(booking: &Booking, command: &Command, context: &Context) -> Decision {
    let Context { now, actor, .. } = context;
    match command {
        Command::Request { booking_id, itinerary_id, lines, travellers, payment_method } => {
            let account = person(actor)?;
            let ids = (*booking_id, *itinerary_id, account);
            request(booking, ids, lines, travellers, payment_method, *now)
        }
        Command::MarkHeld { lines, hold_expires_at } => {
            saga(actor)?;
            mark_held(booking, lines, *hold_expires_at)
        }
        Command::Confirm { payment_id } => {
            saga(actor)?;
            confirm(booking, *payment_id, *now)
        }
        Command::Reject { code, message, facts } => {
            saga(actor)?;
            reject(booking, code, message, facts)
        }
        Command::Expire => {
            saga(actor)?;
            expire(booking)
        }
        Command::Cancel { by, reason } => cancel(booking, person(actor)?, *by, reason, *now),
        Command::FinishCancellation => {
            saga(actor)?;
            finish_cancellation(booking)
        }
        Command::ChangeTravellers { travellers } => {
            change_travellers(booking, person(actor)?, travellers)
        }
    }
}

fn person(actor: &Actor) -> Result<AccountId, Refusal> {
    actor.account().ok_or(Refusal::AccountRequired)
}

fn saga(actor: &Actor) -> Result<(), Refusal> {
    match actor {
        Actor::System(_) => Ok(()),
        Actor::Account(_) => Err(Refusal::SagaRequired),
    }
}

fn request(
    booking: &Booking,
    (booking_id, itinerary_id, account): (BookingId, ItineraryId, AccountId),
    lines: &[Line],
    travellers: &[Traveller],
    payment_method: &str,
    now: Timestamp,
) -> Decision {
    if let Ok(purchase) = existing(booking) {
        return Err(Refusal::BookingAlreadyExists { booking_id: purchase.booking_id });
    }
    let total = check::lines(lines)?;
    check::travellers(travellers)?;
    check::payment_method(payment_method)?;

    let requested = BookingRequested {
        booking_id,
        account,
        itinerary_id,
        lines: lines.to_vec(),
        travellers: travellers.to_vec(),
        total,
        payment_method: payment_method.to_owned(),
        requested_at: now,
    };
    Ok(vec![requested.into()])
}

fn mark_held(booking: &Booking, lines: &[HeldLine], hold_expires_at: Timestamp) -> Decision {
    let purchase = match booking {
        Booking::Requested(purchase) => purchase,
        Booking::Held(held) if held.held_lines == lines => return Ok(vec![]),
        Booking::Held(_) => return Err(Refusal::AlreadyHeld),
        Booking::Confirmed(_) => return Err(Refusal::AlreadyConfirmed),
        other => return Err(out_of_reach(other)),
    };
    let asked = &purchase.lines;
    if lines.len() != asked.len() || !lines.iter().zip(asked).all(|(held, line)| held.holds(line)) {
        return Err(Refusal::HeldLinesDiffer);
    }

    let (booking_id, lines) = (purchase.booking_id, lines.to_vec());
    Ok(vec![BookingHeld { booking_id, lines, hold_expires_at }.into()])
}

/// The point of no return: whoever asked to cancel before came first.
fn confirm(booking: &Booking, payment_id: PaymentId, now: Timestamp) -> Decision {
    let held = match booking {
        Booking::Held(held) => held,
        Booking::Requested(_) => return Err(Refusal::NotHeld),
        Booking::Confirmed(confirmed) if confirmed.payment_id == payment_id => return Ok(vec![]),
        Booking::Confirmed(_) => return Err(Refusal::AlreadyConfirmed),
        other => return Err(out_of_reach(other)),
    };

    let purchase = &held.purchase;
    let confirmed = BookingConfirmed {
        booking_id: purchase.booking_id,
        account: purchase.account,
        itinerary_id: purchase.itinerary_id,
        payment_id,
        lines: held.held_lines.iter().map(sold).collect(),
        total: purchase.total,
        confirmed_at: now,
    };
    Ok(vec![confirmed.into()])
}

fn reject(booking: &Booking, code: &str, message: &str, facts: &str) -> Decision {
    if let Booking::Rejected(_) = booking {
        return Ok(vec![]);
    }
    let booking_id = unconfirmed(booking)?.booking_id;
    let (code, message, facts) = check::rejection(code, message, facts)?;

    Ok(vec![BookingRejected { booking_id, code, message, facts }.into()])
}

fn expire(booking: &Booking) -> Decision {
    if let Booking::Expired(_) = booking {
        return Ok(vec![]);
    }
    let booking_id = unconfirmed(booking)?.booking_id;

    Ok(vec![BookingExpired { booking_id }.into()])
}

/// What is returned is fixed now, by the policies that the holds froze: 100 percent of what was
/// captured as long as nothing is confirmed.
fn cancel(
    booking: &Booking,
    account: AccountId,
    by: CancelledBy,
    reason: &Sealed,
    now: Timestamp,
) -> Decision {
    let purchase = existing(booking)?;
    let by = if account == purchase.account { CancelledBy::Traveller } else { by };
    if by == CancelledBy::Traveller && account != purchase.account {
        return Err(Refusal::OwnerRequired);
    }
    check::sealed("reason", reason)?;
    let (previous, refunds) = match booking {
        Booking::Requested(_) => (Status::Requested, in_full(purchase)),
        Booking::Held(_) => (Status::Held, in_full(purchase)),
        Booking::Confirmed(confirmed) => (Status::Confirmed, by_policy(&confirmed.held_lines, now)),
        other => return Err(out_of_reach(other)),
    };

    let total = purchase.total;
    let refunded = refunds.iter().map(|refund| refund.amount.amount).sum();
    let requested = BookingCancellationRequested {
        booking_id: purchase.booking_id,
        previous,
        by,
        reason: reason.clone(),
        cancelled_at: now,
        refunds,
        refund_total: Money { amount: refunded, ..total },
        fee: Money { amount: total.amount - refunded, ..total },
    };
    Ok(vec![requested.into()])
}

fn finish_cancellation(booking: &Booking) -> Decision {
    match booking {
        Booking::Cancelling(cancelling) => {
            let booking_id = cancelling.purchase.booking_id;
            Ok(vec![BookingCancelled { booking_id }.into()])
        }
        Booking::Cancelled(_) => Ok(vec![]),
        other => match other.status() {
            Some(booking_status) => Err(Refusal::NotCancelling { booking_status }),
            None => Err(Refusal::BookingNotFound),
        },
    }
}

fn change_travellers(booking: &Booking, account: AccountId, travellers: &[Traveller]) -> Decision {
    let purchase = existing(booking)?;
    if account != purchase.account {
        return Err(Refusal::OwnerRequired);
    }
    match booking {
        Booking::Requested(_) | Booking::Held(_) | Booking::Confirmed(_) => {}
        other => return Err(out_of_reach(other)),
    }
    check::travellers(travellers)?;
    if purchase.travellers == travellers {
        return Ok(vec![]);
    }

    let (booking_id, travellers) = (purchase.booking_id, travellers.to_vec());
    Ok(vec![BookingTravellersChanged { booking_id, travellers }.into()])
}

fn existing(booking: &Booking) -> Result<&Purchase, Refusal> {
    booking.purchase().ok_or(Refusal::BookingNotFound)
}

/// A booking that can still be refused or run out of time.
fn unconfirmed(booking: &Booking) -> Result<&Purchase, Refusal> {
    match booking {
        Booking::Requested(purchase) => Ok(purchase),
        Booking::Held(held) => Ok(&held.purchase),
        Booking::Confirmed(_) => Err(Refusal::AlreadyConfirmed),
        other => Err(out_of_reach(other)),
    }
}

/// Why nothing goes on here: it never was, is being undone, or ended.
fn out_of_reach(booking: &Booking) -> Refusal {
    match booking.status() {
        None => Refusal::BookingNotFound,
        Some(Status::Cancelling) => Refusal::Cancelling,
        Some(booking_status) => Refusal::Ended { booking_status },
    }
}

fn sold(held: &HeldLine) -> SoldLine {
    SoldLine {
        line: held.line,
        offer_id: held.offer_id,
        hold_id: held.hold_id,
        kind: held.kind,
        places: held.places.clone(),
        title: held.title.clone(),
        starts_at: held.starts_at,
        quantity: held.claim.quantity(),
        total: held.price(),
    }
}

fn in_full(purchase: &Purchase) -> Vec<LineRefund> {
    let whole = |line: &Line| LineRefund { line: line.line, percent: 100, amount: line.price() };
    purchase.lines.iter().map(whole).collect()
}

fn by_policy(lines: &[HeldLine], now: Timestamp) -> Vec<LineRefund> {
    let refund = |held: &HeldLine| LineRefund {
        line: held.line,
        percent: held.cancellation.refund_percent_at(now, held.starts_at),
        amount: held.cancellation.refund_at(held.price(), now, held.starts_at),
    };
    lines.iter().map(refund).collect()
}
