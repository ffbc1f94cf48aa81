//! What a check says: what it looked at, and what it found, with all that an operator needs to look
//! at the place.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Position, StreamName};

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal of $unit:literal,)+) => {
        /// The kinds of checks over events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $($(#[$doc])* $variant,)+
        }

        impl Check {
            /// Every kind, in the order in which they are told.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What its count counts.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)+ }
            }
        }
    };
}

checks! {
    /// A command's events stand together and once in a stream, and every event id once in the log.
    Commands = "commands" of "commands",
    /// An offer never holds and sells more than it has, and frees only what it held.
    Capacity = "capacity" of "versions of offers",
    /// A seat is held by, or sold to, one line at most.
    Seats = "seats" of "seats taken",
    /// Refunded and asked to be refunded <= captured <= authorized <= requested.
    Payments = "payments" of "versions of payments",
    /// A booking is attached to a trip at most once, and never again after it was detached.
    Attachments = "attachments" of "attachments and detachments",
    /// Numbers of a series are 1, 2, 3, ...; one document for each payment and reason.
    Invoices = "invoices" of "invoices and credit notes",
    /// No hold stays open past its time.
    Holds = "holds" of "open holds",
    /// At most one saga works on a booking, and none goes on after its end.
    Sagas = "sagas" of "sagas",
    /// A booking on which no saga works is all or nothing.
    Bookings = "bookings" of "bookings without an active saga",
    /// What the provider moved is what the log says.
    Provider = "provider" of "payments compared",
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something that must hold does not.
    Violation,
    /// A saga that waits for an operator: what it is about is neither whole nor undone.
    Stuck,
    /// Something does not hold, and an operator settled the saga behind it by hand.
    SettledByHand,
    /// Not judged yet: something that is not a saga's is still under way.
    Waiting,
}

/// What was found, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub kind: Kind,
    /// Which check found it.
    pub check: Check,
    /// In which stream.
    #[serde(serialize_with = "as_text")]
    pub stream: StreamName,
    /// At, or after, which version of it.
    pub version: u64,
    /// Where that event is in the log; nothing for what is found between streams.
    pub position: Option<Position>,
    /// What is wrong, with every amount and version that it was judged by: the same words again
    /// mean that nothing has happened to it since.
    pub what: String,
}

fn as_text<S: Serializer>(stream: &StreamName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(stream)
}

impl Finding {
    /// Something between streams that must hold and does not.
    pub(super) const fn violation(
        check: Check,
        stream: StreamName,
        version: u64,
        what: String,
    ) -> Self {
        Self { kind: Kind::Violation, check, stream, version, position: None, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} v{}", self.check, self.stream, self.version)?;
        if let Some(position) = self.position {
            write!(f, " at {position}")?;
        }
        write!(f, ": {}", self.what)
    }
}
