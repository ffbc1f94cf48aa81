//! The test cards: payment methods that say how the provider behaves.

use serde::{Deserialize, Serialize};

use crate::faults::{FaultKind, Operation};

/// A payment method. Its name says what happens; what goes wrong on the way to the caller goes
/// wrong once for each piece of work, so that a repeat under the same key is told the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// Everything succeeds.
    CardApproved,
    /// Confirming is refused with `card_declined`.
    CardDeclined,
    /// Confirming is refused with `insufficient_funds`.
    CardInsufficientFunds,
    /// The work is done, the answer comes late.
    CardSlow,
    /// The work is done, the connection dropped.
    CardLostAnswer,
    /// The work is done, the answer is a 500.
    CardErrorAfterWork,
    /// Webhooks come late.
    CardWebhookLate,
    /// It is authorized, and nobody hears of it in time: the answer and the webhooks come late.
    CardSilent,
    /// Captures are refused with `capture_refused`.
    CardCaptureRefused,
    /// Refunds are refused with `refund_refused`.
    CardRefundRefused,
}

impl Card {
    /// Every card.
    pub const ALL: [Self; 10] = [
        Self::CardApproved,
        Self::CardDeclined,
        Self::CardInsufficientFunds,
        Self::CardSlow,
        Self::CardLostAnswer,
        Self::CardErrorAfterWork,
        Self::CardWebhookLate,
        Self::CardSilent,
        Self::CardCaptureRefused,
        Self::CardRefundRefused,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CardApproved => "card_approved",
            Self::CardDeclined => "card_declined",
            Self::CardInsufficientFunds => "card_insufficient_funds",
            Self::CardSlow => "card_slow",
            Self::CardLostAnswer => "card_lost_answer",
            Self::CardErrorAfterWork => "card_error_after_work",
            Self::CardWebhookLate => "card_webhook_late",
            Self::CardSilent => "card_silent",
            Self::CardCaptureRefused => "card_capture_refused",
            Self::CardRefundRefused => "card_refund_refused",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|card| card.name() == name)
    }

    /// Why the bank refuses to authorize: code and sentence.
    pub(crate) const fn decline(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::CardDeclined => Some(("card_declined", "The card was declined.")),
            Self::CardInsufficientFunds => {
                Some(("insufficient_funds", "The card has insufficient funds."))
            }
            Self::CardApproved
            | Self::CardSlow
            | Self::CardLostAnswer
            | Self::CardErrorAfterWork
            | Self::CardWebhookLate
            | Self::CardSilent
            | Self::CardCaptureRefused
            | Self::CardRefundRefused => None,
        }
    }

    /// Whether its webhooks come late.
    pub(crate) const fn webhooks_late(self) -> bool {
        matches!(self, Self::CardWebhookLate | Self::CardSilent)
    }

    /// What goes wrong on the way to the caller after such work on this card.
    pub(crate) const fn fault(self, operation: Operation) -> Option<FaultKind> {
        match self {
            Self::CardSlow => Some(FaultKind::Delay),
            Self::CardSilent if matches!(operation, Operation::Confirm) => Some(FaultKind::Delay),
            Self::CardLostAnswer => Some(FaultKind::DropAfter),
            Self::CardErrorAfterWork => Some(FaultKind::ErrorAfter),
            Self::CardApproved
            | Self::CardDeclined
            | Self::CardInsufficientFunds
            | Self::CardWebhookLate
            | Self::CardSilent
            | Self::CardCaptureRefused
            | Self::CardRefundRefused => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_known_by_the_name_that_it_is_written_with() {
        for card in Card::ALL {
            assert_eq!(Card::named(card.name()), Some(card));
            assert_eq!(serde_json::to_value(card).unwrap(), card.name());
        }
        assert_eq!(Card::named("card_of_gold"), None);
    }
}
