//! The itinerary's decisions: one function a command, guards first, events last.

use super::error::Refusal;
use super::event::{
    Event, ItineraryActivityAdded, ItineraryActivityRemoved, ItineraryActivityRescheduled,
    ItineraryArchived, ItineraryBookingAttached, ItineraryBookingDetached,
    ItineraryCollaboratorInvited, ItineraryCollaboratorJoined, ItineraryCollaboratorLeft,
    ItineraryCommented, ItineraryCreated, ItineraryMetadataDescribed, ItineraryPeriodChanged,
    ItineraryRenamed, ItineraryShared, ItineraryUnshared,
};
use super::limits::{ACTIVITIES_MAX, BOOKINGS_MAX, COLLABORATORS_MAX, COMMENTS_MAX};
use super::value::{Metadata, Role};
use super::{Activity, Command, Itinerary, Trip, check};
use crate::Actor;
use crate::calendar::{Period, Zone};
use crate::ids::{AccountId, ActivityId, BookingId, CommentId, ItineraryId};
use crate::sealed::Sealed;
use crate::time::Timestamp;

type Decision = Result<Vec<Event>, Refusal>;

/// Who may ask at all comes first, then whether the trip exists, then whether it is open.
pub(super) fn decide(itinerary: &Itinerary, command: &Command, actor: &Actor) -> Decision {
    let planner = || Planner::of(itinerary, actor);
    match command {
        Command::Create { itinerary_id, title, period, metadata } => {
            let owner = actor.account().ok_or(Refusal::AccountRequired)?;
            create(itinerary, *itinerary_id, title, period, metadata.as_ref(), owner)
        }
        Command::Revise { title, period, metadata } => {
            revise(planner()?, title.as_deref(), period.as_ref(), metadata.as_ref())
        }
        Command::AddActivity { activity_id, activity } => {
            add_activity(planner()?, *activity_id, activity)
        }
        Command::RescheduleActivity { activity_id, starts_at, ends_at, zone } => {
            reschedule_activity(planner()?, *activity_id, *starts_at, *ends_at, zone)
        }
        Command::RemoveActivity { activity_id } => remove_activity(planner()?, *activity_id),
        Command::Invite { account_id, role } => invite(planner()?, *account_id, *role),
        Command::Join => join(planner()?),
        Command::Leave => leave(planner()?),
        Command::RemoveCollaborator { account_id } => remove_collaborator(planner()?, *account_id),
        Command::Comment { comment_id, text } => comment(planner()?, *comment_id, text),
        Command::Share => share(planner()?),
        Command::Unshare => unshare(planner()?),
        Command::Archive => archive(planner()?),
        Command::AttachBooking { booking_id, account_id } => {
            saga(actor)?;
            attach_booking(open(itinerary)?, *booking_id, *account_id)
        }
        Command::DetachBooking { booking_id } => {
            saga(actor)?;
            detach_booking(existing(itinerary)?, *booking_id)
        }
    }
}

/// An account that asks for something of an open trip.
#[derive(Clone, Copy)]
struct Planner<'a> {
    trip: &'a Trip,
    account: AccountId,
}

impl<'a> Planner<'a> {
    fn of(itinerary: &'a Itinerary, actor: &Actor) -> Result<Self, Refusal> {
        let account = actor.account().ok_or(Refusal::AccountRequired)?;
        Ok(Self { trip: open(itinerary)?, account })
    }

    fn owner(self) -> Result<&'a Trip, Refusal> {
        if self.account == self.trip.owner { Ok(self.trip) } else { Err(Refusal::OwnerRequired) }
    }

    fn editor(self) -> Result<&'a Trip, Refusal> {
        let edits = self.trip.edited_by(self.account);
        if edits { Ok(self.trip) } else { Err(Refusal::EditorRequired) }
    }

    fn collaborator(self) -> Result<&'a Trip, Refusal> {
        let speaks = self.trip.discussed_by(self.account);
        if speaks { Ok(self.trip) } else { Err(Refusal::CollaboratorRequired) }
    }
}

fn saga(actor: &Actor) -> Result<(), Refusal> {
    match actor {
        Actor::System(_) => Ok(()),
        Actor::Account(_) => Err(Refusal::SagaRequired),
    }
}

fn create(
    itinerary: &Itinerary,
    itinerary_id: ItineraryId,
    title: &str,
    period: &Period,
    metadata: Option<&Metadata>,
    owner: AccountId,
) -> Decision {
    if let Ok(trip) = existing(itinerary) {
        return Err(Refusal::ItineraryAlreadyExists { itinerary_id: trip.itinerary_id });
    }
    let title = check::title(title)?;
    check::period(period)?;
    let metadata = metadata.map(check::metadata).transpose()?.unwrap_or_default();

    let period = period.clone();
    let mut events = vec![ItineraryCreated { itinerary_id, owner, title, period }.into()];
    if metadata != Metadata::default() {
        events.push(described(itinerary_id, metadata));
    }
    Ok(events)
}

