//! The key of a person, and what a store holds for one.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{KeyError, damaged_store};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// The key of one person. Wiped from memory with its last copy, and shown nowhere.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// A new one, from the operating system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|error| {
            KeyError::Unavailable("the system gives no randomness".to_owned(), Some(error.into()))
        })?;
        Ok(Self(bytes))
    }

    /// A key as a store kept it.
    ///
    /// # Errors
    /// [`KeyError::Store`] when it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut kept = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(damaged_store("a key of another length"));
        }
        kept.copy_from_slice(bytes);
        Ok(Self(kept))
    }

    /// The bytes, for the cipher and the stores.
    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Whether both are the same key; for the contract suite.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

/// What a store holds for a person whom it knows.
#[derive(Clone, Debug)]
pub enum Holding {
    /// The person's key.
    Key(Key),
    /// The person was forgotten; there is no key and never will be.
    Forgotten,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_itself_nowhere() {
        let key = Key::from_bytes(&[0x5A; KEY_BYTES]).unwrap();

        let shown = format!("{key:?} {:?}", Holding::Key(key.clone()));

        assert_eq!(shown, "Key([redacted]) Key(Key([redacted]))");
    }

    #[test]
    fn keys_are_drawn_anew_each_time() {
        let (one, other) = (Key::random().unwrap(), Key::random().unwrap());

        assert!(!one.same_as(&other));
        assert!(one.same_as(&one.clone()));
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        for length in [0, 31, 33] {
            assert_eq!(Key::from_bytes(&vec![1; length]).unwrap_err().code(), "key_store_failed");
        }
    }
}
