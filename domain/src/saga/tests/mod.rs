//! Sagas, tested: their own rules alone (`rules.rs`), and in a little world of real aggregates
//! (`world.rs`, `provider.rs`, `rest.rs`) the three generic proofs (`proofs.rs`), random
//! interleavings (`interleavings.rs`), and the log's invariants over all that (`invariants.rs`).

mod interleavings;
mod invariants;
mod proofs;
mod provider;
mod rest;
mod rules;
mod world;
