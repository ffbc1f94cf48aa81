//! How a payment says no: each variant names the broken rule and carries what a caller needs to act
//! on it.

use super::value::Status;
use crate::Digest;
use crate::ids::{EventId, PaymentId, RefundId};
use crate::money::Currency;
use crate::refusal::refusals;
use crate::text::faults_refuse;
use crate::time::Timestamp;

refusals! {
    /// A refusal of a payment.
    pub enum Refusal {
        /// Nothing was ever asked of it.
        #[error("there is no such payment")]
        PaymentNotFound = NotFound, "payment_not_found";
        /// The payment was requested before.
        #[error("payment {payment_id} exists already")]
        PaymentAlreadyExists {
            /// Which one.
            payment_id: PaymentId,
        } = AlreadyExists, "payment_already_exists";
        /// The refund was requested before.
        #[error("refund {refund_id} exists already")]
        RefundAlreadyExists {
            /// Which one.
            refund_id: RefundId,
        } = AlreadyExists, "payment_refund_already_exists";
        /// Money moves with the processes that need it.
        #[error("payments are made and undone by the booking process alone")]
        SystemRequired = Forbidden, "payment_system_required";

        /// Whoever says it does not prove to be the provider.
        #[error("a webhook of {provider} is not believed")]
        Unproven {
            /// Which provider is said to speak.
            provider: String,
            /// Why it is not believed: a stable code.
            why: String,
            /// The digest of what was said.
            body_sha256: Digest,
            /// How many more were not believed, and not recorded, since the last that was.
            left_out: u64,
        } = Forbidden, "payment_webhook_unproven";
        /// That nothing certain was answered is no fact about money.
        #[error("`{operation}` {}: {provider_code}", ended(*.may_be_done))]
        Unanswered {
            /// The event that asks the provider.
            request: EventId,
            /// What it was called for.
            operation: String,
            /// Whether it may have been done; otherwise it was not.
            may_be_done: bool,
            /// How the call ended: a stable code.
            provider_code: String,
            /// How many more ended so, and were not recorded, since the last that was.
            left_out: u64,
        } = Rule, "provider_unanswered";

        // What the present state forbids.

        /// It failed, timed out, or is being given back: nothing more is taken.
        #[error("the payment is closed")]
        Closed {
            /// Where it stands.
            payment_status: Status,
        } = Rule, "payment_closed";
        /// There is nothing to capture yet.
        #[error("the payment is not authorized")]
        NotAuthorized {
            /// Where it stands.
            payment_status: Status,
        } = Rule, "payment_not_authorized";
        /// The authorization was answered before.
        #[error("the payment waits for no authorization")]
        NotAwaited {
            /// Where it stands.
            payment_status: Status,
        } = Rule, "payment_authorization_not_awaited";
        /// The provider still has time to answer.
        #[error("the answer of the provider is not due before {due_at}")]
        NotDue {
            /// From when on it may be timed out.
            due_at: Timestamp,
        } = Rule, "payment_not_due";
        /// The attempt before it has no answer yet.
        #[error("attempt {attempt} has no answer yet")]
        AttemptOpen {
            /// Which one is open.
            attempt: u32,
        } = Rule, "payment_attempt_open";
        /// A later attempt, or this one, was made before.
        #[error("attempt {attempt} does not follow attempt {attempt_last}")]
        AttemptPassed {
            /// Which one was asked for.
            attempt: u32,
            /// The last one that was made.
            attempt_last: u32,
        } = Rule, "payment_attempt_passed";
        /// One refund at a time.
        #[error("refund {refund_id} has no answer yet")]
        RefundPending {
            /// Which one is open.
            refund_id: RefundId,
        } = Rule, "payment_refund_pending";
        /// More than is left.
        #[error("{amount} minor units are more than the {refundable} that can be given back")]
        RefundTooLarge {
            /// Minor units asked for.
            amount: i64,
            /// Minor units that were captured and neither refunded nor asked to be.
            refundable: i64,
        } = Rule, "payment_refund_too_large";
        /// A payment has one currency.
        #[error("the payment is in {expected}, not in {currency}")]
        CurrencyMismatch {
            /// The currency asked for.
            currency: Currency,
            /// The payment's.
            expected: Currency,
        } = Rule, "payment_currency_mismatch";

        // Values that make no sense.

        /// Attempts count from 1.
        #[error("attempts count from 1")]
        AttemptZero = Rule, "payment_attempt_zero";
        /// An amount is negative or absurd.
        #[error("the amount is not between {amount_min} and {amount_max} minor units")]
        AmountOutOfRange {
            /// Minor units asked for.
            amount: i64,
            /// The least allowed.
            amount_min: i64,
            /// The most allowed.
            amount_max: i64,
        } = Rule, "payment_amount_out_of_range";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `method`, `reason` or `reference`.
            field: &'static str,
        } = Rule, "payment_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `method`, `reason` or `reference`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "payment_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `method`, `reason` or `reference`.
            field: &'static str,
        } = Rule, "payment_text_unprintable";

        // What there may not be more of.

        /// Too many refunds.
        #[error("a payment has at most {refunds_max} refunds")]
        TooManyRefunds {
            /// How many are allowed.
            refunds_max: usize,
        } = Rule, "too_many_payment_refunds";
        /// Too many facts with references of their own.
        #[error("a payment remembers at most {references_max} references of its provider")]
        TooManyReferences {
            /// How many are remembered.
            references_max: usize,
        } = Rule, "too_many_payment_references";
    }
}

faults_refuse!(Refusal);

const fn ended(may_be_done: bool) -> &'static str {
    if may_be_done {
        "has no certain answer of the provider"
    } else {
        "was not done by the provider"
    }
}
