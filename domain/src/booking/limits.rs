//! How large a booking and its parts may grow.

/// Lines of one booking; at least 1.
pub const LINES_MAX: usize = 20;
/// People who travel on one booking; at least 1.
pub const TRAVELLERS_MAX: usize = 50;
/// Characters of the name of a payment method or of a token for one; at least 1.
pub const PAYMENT_METHOD_CHARACTERS_MAX: usize = 64;
/// Characters of a rejection's code; at least 1.
pub const CODE_CHARACTERS_MAX: usize = 100;
/// Characters of a rejection's message.
pub const MESSAGE_CHARACTERS_MAX: usize = 1_000;
/// Characters of a rejection's facts, as JSON text.
pub const FACTS_CHARACTERS_MAX: usize = 4_000;
