//! The provider's client against the sandbox, over sockets: whatever goes wrong ends in the right
//! class, and a repeat with the same key never moves money twice.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise, helper or not")]

mod circuit;
mod misbehaviour;
mod outcomes;
mod webhooks;
mod world;
