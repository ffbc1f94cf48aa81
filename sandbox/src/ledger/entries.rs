//! Money that moves: two rows for each movement, one account's loss the other's gain.

use rusqlite::params;
use serde::Serialize;

use super::{Work, new_id};
use crate::error::Failure;

/// Why money moves, and between which accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    /// The cardholder's money is reserved.
    Authorization,
    /// Reserved money becomes the merchant's.
    Capture,
    /// Reserved money becomes the cardholder's again.
    Release,
    /// The merchant's money becomes the cardholder's again.
    Refund,
}

impl Movement {
    const fn kind(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Refund => "refund",
        }
    }

    const fn accounts(self) -> (&'static str, &'static str) {
        match self {
            Self::Authorization => ("cardholder", "reserved"),
            Self::Capture => ("reserved", "merchant"),
            Self::Release => ("reserved", "cardholder"),
            Self::Refund => ("merchant", "cardholder"),
        }
    }
}

/// One row, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    number: i64,
    movement: String,
    kind: String,
    account: String,
    amount: i64,
    created_at_ms: i64,
}

/// What an intent's entries add up to, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) authorized: i64,
    pub(crate) captured: i64,
    pub(crate) released: i64,
    pub(crate) refunded: i64,
}

impl Balance {
    /// What is authorized and neither captured nor released.
    pub(crate) const fn reserved(self) -> i64 {
        self.authorized - self.captured - self.released
    }
}

/// The sums of [`Balance`], each a column; for a query over `entries`.
pub(crate) const SUMS: &str = "\
    coalesce(sum(amount) FILTER (WHERE kind = 'authorization' AND account = 'reserved'), 0), \
    coalesce(sum(amount) FILTER (WHERE kind = 'capture' AND account = 'merchant'), 0), \
    coalesce(sum(amount) FILTER (WHERE kind = 'release' AND account = 'cardholder'), 0), \
    coalesce(sum(amount) FILTER (WHERE kind = 'refund' AND account = 'cardholder'), 0)";

impl Work<'_> {
    /// Moves `amount`; nothing when it is zero.
    pub(crate) fn post(&self, intent: &str, why: Movement, amount: i64) -> Result<(), Failure> {
        if amount == 0 {
            return Ok(());
        }
        let movement = new_id("mv");
        let (from, to) = why.accounts();
        let mut insert = self.tx.prepare_cached(
            "INSERT INTO entries (movement, intent, kind, account, amount, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (account, change) in [(from, -amount), (to, amount)] {
            insert.execute(params![movement, intent, why.kind(), account, change, self.now])?;
        }
        Ok(())
    }

    /// What an intent's entries add up to.
    pub(crate) fn balance(&self, intent: &str) -> Result<Balance, Failure> {
        let query = format!("SELECT {SUMS} FROM entries WHERE intent = ?1");
        let balance = self.tx.prepare_cached(&query)?.query_row([intent], |row| {
            Ok(Balance {
                authorized: row.get(0)?,
                captured: row.get(1)?,
                released: row.get(2)?,
                refunded: row.get(3)?,
            })
        })?;
        Ok(balance)
    }

    /// An intent's rows in order. They are few: an intent has at most a hundred refunds.
    pub(crate) fn entries(&self, intent: &str) -> Result<Vec<Entry>, Failure> {
        let mut query = self.tx.prepare_cached(
            "SELECT number, movement, kind, account, amount, created_at \
             FROM entries WHERE intent = ?1 ORDER BY number",
        )?;
        let rows = query.query_map([intent], |row| {
            Ok(Entry {
                number: row.get(0)?,
                movement: row.get(1)?,
                kind: row.get(2)?,
                account: row.get(3)?,
                amount: row.get(4)?,
                created_at_ms: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
