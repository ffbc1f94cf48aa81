//! The sealed form: `version ‖ nonce ‖ XChaCha20-Poly1305`, as unpadded base64url.
//!
//! The nonce is random and 24 bytes long, so that no count has to be kept: even after 2^80 texts
//! under one key a repeat is out of reach. Version, person and purpose are authenticated with the
//! text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use domain::Sealed;
use domain::ids::PersonId;
use domain::itinerary::limits::COMMENT_CHARACTERS_MAX;

use crate::error::{Damage, KeyError};
use crate::key::Key;
use crate::purpose::Purpose;

/// Bytes of UTF-8 that are sealed at once, at most: what becomes the longest ciphertext that an
/// event carries.
pub const PLAINTEXT_BYTES_MAX: usize =
    Sealed::CIPHERTEXT_CHARACTERS_MAX / 4 * 3 - 1 - NONCE_BYTES - TAG_BYTES;

/// The first byte of what is sealed today.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

// The longest texts that are sealed fit, in any script.
const _: () = assert!(COMMENT_CHARACTERS_MAX * 4 <= PLAINTEXT_BYTES_MAX);

/// Seals the text.
pub(crate) fn seal(
    key: &Key,
    person: PersonId,
    purpose: Purpose,
    plaintext: &str,
) -> Result<Sealed, KeyError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(KeyError::TooLarge { bytes_max: PLAINTEXT_BYTES_MAX });
    }
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| {
        KeyError::Unavailable("the system gives no randomness".to_owned(), Some(error.into()))
    })?;
    let aad = context(person, purpose);
    let payload = Payload { msg: plaintext.as_bytes(), aad: &aad };
    let sealed = cipher(key)
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| KeyError::TooLarge { bytes_max: PLAINTEXT_BYTES_MAX })?;
    let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    Ok(Sealed { person, ciphertext: URL_SAFE_NO_PAD.encode(bytes) })
}

/// Opens a sealed text.
pub(crate) fn open(key: &Key, sealed: &Sealed, purpose: Purpose) -> Result<String, Damage> {
    if !sealed.well_formed() {
        return Err(Damage::Form);
    }
    let bytes = URL_SAFE_NO_PAD.decode(&sealed.ciphertext).map_err(|_| Damage::Form)?;
    let (VERSION, rest) = bytes.split_first().map(|(v, rest)| (*v, rest)).ok_or(Damage::Form)?
    else {
        return Err(Damage::Form);
    };
    let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Damage::Form)?;
    let aad = context(sealed.person, purpose);
    let payload = Payload { msg: text, aad: &aad };
    let opened = cipher(key).decrypt(&XNonce::from(*nonce), payload).map_err(|_| Damage::Seal)?;
    String::from_utf8(opened).map_err(|_| Damage::Form)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

/// What the seal proves beside the text. The person's id has a fixed length, so that no other
/// person and purpose spell the same.
fn context(person: PersonId, purpose: Purpose) -> Vec<u8> {
    let mut context = b"waylog sealed ".to_vec();
    context.push(VERSION);
    context.extend_from_slice(person.0.as_bytes());
    context.extend_from_slice(purpose.name().as_bytes());
    context
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PERSON: PersonId = PersonId(Uuid::from_u128(0xB1));
    const PURPOSE: Purpose = Purpose::ItineraryComment;

    fn sealed(key: &Key, text: &str) -> Sealed {
        seal(key, PERSON, PURPOSE, text).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_as_itself_and_never_looks_the_same() {
        let key = Key::random().unwrap();

        for text in ["", "Olá!\n", &"x".repeat(PLAINTEXT_BYTES_MAX)] {
            let (one, other) = (sealed(&key, text), sealed(&key, text));

            assert_eq!(open(&key, &one, PURPOSE), Ok(text.to_owned()));
            assert_eq!(open(&key, &other, PURPOSE), Ok(text.to_owned()));
            assert_ne!(one.ciphertext, other.ciphertext);
            assert!(one.well_formed());
        }
    }

    #[test]
    fn a_text_over_the_bound_is_refused() {
        let key = Key::random().unwrap();
        let text = "x".repeat(PLAINTEXT_BYTES_MAX + 1);

        let refused = seal(&key, PERSON, PURPOSE, &text).unwrap_err();

        assert_eq!(refused.code(), "sealed_too_large");
    }

    #[test]
    fn another_person_purpose_or_key_opens_nothing() {
        let key = Key::random().unwrap();
        let ours = sealed(&key, "Early?");
        let theirs = Sealed { person: PersonId(Uuid::from_u128(0xB2)), ..ours.clone() };

        assert_eq!(open(&key, &theirs, PURPOSE), Err(Damage::Seal));
        assert_eq!(open(&key, &ours, Purpose::Traveller), Err(Damage::Seal));
        assert_eq!(open(&Key::random().unwrap(), &ours, PURPOSE), Err(Damage::Seal));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let key = Key::random().unwrap();
        let whole = sealed(&key, "Early?");
        let bytes = URL_SAFE_NO_PAD.decode(&whole.ciphertext).unwrap();

        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                let flipped =
                    Sealed { ciphertext: URL_SAFE_NO_PAD.encode(flipped), ..whole.clone() };

                let refused = open(&key, &flipped, PURPOSE).unwrap_err();

                let expected = if place == 0 { Damage::Form } else { Damage::Seal };
                assert_eq!(refused, expected, "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn what_is_no_sealed_text_is_refused() {
        let key = Key::random().unwrap();
        let long = "A".repeat(Sealed::CIPHERTEXT_CHARACTERS_MAX + 1);
        let whole = URL_SAFE_NO_PAD.decode(sealed(&key, "Early?").ciphertext).unwrap();

        for text in ["", "AQ", "not base64!", "====", &long] {
            let sealed = Sealed { person: PERSON, ciphertext: text.to_owned() };
            assert_eq!(open(&key, &sealed, PURPOSE), Err(Damage::Form), "{text:.20}");
        }
        for (length, damage) in [(0, Damage::Form), (24, Damage::Form), (30, Damage::Seal)] {
            let ciphertext = URL_SAFE_NO_PAD.encode(&whole[..length]);
            let cut = Sealed { person: PERSON, ciphertext };
            assert_eq!(open(&key, &cut, PURPOSE), Err(damage), "{length} bytes");
        }
    }

    #[test]
    fn the_form_is_the_one_that_old_events_have() {
        // Sealed once by another implementation; a change that cannot open it cannot read old logs.
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let text = OLD.to_owned();

        let opened = open(&key, &Sealed { person: PERSON, ciphertext: text }, PURPOSE);

        assert_eq!(opened, Ok("Early?".to_owned()));
    }

    const OLD: &str = "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWF-122emDI2TJJxForlBF1Ltfkxuk-dk";
}
