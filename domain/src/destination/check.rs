//! Guards over values alone: what no destination accepts, whatever its state. Values come back as
//! they are kept.

use super::error::Refusal;
use super::limits::{
    LATITUDE_MICRODEGREES_MAX, LONGITUDE_MICRODEGREES_MAX, NAME_CHARACTERS_MAX,
    SLUG_CHARACTERS_MAX, TAG_CHARACTERS_MAX, TAGS_MAX,
};
use super::value::{Coordinates, Description};
use crate::text::said_line;

/// A description, every part of it.
pub(super) fn description(description: &Description) -> Result<Description, Refusal> {
    let Description { slug, name, country, coordinates, zone, tags } = description;
    if !slug_like(slug) {
        return Err(Refusal::SlugInvalid { characters_max: SLUG_CHARACTERS_MAX });
    }
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Refusal::CountryInvalid);
    }
    on_earth(*coordinates)?;
    if !zone.known() {
        return Err(Refusal::ZoneUnknown { zone: zone.clone() });
    }
    if tags.len() > TAGS_MAX {
        return Err(Refusal::TooManyTags { tags_max: TAGS_MAX });
    }
    let tags = tags.iter().map(|tag| said_line("tags", tag, TAG_CHARACTERS_MAX));
    Ok(Description {
        slug: slug.clone(),
        name: said_line("name", name, NAME_CHARACTERS_MAX)?,
        country: country.clone(),
        coordinates: *coordinates,
        zone: zone.clone(),
        tags: tags.collect::<Result<_, _>>()?,
    })
}

fn slug_like(slug: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    slug.len() <= SLUG_CHARACTERS_MAX && slug.split('-').all(word)
}

fn on_earth(coordinates: Coordinates) -> Result<(), Refusal> {
    let Coordinates { latitude_microdegrees, longitude_microdegrees } = coordinates;
    let within = |value: i32, max: i32| (-max..=max).contains(&value);
    if within(latitude_microdegrees, LATITUDE_MICRODEGREES_MAX)
        && within(longitude_microdegrees, LONGITUDE_MICRODEGREES_MAX)
    {
        return Ok(());
    }
    Err(Refusal::CoordinatesOutOfRange { latitude_microdegrees, longitude_microdegrees })
}
