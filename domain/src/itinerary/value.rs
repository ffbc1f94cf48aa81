//! The small values that itineraries are made of.

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// What may be spent on the trip.
pub type Budget = Money;

/// What kind of thing an activity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// A flight.
    Flight,
    /// A stay.
    Hotel,
    /// A guided tour.
    Tour,
    /// A ride from one place to another.
    Transfer,
    /// A meal.
    Meal,
    /// Anything else; the default for readers that know fewer kinds than the writer.
    Free,
}

/// What a collaborator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read and comment.
    Viewer,
    /// May change the plan too.
    Editor,
}

/// What is known about the trip beside its title and days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// What may be spent, in one currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How many people travel (1 to 500).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub travellers: Option<u32>,
    /// Free words, at most 50 of at most 100 characters.
    #[serde(default)]
    pub preferences: Vec<String>,
}
