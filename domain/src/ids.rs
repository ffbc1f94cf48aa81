//! Typed ids: UUIDs that cannot be mistaken for one another.
//!
//! Minted ids are UUIDv7; derived ones UUIDv8 (a hash of what they derive from), so that a repeat
//! of the same request names the same thing. Always text when serialized, in JSON and in Avro.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID")]
pub struct InvalidId(pub String);

/// Reads a UUID in its canonical, hyphenated form only: an id has one spelling (but for case).
///
/// # Errors
/// [`InvalidId`] for any other form.
pub fn parse_uuid(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId(text.to_owned()));
    }
    Uuid::try_parse(text).map_err(|_| InvalidId(text.to_owned()))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_uuid(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(deserializer)?
                    .parse()
                    .map_err(D::Error::custom)
            }
        }
    )+};
}

ids! {
    /// A person's account.
    AccountId;
    /// A traveller's trip.
    ItineraryId;
    /// One activity inside an itinerary.
    ActivityId;
    /// One comment on an itinerary.
    CommentId;
    /// One traveller's purchase.
    BookingId;
    /// Something that can be sold.
    OfferId;
    /// A place that people travel to.
    DestinationId;
    /// One claim on an offer's places; at most one a booking's line.
    HoldId;
    /// Somebody who travels on a booking.
    TravellerId;
    /// Money for a booking.
    PaymentId;
    /// One return of money.
    RefundId;
    /// A seller's invoices of one year.
    InvoiceSeriesId;
    /// One message to somebody.
    NotificationId;
    /// One run of a process over several aggregates.
    SagaId;
    /// Whose key seals personal data: the account that entered it.
    PersonId;
    /// One command, by its idempotency key.
    CommandId;
    /// One event (CloudEvents `id`).
    EventId;
    /// What a request and everything that it caused have in common.
    CorrelationId;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_itself_from_either_case(number: u128) {
            let id = BookingId(Uuid::from_u128(number));

            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
            let json = serde_json::to_value(id).unwrap();
            prop_assert_eq!(&json, &serde_json::Value::from(id.to_string()));
            prop_assert_eq!(serde_json::from_value::<BookingId>(json).unwrap(), id);
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let canonical = "018f4e2a-7c3b-7def-8123-456789abcdef";
        let (compact, urn) = (canonical.replace('-', ""), format!("urn:uuid:{canonical}"));
        let (braced, wrong) = (format!("{{{canonical}}}"), canonical.replace('e', "g"));
        // 36 bytes, and hyphens elsewhere.
        let shifted = "018f4e2a7-c3b-7def-8123-456789abcdef".to_owned();

        assert!(parse_uuid(canonical).is_ok());
        for text in [compact, urn, braced, wrong, shifted, String::new()] {
            assert_eq!(parse_uuid(&text), Err(InvalidId(text.clone())));
        }
    }
}
