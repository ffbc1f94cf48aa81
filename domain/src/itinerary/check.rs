//! Guards over values alone: what no itinerary accepts, whatever its state. Texts come back as they
//! are kept, without white space around them.

use super::command::Command;
use super::error::Refusal;
use super::limits::{
    AMOUNT_MAX, COMMENT_CHARACTERS_MAX, DETAILS_CHARACTERS_MAX, PERIOD_DAYS_MAX, PERIOD_YEAR_MAX,
    PERIOD_YEAR_MIN, PLACE_CHARACTERS_MAX, PREFERENCE_CHARACTERS_MAX, PREFERENCES_MAX,
    TITLE_CHARACTERS_MAX, TRAVELLERS_MAX,
};
use super::value::Metadata;
use crate::calendar::{Period, Zone};
use crate::money::Money;
use crate::sealed::Sealed;
use crate::text::{line, lines, said, said_line};
use crate::time::Timestamp;

/// What no itinerary accepts, whatever its state: the edge asks before it troubles a lane.
pub(super) fn command(command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Create { title: text, period: days, metadata: more, .. } => {
            title(text)?;
            period(days)?;
            more.as_ref().map_or(Ok(()), |more| metadata(more).map(drop))
        }
        Command::Revise { title: text, period: days, metadata: more } => {
            text.as_deref().map_or(Ok(()), |text| title(text).map(drop))?;
            days.as_ref().map_or(Ok(()), period)?;
            more.as_ref().map_or(Ok(()), |more| metadata(more).map(drop))
        }
        Command::AddActivity { activity, .. } => {
            title(&activity.title)?;
            place(&activity.place)?;
            details(activity.details.as_deref())?;
            amount("estimated_price", activity.estimated_price)?;
            times(activity.starts_at, activity.ends_at, &activity.zone)
        }
        Command::RescheduleActivity { starts_at, ends_at, zone, .. } => {
            times(*starts_at, *ends_at, zone)
        }
        Command::Comment { text, .. } => sealed("text", text),
        Command::RemoveActivity { .. }
        | Command::Invite { .. }
        | Command::Join
        | Command::Leave
        | Command::RemoveCollaborator { .. }
        | Command::Share
        | Command::Unshare
        | Command::Archive
        | Command::AttachBooking { .. }
        | Command::DetachBooking { .. } => Ok(()),
    }
}

/// A title: one line, never blank.
pub(super) fn title(text: &str) -> Result<String, Refusal> {
    Ok(said_line("title", text, TITLE_CHARACTERS_MAX)?)
}

/// The name of a place: one line, blank when nothing is known.
pub(super) fn place(text: &str) -> Result<String, Refusal> {
    Ok(line("place", text, PLACE_CHARACTERS_MAX)?)
}

/// Details: blank ones are none.
pub(super) fn details(text: Option<&str>) -> Result<Option<String>, Refusal> {
    let text = text.map(|text| lines("details", text, DETAILS_CHARACTERS_MAX)).transpose()?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// A comment as it is sealed: never blank, and without white space around it. Whoever seals asks
/// first: nobody can judge the text afterwards.
///
/// # Errors
/// The refusal that the client gets.
pub fn comment(text: &str) -> Result<String, Refusal> {
    Ok(said("text", lines("text", text, COMMENT_CHARACTERS_MAX)?)?)
}

/// What was sealed at the edge.
pub(super) fn sealed(field: &'static str, text: &Sealed) -> Result<(), Refusal> {
    if text.well_formed() { Ok(()) } else { Err(Refusal::TextUnsealed { field }) }
}

/// Metadata, every part of it.
pub(super) fn metadata(metadata: &Metadata) -> Result<Metadata, Refusal> {
    if let Some(travellers) = metadata.travellers
        && !(1..=TRAVELLERS_MAX).contains(&travellers)
    {
        return Err(Refusal::TravellersOutOfRange { travellers, travellers_max: TRAVELLERS_MAX });
    }
    if metadata.preferences.len() > PREFERENCES_MAX {
        return Err(Refusal::TooManyPreferences { preferences_max: PREFERENCES_MAX });
    }
    let preferences = metadata
        .preferences
        .iter()
        .map(|text| said_line("preferences", text, PREFERENCE_CHARACTERS_MAX));
    Ok(Metadata {
        budget: amount("budget", metadata.budget)?,
        travellers: metadata.travellers,
        preferences: preferences.collect::<Result<_, _>>()?,
    })
}

/// An amount that is spent: not negative, not absurd.
pub(super) fn amount(field: &'static str, money: Option<Money>) -> Result<Option<Money>, Refusal> {
    match money {
        Some(Money { amount, .. }) if !(0..=AMOUNT_MAX).contains(&amount) => {
            Err(Refusal::AmountOutOfRange { field, amount, amount_max: AMOUNT_MAX })
        }
        money => Ok(money),
    }
}

/// Days that run forward, not too many, of our times, in a zone that exists.
pub(super) fn period(period: &Period) -> Result<(), Refusal> {
    let Period { start, end, zone: place } = period;
    zone(place)?;
    if !period.ordered() {
        return Err(Refusal::PeriodReversed { start: *start, end: *end });
    }
    if period.days() > PERIOD_DAYS_MAX {
        return Err(Refusal::PeriodTooLong { days: period.days(), days_max: PERIOD_DAYS_MAX });
    }
    if start.year() < PERIOD_YEAR_MIN || end.year() > PERIOD_YEAR_MAX {
        return Err(Refusal::PeriodOutsideCalendar {
            year_min: PERIOD_YEAR_MIN,
            year_max: PERIOD_YEAR_MAX,
        });
    }
    Ok(())
}

/// A time window that runs forward, in a zone that exists, inside the trip's days.
pub(super) fn window(
    starts_at: Timestamp,
    ends_at: Timestamp,
    place: &Zone,
    trip: &Period,
) -> Result<(), Refusal> {
    times(starts_at, ends_at, place)?;
    if !(trip.contains(starts_at) && trip.contains(ends_at)) {
        let Period { start, end, zone } = trip.clone();
        return Err(Refusal::ActivityOutsidePeriod { start, end, zone });
    }
    Ok(())
}

/// A time window that runs forward, in a zone that exists.
fn times(starts_at: Timestamp, ends_at: Timestamp, place: &Zone) -> Result<(), Refusal> {
    zone(place)?;
    if ends_at < starts_at {
        return Err(Refusal::ActivityReversed { starts_at, ends_at });
    }
    Ok(())
}

/// A zone that arrived in a command may never have been parsed: stored ones are read unchecked.
fn zone(zone: &Zone) -> Result<(), Refusal> {
    if zone.known() { Ok(()) } else { Err(Refusal::ZoneUnknown { zone: zone.clone() }) }
}
