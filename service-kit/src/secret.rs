//! Values that must not be seen: [`Secret`], [`ConnectionUrl`], and the redaction of settings.
//!
//! Neither type shows its value through `Debug`, `Display` or serde; `expose` is the one way to
//! it, and easy to search for.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What stands where a secret would.
pub const REDACTED: &str = "[redacted]";

/// A password, token or key.
#[derive(Clone)]
pub struct Secret(Box<str>);

/// A text that is too short to be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret needs at least {SECRET_BYTES_MIN} bytes")]
pub struct SecretTooShort;

/// The shortest secret that is accepted from a setting, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;

impl Secret {
    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `candidate` is the secret, in a time that tells nothing of either, not even of
    /// how long they are: digests are compared.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        let ours = Sha256::digest(self.0.as_bytes());
        let theirs = Sha256::digest(candidate);
        ours.as_slice().ct_eq(theirs.as_slice()).into()
    }
}

impl FromStr for Secret {
    type Err = SecretTooShort;

    fn from_str(text: &str) -> Result<Self, SecretTooShort> {
        if text.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Where a database or a registry is, possibly with a password inside; shown without it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUrl(Box<str>);

impl ConnectionUrl {
    /// The value itself, password and all.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConnectionUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl Serialize for ConnectionUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact(&self.0))
    }
}

/// `text` without the passwords of URLs in it. Errs on the side of hiding: everything between the
/// first `:` of the authority and the last `@`, the values of telling query parameters, and any
/// text without a scheme that speaks of a password.
#[must_use]
pub fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if telling(text) { REDACTED.to_owned() } else { text.to_owned() };
    };
    let rest = match rest.rsplit_once('@') {
        Some((account, place)) => match account.split_once(':') {
            Some((user, _)) => format!("{user}:{REDACTED}@{}", redact_query(place)),
            None => format!("{account}@{}", redact_query(place)),
        },
        None => redact_query(rest),
    };
    format!("{scheme}://{rest}")
}

fn redact_query(text: &str) -> String {
    let Some((place, query)) = text.split_once('?') else { return text.to_owned() };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if telling(name) => format!("{name}={REDACTED}"),
        _ => parameter.to_owned(),
    });
    format!("{place}?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn telling(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "passwd", "secret", "token", "api_key", "apikey"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret: Secret = "correct horse battery".parse().unwrap();

        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());

        assert_eq!(shown, r#"[redacted] [redacted] "[redacted]""#);
    }

    #[test]
    fn only_the_secret_itself_matches() {
        let secret: Secret = "correct horse battery".parse().unwrap();

        assert!(secret.matches(b"correct horse battery"));
        assert!(!secret.matches(b"correct horse batterz"));
        assert!(!secret.matches(b"correct"));
        assert!(!secret.matches(b""));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert_eq!("hunter2".parse::<Secret>().unwrap_err(), SecretTooShort);
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (url, shown) in [
            ("postgres://app:s3cr3t@db:5432/waylog", "postgres://app:[redacted]@db:5432/waylog"),
            ("mysql://app:a/b@c:d@db/waylog", "mysql://app:[redacted]@db/waylog"),
            ("redis://:s3cr3t@cache:6379/0", "redis://:[redacted]@cache:6379/0"),
            ("postgres://db/x?user=a&password=b", "postgres://db/x?user=a&password=[redacted]"),
            ("host=db user=app password='a b'", "[redacted]"),
            ("http://registry:8081/path?x=1", "http://registry:8081/path?x=1"),
            ("postgres://app@db/waylog", "postgres://app@db/waylog"),
            ("broker-1:9092,broker-2:9092", "broker-1:9092,broker-2:9092"),
        ] {
            let parsed: ConnectionUrl = url.parse().unwrap();

            assert_eq!(parsed.to_string(), shown);
            assert_eq!(format!("{parsed:?}"), shown);
            assert_eq!(parsed.expose(), url);
        }
    }
}
