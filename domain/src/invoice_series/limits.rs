//! How large a series of invoices may grow.

/// Documents of one series: it remembers what each was drawn for, so that nothing is drawn twice.
pub const DOCUMENTS_MAX: u32 = 1_000_000;
/// Characters of a seller's name; at least 1.
pub const SELLER_CHARACTERS_MAX: usize = 100;
/// Characters of a reason; at least 1.
pub const REASON_CHARACTERS_MAX: usize = 64;
/// Reasons of one payment.
pub const REASONS_MAX: usize = 20;
/// Minor units of a document; at least 0.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// The first year of invoices.
pub const YEAR_MIN: i16 = 2000;
/// The last year of invoices.
pub const YEAR_MAX: i16 = 2199;
