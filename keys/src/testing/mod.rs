//! The contract of key stores, as cases that run on any of them, and databases that last as long as
//! a test.
//!
//! `key_store_contract!(world)` makes a test of each case; `world` is an async function that yields
//! a [`KeyWorld`], or nothing where there is no such database.

#[expect(clippy::unwrap_used, reason = "what a test expects")]
pub mod suite;
pub mod worlds;

pub use worlds::{KeyWorld, PostgresKeyWorld, SqliteKeyWorld};
