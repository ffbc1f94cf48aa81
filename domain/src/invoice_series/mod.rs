//! The invoice series: one seller's documents of one calendar year, numbered without gaps.
//!
//! | state | leaves it by | accepts |
//! |---|---|---|
//! | empty | the first document | Issue, Credit |
//! | begun | never | Issue, Credit, of its own seller and year |
//!
//! Invariants, at every version:
//! - Drawing a number is issuing the document: numbers are 1, 2, 3, ... over invoices and credit
//!   notes together, none left out, none used twice.
//! - A payment has at most one invoice and one credit note for a reason. Asked again, nothing is
//!   appended; asked again for another amount, it is refused.
//! - No more is credited than was invoiced, as far as the invoice is of this series: what was sold
//!   in one year may be undone in the next.
//!
//! A credit of nothing draws no number. Systems alone ask (sagas).

mod check;
mod command;
mod decide;
mod error;
mod event;
pub mod limits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use check::seller as check_seller;
pub use command::{Command, Document};
pub use error::Refusal;
pub use event::{Event, InvoiceCredited, InvoiceIssued};

use crate::ids::{InvoiceSeriesId, PaymentId};
use crate::money::Money;
use crate::{Aggregate, Category, Context};

/// The state of a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum InvoiceSeries {
    /// No number was drawn yet.
    #[default]
    Empty,
    /// Some were.
    Begun(Box<Register>),
}

/// What was drawn, and for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// The series.
    pub series_id: InvoiceSeriesId,
    /// Whose it is.
    pub seller: String,
    /// Of which year it is.
    pub year: i16,
    /// The last number that was drawn.
    pub number_last: u32,
    /// The documents of each payment.
    pub payments: BTreeMap<PaymentId, Vec<Drawn>>,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// Its number.
    pub number: u32,
    /// Whether it gives back.
    pub credit: bool,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

impl Register {
    /// The documents of a payment, in the order of their numbers.
    #[must_use]
    pub fn documents(&self, payment_id: PaymentId) -> &[Drawn] {
        self.payments.get(&payment_id).map_or(&[], Vec::as_slice)
    }

    fn draw(&mut self, payment_id: PaymentId, drawn: Drawn) {
        self.number_last = drawn.number;
        self.payments.entry(payment_id).or_default().push(drawn);
    }
}

impl InvoiceSeries {
    fn begun(self, series_id: InvoiceSeriesId, seller: &str, year: i16) -> Box<Register> {
        match self {
            Self::Begun(register) => register,
            Self::Empty => {
                let (seller, payments) = (seller.to_owned(), BTreeMap::new());
                Box::new(Register { series_id, seller, year, number_last: 0, payments })
            }
        }
    }
}

impl Aggregate for InvoiceSeries {
    const CATEGORY: Category = Category::InvoiceSeries;
    const FOLD_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: &Command, context: &Context) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, &context.actor)
    }

    fn evolve(self, event: &Event) -> Self {
        match event {
            Event::Issued(event) => {
                let mut register = self.begun(event.series_id, &event.seller, event.year);
                let InvoiceIssued { number, amount, ref reason, .. } = *event;
                let reason = reason.clone();
                register.draw(event.payment_id, Drawn { number, credit: false, amount, reason });
                Self::Begun(register)
            }
            Event::Credited(event) => {
                let mut register = self.begun(event.series_id, &event.seller, event.year);
                let InvoiceCredited { number, amount, ref reason, .. } = *event;
                let reason = reason.clone();
                register.draw(event.payment_id, Drawn { number, credit: true, amount, reason });
                Self::Begun(register)
            }
        }
    }
}
