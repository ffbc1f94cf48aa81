//! A deployment with one trip and one flight to buy, seen by a traveller, an operator and the
//! provider at once.

use super::sales::{book, itinerary, offer, request, sold, text};
use super::{Answer, Client, Provider, World, kept};

/// What the flight costs.
pub(crate) const PRICE: i64 = 12_900;
/// Calls to the provider are given up soon, so that a test meets many that were.
pub(crate) const IMPATIENT: [(&str, &str); 4] = [
    ("WAYLOG_PROVIDER_ATTEMPT_TIMEOUT_MS", "400"),
    ("WAYLOG_PROVIDER_CALL_TIMEOUT_MS", "1500"),
    ("WAYLOG_PROVIDER_PAUSE_SECONDS_MAX", "2"),
    ("WAYLOG_PROVIDER_FAILURES_MAX", "3"),
];

pub(crate) struct Shop {
    pub(crate) client: Client,
    pub(crate) provider: Provider,
    pub(crate) trip: String,
    pub(crate) flight: String,
}

impl Shop {
    pub(crate) fn of(world: &World) -> Self {
        let client = world.client();
        let (trip, flight) = (itinerary(&client), offer(&client, "flight", 500, PRICE));
        Self { provider: world.provider(), client, trip, flight }
    }

    /// Asks for one place; gives where the booking is.
    pub(crate) fn ask(&self, method: &str) -> String {
        request(&self.client, &self.trip, &[(&self.flight, PRICE)], method)
    }

    /// Buys one place, for good.
    pub(crate) fn buy(&self, method: &str) -> Answer {
        let booking = book(&self.client, &self.trip, &[(&self.flight, PRICE)], method);
        self.ended(&booking, "confirmed", PRICE);
        booking
    }

    /// The booking has come to that end, and so much was kept for it.
    pub(crate) fn ended(&self, booking: &Answer, status: &str, amount: i64) {
        assert_eq!(booking.at("/status"), status, "{:#}", booking.body);
        kept(&self.client, &text(booking, "/id"), amount);
    }

    /// The booking's payments, as they are read.
    pub(crate) fn payments(booking: &Answer) -> String {
        format!("/v1/payments?booking_id={}", text(booking, "/id"))
    }

    /// So many places are sold, none is kept for anybody, and the provider's books are ours.
    pub(crate) fn balanced(&self, places: i64) {
        sold(&self.client, &self.flight, places);
        self.provider.agrees_with(&self.client);
    }

    /// A metric's value, by the beginning of its name and a label, if there is such a metric.
    pub(crate) fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let all = self.client.get("/metrics");
        let mut lines = all.body.as_str().unwrap().lines();
        let line = lines.find(|line| line.starts_with(name) && line.contains(label));
        line.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}
