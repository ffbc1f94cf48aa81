//! How large a payment and its parts may grow.

/// Minor units of a payment; at least 1. Refunds may be of nothing.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// Characters of a means of payment; at least 1.
pub const METHOD_CHARACTERS_MAX: usize = 64;
/// Characters of a reason; at least 1.
pub const REASON_CHARACTERS_MAX: usize = 200;
/// Characters of a provider's reference; at least 1.
pub const REFERENCE_CHARACTERS_MAX: usize = 255;
/// Characters of a provider's code; a longer one is cut, for a fact is not refused.
pub const CODE_CHARACTERS_MAX: usize = 64;
/// Characters of a provider's message; a longer one is cut.
pub const MESSAGE_CHARACTERS_MAX: usize = 500;
/// Refunds over a payment's life, whatever became of them.
pub const REFUNDS_MAX: usize = 100;
/// References that a payment remembers, to record each once.
pub const REFERENCES_MAX: usize = 200;
