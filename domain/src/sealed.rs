//! Personal data as events carry it: unreadable without the person's key.
//!
//! The domain never opens it. It is sealed at the edge before a command is built, and opened at the
//! edge where an answer is built; whoever destroys the key makes it unreadable everywhere at once.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, PersonId};

/// Ciphertext under a person's key. Avro record `waylog.Sealed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Whose key opens it.
    pub person: PersonId,
    /// Nonce and ciphertext, base64url without padding.
    pub ciphertext: String,
}

impl Sealed {
    /// Characters of the longest ciphertext that an event carries: room for 4000 characters of any
    /// script.
    pub const CIPHERTEXT_CHARACTERS_MAX: usize = 24_576;

    /// Whether it can be a ciphertext at all: not empty, not too long, of the right alphabet.
    #[must_use]
    pub fn well_formed(&self) -> bool {
        (1..=Self::CIPHERTEXT_CHARACTERS_MAX).contains(&self.ciphertext.len())
            && self
                .ciphertext
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }
}

impl From<AccountId> for PersonId {
    /// The person behind an account: one key an account.
    fn from(account: AccountId) -> Self {
        Self(account.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn only_base64url_of_a_sane_length_is_a_ciphertext() {
        let sealed = |ciphertext: String| Sealed { person: PersonId(Uuid::nil()), ciphertext };
        let longest = "a".repeat(Sealed::CIPHERTEXT_CHARACTERS_MAX);

        assert!(sealed("aZ09-_".to_owned()).well_formed());
        assert!(sealed(longest.clone()).well_formed());
        for text in [String::new(), "a=".to_owned(), "Ada L".to_owned(), format!("{longest}a")] {
            assert!(!sealed(text.clone()).well_formed(), "{text:.20}");
        }
    }
}
