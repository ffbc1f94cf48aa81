//! What can be asked of an itinerary. New ids come inside, so that a decision needs no randomness.

use serde::{Deserialize, Serialize};

use super::value::{ActivityKind, Metadata, Role};
use crate::calendar::{Period, Zone};
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// A command to an itinerary. The actor is in the decision's context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Starts a trip that the actor owns.
    Create {
        /// Its id, which also names its stream.
        itinerary_id: ItineraryId,
        /// What the traveller calls it.
        title: String,
        /// Its days.
        period: Period,
        /// What else is known at the start.
        metadata: Option<Metadata>,
    },
    /// Changes any of title, days and metadata at once, all or nothing: one request, one decision.
    /// What equals the present state appends nothing.
    Revise {
        /// The new title.
        title: Option<String>,
        /// The new days.
        period: Option<Period>,
        /// Replaces the metadata as a whole.
        metadata: Option<Metadata>,
    },
    /// Adds something to do.
    AddActivity {
        /// Its id.
        activity_id: ActivityId,
        /// The activity.
        activity: Activity,
    },
    /// Moves an activity in time.
    RescheduleActivity {
        /// Which one.
        activity_id: ActivityId,
        /// The new begin.
        starts_at: Timestamp,
        /// The new end.
        ends_at: Timestamp,
        /// The zone of the place.
        zone: Zone,
    },
    /// Takes an activity out.
    RemoveActivity {
        /// Which one.
        activity_id: ActivityId,
    },
    /// Asks an account to collaborate (the owner alone).
    Invite {
        /// Whom.
        account_id: AccountId,
        /// As what.
        role: Role,
    },
    /// Accepts an invitation (the invited account alone).
    Join,
    /// Ends the actor's own collaboration, or declines the invitation.
    Leave,
    /// Ends somebody's collaboration (the owner alone).
    RemoveCollaborator {
        /// Whose.
        account_id: AccountId,
    },
    /// Writes a comment.
    Comment {
        /// Its id.
        comment_id: CommentId,
        /// What is said, sealed under the actor's key.
        text: Sealed,
    },
    /// Lets everybody with the link read it (the owner alone).
    Share,
    /// Stops that (the owner alone).
    Unshare,
    /// Closes it for good (the owner alone).
    Archive,
    /// Makes a booking part of the trip (sagas alone, for a buyer who may edit it).
    AttachBooking {
        /// Which one.
        booking_id: BookingId,
        /// Whose booking it is. None in what a log holds from before the buyer was named: nobody
        /// may edit then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account_id: Option<AccountId>,
    },
    /// Takes a booking out, for good (sagas alone).
    DetachBooking {
        /// Which one.
        booking_id: BookingId,
    },
}

/// An activity as it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// What kind of thing it is.
    pub kind: ActivityKind,
    /// What it is called.
    pub title: String,
    /// Where it is.
    pub place: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The zone of the place.
    pub zone: Zone,
    /// Anything else worth knowing.
    pub details: Option<String>,
    /// What it may cost.
    pub estimated_price: Option<Money>,
}

impl Command {
    /// Refuses what no itinerary accepts, whatever its state, before it reaches one.
    ///
    /// # Errors
    /// The same refusal that a decision would give.
    pub fn check(&self) -> Result<(), super::Refusal> {
        super::check::command(self)
    }

    /// The command's name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Revise { .. } => "revise",
            Self::AddActivity { .. } => "add-activity",
            Self::RescheduleActivity { .. } => "reschedule-activity",
            Self::RemoveActivity { .. } => "remove-activity",
            Self::Invite { .. } => "invite",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::RemoveCollaborator { .. } => "remove-collaborator",
            Self::Comment { .. } => "comment",
            Self::Share => "share",
            Self::Unshare => "unshare",
            Self::Archive => "archive",
            Self::AttachBooking { .. } => "attach-booking",
            Self::DetachBooking { .. } => "detach-booking",
        }
    }
}
