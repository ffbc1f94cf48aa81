//! How large a notification and its parts may be.

/// Characters of a template's name; at least 1.
pub const TEMPLATE_CHARACTERS_MAX: usize = 64;
/// Characters of a locale; at least 2.
pub const LOCALE_CHARACTERS_MAX: usize = 35;
/// Bytes of the facts, as JSON text.
pub const FACTS_BYTES_MAX: usize = 16_384;
/// Characters of a reason; at least 1.
pub const REASON_CHARACTERS_MAX: usize = 200;
/// Characters of a provider's reference; a longer one is cut.
pub const REFERENCE_CHARACTERS_MAX: usize = 255;
/// Characters of a provider's code; a longer one is cut, for a fact is not refused.
pub const CODE_CHARACTERS_MAX: usize = 64;
/// Characters of a provider's message; a longer one is cut.
pub const MESSAGE_CHARACTERS_MAX: usize = 500;
/// Tries that may fail, until nobody tries any more.
pub const ATTEMPTS_MAX: u32 = 12;
/// Seconds after the request from which on nobody tries any more.
pub const GIVE_UP_SECONDS: u32 = 86_400;
/// The longest wait between two tries, in seconds.
pub(super) const RETRY_SECONDS_MAX: u32 = 3_600;
