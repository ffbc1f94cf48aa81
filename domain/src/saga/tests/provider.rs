//! A payment provider with a ledger of its own: an intent per payment, every call repeatable.

use std::collections::BTreeMap;

use crate::ids::{PaymentId, RefundId};
use crate::money::Money;
use crate::payment::{Command, Ledger, Phase, RefundStatus, Status};

/// What a payment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Authorize,
    Capture(u32),
    Void(u32),
    Refund(RefundId, i64),
}

/// What the provider keeps of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Intent {
    #[default]
    Unknown,
    Declined,
    Authorized,
    Captured,
    Cancelled,
}

#[derive(Default)]
pub(super) struct Provider {
    pub(super) intents: BTreeMap<PaymentId, Intent>,
    pub(super) refunds: BTreeMap<PaymentId, BTreeMap<RefundId, i64>>,
}

impl Provider {
    /// What the payment has asked for and has no answer to.
    pub(super) fn asked(ledger: &Ledger) -> Option<Call> {
        let pending = |(id, refund): (&RefundId, &crate::payment::Refund)| {
            (refund.status == RefundStatus::Pending).then_some(Call::Refund(*id, refund.amount))
        };
        if let Some(refund) = ledger.refunds.iter().find_map(pending) {
            return Some(refund);
        }
        if let Some(void) = ledger.void {
            return void.release.then_some(Call::Void(void.attempt));
        }
        match ledger.status {
            Status::Requested => Some(Call::Authorize),
            Status::Capturing => Some(Call::Capture(ledger.capture_attempt)),
            _ => None,
        }
    }

    /// The call arrives. Who is out of luck is refused, and nothing happened.
    pub(super) fn called(&mut self, ledger: &Ledger, call: Call, lucky: bool) -> Vec<Command> {
        let payment_id = ledger.terms.payment_id;
        let amount = ledger.terms.amount;
        let intent = self.intents.entry(payment_id).or_default();
        match call {
            Call::Authorize => {
                if *intent == Intent::Unknown {
                    *intent = if lucky { Intent::Authorized } else { Intent::Declined };
                }
                vec![match intent {
                    Intent::Authorized | Intent::Captured => Command::RecordAuthorized {
                        reference: format!("authorization of {payment_id}"),
                        amount,
                    },
                    _ => failed(Phase::Authorization, None),
                }]
            }
            Call::Capture(attempt) => {
                if *intent == Intent::Authorized && lucky {
                    *intent = Intent::Captured;
                }
                vec![match intent {
                    Intent::Captured => captured(payment_id, amount),
                    _ => failed(Phase::Capture, Some(attempt)),
                }]
            }
            Call::Void(attempt) => {
                if *intent != Intent::Captured && lucky {
                    *intent = Intent::Cancelled;
                }
                vec![match intent {
                    Intent::Captured => captured(payment_id, amount),
                    Intent::Cancelled => Command::RecordVoided { attempt, reference: None },
                    _ => Command::RecordVoidFailed { attempt, code: sorry(), message: sorry() },
                }]
            }
            Call::Refund(refund_id, asked) => self.refund(ledger, refund_id, asked, lucky),
        }
    }

    fn refund(
        &mut self,
        ledger: &Ledger,
        refund_id: RefundId,
        asked: i64,
        lucky: bool,
    ) -> Vec<Command> {
        let payment_id = ledger.terms.payment_id;
        let refunds = self.refunds.entry(payment_id).or_default();
        if !refunds.contains_key(&refund_id) {
            let given: i64 = refunds.values().sum();
            let taken = self.intents.get(&payment_id) == Some(&Intent::Captured);
            let left = if taken { ledger.terms.amount.amount - given } else { 0 };
            if !lucky || asked > left {
                return vec![Command::RecordRefundFailed {
                    refund_id,
                    code: sorry(),
                    message: sorry(),
                }];
            }
            refunds.insert(refund_id, asked);
        }
        let (reference, currency) = (format!("refund {refund_id}"), ledger.terms.amount.currency);
        let amount = Money { amount: refunds[&refund_id], currency };
        vec![Command::RecordRefunded { refund_id, reference, amount }]
    }

    /// What the provider took and did not give back; and whether it still holds an authorization.
    pub(super) fn balance(&self, payment_id: PaymentId, amount: i64) -> (i64, bool) {
        let intent = self.intents.get(&payment_id).cloned().unwrap_or_default();
        let given: i64 = self.refunds.get(&payment_id).map_or(0, |all| all.values().sum());
        let taken = if intent == Intent::Captured { amount } else { 0 };
        (taken - given, intent == Intent::Authorized)
    }
}

pub(super) fn captured(payment_id: PaymentId, amount: Money) -> Command {
    Command::RecordSucceeded { reference: format!("capture of {payment_id}"), amount }
}

fn failed(phase: Phase, attempt: Option<u32>) -> Command {
    Command::RecordFailed { phase, attempt, reference: None, code: sorry(), message: sorry() }
}

fn sorry() -> String {
    "declined".to_owned()
}
