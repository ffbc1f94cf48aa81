//! What fails of a payment's own is somebody's to see to, whatever happened before.

use proptest::prelude::*;

use super::properties::{play, stories};
use super::*;

proptest! {
    #[test]
    fn whatever_fails_of_the_payments_own_has_an_owner(story in stories()) {
        let mut episode = 0;
        play(&story, |before, command, decided, _| {
            let events = decided.clone().unwrap_or_default();
            let asked = events.iter().filter_map(|event| match event {
                Event::WatchRequested(event) => Some(event.episode),
                _ => None,
            });
            let asked: Vec<u32> = asked.collect();
            let Payment::Known(ledger) = before else { return assert!(asked.is_empty()) };
            let own = |refund_id| ledger.refunds.get(refund_id).is_some_and(|refund| refund.own);
            let failed = events.iter().any(|event| match event {
                Event::VoidFailed(event) => event.attempt == 0 && event.code != "superseded",
                Event::RefundFailed(event) => ledger.void.is_none() && own(&event.refund_id),
                _ => false,
            });
            assert_eq!(asked.len(), usize::from(failed), "{command:?}");
            for number in asked {
                episode += 1;
                assert_eq!(number, episode);
            }
        });
    }
}
