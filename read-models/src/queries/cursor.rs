//! Cursors: opaque to clients, base64url over versioned JSON inside.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Raised when what cursors carry changes: older ones are then refused.
const VERSION: u8 = 1;
/// Characters of a cursor.
const CHARACTERS_MAX: usize = 512;

/// The text is no cursor of this list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

#[derive(Serialize, Deserialize)]
struct Inside<T> {
    v: u8,
    list: String,
    after: T,
}

/// A cursor that goes on after `after` in the list of that name.
pub(super) fn encode(list: &str, after: &impl Serialize) -> String {
    let inside = Inside { v: VERSION, list: list.to_owned(), after };
    let json = serde_json::to_vec(&inside).expect("a cursor's key is JSON");
    URL_SAFE_NO_PAD.encode(json)
}

/// Where the cursor goes on, when it is one of that list.
pub(super) fn decode<T: DeserializeOwned>(
    list: &str,
    cursor: Option<&str>,
) -> Result<Option<T>, InvalidCursor> {
    let Some(cursor) = cursor else { return Ok(None) };
    if cursor.len() > CHARACTERS_MAX {
        return Err(InvalidCursor);
    }
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
    let inside: Inside<T> = serde_json::from_slice(&json).map_err(|_| InvalidCursor)?;
    if inside.v == VERSION && inside.list == list {
        Ok(Some(inside.after))
    } else {
        Err(InvalidCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_in_its_own_list_alone() {
        let cursor = encode("trips", &(7_i64, "x"));

        assert_eq!(decode("trips", Some(&cursor)), Ok(Some((7_i64, "x".to_owned()))));
        assert_eq!(decode::<(i64, String)>("actors", Some(&cursor)), Err(InvalidCursor));
        assert_eq!(decode::<i64>("trips", Some(&cursor)), Err(InvalidCursor));
        assert_eq!(decode::<i64>("trips", None), Ok(None));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let other_version = URL_SAFE_NO_PAD.encode(r#"{"v":2,"list":"trips","after":7}"#);

        for text in ["", "§", "e30", &"A".repeat(600), &other_version] {
            assert_eq!(decode::<i64>("trips", Some(text)), Err(InvalidCursor), "{text}");
        }
    }
}
