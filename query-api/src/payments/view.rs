//! Payments as clients see them.

use domain::Timestamp;
use read_models::projections::PaymentRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::itineraries::MoneyView;

/// One payment and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PaymentView {
    /// The payment.
    id: Uuid,
    /// What is paid for.
    booking_id: Uuid,
    /// The process that asked for the money.
    saga_id: Uuid,
    /// `requested`, `authorized`, `capturing`, `captured`, `refunded`, `failed`, `timed_out`,
    /// `voiding`, `void_failed` or `voided`.
    #[schema(example = "captured")]
    status: String,
    /// The means of payment.
    #[schema(example = "card_approved")]
    method: String,
    /// How much it is about.
    amount: MoneyView,
    /// What was set aside.
    authorized: MoneyView,
    /// What was taken.
    captured: MoneyView,
    /// What was given back.
    refunded: MoneyView,
    /// What is on its way back.
    refund_pending: MoneyView,
    /// The provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_reference: Option<String>,
    /// The provider's code of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "card_declined")]
    failure_code: Option<String>,
    /// The provider's words about it; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_message: Option<String>,
    /// Whether the provider named another amount than the one that counts; for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    disputed: Option<bool>,
    /// From when on a missing authorization counts as timed out.
    #[schema(format = DateTime, example = "2027-01-01T12:15:00.000000Z")]
    due_at: String,
    /// When money was set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    authorized_at: Option<String>,
    /// When it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    captured_at: Option<String>,
    /// When some of it was last given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    refunded_at: Option<String>,
    /// When nothing was held any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    voided_at: Option<String>,
    /// The version that this is.
    version: u64,
    /// When it was asked for.
    #[schema(format = DateTime, example = "2027-01-01T12:00:00.000000Z")]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime, example = "2027-01-01T12:00:03.000000Z")]
    updated_at: String,
}

impl PaymentView {
    /// The payment as the caller may see it.
    pub(super) fn of(row: PaymentRow, staff: bool) -> Self {
        let money = |amount| MoneyView { amount, currency: row.currency.clone() };
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: row.payment_id.0,
            booking_id: row.booking_id.0,
            saga_id: row.saga_id.0,
            amount: money(row.amount_requested),
            authorized: money(row.amount_authorized),
            captured: money(row.amount_captured),
            refunded: money(row.amount_refunded),
            refund_pending: money(row.amount_refund_pending),
            status: row.status,
            method: row.method,
            provider_reference: row.provider_reference,
            failure_code: row.failure_code,
            failure_message: row.failure_message.filter(|_| staff),
            disputed: staff.then_some(row.disputed),
            due_at: row.due_at.to_string(),
            authorized_at: text(row.authorized_at),
            captured_at: text(row.captured_at),
            refunded_at: text(row.refunded_at),
            voided_at: text(row.voided_at),
            version: row.version,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}
