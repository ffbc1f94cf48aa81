//! The destination: a place that people travel to, as the catalogue describes it.
//!
//! | state | leaves it by | accepts |
//! |---|---|---|
//! | not described | `destination-described` | Describe |
//! | described | `destination-retired` | Describe, Retire |
//! | retired | `destination-described` | Describe, Retire |
//!
//! Invariants, at every version:
//! - A destination's slug never changes: its id derives from it (`derive::destination`), so that
//!   there is one destination a slug.
//! - What equals the present description appends nothing; a retired destination comes back when it
//!   is described anew.
//!
//! Which accounts describe and retire is judged where requests are taken in.

mod check;
mod command;
mod error;
mod event;
pub mod limits;
#[cfg(test)]
mod tests;
mod value;

use serde::{Deserialize, Serialize};

pub use command::Command;
pub use error::Refusal;
pub use event::{DestinationDescribed, DestinationRetired, Event};
pub use value::{Coordinates, Description};

use crate::ids::DestinationId;
use crate::{Aggregate, Category, Context};

/// The state of a destination. As JSON, the place's fields beside a `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Destination {
    /// Nothing has happened yet.
    #[default]
    NotDescribed,
    /// It is in the catalogue.
    Described(Box<Place>),
    /// It is no longer in the catalogue.
    Retired(Box<Place>),
}

/// What is known of a destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its id.
    pub destination_id: DestinationId,
    /// What is said of it.
    pub description: Description,
}

impl Aggregate for Destination {
    const CATEGORY: Category = Category::Destination;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, _: &Context) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Describe { destination_id, description } => {
                self.describe(*destination_id, description)
            }
            Command::Retire => self.retire(),
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (_, Event::Described(event)) => Self::Described(Box::new(event.into())),
            (Self::Described(place) | Self::Retired(place), Event::Retired(_)) => {
                Self::Retired(place)
            }
            // The log holds no such event; a fold refuses nothing.
            (Self::NotDescribed, Event::Retired(_)) => Self::NotDescribed,
        }
    }
}

impl Destination {
    fn describe(
        &self,
        destination_id: DestinationId,
        description: &Description,
    ) -> Result<Vec<Event>, Refusal> {
        let description = check::description(description)?;
        match self {
            Self::Described(place) | Self::Retired(place)
                if place.description.slug != description.slug =>
            {
                return Err(Refusal::SlugFixed { slug: place.description.slug.clone() });
            }
            Self::Described(place) if place.description == description => return Ok(vec![]),
            Self::NotDescribed | Self::Described(_) | Self::Retired(_) => {}
        }

        Ok(vec![described(destination_id, description)])
    }

    fn retire(&self) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::NotDescribed => Err(Refusal::DestinationNotFound),
            Self::Retired(_) => Ok(vec![]),
            Self::Described(place) => {
                Ok(vec![DestinationRetired { destination_id: place.destination_id }.into()])
            }
        }
    }
}

fn described(destination_id: DestinationId, description: Description) -> Event {
    let Description { slug, name, country, coordinates, zone, tags } = description;
    DestinationDescribed { destination_id, slug, name, country, coordinates, zone, tags }.into()
}

impl From<&DestinationDescribed> for Place {
    fn from(event: &DestinationDescribed) -> Self {
        let description = Description {
            slug: event.slug.clone(),
            name: event.name.clone(),
            country: event.country.clone(),
            coordinates: event.coordinates,
            zone: event.zone.clone(),
            tags: event.tags.clone(),
        };
        Self { destination_id: event.destination_id, description }
    }
}
