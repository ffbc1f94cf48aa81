//! The one list of aggregates: what wraps their commands, events and states.

use serde::{Deserialize, Serialize};

use crate::payload::{PayloadRef, PayloadVisitor};
use crate::{
    Aggregate, Category, Context, Refusal, booking, destination, invoice_series, itinerary,
    notification, offer, payment, saga,
};

macro_rules! aggregates {
    ($($variant:ident => $module:ident :: $state:ident,)+) => {
        /// A command to any aggregate.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "category", content = "command", rename_all = "kebab-case")]
        pub enum Command {
            $(#[doc = concat!("To an ", stringify!($module), ".")] $variant($module::Command),)+
        }

        /// An event of any aggregate. Serialized as its payload alone; the type travels beside it.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $(#[doc = concat!("Of an ", stringify!($module), ".")] $variant($module::Event),)+
        }

        /// The state of any aggregate.
        #[derive(Clone, Debug, Serialize)]
        #[serde(untagged)]
        pub enum State {
            $(#[doc = concat!("Of an ", stringify!($module), ".")] $variant(Box<$module::$state>),)+
        }

        impl Command {
            /// Which kind of aggregate it is for.
            #[must_use]
            pub const fn category(&self) -> Category {
                match self { $(Self::$variant(_) => Category::$variant,)+ }
            }

            /// Refuses what no state accepts, before any state is looked at.
            ///
            /// # Errors
            /// The same refusal that a decision would give.
            pub fn check(&self) -> Result<(), Refusal> {
                match self { $(Self::$variant(command) => command.check().map_err(Into::into),)+ }
            }

            /// The command's name, for logs and metrics (`create`).
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(command) => command.name(),)+ }
            }
        }

        impl Event {
            /// Which kind of aggregate it is of.
            #[must_use]
            pub const fn category(&self) -> Category {
                match self { $(Self::$variant(_) => Category::$variant,)+ }
            }

            /// The wire name, `itinerary-created`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(event) => event.name(),)+ }
            }

            /// The wire names of all events.
            pub fn names() -> impl Iterator<Item = &'static str> {
                [$($module::Event::NAMES,)+].into_iter().flatten().copied()
            }

            /// Runs the visitor for the event type of that wire name; nothing for an unknown one.
            pub fn visit_type<V: PayloadVisitor>(name: &str, visitor: &mut V) -> Option<V::Output> {
                None$(.or_else(|| $module::Event::visit_type(name, visitor)))+
            }

            /// Runs the visitor for every event type.
            pub fn visit_all_types<V: PayloadVisitor>(visitor: &mut V) -> Vec<V::Output> {
                Self::names().filter_map(|name| Self::visit_type(name, visitor)).collect()
            }

            /// Runs the visitor's generic code on the payload inside.
            pub fn with_payload<V: PayloadRef>(&self, visitor: V) -> V::Output {
                match self { $(Self::$variant(event) => event.with_payload(visitor),)+ }
            }
        }

        impl Refusal {
            /// The stable codes of all aggregates' refusals.
            pub fn codes() -> impl Iterator<Item = &'static str> {
                [$($module::Refusal::CODES,)+].into_iter().flatten().copied()
            }
        }

        impl State {
            /// The state before the first event.
            #[must_use]
            pub fn initial(category: Category) -> Self {
                match category { $(Category::$variant => Self::$variant(Box::default()),)+ }
            }

            /// Which kind of aggregate it is.
            #[must_use]
            pub const fn category(&self) -> Category {
                match self { $(Self::$variant(_) => Category::$variant,)+ }
            }

            /// The version of the fold that made it; a snapshot of another one is ignored.
            #[must_use]
            pub const fn fold_version(category: Category) -> u32 {
                match category {
                    $(Category::$variant => <$module::$state as Aggregate>::FOLD_VERSION,)+
                }
            }

            /// Reads a snapshot back.
            ///
            /// # Errors
            /// When the bytes are not such a state.
            pub fn from_json(category: Category, json: &[u8]) -> Result<Self, serde_json::Error> {
                match category {
                    $(Category::$variant => serde_json::from_slice(json).map(Self::$variant),)+
                }
            }

            /// Decides a command of the same category.
            ///
            /// # Errors
            /// The aggregate's refusal, erased.
            ///
            /// # Panics
            /// When command and state are of different categories: the caller routes by category.
            pub fn decide(
                &self,
                command: &Command,
                context: &Context,
            ) -> Result<Vec<Event>, Refusal> {
                match (self, command) {
                    $((Self::$variant(state), Command::$variant(command)) => state
                        .decide(command, context)
                        .map(|events| events.into_iter().map(Event::$variant).collect())
                        .map_err(Into::into),)+
                    _ => panic!("a command met a state of another category"),
                }
            }

            /// The state after the event; unchanged by an event of another category.
            #[must_use]
            pub fn evolve(self, event: &Event) -> Self {
                match (self, event) {
                    $((Self::$variant(state), Event::$variant(event)) => {
                        Self::$variant(Box::new(state.evolve(event)))
                    })+
                    (state, _) => state,
                }
            }
        }
    };
}

aggregates! {
    Itinerary => itinerary::Itinerary,
    Destination => destination::Destination,
    Offer => offer::Offer,
    Booking => booking::Booking,
    Payment => payment::Payment,
    InvoiceSeries => invoice_series::InvoiceSeries,
    Notification => notification::Notification,
    Saga => saga::Saga,
}