fn revise(
    planner: Planner<'_>,
    title: Option<&str>,
    period: Option<&Period>,
    metadata: Option<&Metadata>,
) -> Decision {
    let trip = planner.editor()?;
    let title = title.map(check::title).transpose()?;
    if let Some(period) = period {
        check::period(period)?;
        every_activity_inside(trip, period)?;
    }
    let metadata = metadata.map(check::metadata).transpose()?;

    let itinerary_id = trip.itinerary_id;
    let mut events = Vec::new();
    if let Some(title) = title.filter(|title| *title != trip.title) {
        events.push(ItineraryRenamed { itinerary_id, title }.into());
    }
    if let Some(period) = period.filter(|period| **period != trip.period).cloned() {
        events.push(ItineraryPeriodChanged { itinerary_id, period }.into());
    }
    if let Some(metadata) = metadata.filter(|metadata| *metadata != trip.metadata) {
        events.push(described(itinerary_id, metadata));
    }
    Ok(events)
}

fn add_activity(planner: Planner<'_>, activity_id: ActivityId, activity: &Activity) -> Decision {
    let trip = planner.editor()?;
    if trip.activities.contains_key(&activity_id) {
        return Err(Refusal::ActivityAlreadyExists { activity_id });
    }
    if trip.activities.len() >= ACTIVITIES_MAX {
        return Err(Refusal::TooManyActivities { activities_max: ACTIVITIES_MAX });
    }
    let Activity { kind, starts_at, ends_at, zone, .. } = activity;
    check::window(*starts_at, *ends_at, zone, &trip.period)?;

    Ok(vec![
        ItineraryActivityAdded {
            itinerary_id: trip.itinerary_id,
            activity_id,
            kind: *kind,
            title: check::title(&activity.title)?,
            place: check::place(&activity.place)?,
            starts_at: *starts_at,
            ends_at: *ends_at,
            zone: zone.clone(),
            details: check::details(activity.details.as_deref())?,
            estimated_price: check::amount("estimated_price", activity.estimated_price)?,
            added_by: planner.account,
        }
        .into(),
    ])
}

fn reschedule_activity(
    planner: Planner<'_>,
    activity_id: ActivityId,
    starts_at: Timestamp,
    ends_at: Timestamp,
    zone: &Zone,
) -> Decision {
    let trip = planner.editor()?;
    let planned =
        trip.activities.get(&activity_id).ok_or(Refusal::ActivityNotFound { activity_id })?;
    check::window(starts_at, ends_at, zone, &trip.period)?;

    if (planned.starts_at, planned.ends_at, &planned.zone) == (starts_at, ends_at, zone) {
        return Ok(Vec::new());
    }
    let (itinerary_id, zone) = (trip.itinerary_id, zone.clone());
    let moved =
        ItineraryActivityRescheduled { itinerary_id, activity_id, starts_at, ends_at, zone };
    Ok(vec![moved.into()])
}

fn remove_activity(planner: Planner<'_>, activity_id: ActivityId) -> Decision {
    let trip = planner.editor()?;
    if !trip.activities.contains_key(&activity_id) {
        return Err(Refusal::ActivityNotFound { activity_id });
    }

    let itinerary_id = trip.itinerary_id;
    Ok(vec![ItineraryActivityRemoved { itinerary_id, activity_id }.into()])
}

fn invite(planner: Planner<'_>, account_id: AccountId, role: Role) -> Decision {
    let trip = planner.owner()?;
    if account_id == trip.owner {
        return Err(Refusal::OwnerInvited);
    }
    match (trip.collaborators.get(&account_id), trip.invitations.get(&account_id)) {
        // What is asked for is true already.
        (Some(held), _) if *held == role => return Ok(Vec::new()),
        (None, Some(offered)) if *offered == role => return Ok(Vec::new()),
        (Some(held), _) => return Err(Refusal::AlreadyCollaborator { account_id, role: *held }),
        // The new invitation replaces the open one.
        (None, Some(_)) => {}
        (None, None) => {
            if trip.collaborators.len() + trip.invitations.len() >= COLLABORATORS_MAX {
                return Err(Refusal::TooManyCollaborators { collaborators_max: COLLABORATORS_MAX });
            }
        }
    }

    let (itinerary_id, invited_by) = (trip.itinerary_id, planner.account);
    Ok(vec![ItineraryCollaboratorInvited { itinerary_id, account_id, role, invited_by }.into()])
}

fn join(planner: Planner<'_>) -> Decision {
    let Planner { trip, account: account_id } = planner;
    if trip.collaborators.contains_key(&account_id) {
        return Ok(Vec::new());
    }
    let role = *trip.invitations.get(&account_id).ok_or(Refusal::InvitationRequired)?;

    let itinerary_id = trip.itinerary_id;
    Ok(vec![ItineraryCollaboratorJoined { itinerary_id, account_id, role }.into()])
}

fn leave(planner: Planner<'_>) -> Decision {
    let Planner { trip, account } = planner;
    if account == trip.owner {
        return Err(Refusal::OwnerLeaving);
    }
    if !involved(trip, account) {
        return Err(Refusal::CollaboratorRequired);
    }

    Ok(vec![left(trip, account, account)])
}

