//! What the provider says, as commands that record it. Pure: every rule about money is the
//! payment's own, which takes what it is told in any order and once.

use domain::ids::{PaymentId, RefundId};
use domain::money::Money;
use domain::payment::{Command, Phase};
use read_models::projections::{ProviderRequestRow, provider_requests};
use uuid::Uuid;

use crate::payment_provider::webhook::ProviderFact;
use crate::payment_provider::{KnownPayment, PaymentStatus, Receipt, Refusal};

/// What is asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Authorize,
    Capture { attempt: u32 },
    Void { attempt: u32 },
    Refund { refund: Uuid },
}

impl Asked {
    /// `None` for a kind that this program does not know.
    pub(super) fn of(row: &ProviderRequestRow) -> Option<Self> {
        let attempt = row.attempt;
        Some(match row.kind.as_str() {
            provider_requests::AUTHORIZE => Self::Authorize,
            provider_requests::CAPTURE => Self::Capture { attempt },
            provider_requests::VOID => Self::Void { attempt },
            provider_requests::REFUND => Self::Refund { refund: row.subject_id },
            _ => return None,
        })
    }

    /// It is done.
    pub(super) fn done(self, receipt: Receipt) -> Vec<Command> {
        let Receipt { reference, amount } = receipt;
        vec![match self {
            Self::Authorize => Command::RecordAuthorized { reference, amount },
            Self::Capture { .. } => Command::RecordSucceeded { reference, amount },
            Self::Void { attempt } => Command::RecordVoided { attempt, reference: Some(reference) },
            Self::Refund { refund } => {
                Command::RecordRefunded { refund_id: RefundId(refund), reference, amount }
            }
        }]
    }

    /// The provider said no.
    pub(super) fn refused(self, refusal: Refusal) -> Vec<Command> {
        let Refusal { code, message } = refusal;
        let failed = |phase, attempt, code, message| Command::RecordFailed {
            phase,
            attempt,
            reference: None,
            code,
            message,
        };
        vec![match self {
            Self::Authorize => failed(Phase::Authorization, None, code, message),
            Self::Capture { attempt } => failed(Phase::Capture, Some(attempt), code, message),
            Self::Void { attempt } => Command::RecordVoidFailed { attempt, code, message },
            Self::Refund { refund } => {
                Command::RecordRefundFailed { refund_id: RefundId(refund), code, message }
            }
        }]
    }

    /// What the provider knows of the payment answers the request already; nothing when it has to
    /// be asked (again).
    pub(super) fn told(self, known: &KnownPayment) -> Vec<Command> {
        let receipt = |amount: Money| Receipt { reference: known.reference.clone(), amount };
        let taken = || Self::Capture { attempt: 0 }.done(receipt(known.captured));
        match (self, &known.status) {
            (Self::Authorize, PaymentStatus::Authorized) => self.done(receipt(known.authorized)),
            (Self::Authorize, PaymentStatus::Declined(refusal)) => self.refused(refusal.clone()),
            (Self::Authorize | Self::Capture { .. }, PaymentStatus::Captured) => taken(),
            (Self::Void { .. }, PaymentStatus::Voided) => self.done(receipt(known.amount)),
            (Self::Void { .. }, PaymentStatus::Captured) => {
                // The capture came first. The payment turns its void into a refund; if it knew of
                // the capture, the void has failed.
                let refusal = Refusal {
                    code: "captured".to_owned(),
                    message: "The money was taken already.".to_owned(),
                };
                [taken(), self.refused(refusal)].concat()
            }
            (Self::Refund { refund }, _) => {
                let ours = known.refunds.iter().find(|one| one.refund == Some(refund));
                match ours.map(|one| (one, &one.failure)) {
                    None => Vec::new(),
                    Some((_, Some(failure))) => self.refused(failure.clone()),
                    Some((one, None)) => {
                        let reference = one.reference.clone();
                        self.done(Receipt { reference, amount: one.amount })
                    }
                }
            }
            _ => Vec::new(),
        }
    }
}

/// Which request such a fact answers: its kind, and the refund or the payment that it is about.
pub(super) fn answered(payment: PaymentId, fact: &Command) -> Option<(&'static str, Uuid)> {
    match fact {
        Command::RecordAuthorized { .. }
        | Command::RecordFailed { phase: Phase::Authorization, .. } => {
            Some((provider_requests::AUTHORIZE, payment.0))
        }
        Command::RecordSucceeded { .. } | Command::RecordFailed { phase: Phase::Capture, .. } => {
            Some((provider_requests::CAPTURE, payment.0))
        }
        Command::RecordVoided { .. } => Some((provider_requests::VOID, payment.0)),
        Command::RecordRefunded { refund_id, .. }
        | Command::RecordRefundFailed { refund_id, .. } => {
            Some((provider_requests::REFUND, refund_id.0))
        }
        _ => None,
    }
}

