//! What can have happened in a series of invoices. One struct an event: each has an Avro schema of
//! its own, and names the series by id, seller and year.

use serde::{Deserialize, Serialize};

use crate::ids::{BookingId, InvoiceSeriesId, PaymentId};
use crate::money::Money;
use crate::payload::event_types;

event_types! {
    /// An event of a series of invoices.
    pub enum Event in InvoiceSeries {
        /// An invoice has its number.
        Issued(InvoiceIssued) = "invoice-issued",
        /// A credit note has its number.
        Credited(InvoiceCredited) = "invoice-credited",
    }
}

/// `invoice-issued`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvoiceIssued {
    /// The series.
    pub series_id: InvoiceSeriesId,
    /// Who sells.
    pub seller: String,
    /// The calendar year, in the seller's zone.
    pub year: i16,
    /// Its number: 1, 2, 3, ... over invoices and credit notes together.
    pub number: u32,
    /// Which payment it documents.
    pub payment_id: PaymentId,
    /// What was paid for.
    pub booking_id: BookingId,
    /// How much was paid.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

/// `invoice-credited`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvoiceCredited {
    /// The series.
    pub series_id: InvoiceSeriesId,
    /// Who sells.
    pub seller: String,
    /// The calendar year, in the seller's zone.
    pub year: i16,
    /// Its number: 1, 2, 3, ... over invoices and credit notes together.
    pub number: u32,
    /// The invoice of this series that it corrects; none when that is of another year.
    pub invoice_number: Option<u32>,
    /// Which payment it documents.
    pub payment_id: PaymentId,
    /// What was paid for.
    pub booking_id: BookingId,
    /// How much is given back.
    pub amount: Money,
    /// Why.
    pub reason: String,
}
