//! What money a merchant's reference has moved: for whoever compares books.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, params};
use serde::{Deserialize, Serialize};

use super::Work;
use super::entries::SUMS;
use crate::error::{Failure, SandboxError};

/// What one reference's entries add up to, in minor units of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The merchant's name for the payment.
    pub reference: String,
    /// The provider's name for it.
    pub intent: String,
    /// Where the intent stands.
    pub status: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Ever authorized.
    pub authorized: i64,
    /// Ever captured.
    pub captured: i64,
    /// Authorized and given back uncaptured.
    pub released: i64,
    /// Captured and given back.
    pub refunded: i64,
    /// Authorized, and neither captured nor given back.
    pub reserved: i64,
}

/// Which totals are asked for.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    /// Those of one reference.
    Of(String),
    /// Those of the references behind this one, in their order.
    After(String),
}

const COLUMNS: &str = "intents.reference, intents.id, intents.status, intents.currency";

impl Work<'_> {
    /// At most `limit` totals.
    pub(crate) fn totals(&self, which: &Which, limit: u32) -> Result<Vec<Totals>, Failure> {
        Ok(read(&self.tx, which, limit)?)
    }
}

fn read(connection: &Connection, which: &Which, limit: u32) -> rusqlite::Result<Vec<Totals>> {
    let (comparison, reference) = match which {
        Which::Of(reference) => ("=", reference),
        Which::After(reference) => (">", reference),
    };
    // The page is taken first: only its entries are added up.
    let query = format!(
        "SELECT {COLUMNS}, {sums} \
         FROM (SELECT * FROM intents WHERE reference {comparison} ?1 ORDER BY reference LIMIT ?2) \
         AS intents LEFT JOIN entries ON entries.intent = intents.id \
         GROUP BY intents.id ORDER BY intents.reference",
        sums = SUMS.replace("sum(amount)", "sum(entries.amount)"),
    );
    connection.prepare_cached(&query)?.query_map(params![reference, limit], totals)?.collect()
}

fn totals(row: &Row<'_>) -> rusqlite::Result<Totals> {
    let (authorized, captured): (i64, i64) = (row.get(4)?, row.get(5)?);
    let (released, refunded): (i64, i64) = (row.get(6)?, row.get(7)?);
    Ok(Totals {
        reference: row.get(0)?,
        intent: row.get(1)?,
        status: row.get(2)?,
        currency: row.get(3)?,
        authorized,
        captured,
        released,
        refunded,
        reserved: authorized - captured - released,
    })
}

/// Every total of a ledger's file, read beside a sandbox that may be running on it; in pages, each
/// handed to `page`. References that are added meanwhile may be missing.
///
/// # Errors
/// [`SandboxError`], when the file is missing or no ledger.
pub fn totals_of_file(path: &Path, mut page: impl FnMut(Vec<Totals>)) -> Result<(), SandboxError> {
    const PAGE: u32 = 1000;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mut after = String::new();
    loop {
        let totals = read(&connection, &Which::After(after), PAGE)?;
        let Some(last) = totals.last() else { return Ok(()) };
        after = last.reference.clone();
        page(totals);
    }
}