/// What a webhook tells, and of which payment; nothing when it does not concern us.
pub(super) fn of_webhook(fact: ProviderFact) -> Option<(PaymentId, Command)> {
    let (payment, command) = match fact {
        ProviderFact::Authorized { payment, receipt: Receipt { reference, amount } } => {
            (payment, Command::RecordAuthorized { reference, amount })
        }
        ProviderFact::Failed { payment, reference, refusal: Refusal { code, message } } => {
            let phase = Phase::Authorization;
            let reference = Some(reference);
            let attempt = None;
            (payment, Command::RecordFailed { phase, attempt, reference, code, message })
        }
        ProviderFact::Captured { payment, receipt: Receipt { reference, amount } } => {
            (payment, Command::RecordSucceeded { reference, amount })
        }
        // It answers the void that is open; without one, the provider released on its own.
        ProviderFact::Voided { payment, receipt: Receipt { reference, .. } } => {
            (payment, Command::RecordVoided { attempt: 0, reference: Some(reference) })
        }
        ProviderFact::Refunded { payment, refund, receipt: Receipt { reference, amount } } => {
            let refund_id = RefundId(refund);
            (payment, Command::RecordRefunded { refund_id, reference, amount })
        }
        ProviderFact::RefundFailed { payment, refund, refusal, .. } => {
            let (refund_id, Refusal { code, message }) = (RefundId(refund), refusal);
            (payment, Command::RecordRefundFailed { refund_id, code, message })
        }
        ProviderFact::Other { .. } => return None,
    };
    Some((PaymentId(payment), command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_provider::KnownRefund;

    const REFUND: Uuid = Uuid::from_u128(7);

    fn eur(amount: i64) -> Money {
        Money { amount, currency: "EUR".parse().unwrap() }
    }

    fn known(status: PaymentStatus) -> KnownPayment {
        KnownPayment {
            reference: "pi_1".to_owned(),
            status,
            amount: eur(900),
            authorized: eur(900),
            captured: eur(800),
            refunded: eur(0),
            refunds: Vec::new(),
        }
    }

    fn names(commands: &[Command]) -> Vec<&'static str> {
        commands.iter().map(Command::name).collect()
    }

    #[test]
    fn what_the_provider_knows_answers_only_what_was_asked() {
        let declined =
            || PaymentStatus::Declined(Refusal { code: "no".to_owned(), message: String::new() });
        let told = |asked: Asked, status| asked.told(&known(status));
        let (capture, void) = (Asked::Capture { attempt: 2 }, Asked::Void { attempt: 3 });

        for (asked, status, expected) in [
            (Asked::Authorize, PaymentStatus::Unconfirmed, &[][..]),
            (Asked::Authorize, declined(), &["record-failed"]),
            (Asked::Authorize, PaymentStatus::Authorized, &["record-authorized"]),
            (Asked::Authorize, PaymentStatus::Captured, &["record-succeeded"]),
            (Asked::Authorize, PaymentStatus::Voided, &[]),
            (capture, PaymentStatus::Authorized, &[]),
            (capture, PaymentStatus::Captured, &["record-succeeded"]),
            (capture, PaymentStatus::Voided, &[]),
            (void, PaymentStatus::Authorized, &[]),
            (void, PaymentStatus::Captured, &["record-succeeded", "record-void-failed"]),
            (void, PaymentStatus::Voided, &["record-voided"]),
        ] {
            assert_eq!(names(&told(asked, status.clone())), expected, "{asked:?} {status:?}");
        }
    }

    #[test]
    fn a_refund_is_answered_by_its_own_alone() {
        let refund = |refund, failure| KnownRefund {
            refund,
            reference: "re_1".to_owned(),
            amount: eur(300),
            failure,
        };
        let failure = Refusal { code: "refund_refused".to_owned(), message: String::new() };
        let told = |refunds| {
            Asked::Refund { refund: REFUND }
                .told(&KnownPayment { refunds, ..known(PaymentStatus::Captured) })
        };

        assert_eq!(told(vec![]), []);
        assert_eq!(told(vec![refund(Some(Uuid::from_u128(8)), None), refund(None, None)]), []);
        assert_eq!(names(&told(vec![refund(Some(REFUND), None)])), ["record-refunded"]);
        let failed = told(vec![refund(Some(REFUND), Some(failure))]);
        assert_eq!(names(&failed), ["record-refund-failed"]);
    }
}
