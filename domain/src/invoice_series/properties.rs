//! What holds after any commands, judged from the events alone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::Timestamp;
use crate::ids::{BookingId, InvoiceSeriesId, PaymentId};
use crate::testing::{decide, fold, reads_back, restores, saga};

fn commands() -> impl Strategy<Value = Command> {
    let reasons = prop::sample::select(vec!["sale", "cancellation", "goodwill"]);
    (1..5_u128, 0..4_i64, reasons, prop::bool::weighted(0.95), any::<bool>()).prop_map(
        |(payment, amount, reason, this_year, credit)| {
            let document = Document {
                series_id: InvoiceSeriesId(Uuid::from_u128(1)),
                seller: "Waylog Travel".to_owned(),
                year: if this_year { 2026 } else { 2027 },
                payment_id: PaymentId(Uuid::from_u128(payment)),
                booking_id: BookingId(Uuid::from_u128(payment)),
                amount: Money { amount: amount * 100, currency: "EUR".parse().unwrap() },
                reason: reason.to_owned(),
            };
            if credit { Command::Credit { document } } else { Command::Issue { document } }
        },
    )
}

fn play(story: &[Command]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for command in story {
        let state: InvoiceSeries = fold(&events);
        events.extend(decide(&state, &saga(), command, Timestamp::default()).unwrap_or_default());
    }
    events
}

proptest! {
    #[test]
    fn numbers_have_no_gap_and_documents_no_double(
        story in prop::collection::vec(commands(), 0..60),
    ) {
        let events = play(&story);

        let mut documents = BTreeSet::new();
        let mut balance: BTreeMap<PaymentId, (bool, i64)> = BTreeMap::new();
        for (event, expected) in events.iter().zip(1_u32..) {
            let (number, payment, reason, credit, amount) = match event {
                Event::Issued(e) => (e.number, e.payment_id, &e.reason, false, e.amount.amount),
                Event::Credited(e) => (e.number, e.payment_id, &e.reason, true, -e.amount.amount),
            };
            prop_assert_eq!(number, expected);
            prop_assert!(documents.insert((payment, reason.clone(), credit)));
            let entry = balance.entry(payment).or_default();
            entry.0 |= !credit;
            entry.1 += amount;
            // Where the invoice is of this series and came first, no more goes back.
            if let Event::Credited(event) = event
                && event.invoice_number.is_some()
            {
                prop_assert!(entry.0 && entry.1 >= 0);
            }
        }
    }

    #[test]
    fn asking_again_for_what_was_granted_appends_nothing(
        story in prop::collection::vec(commands(), 0..40),
    ) {
        let mut state = InvoiceSeries::default();
        for command in &story {
            let decided = decide(&state, &saga(), command, Timestamp::default());
            let Ok(events) = decided else { continue };
            state = events.iter().fold(state, InvoiceSeries::evolve);

            let again = decide(&state, &saga(), command, Timestamp::default());

            prop_assert_eq!(again, Ok(vec![]));
        }
    }

    #[test]
    fn a_snapshot_at_any_version_continues_like_the_fold(
        story in prop::collection::vec(commands(), 0..30),
        cut: prop::sample::Index,
    ) {
        restores::<InvoiceSeries>(&play(&story), cut)?;
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(command in commands()) {
        reads_back(crate::Command::InvoiceSeries(command))?;
    }
}
