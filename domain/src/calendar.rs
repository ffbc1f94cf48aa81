//! Calendar dates, zones and periods: what a traveller reads on a ticket, with the place's zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::Timestamp;

/// An IANA time zone that exists (`Europe/Lisbon`), checked against the bundled database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Zone(String);

/// The zone is not in the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IANA time zone")]
pub struct UnknownZone(pub String);

impl Zone {
    /// The zone's IANA name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn rules(&self) -> jiff::tz::TimeZone {
        // A name was in the database when it was taken in; should a later database drop it, UTC
        // keeps old events foldable.
        jiff::tz::TimeZone::get(&self.0).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Whether the database knows the zone: false only for a name that was never parsed here.
    #[must_use]
    pub fn known(&self) -> bool {
        jiff::tz::TimeZone::get(&self.0).is_ok()
    }

    /// The calendar date at this instant in this zone.
    #[must_use]
    pub fn date_at(&self, instant: Timestamp) -> Date {
        Date(instant.to_jiff().to_zoned(self.rules()).date())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match jiff::tz::TimeZone::get(name) {
            Ok(zone) => Ok(Self(zone.iana_name().unwrap_or(name).to_owned())),
            Err(_) => Err(UnknownZone(name.to_owned())),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Zone {
    /// Total for stored events: the name was checked when the command was taken in, and a database
    /// that has since dropped it must not make history unreadable. Requests parse with [`FromStr`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// A calendar date (ISO 8601), without a zone. Avro `date` in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

/// The text is not a calendar date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a calendar date such as 2026-05-01")]
pub struct InvalidDate(pub String);

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

impl Date {
    /// Days since 1970-01-01, as Avro's `date` counts them.
    #[must_use]
    pub fn epoch_days(self) -> i32 {
        (self.0 - EPOCH).get_days()
    }

    /// The calendar year (Gregorian).
    #[must_use]
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The date that many days after 1970-01-01; nothing outside the years -9999 to 9999.
    #[must_use]
    pub fn from_epoch_days(days: i32) -> Option<Self> {
        EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok().map(Self)
    }

    /// The day of an instant in UTC.
    #[must_use]
    pub fn in_utc(instant: Timestamp) -> Self {
        Self(instant.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// The Monday of its week.
    #[must_use]
    pub fn week_start(self) -> Self {
        let days = i64::from(self.0.weekday().to_monday_zero_offset());
        Self(self.0.saturating_sub(jiff::Span::new().days(days)))
    }

    /// The first day of its month.
    #[must_use]
    pub fn month_start(self) -> Self {
        Self(self.0.first_of_month())
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Ten characters keep out instants and compact forms, which the parser would also take.
        if text.len() != 10 {
            return Err(InvalidDate(text.to_owned()));
        }
        text.parse().map(Self).map_err(|_| InvalidDate(text.to_owned()))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i32(self.epoch_days())
        }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            let days = i32::deserialize(deserializer)?;
            Self::from_epoch_days(days)
                .ok_or_else(|| D::Error::custom(format!("{days} days since 1970 is no date")))
        }
    }
}

/// A range of calendar dates, both included, in the zone of the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub start: Date,
    /// The last day; never before `start` in a valid period.
    pub end: Date,
    /// Where the days are counted.
    pub zone: Zone,
}

impl Period {
    /// Whether the range runs forward.
    #[must_use]
    pub fn ordered(&self) -> bool {
        self.start <= self.end
    }

    /// How many days it has, both ends included; less than 1 when it runs backward.
    #[must_use]
    pub fn days(&self) -> i32 {
        self.end.epoch_days() - self.start.epoch_days() + 1
    }

    /// Whether an instant falls on one of the days, as counted in the period's zone.
    #[must_use]
    pub fn contains(&self, instant: Timestamp) -> bool {
        let day = self.zone.date_at(instant);
        self.start <= day && day <= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_date_reads_back_from_text_and_from_days(days in -700_000..2_900_000_i32) {
            let date = Date::from_epoch_days(days).unwrap();

            prop_assert_eq!(date.epoch_days(), days);
            // Four digits are the calendar that people write.
            if (0..=9999).contains(&date.year()) {
                prop_assert_eq!(date.to_string().parse(), Ok(date));
                prop_assert_eq!(i16::from_str(&date.to_string()[..4]), Ok(date.year()));
            }
        }
    }

    #[test]
    fn days_beyond_the_calendar_are_no_dates() {
        assert_eq!(Date::from_epoch_days(i32::MAX), None);
        assert_eq!(Date::from_epoch_days(i32::MIN), None);
    }

    #[test]
    fn a_period_counts_both_its_ends() {
        let period = |start: &str, end: &str| Period {
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
            zone: "UTC".parse().unwrap(),
        };

        assert_eq!(period("2028-02-28", "2028-03-01").days(), 3);
        assert_eq!(period("2026-05-01", "2026-05-01").days(), 1);
        assert!(period("2026-05-02", "2026-05-01").days() < 1);
        assert!(!period("2026-05-02", "2026-05-01").ordered());
    }

    #[test]
    fn a_stored_zone_that_the_database_lost_still_reads() {
        let lost: Zone = serde_json::from_str("\"Mars/Olympus\"").unwrap();

        assert!(!lost.known());
        assert_eq!(lost.date_at(Timestamp::from_micros(0)).to_string(), "1970-01-01");
        assert!("europe/lisbon".parse::<Zone>().unwrap().known());
        assert_eq!("europe/lisbon".parse::<Zone>().unwrap().as_str(), "Europe/Lisbon");
    }

    #[test]
    fn a_day_belongs_to_the_period_by_the_clock_of_its_place() {
        let period = Period {
            start: "2026-05-01".parse().unwrap(),
            end: "2026-05-02".parse().unwrap(),
            zone: "Asia/Tokyo".parse().unwrap(),
        };

        assert!(period.contains("2026-04-30T15:00:00Z".parse().unwrap()));
        assert!(!period.contains("2026-04-30T14:59:59Z".parse().unwrap()));
        assert!(!period.contains("2026-05-02T15:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_zone_that_does_not_exist_is_refused() {
        assert_eq!("Mars/Olympus".parse::<Zone>(), Err(UnknownZone("Mars/Olympus".to_owned())));
    }

    #[test]
    fn dates_count_days_since_1970() {
        let date: Date = "2026-05-01".parse().unwrap();

        assert_eq!(Date::from_epoch_days(date.epoch_days()), Some(date));
        assert_eq!("1970-01-02".parse::<Date>().unwrap().epoch_days(), 1);
    }

    #[test]
    fn an_instant_is_not_a_date() {
        assert!("2026-05-01T00:00:00Z".parse::<Date>().is_err());
        assert!("2026-02-30".parse::<Date>().is_err());
    }

    #[test]
    fn weeks_begin_on_mondays_and_months_on_their_first_day() {
        let day = |text: &str| text.parse::<Date>().unwrap();

        assert_eq!(day("2026-05-03").week_start(), day("2026-04-27"), "a Sunday");
        assert_eq!(day("2026-05-04").week_start(), day("2026-05-04"), "a Monday");
        assert_eq!(day("2024-02-29").month_start(), day("2024-02-01"));
        assert_eq!(Date::in_utc(Timestamp::from_micros(-1)), day("1969-12-31"));
    }
}
