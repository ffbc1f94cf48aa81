//! How large an offer and its parts may grow. Characters are Unicode scalar values, counted after
//! leading and trailing white space is cut off.

/// Characters of an offer's title; at least 1.
pub const TITLE_CHARACTERS_MAX: usize = 200;
/// Characters of a supplier's name; at least 1.
pub const SUPPLIER_CHARACTERS_MAX: usize = 100;
/// Characters of one place; at least 1.
pub const PLACE_CHARACTERS_MAX: usize = 100;
/// Places of one offer; at least 1.
pub const PLACES_MAX: usize = 10;
/// Characters of a seat's name (letters, digits, hyphens); at least 1.
pub const SEAT_CHARACTERS_MAX: usize = 10;
/// Seats of a seat map; at least 1.
pub const SEATS_MAX: usize = 2_000;
/// What one offer can sell; at least 1. The state remembers every hold and every sale.
pub const CAPACITY_MAX: u32 = 10_000;
/// What one hold can take; at least 1.
pub const QUANTITY_MAX: u32 = 500;
/// Minor units of the price of one place; at least 0. A booking's total stays below 2^53, so that
/// every reader of JSON counts it exactly.
pub const PRICE_MAX: i64 = 1_000_000_000;
/// Terms of one cancellation policy.
pub const CANCELLATION_TERMS_MAX: usize = 10;
/// Hours before the start that a term of a cancellation policy may name: a year.
pub const CANCELLATION_HOURS_MAX: u32 = 8_784;
/// The first year that an offer may touch.
pub const YEAR_MIN: i16 = 1900;
/// The last year that an offer may touch.
pub const YEAR_MAX: i16 = 2199;
/// Seconds that one hold may last; at least 1.
pub const HOLD_TTL_SECONDS_MAX: u32 = 86_400;
/// Seconds from now that a hold may be asked for at all: how long an ended one is remembered.
pub const HOLD_VALIDITY_SECONDS_MAX: u32 = 86_400;
/// Ended holds remembered one by one. Beyond them no new hold is taken until the last of the others
/// can no longer come.
pub const ENDED_HOLDS_MAX: usize = 10_000;