fn remove_collaborator(planner: Planner<'_>, account_id: AccountId) -> Decision {
    let trip = planner.owner()?;
    if !involved(trip, account_id) {
        return Err(Refusal::CollaboratorNotFound { account_id });
    }

    Ok(vec![left(trip, account_id, planner.account)])
}

fn comment(planner: Planner<'_>, comment_id: CommentId, text: &Sealed) -> Decision {
    let trip = planner.collaborator()?;
    if trip.comments.contains(&comment_id) {
        return Err(Refusal::CommentAlreadyExists { comment_id });
    }
    if trip.comments.len() >= COMMENTS_MAX {
        return Err(Refusal::TooManyComments { comments_max: COMMENTS_MAX });
    }
    check::sealed("text", text)?;
    let (itinerary_id, author) = (trip.itinerary_id, planner.account);
    if text.person != author.into() {
        return Err(Refusal::CommentSealedForAnother);
    }

    let text = text.clone();
    Ok(vec![ItineraryCommented { itinerary_id, comment_id, author, text }.into()])
}

fn share(planner: Planner<'_>) -> Decision {
    let trip = planner.owner()?;

    let itinerary_id = trip.itinerary_id;
    Ok(if trip.shared { vec![] } else { vec![ItineraryShared { itinerary_id }.into()] })
}

fn unshare(planner: Planner<'_>) -> Decision {
    let trip = planner.owner()?;

    let itinerary_id = trip.itinerary_id;
    Ok(if trip.shared { vec![ItineraryUnshared { itinerary_id }.into()] } else { vec![] })
}

fn archive(planner: Planner<'_>) -> Decision {
    let trip = planner.owner()?;

    Ok(vec![ItineraryArchived { itinerary_id: trip.itinerary_id }.into()])
}

/// The saga asks, but it is the buyer who changes the trip.
fn attach_booking(trip: &Trip, booking_id: BookingId, buyer: Option<AccountId>) -> Decision {
    if !buyer.is_some_and(|buyer| trip.edited_by(buyer)) {
        return Err(Refusal::EditorRequired);
    }
    if trip.detached_bookings.contains(&booking_id) {
        return Err(Refusal::BookingDetached { booking_id });
    }
    if trip.bookings.contains(&booking_id) {
        return Ok(Vec::new());
    }
    if trip.bookings_known() >= BOOKINGS_MAX {
        return Err(Refusal::TooManyBookings { bookings_max: BOOKINGS_MAX });
    }

    let itinerary_id = trip.itinerary_id;
    Ok(vec![ItineraryBookingAttached { itinerary_id, booking_id }.into()])
}

/// A compensation must always come through: it is refused by nothing but a trip that never was.
fn detach_booking(trip: &Trip, booking_id: BookingId) -> Decision {
    let attached = trip.bookings.contains(&booking_id);
    // A full trip takes no further booking, this one included: the door is closed without an event.
    let full = trip.bookings_known() >= BOOKINGS_MAX;
    if trip.detached_bookings.contains(&booking_id) || (full && !attached) {
        return Ok(Vec::new());
    }

    let itinerary_id = trip.itinerary_id;
    Ok(vec![ItineraryBookingDetached { itinerary_id, booking_id }.into()])
}

fn existing(itinerary: &Itinerary) -> Result<&Trip, Refusal> {
    match itinerary {
        Itinerary::NotCreated => Err(Refusal::ItineraryNotFound),
        Itinerary::Active(trip) | Itinerary::Archived(trip) => Ok(trip),
    }
}

fn open(itinerary: &Itinerary) -> Result<&Trip, Refusal> {
    match itinerary {
        Itinerary::NotCreated => Err(Refusal::ItineraryNotFound),
        Itinerary::Active(trip) => Ok(trip),
        Itinerary::Archived(_) => Err(Refusal::Archived),
    }
}

fn involved(trip: &Trip, account: AccountId) -> bool {
    trip.collaborators.contains_key(&account) || trip.invitations.contains_key(&account)
}

fn every_activity_inside(trip: &Trip, period: &Period) -> Result<(), Refusal> {
    let outside = trip.activities.iter().filter(|(_, activity)| {
        !(period.contains(activity.starts_at) && period.contains(activity.ends_at))
    });
    let activity_ids: Vec<ActivityId> = outside.map(|(id, _)| *id).collect();
    if activity_ids.is_empty() {
        return Ok(());
    }
    Err(Refusal::ActivitiesOutsidePeriod { activity_ids, start: period.start, end: period.end })
}

fn described(itinerary_id: ItineraryId, metadata: Metadata) -> Event {
    let Metadata { budget, travellers, preferences } = metadata;
    ItineraryMetadataDescribed { itinerary_id, budget, travellers, preferences }.into()
}

fn left(trip: &Trip, account_id: AccountId, ended_by: AccountId) -> Event {
    ItineraryCollaboratorLeft { itinerary_id: trip.itinerary_id, account_id, ended_by }.into()
}
