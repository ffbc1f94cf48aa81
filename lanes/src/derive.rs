//! Derived ids: the same request names the same things, however often it is sent.
//!
//! What follows from a command; how, says `domain::derive`. The first 48 bits are those of the
//! command's id.

use domain::ids::{CommandId, EventId};
use domain::{Category, StreamName, Tenant};
use uuid::Uuid;

/// The stream of an aggregate that a command creates without naming an id: a retry under the same
/// key lands where the first outcome is.
#[must_use]
pub fn created_stream(tenant: &Tenant, category: Category, key: CommandId) -> StreamName {
    let parts = [tenant.as_str().as_bytes(), category.name().as_bytes(), key.0.as_bytes()];
    StreamName::new(category, derived("created-stream", key, &parts))
}

/// An id for a part that a command adds to its aggregate, such as an activity (`purpose` tells
/// several of them apart): a replayed command names the same part.
#[must_use]
pub fn derived_id(command_id: CommandId, purpose: &str) -> Uuid {
    derived("part", command_id, &[command_id.0.as_bytes(), purpose.as_bytes()])
}

/// The id of the `index`-th event that a command appends to its stream.
#[must_use]
pub fn event_id(command_id: CommandId, stream: StreamName, index: u32) -> EventId {
    let parts = [
        command_id.0.as_bytes(),
        stream.category.name().as_bytes(),
        stream.id.as_bytes(),
        &index.to_be_bytes() as &[u8],
    ];
    EventId(derived("event", command_id, &parts))
}

fn derived(purpose: &str, near: CommandId, parts: &[&[u8]]) -> Uuid {
    domain::derive::id(purpose, Some(near.0), parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> CommandId {
        CommandId(Uuid::from_u128(number))
    }

    #[test]
    fn a_repeat_names_the_same_things() {
        let tenant = Tenant::default();
        let stream = created_stream(&tenant, Category::Itinerary, key(1));

        assert_eq!(stream, created_stream(&tenant, Category::Itinerary, key(1)));
        assert_eq!(derived_id(key(1), "activity"), derived_id(key(1), "activity"));
        assert_eq!(event_id(key(1), stream, 0), event_id(key(1), stream, 0));
        assert_eq!(stream.id.get_version_num(), 8);
    }

    /// These names are in logs already: another derivation would create things twice.
    #[test]
    fn names_stay_what_they_are() {
        let stream = created_stream(&Tenant::default(), Category::Itinerary, key(1));

        assert_eq!(stream.id.to_string(), "00000000-0000-8e4d-b5d1-d401b5e3c500");
        assert_eq!(
            derived_id(key(1), "activity").to_string(),
            "00000000-0000-8d34-a75e-58b451e7d81c"
        );
        assert_eq!(event_id(key(1), stream, 0).to_string(), "00000000-0000-8191-8629-2cd2c8c99818");
    }

    #[test]
    fn anything_else_names_something_else() {
        let stream = created_stream(&Tenant::default(), Category::Itinerary, key(1));
        let other: Tenant = "other".parse().unwrap();

        let ids = [
            stream.id,
            created_stream(&other, Category::Itinerary, key(1)).id,
            created_stream(&Tenant::default(), Category::Itinerary, key(2)).id,
            derived_id(key(1), "activity"),
            derived_id(key(1), "comment"),
            derived_id(key(2), "activity"),
            event_id(key(1), stream, 0).0,
            event_id(key(1), stream, 1).0,
            event_id(key(2), stream, 0).0,
        ];

        let distinct: std::collections::HashSet<Uuid> = ids.into_iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
