//! The one list of sagas. Another one is a file beside this and a line here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::plan::Rules;
use super::{cancellation, payment_watch, trip_booking};
use crate::ids::BookingId;

macro_rules! processes {
    ($($(#[$doc:meta])* $variant:ident($module:ident::$rules:ident) = $name:literal,)+) => {
        /// What a saga is about: its kind, and what is fixed at its start.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Process {
            $($(#[$doc])* #[serde(rename = $name)] $variant($module::$rules),)+
        }

        /// The kinds of sagas.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
        }

        impl Kind {
            /// Every kind, for listings and generic tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The kind's wire name, `trip-booking`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl Process {
            /// Which kind it is.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$variant(_) => Kind::$variant,)+ }
            }

            pub(super) fn rules(&self) -> &dyn Rules {
                match self { $(Self::$variant(rules) => rules,)+ }
            }
        }
    };
}

processes! {
    /// Buys a booking, all lines or nothing.
    TripBooking(trip_booking::TripBooking) = "trip-booking",
    /// Undoes a confirmed booking, for what its policies give back.
    Cancellation(cancellation::CancelledTrip) = "cancellation",
    /// Sees to it that a payment gives back what it meant to.
    PaymentWatch(payment_watch::PaymentWatch) = "payment-watch",
}

impl Process {
    /// The booking it is about.
    #[must_use]
    pub fn booking_id(&self) -> BookingId {
        self.rules().booking_id()
    }
}

/// The text names no kind of saga.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of saga such as trip-booking")]
pub struct InvalidKind(pub String);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = Self::ALL.iter().find(|kind| kind.name() == text);
        kind.copied().ok_or_else(|| InvalidKind(text.to_owned()))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
