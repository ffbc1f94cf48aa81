//! The Avro schemas that this program carries: every version of every event.
//!
//! Released files are never edited. A new version is a new file in `schemas/` and a line here,
//! below the older ones of its event: the last line of an event is what is written.

use std::collections::HashMap;
use std::sync::LazyLock;

use apache_avro::Schema;

macro_rules! carried {
    ($($event:literal $version:literal,)+) => {
        const FILES: &[(&str, u32, &str)] = &[$((
            $event,
            $version,
            include_str!(concat!("../../../schemas/", $event, ".v", $version, ".avsc")),
        ),)+];
    };
}

carried! {
    "itinerary-created" 1,
    "itinerary-renamed" 1,
    "itinerary-period-changed" 1,
    "itinerary-metadata-described" 1,
    "itinerary-activity-added" 1,
    "itinerary-activity-rescheduled" 1,
    "itinerary-activity-removed" 1,
    "itinerary-booking-attached" 1,
    "itinerary-booking-detached" 1,
    "itinerary-collaborator-invited" 1,
    "itinerary-collaborator-joined" 1,
    "itinerary-collaborator-left" 1,
    "itinerary-commented" 1,
    "itinerary-shared" 1,
    "itinerary-unshared" 1,
    "itinerary-archived" 1,
    "destination-described" 1,
    "destination-retired" 1,
    "offer-listed" 1,
    "offer-repriced" 1,
    "offer-capacity-changed" 1,
    "offer-held" 1,
    "offer-hold-released" 1,
    "offer-hold-expired" 1,
    "offer-allocated" 1,
    "offer-returned" 1,
    "offer-closed" 1,
    "booking-requested" 1,
    "booking-held" 1,
    "booking-confirmed" 1,
    "booking-rejected" 1,
    "booking-expired" 1,
    "booking-cancellation-requested" 1,
    "booking-cancelled" 1,
    "booking-travellers-changed" 1,
    "payment-requested" 1,
    "payment-authorized" 1,
    "payment-capture-requested" 1,
    "payment-succeeded" 1,
    "payment-failed" 1,
    "payment-timed-out" 1,
    "payment-void-requested" 1,
    "payment-voided" 1,
    "payment-void-failed" 1,
    "payment-refund-requested" 1,
    "payment-refunded" 1,
    "payment-refund-failed" 1,
    "payment-watch-requested" 1,
    "invoice-issued" 1,
    "invoice-credited" 1,
    "notification-requested" 1,
    "notification-sent" 1,
    "notification-failed" 1,
    "notification-delivered" 1,
    "notification-abandoned" 1,
    "saga-started" 1,
    "saga-step-requested" 1,
    "saga-step-succeeded" 1,
    "saga-step-failed" 1,
    "saga-compensation-requested" 1,
    "saga-compensation-succeeded" 1,
    "saga-compensation-failed" 1,
    "saga-deadline-passed" 1,
    "saga-cancellation-noted" 1,
    "saga-completed" 1,
    "saga-compensated" 1,
    "saga-stuck" 1,
    "saga-resolved-by-operator" 1,
}

/// One version of one event's schema.
#[derive(Debug)]
pub struct CarriedSchema {
    /// The event's wire name, `itinerary-created`.
    pub event: &'static str,
    /// From 1; the number in the file's name.
    pub version: u32,
    /// The record's full name, `waylog.ItineraryCreated`.
    pub record: String,
    /// The file.
    pub json: &'static str,
    /// The file, parsed.
    pub schema: Schema,
}

/// All schemas, older versions of an event before newer ones.
pub static KNOWN: LazyLock<Vec<CarriedSchema>> = LazyLock::new(|| {
    let parse = |&(event, version, json): &(&'static str, u32, &'static str)| {
        let schema = Schema::parse_str(json).expect("a carried schema is valid: a test reads all");
        let record = schema.name().expect("a carried schema is a record").fullname(None);
        CarriedSchema { event, version, record, json, schema }
    };
    FILES.iter().map(parse).collect()
});

/// The index in [`KNOWN`] of what an event is written with.
#[must_use]
pub fn newest(event: &str) -> Option<usize> {
    static NEWEST: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| {
        KNOWN.iter().zip(0..).map(|(known, index)| (known.event, index)).collect()
    });
    NEWEST.get(event).copied()
}
