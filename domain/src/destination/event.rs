//! What can have happened to a destination. One struct an event: each has an Avro schema of its
//! own.

use serde::{Deserialize, Serialize};

use super::value::Coordinates;
use crate::calendar::Zone;
use crate::ids::DestinationId;
use crate::payload::event_types;

event_types! {
    /// An event of a destination.
    pub enum Event in Destination {
        /// It was described, for the first time or anew.
        Described(DestinationDescribed) = "destination-described",
        /// It is no longer in the catalogue.
        Retired(DestinationRetired) = "destination-retired",
    }
}

/// `destination-described`: replaces what was described before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationDescribed {
    /// The destination.
    pub destination_id: DestinationId,
    /// Its name in addresses; never changes.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Where it is.
    pub coordinates: Coordinates,
    /// Its zone.
    pub zone: Zone,
    /// Free words.
    pub tags: Vec<String>,
}

/// `destination-retired`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationRetired {
    /// The destination.
    pub destination_id: DestinationId,
}
