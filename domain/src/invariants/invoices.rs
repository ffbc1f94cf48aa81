//! Numbers of invoices and credit notes: 1, 2, 3, ... in each series, and one document for each
//! payment and reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{InvoiceSeriesId, PaymentId};
use crate::invoice_series::Event;

/// Every series, with its last number and what it documents.
#[derive(Debug, Default)]
pub(super) struct Invoices {
    series: BTreeMap<InvoiceSeriesId, Series>,
    count: u64,
}

#[derive(Debug, Default)]
struct Series {
    last: u32,
    documents: BTreeSet<(PaymentId, bool, String)>,
}

impl Invoices {
    /// How many documents were looked at.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// What is wrong with the document.
    pub(super) fn read(&mut self, series_id: InvoiceSeriesId, event: &Event) -> Option<String> {
        let (number, payment_id, credit, reason) = match event {
            Event::Issued(e) => (e.number, e.payment_id, false, &e.reason),
            Event::Credited(e) => (e.number, e.payment_id, true, &e.reason),
        };
        self.count += 1;
        let series = self.series.entry(series_id).or_default();
        let expected = series.last.saturating_add(1);
        series.last = series.last.max(number);
        if number != expected {
            return Some(format!("number {number} is drawn, and the next one is {expected}"));
        }
        let fresh = series.documents.insert((payment_id, credit, reason.clone()));
        let what = if credit { "credit note" } else { "invoice" };
        (!fresh).then(|| {
            format!("number {number} is a second {what} of payment-{payment_id} for `{reason}`")
        })
    }
}
