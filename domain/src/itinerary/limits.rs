//! How large an itinerary and its parts may grow. Characters are Unicode scalar values, counted
//! after leading and trailing white space is cut off.

/// Characters of an itinerary's or an activity's title; at least 1.
pub const TITLE_CHARACTERS_MAX: usize = 200;
/// Characters of an activity's place; may be empty.
pub const PLACE_CHARACTERS_MAX: usize = 200;
/// Characters of an activity's details.
pub const DETAILS_CHARACTERS_MAX: usize = 4_000;
/// Characters of a comment; at least 1.
pub const COMMENT_CHARACTERS_MAX: usize = 4_000;
/// Characters of one preference; at least 1.
pub const PREFERENCE_CHARACTERS_MAX: usize = 100;
/// Preferences of one itinerary.
pub const PREFERENCES_MAX: usize = 50;
/// People who travel; at least 1.
pub const TRAVELLERS_MAX: u32 = 500;
/// Minor units of a budget or of an estimated price; at least 0. The sum of all activities stays
/// below 2^53, so that every reader of JSON counts it exactly.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;
/// Days of a period, both ends included; at least 1.
pub const PERIOD_DAYS_MAX: i32 = 366;
/// The first year that a period may touch.
pub const PERIOD_YEAR_MIN: i16 = 1900;
/// The last year that a period may touch.
pub const PERIOD_YEAR_MAX: i16 = 2199;
/// Activities planned at one time.
pub const ACTIVITIES_MAX: usize = 500;
/// Collaborators and open invitations together.
pub const COLLABORATORS_MAX: usize = 50;
/// Comments over an itinerary's life.
pub const COMMENTS_MAX: usize = 1_000;
/// Bookings over an itinerary's life, the detached ones included: the state remembers each, because
/// a detached booking never comes back.
pub const BOOKINGS_MAX: usize = 1_000;
