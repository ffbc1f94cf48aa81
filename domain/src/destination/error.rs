//! How a destination says no: each variant names the broken rule and carries what a client needs to
//! act on it.

use crate::calendar::Zone;
use crate::refusal::refusals;

refusals! {
    /// A refusal of a destination.
    pub enum Refusal {
        /// No such destination.
        #[error("there is no such destination")]
        DestinationNotFound = NotFound, "destination_not_found";
        /// Its slug never changes.
        #[error("the destination's slug is `{slug}` for good")]
        SlugFixed {
            /// The slug that it has.
            slug: String,
        } = Rule, "destination_slug_fixed";
        /// The slug is not one.
        #[error("a slug has 1 to {characters_max} lower-case letters, digits and inner hyphens")]
        SlugInvalid {
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "destination_slug_invalid";
        /// The country is not a country's code.
        #[error("`country` is not an ISO 3166-1 alpha-2 code such as PT")]
        CountryInvalid = Rule, "destination_country_invalid";
        /// The point is not on the earth.
        #[error("the coordinates are not on the earth")]
        CoordinatesOutOfRange {
            /// Millionths of a degree asked for.
            latitude_microdegrees: i32,
            /// Millionths of a degree asked for.
            longitude_microdegrees: i32,
        } = Rule, "destination_coordinates_out_of_range";
        /// The zone does not exist.
        #[error("`{zone}` is not an IANA time zone")]
        ZoneUnknown {
            /// What was asked for.
            zone: Zone,
        } = Rule, "destination_zone_unknown";
        /// Too many tags.
        #[error("a destination has at most {tags_max} tags")]
        TooManyTags {
            /// How many are allowed.
            tags_max: usize,
        } = Rule, "too_many_destination_tags";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `name` or `tags`.
            field: &'static str,
        } = Rule, "destination_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `name` or `tags`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "destination_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `name` or `tags`.
            field: &'static str,
        } = Rule, "destination_text_unprintable";
    }
}

crate::text::faults_refuse!(Refusal);
