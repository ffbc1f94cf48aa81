//! The small values that destinations are made of.

use serde::{Deserialize, Serialize};

use crate::calendar::Zone;

/// A point on the earth (WGS 84), exact to a millionth of a degree (about 11 cm).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinates {
    /// Millionths of a degree; north is positive.
    pub latitude_microdegrees: i32,
    /// Millionths of a degree; east is positive.
    pub longitude_microdegrees: i32,
}

/// What is said of a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name in addresses (`porto`).
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2 code (`PT`).
    pub country: String,
    /// Where it is.
    pub coordinates: Coordinates,
    /// Its zone.
    pub zone: Zone,
    /// Free words such as `beach`.
    pub tags: Vec<String>,
}
