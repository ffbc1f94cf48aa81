//! Instants: UTC, microseconds, the resolution that Avro, PostgreSQL and MySQL all keep.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An instant in UTC with microsecond resolution.
///
/// Serialized as RFC 3339 text for people (JSON) and as microseconds since 1970 for machines
/// (Avro `timestamp-micros`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 instant such as 2026-05-01T09:30:00Z")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The instant that is `seconds` later (earlier when negative); saturates at the ends of time.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The time from `earlier` to this instant; none when that is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// The same instant for calendar arithmetic; saturates outside the years -9999 to 9999.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self(instant.as_microsecond()))
            .map_err(|_| InvalidTimestamp(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_instant_reads_back_to_the_microsecond(
            micros in -62_167_219_200_000_000..253_402_300_800_000_000_i64,
        ) {
            let instant = Timestamp::from_micros(micros);

            prop_assert_eq!(instant.to_string().parse(), Ok(instant));
            let json = serde_json::to_string(&instant).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), instant);
        }
    }

    #[test]
    fn text_and_micros_name_the_same_instant() {
        let instant: Timestamp = "2026-05-01T11:30:00.000007+02:00".parse().unwrap();

        assert_eq!(instant.to_string(), "2026-05-01T09:30:00.000007Z");
        assert_eq!(instant.to_string().parse::<Timestamp>().unwrap(), instant);
        assert_eq!(serde_json::to_value(instant).unwrap(), "2026-05-01T09:30:00.000007Z");
    }

    #[test]
    fn an_instant_without_an_offset_is_refused() {
        assert!("2026-05-01T09:30:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn the_ends_of_time_saturate() {
        let last = Timestamp::from_micros(i64::MAX);

        assert_eq!(last.plus_seconds(1), last);
        assert_eq!(last.to_jiff(), jiff::Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN).to_jiff(), jiff::Timestamp::MIN);
    }
}
