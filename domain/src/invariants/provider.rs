//! Money at the provider is money in the log, to the minor unit, for every payment of which nothing
//! is asked of the provider.

use std::collections::BTreeMap;

use serde::Serialize;

use super::finding::{Check, Finding};
use super::payments::LoggedMoney;
use crate::ids::PaymentId;
use crate::money::Currency;
use crate::{Category, StreamName};

/// What a provider says that a payment moved, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderMoney {
    /// Of which currency.
    pub currency: Currency,
    /// Ever captured.
    pub captured: i64,
    /// Captured and given back.
    pub refunded: i64,
    /// Authorized, and neither captured nor given back.
    pub reserved: i64,
}

/// What all compared payments of a currency moved, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// How many payments.
    pub payments: u64,
    /// Captured, by the log.
    pub captured_log: i64,
    /// Captured, by the provider.
    pub captured_provider: i64,
    /// Given back, by the log.
    pub refunded_log: i64,
    /// Given back, by the provider.
    pub refunded_provider: i64,
}

/// A comparison of two books, payment by payment.
#[derive(Debug, Default)]
pub struct Books {
    /// By currency's code, of the payments that were compared.
    pub totals: BTreeMap<String, Totals>,
    /// How many payments were compared.
    pub compared: u64,
    /// Payments of which something is asked of the provider: not compared.
    pub under_way: u64,
    /// What differs.
    pub found: Vec<Finding>,
}

impl Books {
    /// Compares what both say of one payment; nothing where one knows of none.
    pub fn compare(
        &mut self,
        payment_id: PaymentId,
        log: Option<LoggedMoney>,
        provider: Option<ProviderMoney>,
    ) {
        if log.is_some_and(|log| !log.settled) {
            self.under_way += 1;
            return;
        }
        self.compared += 1;
        let version = log.map_or(0, |log| log.version);
        let logged = log.map(|log| ProviderMoney {
            currency: log.currency,
            captured: log.captured,
            refunded: log.refunded,
            reserved: log.reserved,
        });
        self.add(logged, provider);
        let moved = |money: &ProviderMoney| (money.captured, money.refunded, money.reserved);
        let differs = match (&logged, &provider) {
            (Some(log), Some(provider)) => {
                let currency = moved(log) != (0, 0, 0) && log.currency != provider.currency;
                currency || moved(log) != moved(provider)
            }
            // Neither has to know of a payment that moved nothing.
            (Some(one), None) | (None, Some(one)) => moved(one) != (0, 0, 0),
            (None, None) => false,
        };
        if differs {
            let stream = StreamName::new(Category::Payment, payment_id.0);
            let what = format!("the log says {}, the provider {}", told(logged), told(provider));
            self.found.push(Finding::violation(Check::Provider, stream, version, what));
        }
    }

    fn add(&mut self, log: Option<ProviderMoney>, provider: Option<ProviderMoney>) {
        if let Some(log) = log {
            let totals = self.totals.entry(log.currency.to_string()).or_default();
            totals.payments += 1;
            totals.captured_log += log.captured;
            totals.refunded_log += log.refunded;
        }
        if let Some(provider) = provider {
            let totals = self.totals.entry(provider.currency.to_string()).or_default();
            totals.payments += u64::from(log.is_none());
            totals.captured_provider += provider.captured;
            totals.refunded_provider += provider.refunded;
        }
    }
}

fn told(money: Option<ProviderMoney>) -> String {
    money.map_or_else(
        || "nothing at all".to_owned(),
        |ProviderMoney { currency, captured, refunded, reserved }| {
            format!(
                "{currency} {captured} captured, {refunded} refunded, {reserved} reserved \
                 (minor units)"
            )
        },
    )
}
