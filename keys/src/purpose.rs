//! What a sealed text is for. The purpose is part of what the seal proves: a text that is moved
//! into a field of another purpose does not open there.

use domain::Category;

/// What a sealed text is for; one a kind of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// What somebody wrote about a trip.
    ItineraryComment,
    /// Who travels on a booking, and is told of it: name, contacts, date of birth.
    Traveller,
    /// Why somebody cancels a booking.
    CancellationReason,
}

/// What a sealed text is once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The text itself.
    Text,
    /// A JSON document, shown as one.
    Json,
}

impl Purpose {
    /// The name that is sealed in. Never changed: what was sealed under another does not open.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItineraryComment => "itinerary-comment",
            Self::Traveller => "traveller",
            Self::CancellationReason => "cancellation-reason",
        }
    }

    /// What it is once it is open.
    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::ItineraryComment | Self::CancellationReason => Form::Text,
            Self::Traveller => Form::Json,
        }
    }

    /// The purpose of the sealed fields called `field` in events and states of a category; nothing
    /// when there are none. `tests/it/architecture.rs` proves that every schema's are listed.
    #[must_use]
    pub fn of_field(category: Category, field: &str) -> Option<Self> {
        match (category, field) {
            (Category::Itinerary, "text") => Some(Self::ItineraryComment),
            // A message goes to a traveller, as the booking sealed them.
            (Category::Booking, "details") | (Category::Notification, "recipient") => {
                Some(Self::Traveller)
            }
            (Category::Booking, "reason") => Some(Self::CancellationReason),
            _ => None,
        }
    }
}
