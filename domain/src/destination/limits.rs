//! How large a destination and its parts may grow. Characters are Unicode scalar values, counted
//! after leading and trailing white space is cut off.

/// Characters of a slug (lower-case letters, digits, single hyphens between them); at least 1.
pub const SLUG_CHARACTERS_MAX: usize = 80;
/// Characters of a destination's name; at least 1.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Characters of one tag; at least 1.
pub const TAG_CHARACTERS_MAX: usize = 50;
/// Tags of one destination.
pub const TAGS_MAX: usize = 50;
/// Millionths of a degree to the north; as many to the south.
pub const LATITUDE_MICRODEGREES_MAX: i32 = 90_000_000;
/// Millionths of a degree to the east; as many to the west.
pub const LONGITUDE_MICRODEGREES_MAX: i32 = 180_000_000;
