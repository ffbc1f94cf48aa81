//! The commands that more than one saga sends, each with its stream.

use serde_json::{Map, Value};

use super::command::Settings;
use super::plan::{Ask, Attempt};
use super::progress::Progress;
use crate::ids::{BookingId, HoldId, ItineraryId, OfferId, PaymentId, SagaId};
use crate::invoice_series::Document;
use crate::money::Money;
use crate::notification::Channel;
use crate::{
    Category, Command, Sealed, StreamName, booking as bookings, derive, invoice_series,
    itinerary as itineraries, notification, offer as offers, payment as payments,
};

pub(super) fn offer(offer_id: OfferId, command: offers::Command) -> Ask {
    let target = StreamName::new(Category::Offer, offer_id.0);
    Ask { target, command: Command::Offer(command) }
}

pub(super) fn booking(booking_id: BookingId, command: bookings::Command) -> Ask {
    let target = StreamName::new(Category::Booking, booking_id.0);
    Ask { target, command: Command::Booking(command) }
}

pub(super) fn itinerary(itinerary_id: ItineraryId, command: itineraries::Command) -> Ask {
    let target = StreamName::new(Category::Itinerary, itinerary_id.0);
    Ask { target, command: Command::Itinerary(command) }
}

pub(super) fn payment(payment_id: PaymentId, command: payments::Command) -> Ask {
    let target = StreamName::new(Category::Payment, payment_id.0);
    Ask { target, command: Command::Payment(command) }
}

/// Takes sold places back.
pub(super) fn take_back(offer_id: OfferId, hold_id: HoldId) -> Ask {
    offer(offer_id, offers::Command::Return { hold_id })
}

pub(super) fn detach(itinerary_id: ItineraryId, booking_id: BookingId) -> Ask {
    itinerary(itinerary_id, itineraries::Command::DetachBooking { booking_id })
}

/// Gives money back. It is another refund only when the provider is known to have failed the one
/// before: what was merely refused may have been let through for somebody else.
pub(super) fn refund(
    payment_id: PaymentId,
    saga_id: SagaId,
    amount: Money,
    reason: &str,
    attempt: Attempt,
) -> Ask {
    let refund_id = derive::refund(saga_id, "refund", attempt.round);
    let attempt = attempt.number;
    let reason = reason.to_owned();
    let command = payments::Command::RequestRefund { refund_id, amount, reason, attempt };
    payment(payment_id, command)
}

pub(super) fn issue(
    settings: &Settings,
    attempt: Attempt,
    of: (PaymentId, BookingId, Money),
    reason: &str,
) -> Ask {
    let (target, document) = document(settings, attempt, of, reason);
    Ask { target, command: Command::InvoiceSeries(invoice_series::Command::Issue { document }) }
}

pub(super) fn credit(
    settings: &Settings,
    attempt: Attempt,
    of: (PaymentId, BookingId, Money),
    reason: &str,
) -> Ask {
    let (target, document) = document(settings, attempt, of, reason);
    Ask { target, command: Command::InvoiceSeries(invoice_series::Command::Credit { document }) }
}

/// The year is that of the step's first request: no later attempt lands in another series.
fn document(
    settings: &Settings,
    attempt: Attempt,
    (payment_id, booking_id, amount): (PaymentId, BookingId, Money),
    reason: &str,
) -> (StreamName, Document) {
    let year = settings.seller_zone.date_at(attempt.first_at).year();
    let (seller, reason) = (settings.seller.clone(), reason.to_owned());
    let series_id = derive::invoice_series(&seller, year);
    let document = Document { series_id, seller, year, payment_id, booking_id, amount, reason };
    (StreamName::new(Category::InvoiceSeries, series_id.0), document)
}

/// What somebody is told.
pub(super) struct Notice {
    pub(super) booking_id: BookingId,
    pub(super) template: &'static str,
    pub(super) recipient: Option<Sealed>,
    pub(super) facts: Map<String, Value>,
}

pub(super) fn notify(progress: &Progress, notice: Notice) -> Ask {
    let Notice { booking_id, template, recipient, facts } = notice;
    let notification_id = derive::notification(progress.saga_id, template);
    let command = notification::Command::Request {
        notification_id,
        booking_id,
        template: template.to_owned(),
        channel: Channel::Email,
        locale: progress.settings.locale.clone(),
        recipient,
        facts: serde_json::to_string(&facts).expect("facts are JSON"),
    };
    let target = StreamName::new(Category::Notification, notification_id.0);
    Ask { target, command: Command::Notification(command) }
}
