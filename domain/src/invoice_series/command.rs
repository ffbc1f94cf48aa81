//! What can be asked of a series of invoices.

use serde::{Deserialize, Serialize};

use crate::ids::{BookingId, InvoiceSeriesId, PaymentId};
use crate::money::Money;

/// A command to a series; from systems alone (sagas).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Draws the next number for an invoice.
    Issue {
        /// What it is for.
        document: Document,
    },
    /// Draws the next number for a credit note. A credit of nothing draws none.
    Credit {
        /// What it is for.
        document: Document,
    },
}

/// An invoice or credit note as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The series, which also names its stream.
    pub series_id: InvoiceSeriesId,
    /// Who sells.
    pub seller: String,
    /// The calendar year, in the seller's zone.
    pub year: i16,
    /// Which payment it documents.
    pub payment_id: PaymentId,
    /// What was paid for.
    pub booking_id: BookingId,
    /// How much.
    pub amount: Money,
    /// Why (`sale`, `cancellation`): with the payment, what a document is known by.
    pub reason: String,
}

impl Command {
    /// Refuses what no series accepts, whatever its state, before it reaches one.
    ///
    /// # Errors
    /// The same refusal that a decision would give.
    pub fn check(&self) -> Result<(), super::Refusal> {
        super::check::command(self)
    }

    /// The command's name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Issue { .. } => "issue",
            Self::Credit { .. } => "credit",
        }
    }
}
