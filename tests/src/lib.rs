//! What the tests of the whole product need, and nothing that the product itself uses.
//!
//! [`services`] runs the real Kafka, schema registry, PostgreSQL, MariaDB and Redis that the
//! integration tests and `scripts/services` work against, without containers.

pub mod services;

pub use services::{Endpoints, Kind, Options, Services};
