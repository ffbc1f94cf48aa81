//! Events as structs of their own: how the codec reaches each one by its type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Event;

/// One event type: a struct with a wire name and an Avro record of its own.
pub trait EventPayload: Serialize + DeserializeOwned + Into<Event> + Send + 'static {
    /// The wire name, `itinerary-created`.
    const NAME: &'static str;
    /// The Avro record's name, `ItineraryCreated`, in namespace `waylog`.
    const RECORD: &'static str;
}

/// Something to do for one event type, chosen at run time by its wire name
/// ([`Event::visit_type`]) or for all of them ([`Event::visit_all_types`]).
pub trait PayloadVisitor {
    /// What comes out.
    type Output;
    /// Does it for `E`.
    fn visit<E: EventPayload>(&mut self) -> Self::Output;
}

/// Declares an aggregate's event enum over its payload structs, with the literal wire names.
macro_rules! event_types {
    (
        $(#[$doc:meta])*
        pub enum Event in $wrapper:ident {
            $($(#[$variant_doc:meta])* $variant:ident($payload:ident) = $name:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($(#[$variant_doc])* $variant($payload),)+
        }

        impl Event {
            /// The event's wire name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)+
                }
            }

            /// The wire names of all events of this aggregate.
            pub const NAMES: &'static [&'static str] = &[$($name,)+];

            pub(crate) fn visit_type<V: $crate::PayloadVisitor>(
                name: &str,
                visitor: &mut V,
            ) -> Option<V::Output> {
                match name {
                    $($name => Some(visitor.visit::<$payload>()),)+
                    _ => None,
                }
            }

            /// Runs the visitor's generic code on the payload that this event holds.
            pub(crate) fn with_payload<V: $crate::PayloadRef>(&self, visitor: V) -> V::Output {
                match self {
                    $(Self::$variant(payload) => visitor.visit(payload),)+
                }
            }
        }

        $(
            impl From<$payload> for Event {
                fn from(payload: $payload) -> Self {
                    Self::$variant(payload)
                }
            }

            impl From<$payload> for $crate::Event {
                fn from(payload: $payload) -> Self {
                    $crate::Event::$wrapper(Event::$variant(payload))
                }
            }

            impl $crate::EventPayload for $payload {
                const NAME: &'static str = $name;
                const RECORD: &'static str = stringify!($payload);
            }
        )+
    };
}
pub(crate) use event_types;

/// Something to do with one event's payload, whatever its type ([`Event::with_payload`]).
pub trait PayloadRef {
    /// What comes out.
    type Output;
    /// Does it.
    fn visit<E: EventPayload>(self, payload: &E) -> Self::Output;
}
