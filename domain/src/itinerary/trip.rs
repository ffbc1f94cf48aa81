//! What an itinerary knows once it exists, and how each event changes that. No rules here: what
//! happened, happened.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Event, ItineraryActivityAdded, ItineraryCreated};
use super::value::{ActivityKind, Metadata, Role};
use crate::calendar::{Period, Zone};
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::money::Money;
use crate::time::Timestamp;

/// A trip as its events left it. Long texts (details, comments) stay in the events: no rule needs
/// them, and the state must stay small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    /// Its id.
    pub itinerary_id: ItineraryId,
    /// The account that created it.
    pub owner: AccountId,
    /// What the traveller calls it.
    pub title: String,
    /// Its days.
    pub period: Period,
    /// Budget, travellers and preferences.
    pub metadata: Metadata,
    /// Whether everybody with the link may read it.
    pub shared: bool,
    /// What is planned.
    pub activities: BTreeMap<ActivityId, PlannedActivity>,
    /// Who helps planning, and what they may do.
    pub collaborators: BTreeMap<AccountId, Role>,
    /// Who was asked to and has not answered yet.
    pub invitations: BTreeMap<AccountId, Role>,
    /// The ids of all comments.
    pub comments: BTreeSet<CommentId>,
    /// The bookings that are part of the trip.
    pub bookings: BTreeSet<BookingId>,
    /// The bookings that never can be (again).
    pub detached_bookings: BTreeSet<BookingId>,
}

/// An activity as it is planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedActivity {
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
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_price: Option<Money>,
    /// Who added it.
    pub added_by: AccountId,
}

impl Trip {
    /// Whether the account may change the plan.
    pub(super) fn edited_by(&self, account: AccountId) -> bool {
        account == self.owner || self.collaborators.get(&account) == Some(&Role::Editor)
    }

    /// Whether the account may speak about the plan.
    pub(super) fn discussed_by(&self, account: AccountId) -> bool {
        account == self.owner || self.collaborators.contains_key(&account)
    }

    /// How many bookings it remembers, attached and detached.
    pub(super) fn bookings_known(&self) -> usize {
        self.bookings.len() + self.detached_bookings.len()
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            // Nothing is created twice; the first one holds.
            Event::Created(_) => {}
            Event::Renamed(event) => self.title.clone_from(&event.title),
            Event::PeriodChanged(event) => self.period = event.period.clone(),
            Event::MetadataDescribed(event) => self.metadata = event.into(),
            Event::ActivityAdded(event) => {
                self.activities.insert(event.activity_id, event.into());
            }
            Event::ActivityRescheduled(event) => {
                if let Some(activity) = self.activities.get_mut(&event.activity_id) {
                    activity.starts_at = event.starts_at;
                    activity.ends_at = event.ends_at;
                    activity.zone = event.zone.clone();
                }
            }
            Event::ActivityRemoved(event) => {
                self.activities.remove(&event.activity_id);
            }
            Event::BookingAttached(event) => {
                self.bookings.insert(event.booking_id);
            }
            Event::BookingDetached(event) => {
                self.bookings.remove(&event.booking_id);
                self.detached_bookings.insert(event.booking_id);
            }
            Event::CollaboratorInvited(event) => {
                self.invitations.insert(event.account_id, event.role);
            }
            Event::CollaboratorJoined(event) => {
                self.invitations.remove(&event.account_id);
                self.collaborators.insert(event.account_id, event.role);
            }
            Event::CollaboratorLeft(event) => {
                self.invitations.remove(&event.account_id);
                self.collaborators.remove(&event.account_id);
            }
            Event::Commented(event) => {
                self.comments.insert(event.comment_id);
            }
            Event::Shared(_) => self.shared = true,
            Event::Unshared(_) => self.shared = false,
            // A state of its own, one level up.
            Event::Archived(_) => {}
        }
    }
}

impl From<&ItineraryCreated> for Trip {
    fn from(event: &ItineraryCreated) -> Self {
        Self {
            itinerary_id: event.itinerary_id,
            owner: event.owner,
            title: event.title.clone(),
            period: event.period.clone(),
            metadata: Metadata::default(),
            shared: false,
            activities: BTreeMap::new(),
            collaborators: BTreeMap::new(),
            invitations: BTreeMap::new(),
            comments: BTreeSet::new(),
            bookings: BTreeSet::new(),
            detached_bookings: BTreeSet::new(),
        }
    }
}

impl From<&ItineraryActivityAdded> for PlannedActivity {
    fn from(event: &ItineraryActivityAdded) -> Self {
        Self {
            kind: event.kind,
            title: event.title.clone(),
            place: event.place.clone(),
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            zone: event.zone.clone(),
            estimated_price: event.estimated_price,
            added_by: event.added_by,
        }
    }
}
