//! Streams: the names under which aggregates' events are kept, `category-id`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

use crate::ids::parse_uuid;

/// The kind of an aggregate: the first part of its streams' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// A traveller's trip.
    Itinerary,
    /// A place that people travel to.
    Destination,
    /// Something that can be sold.
    Offer,
    /// One traveller's purchase.
    Booking,
    /// Money for a booking.
    Payment,
    /// A seller's documents of one year.
    InvoiceSeries,
    /// A message to somebody.
    Notification,
    /// A process over several aggregates.
    Saga,
}

impl Category {
    /// Every category, for listings and exhaustive tests.
    pub const ALL: &'static [Self] = &[
        Self::Itinerary,
        Self::Destination,
        Self::Offer,
        Self::Booking,
        Self::Payment,
        Self::InvoiceSeries,
        Self::Notification,
        Self::Saga,
    ];

    /// The category's wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Itinerary => "itinerary",
            Self::Destination => "destination",
            Self::Offer => "offer",
            Self::Booking => "booking",
            Self::Payment => "payment",
            Self::InvoiceSeries => "invoice-series",
            Self::Notification => "notification",
            Self::Saga => "saga",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of one aggregate's stream; also the record key in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    /// What kind of aggregate it is.
    pub category: Category,
    /// Which one.
    pub id: Uuid,
}

/// The text names no stream of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stream name such as itinerary-018f4e2a-7c3b-7def-8123-456789abcdef")]
pub struct InvalidStreamName(pub String);

impl StreamName {
    /// The stream of one aggregate.
    #[must_use]
    pub const fn new(category: Category, id: Uuid) -> Self {
        Self { category, id }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.category, self.id)
    }
}

impl FromStr for StreamName {
    type Err = InvalidStreamName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || InvalidStreamName(text.to_owned());
        // The id is the last 36 characters: categories may hold hyphens themselves.
        let cut = text.len().checked_sub(37).ok_or_else(refused)?;
        let (category, rest) = text.split_at_checked(cut).ok_or_else(refused)?;
        let id = rest.strip_prefix('-').ok_or_else(refused)?;
        let category = Category::ALL.iter().find(|known| known.name() == category);
        Ok(Self {
            category: *category.ok_or_else(refused)?,
            id: parse_uuid(id).map_err(|_| refused())?,
        })
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_itself() {
        let stream = StreamName::new(Category::Itinerary, Uuid::from_u128(7));

        assert_eq!(stream.to_string().parse(), Ok(stream));
    }

    #[test]
    fn a_name_of_another_kind_is_refused() {
        for text in ["", "itinerary-", "trip-018f4e2a-7c3b-7def-8123-456789abcdef", "ünïcödé-018f"]
        {
            assert!(text.parse::<StreamName>().is_err(), "{text}");
        }
    }
}
