//! Sagas, tested: their own rules alone (`rules.rs`), and in a little world of real aggregates
//! (`world.rs`, `provider.rs`, `rest.rs`) the three generic proofs (`proofs.rs`) and random
//! interleavings (`interleavings.rs`).

mod interleavings;
mod proofs;
mod provider;
mod rest;
mod rules;
mod world;
