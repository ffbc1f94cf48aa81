//! Pages of lists: `{data, next_cursor}`, `limit` from 1 to 100, cursors opaque.
//!
//! Cursors are the read models': each names the last row of the page before it and the list that it
//! belongs to. They hold no secret and give no right: who may see a row is decided anew for every
//! page.

use read_models::queries::PageRequest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Rows of a page when the request names no number.
const LIMIT_DEFAULT: u32 = 50;
/// Rows of a page at most.
const LIMIT_MAX: u32 = 100;
/// The longest text that a list is searched by, in characters.
const SEARCH_CHARACTERS_MAX: usize = 200;

/// How many rows a page may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) u32);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl Limit {
    /// The page of this length behind a cursor.
    pub(crate) const fn page(self, cursor: Option<String>) -> PageRequest {
        PageRequest { limit: self.0, cursor }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u32::deserialize(deserializer)?;
        if (1..=LIMIT_MAX).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(D::Error::custom(format_args!("must be from 1 to {LIMIT_MAX}")))
        }
    }
}

/// A text that a list is searched by, of a bounded length.
pub(crate) fn search<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.chars().count() > SEARCH_CHARACTERS_MAX {
        let bound = format_args!("is longer than {SEARCH_CHARACTERS_MAX} characters").to_string();
        return Err(D::Error::custom(bound));
    }
    Ok(Some(text))
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) data: Vec<T>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The rows as the client sees them.
    pub(crate) fn of<R>(page: read_models::queries::Page<R>, view: impl FnMut(R) -> T) -> Self {
        Self { data: page.items.into_iter().map(view).collect(), next_cursor: page.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_bounds() {
        let read = |text: &str| serde_json::from_str::<Limit>(text).ok().map(|limit| limit.0);

        assert_eq!([read("1"), read("100")], [Some(1), Some(100)]);
        assert_eq!([read("0"), read("101"), read("-1")], [None, None, None]);
    }
}
