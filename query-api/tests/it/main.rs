//! The query API over real read models: a `SQLite` file, filled by the real projections.

#![expect(clippy::unwrap_used, reason = "what a test expects")]

mod audit;
mod catalogue;
mod consistency;
mod itineraries;
mod live;
mod payments;
mod proxy;
mod sales;
mod sealed;
mod world;
