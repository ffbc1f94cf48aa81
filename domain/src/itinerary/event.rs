//! What can have happened to an itinerary. One struct an event: each has an Avro schema of its own.
//!
//! Every struct names the itinerary, so that a reader of one record needs nothing else.

use serde::{Deserialize, Serialize};

use super::value::{ActivityKind, Budget, Metadata, Role};
use crate::calendar::{Period, Zone};
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::money::Money;
use crate::payload::event_types;
use crate::sealed::Sealed;
use crate::time::Timestamp;

event_types! {
    /// An event of an itinerary.
    pub enum Event in Itinerary {
        /// The trip exists.
        Created(ItineraryCreated) = "itinerary-created",
        /// It has another title.
        Renamed(ItineraryRenamed) = "itinerary-renamed",
        /// It has other days.
        PeriodChanged(ItineraryPeriodChanged) = "itinerary-period-changed",
        /// Budget, travellers and preferences were described anew.
        MetadataDescribed(ItineraryMetadataDescribed) = "itinerary-metadata-described",
        /// Something to do was added.
        ActivityAdded(ItineraryActivityAdded) = "itinerary-activity-added",
        /// An activity has another time.
        ActivityRescheduled(ItineraryActivityRescheduled) = "itinerary-activity-rescheduled",
        /// An activity was taken out.
        ActivityRemoved(ItineraryActivityRemoved) = "itinerary-activity-removed",
        /// A booking became part of the trip.
        BookingAttached(ItineraryBookingAttached) = "itinerary-booking-attached",
        /// A booking is no longer part of the trip, and never will be again.
        BookingDetached(ItineraryBookingDetached) = "itinerary-booking-detached",
        /// Somebody was asked to help planning.
        CollaboratorInvited(ItineraryCollaboratorInvited) = "itinerary-collaborator-invited",
        /// The invited account accepted.
        CollaboratorJoined(ItineraryCollaboratorJoined) = "itinerary-collaborator-joined",
        /// The account is no longer a collaborator, by its own wish or removed.
        CollaboratorLeft(ItineraryCollaboratorLeft) = "itinerary-collaborator-left",
        /// Somebody wrote a comment.
        Commented(ItineraryCommented) = "itinerary-commented",
        /// Everybody with the link may read it.
        Shared(ItineraryShared) = "itinerary-shared",
        /// The link no longer works.
        Unshared(ItineraryUnshared) = "itinerary-unshared",
        /// It is closed for good.
        Archived(ItineraryArchived) = "itinerary-archived",
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// The trip.
            pub itinerary_id: ItineraryId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

payloads! {
    /// `itinerary-created`.
    ItineraryCreated {
        /// Who owns it: the account that created it.
        owner: AccountId,
        /// What the traveller calls it.
        title: String,
        /// Its days.
        period: Period,
    }
    /// `itinerary-renamed`.
    ItineraryRenamed {
        /// The new title.
        title: String,
    }
    /// `itinerary-period-changed`.
    ItineraryPeriodChanged {
        /// The new days.
        period: Period,
    }
    /// `itinerary-metadata-described`: replaces what was described before.
    ItineraryMetadataDescribed {
        /// What may be spent.
        budget: Option<Budget>,
        /// How many people travel.
        travellers: Option<u32>,
        /// Free words such as `vegetarian` or `window seat`.
        preferences: Vec<String>,
    }
    /// `itinerary-activity-added`.
    ItineraryActivityAdded {
        /// The new activity.
        activity_id: ActivityId,
        /// What kind of thing it is.
        kind: ActivityKind,
        /// What it is called.
        title: String,
        /// Where it is.
        place: String,
        /// When it begins.
        starts_at: Timestamp,
        /// When it ends; never before `starts_at`.
        ends_at: Timestamp,
        /// The zone of the place.
        zone: Zone,
        /// Anything else worth knowing.
        details: Option<String>,
        /// What it may cost.
        estimated_price: Option<Money>,
        /// Who added it.
        added_by: AccountId,
    }
    /// `itinerary-activity-rescheduled`.
    ItineraryActivityRescheduled {
        /// Which activity.
        activity_id: ActivityId,
        /// When it begins now.
        starts_at: Timestamp,
        /// When it ends now.
        ends_at: Timestamp,
        /// The zone of the place.
        zone: Zone,
    }
    /// `itinerary-activity-removed`.
    ItineraryActivityRemoved {
        /// Which activity.
        activity_id: ActivityId,
    }
    /// `itinerary-booking-attached`.
    ItineraryBookingAttached {
        /// Which booking.
        booking_id: BookingId,
    }
    /// `itinerary-booking-detached`. Also recorded for a booking that was never attached: it closes
    /// the door for an attachment that comes late.
    ItineraryBookingDetached {
        /// Which booking.
        booking_id: BookingId,
    }
    /// `itinerary-collaborator-invited`.
    ItineraryCollaboratorInvited {
        /// Who is asked.
        account_id: AccountId,
        /// What they would be allowed.
        role: Role,
        /// Who asked.
        invited_by: AccountId,
    }
    /// `itinerary-collaborator-joined`.
    ItineraryCollaboratorJoined {
        /// Who accepted.
        account_id: AccountId,
        /// What they are allowed.
        role: Role,
    }
    /// `itinerary-collaborator-left`.
    ItineraryCollaboratorLeft {
        /// Who is out.
        account_id: AccountId,
        /// Who ended it: the account itself, or the owner.
        ended_by: AccountId,
    }
    /// `itinerary-commented`.
    ItineraryCommented {
        /// The new comment.
        comment_id: CommentId,
        /// Who wrote it.
        author: AccountId,
        /// What was written, under the author's key.
        text: Sealed,
    }
    /// `itinerary-shared`.
    ItineraryShared {}
    /// `itinerary-unshared`.
    ItineraryUnshared {}
    /// `itinerary-archived`.
    ItineraryArchived {}
}

impl From<&ItineraryMetadataDescribed> for Metadata {
    fn from(event: &ItineraryMetadataDescribed) -> Self {
        Self {
            budget: event.budget,
            travellers: event.travellers,
            preferences: event.preferences.clone(),
        }
    }
}
