//! How a series of invoices says no: each variant names the broken rule and carries what a caller
//! needs to act on it.

use crate::ids::{InvoiceSeriesId, PaymentId};
use crate::refusal::refusals;
use crate::text::faults_refuse;

refusals! {
    /// A refusal of a series of invoices.
    pub enum Refusal {
        /// Documents follow from what was sold and undone.
        #[error("invoices are issued by the booking process alone")]
        SystemRequired = Forbidden, "invoice_system_required";
        /// The series is another seller's, or another year's.
        #[error("series {series_id} is that of {seller} in {year}")]
        SeriesMismatch {
            /// Which series was asked.
            series_id: InvoiceSeriesId,
            /// Whose it is.
            seller: String,
            /// Of which year it is.
            year: i16,
        } = Rule, "invoice_series_mismatch";
        /// The payment has another document for the same reason.
        #[error("document {number} of payment {payment_id} for the same reason says otherwise")]
        DocumentDiffers {
            /// Which payment.
            payment_id: PaymentId,
            /// The document that there is.
            number: u32,
        } = Rule, "invoice_document_differs";
        /// More would be credited than was invoiced.
        #[error("{amount} minor units are more than the {creditable} left of the invoice")]
        CreditTooLarge {
            /// Minor units asked for.
            amount: i64,
            /// Minor units that were invoiced and not credited.
            creditable: i64,
        } = Rule, "invoice_credit_too_large";
        /// The number of its documents is used up.
        #[error("a series has at most {documents_max} documents")]
        TooManyDocuments {
            /// How many are allowed.
            documents_max: u32,
        } = Rule, "too_many_invoices";
        /// Too many documents of one payment.
        #[error("a payment has at most {reasons_max} documents")]
        TooManyReasons {
            /// How many are allowed.
            reasons_max: usize,
        } = Rule, "too_many_invoices_of_payment";
        /// The year is not of our times.
        #[error("the year {year} is not between {year_min} and {year_max}")]
        YearOutOfRange {
            /// The year asked for.
            year: i16,
            /// The first one allowed.
            year_min: i16,
            /// The last one allowed.
            year_max: i16,
        } = Rule, "invoice_year_out_of_range";
        /// An amount is negative or absurd.
        #[error("the amount is not between 0 and {amount_max} minor units")]
        AmountOutOfRange {
            /// Minor units asked for.
            amount: i64,
            /// Minor units allowed.
            amount_max: i64,
        } = Rule, "invoice_amount_out_of_range";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `seller` or `reason`.
            field: &'static str,
        } = Rule, "invoice_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `seller` or `reason`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "invoice_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `seller` or `reason`.
            field: &'static str,
        } = Rule, "invoice_text_unprintable";
    }
}

faults_refuse!(Refusal);
