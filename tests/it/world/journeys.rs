//! What happens to the bookings that are killed on their way: how each ends, and where its money
//! is.

use serde_json::Value;

use super::Client;
use super::sales::{at_rest, until};

/// What both offers cost, and what is kept of it when the booking is cancelled.
pub(crate) const PRICES: [i64; 2] = [12_900, 8_000];
pub(crate) const TOTAL: i64 = PRICES[0] + PRICES[1];
const FEE: i64 = TOTAL / 2;

/// What happens to a booking until it is at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Journey {
    /// It is bought.
    Bought,
    /// Its card is declined: what was held is released.
    Declined,
    /// Its trip was laid aside: what was held, authorized and allocated is undone.
    Undone,
    /// It was bought, and is cancelled.
    Cancelled,
    /// It is cancelled while its money is being taken, which cannot be stopped any more: it is
    /// taken, given back in full, and nothing is confirmed.
    Refunded,
    /// The provider reserves its money and says so to nobody until its time is over.
    Expired,
    /// The provider never answers, and nobody is there to end the booking when its time is over:
    /// its payment is asked about, and timed out.
    Unanswered,
}

/// Those that have all the time that they need.
pub(crate) const IN_TIME: [Journey; 5] =
    [Journey::Bought, Journey::Declined, Journey::Undone, Journey::Cancelled, Journey::Refunded];
/// Those whose time is over.
pub(crate) const LATE: [Journey; 2] = [Journey::Expired, Journey::Unanswered];

impl Journey {
    /// The status in which it ends.
    const fn status(self) -> &'static str {
        match self {
            Self::Bought => "confirmed",
            Self::Declined | Self::Undone => "rejected",
            Self::Cancelled | Self::Refunded => "cancelled",
            Self::Expired | Self::Unanswered => "expired",
        }
    }

    /// Whether the booking has come to its end.
    pub(crate) fn ended(self, booking: &Value) -> bool {
        at_rest(booking) && booking["status"] == self.status()
    }

    /// The same of the booking there, now.
    pub(crate) fn rests(self, client: &Client, booking: &str) -> bool {
        reads(client, booking, |read| self.ended(read))
    }

    /// A place that it always passes, and not every other does.
    pub(crate) fn own(self) -> String {
        let name = match self {
            Self::Bought => "dispatcher.before_send invoice",
            Self::Declined => "connector.before_record record-failed",
            Self::Undone => "connector.before_call void",
            Self::Cancelled => "dispatcher.before_send credit",
            Self::Refunded => "connector.before_call refund",
            Self::Expired => "dispatcher.before_send pass-deadline",
            Self::Unanswered => "connector.before_record time-out",
        };
        format!("{name}#1")
    }

    /// What was taken from the traveller, and what of it stays with the seller at the end.
    const fn money(self) -> [i64; 2] {
        match self {
            Self::Bought => [TOTAL, TOTAL],
            Self::Cancelled => [TOTAL, FEE],
            Self::Refunded => [TOTAL, 0],
            Self::Declined | Self::Undone | Self::Expired | Self::Unanswered => [0, 0],
        }
    }

    /// The booking's payments say so, as soon as the read model knows: it is one of its own.
    pub(crate) fn paid(self, client: &Client, booking: &str) {
        until(client, &format!("/v1/payments?booking_id={booking}"), |read| {
            let all = read["data"].as_array().unwrap();
            let sum = |what: &str| {
                let amounts = all.iter().map(|payment| payment[what]["amount"].as_i64().unwrap());
                amounts.sum::<i64>()
            };
            [sum("captured"), sum("captured") - sum("refunded")] == self.money()
        });
    }
}

/// Whether that is read there, now.
pub(crate) fn reads(client: &Client, path: &str, as_it_should: impl Fn(&Value) -> bool) -> bool {
    let read = client.send("GET", path, &[], None);
    read.is_ok_and(|read| read.status == 200 && as_it_should(&read.body))
}

/// Where the payments of the booking there are read.
pub(crate) fn payments(booking: &str) -> String {
    let (_, id) = booking.rsplit_once('/').unwrap();
    format!("/v1/payments?booking_id={id}")
}
