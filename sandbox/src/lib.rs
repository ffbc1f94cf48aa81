//! The payment provider's API as a real server, for development and tests: HTTP, idempotency keys,
//! signed webhooks, and a ledger of its own in one SQLite file. Beside it, a mail server and a
//! message API that keep what they are given, so that it can be looked at.
//!
//! It knows nothing of whoever calls it. What it promises:
//! - an answer that says that money moved is given after the ledger's commit was synced to disk;
//! - a request is worked on at most once per `Idempotency-Key`, and an intent or a refund exists at
//!   most once per reference of the merchant's, even when the key is another;
//! - a webhook that is due is delivered at least once or listed as abandoned; a restart loses none;
//! - it misbehaves only as asked: by payment method ([`Card`]) or by planned [`Faults`].
//!
//! [`Sandbox::open`] opens the ledger, [`Sandbox::serve`] serves until told to stop. Dropping the
//! future of `serve` is like killing a process: what was answered is in the ledger.

mod api;
mod card;
mod error;
mod faults;
mod ledger;
mod mail;
mod server;
mod settings;
mod signature;
mod webhooks;

pub use card::Card;
pub use error::SandboxError;
pub use faults::{
    Fault, FaultKind, Faults, Operation, PlannedFault, WebhookFault, WebhookFaultKind,
};
pub use ledger::totals::{Totals, totals_of_file};
pub use mail::MailSink;
pub use server::Sandbox;
pub use settings::{ApiSecret, Settings, WebhookTarget};
