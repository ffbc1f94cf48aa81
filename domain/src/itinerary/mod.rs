//! The itinerary: a traveller's trip, planned by its owner and whom the owner invites.
//!
//! | state | leaves it by | accepts |
//! |---|---|---|
//! | not created | `itinerary-created` | Create |
//! | active | `itinerary-archived` | everything but Create |
//! | archived | never | DetachBooking |
//!
//! Invariants, at every version:
//! - The period's end is not before its start, and every activity lies on its days (as counted in
//!   the period's zone), ends not before it starts.
//! - Only accounts plan. The owner and the editors change the plan, viewers comment too; inviting,
//!   removing, sharing and archiving are the owner's alone. The owner is no collaborator of theirs.
//! - Nobody collaborates without having been invited; nobody is both invited and collaborating.
//! - A booking is attached at most once, and never after it was detached, even when the detachment
//!   came first: a late attachment finds the door closed. Both are asked for by sagas alone.
//! - Nothing grows without a limit (`limits.rs`).
//!
//! What is asked for and true already appends nothing, unless that would hide a mistake: an id that
//! is taken is refused, and so is the removal of what is not there.

mod check;
mod command;
mod decide;
mod error;
mod event;
pub mod limits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod trip;
mod value;

use serde::{Deserialize, Serialize};

pub use check::comment as comment_text;
pub use command::{Activity, Command};
pub use error::Refusal;
pub use event::{
    Event, ItineraryActivityAdded, ItineraryActivityRemoved, ItineraryActivityRescheduled,
    ItineraryArchived, ItineraryBookingAttached, ItineraryBookingDetached,
    ItineraryCollaboratorInvited, ItineraryCollaboratorJoined, ItineraryCollaboratorLeft,
    ItineraryCommented, ItineraryCreated, ItineraryMetadataDescribed, ItineraryPeriodChanged,
    ItineraryRenamed, ItineraryShared, ItineraryUnshared,
};
pub use trip::{PlannedActivity, Trip};
pub use value::{ActivityKind, Budget, Metadata, Role};

use crate::{Aggregate, Category, Context};

/// The state of an itinerary. As JSON, the trip's fields beside a `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Itinerary {
    /// Nothing has happened yet.
    #[default]
    NotCreated,
    /// It is being planned or travelled.
    Active(Box<Trip>),
    /// It is closed for good.
    Archived(Box<Trip>),
}

impl Aggregate for Itinerary {
    const CATEGORY: Category = Category::Itinerary;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, &context.actor)
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (Self::NotCreated, Event::Created(event)) => Self::Active(Box::new(event.into())),
            // The log holds no such event; a fold refuses nothing.
            (Self::NotCreated, _) => Self::NotCreated,
            (Self::Active(trip) | Self::Archived(trip), Event::Archived(_)) => Self::Archived(trip),
            (Self::Active(mut trip), event) => {
                trip.apply(event);
                Self::Active(trip)
            }
            (Self::Archived(mut trip), event) => {
                trip.apply(event);
                Self::Archived(trip)
            }
        }
    }
}
