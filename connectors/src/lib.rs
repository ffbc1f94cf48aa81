//! Calls to the outside: what providers are asked, and what they say.
//!
//! A connector does what events ask for and turns the provider's answers into facts. What it
//! promises about each call: a key that stays the same however often it is repeated, a deadline,
//! and an answer that says whether the outcome is known.

mod circuit;
pub mod circuits;
mod http_provider;
pub mod notifications;
mod pace;
pub mod payment_provider;
pub mod payments;
mod unanswered;
