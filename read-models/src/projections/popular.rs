//! `popular_destinations`: which places were booked most on a day, in a week, in a month. Table
//! `popular_places` (key: tenant, period, its first day, place). Rankings: Redis holds a copy.
//!
//! A repeat is harmless because rows and vector move together. A row counts confirmations of many
//! bookings, and sums come out the same in any order. What is cancelled later was popular all the
//! same: confirmations are counted, on the day (in UTC) on which they were decided.

use std::collections::{BTreeMap, BTreeSet};

use domain::booking::{BookingConfirmed, Event as Booking};
use domain::calendar::Date;
use domain::{Event, RecordedEvent, Tenant};

use super::offers::place_words;
use crate::projection::{Home, Projection, RowKey, Rows};
use crate::row::{Cell as _, row};
use crate::table::{Index, IndexKind, Row as _, Table, Value};

row! {
    /// What was booked of one place in one period.
    pub struct PopularPlaceRow in "popular_places", keys 4, append_only false {
        /// Whose data it is.
        tenant: Tenant,
        /// `day`, `week` (from Monday) or `month`.
        period: String,
        /// The first day of the period, in UTC.
        begins_on: Date,
        /// The place's words, without case and accents.
        place: String,
        /// Bookings that were confirmed.
        bookings: i64,
        /// Places of their lines that lead there.
        places: i64,
    }
    indexes &[
        Index {
            name: "by_bookings",
            kind: IndexKind::Ordered(&["tenant", "period", "begins_on", "bookings"]),
        },
        Index {
            name: "by_places",
            kind: IndexKind::Ordered(&["tenant", "period", "begins_on", "places"]),
        },
    ]
}

/// A stretch of time that rankings are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month of the calendar.
    Month,
}

impl Period {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the one that the day is in.
    #[must_use]
    pub fn begins_on(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.week_start(),
            Self::Month => day.month_start(),
        }
    }
}

/// The projection of rankings.
pub struct PopularDestinations;

impl Projection for PopularDestinations {
    fn name(&self) -> &'static str {
        "popular_destinations"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        &[PopularPlaceRow::TABLE]
    }

    fn home(&self) -> Home {
        Home::Redis { copy: "popular_destinations_hot" }
    }

    fn keyed_by_stream(&self) -> bool {
        false
    }

    fn keys(&self, event: &RecordedEvent, keys: &mut Vec<RowKey>) {
        let Some(confirmed) = confirmed(event) else { return };
        for row in counted(event, confirmed) {
            keys.push(RowKey { table: PopularPlaceRow::TABLE, key: key(&row) });
        }
    }

    fn fold(&self, rows: &mut Rows, event: &RecordedEvent) {
        let Some(confirmed) = confirmed(event) else { return };
        for mut row in counted(event, confirmed) {
            if let Some(before) = rows.read::<PopularPlaceRow>(&key(&row)) {
                row.bookings = row.bookings.saturating_add(before.bookings);
                row.places = row.places.saturating_add(before.places);
            }
            rows.write(row);
        }
    }
}

/// The one event that counts.
fn confirmed(event: &RecordedEvent) -> Option<&BookingConfirmed> {
    match &event.event {
        Event::Booking(Booking::Confirmed(confirmed)) => Some(confirmed),
        Event::Booking(
            Booking::Requested(_)
            | Booking::Held(_)
            | Booking::Rejected(_)
            | Booking::Expired(_)
            | Booking::CancellationRequested(_)
            | Booking::Cancelled(_)
            | Booking::TravellersChanged(_),
        )
        | Event::Itinerary(_)
        | Event::Destination(_)
        | Event::Offer(_)
        | Event::Payment(_)
        | Event::InvoiceSeries(_)
        | Event::Notification(_)
        | Event::Saga(_) => None,
    }
}

/// What the confirmation adds, row by row.
fn counted(event: &RecordedEvent, confirmed: &BookingConfirmed) -> Vec<PopularPlaceRow> {
    let day = Date::in_utc(confirmed.confirmed_at);
    let mut sold: BTreeMap<String, i64> = BTreeMap::new();
    for line in &confirmed.lines {
        let places: BTreeSet<_> = line.places.iter().map(|p| place_words(p)).collect();
        for place in places.into_iter().filter(|place| !place.is_empty()) {
            *sold.entry(place).or_default() += i64::from(line.quantity);
        }
    }
    let row = |period: Period, place: &String, places: i64| PopularPlaceRow {
        tenant: event.envelope.tenant.clone(),
        period: period.name().to_owned(),
        begins_on: period.begins_on(day),
        place: place.clone(),
        bookings: 1,
        places,
    };
    let of =
        |(place, places): (&String, &i64)| Period::ALL.map(|period| row(period, place, *places));
    sold.iter().flat_map(of).collect()
}

fn key(row: &PopularPlaceRow) -> Vec<Value> {
    vec![
        row.tenant.clone().into_value(),
        row.period.clone().into_value(),
        row.begins_on.into_value(),
        row.place.clone().into_value(),
    ]
}
