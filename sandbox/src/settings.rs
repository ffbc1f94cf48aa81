//! What a sandbox can be told when it is opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::SandboxError;

/// The most secrets that sign webhooks at the same time: the old and the new one of a rotation.
pub(crate) const WEBHOOK_SECRETS_MAX: usize = 2;
/// The shortest secret, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// A secret, which shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret(Box<str>);

impl ApiSecret {
    /// Takes a text for a secret.
    ///
    /// # Errors
    /// [`SandboxError::Settings`] when it is shorter than 16 bytes.
    pub fn new(text: &str) -> Result<Self, SandboxError> {
        if text.len() < SECRET_BYTES_MIN {
            let rule = format!("a secret needs at least {SECRET_BYTES_MIN} bytes");
            return Err(SandboxError::Settings(rule));
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `candidate` is the secret, in a time that tells nothing of either.
    pub(crate) fn matches(&self, candidate: &[u8]) -> bool {
        let ours = Sha256::digest(self.0.as_bytes());
        ours.as_slice().ct_eq(Sha256::digest(candidate).as_slice()).into()
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where webhooks go, and what signs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTarget {
    pub(crate) url: String,
    pub(crate) secrets: Vec<ApiSecret>,
}

impl WebhookTarget {
    /// Webhooks to `url`, each signed with every one of `secrets`: one, or two while the
    /// merchant changes from one to the next.
    ///
    /// # Errors
    /// [`SandboxError::Settings`] when the URL is not `http://...`, or the secrets are none or more
    /// than two.
    pub fn new(url: &str, secrets: Vec<ApiSecret>) -> Result<Self, SandboxError> {
        let known = reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "http");
        if !known {
            return Err(SandboxError::Settings(format!("`{url}` is no http:// address")));
        }
        if secrets.is_empty() || secrets.len() > WEBHOOK_SECRETS_MAX {
            let rule = format!("webhooks are signed with 1 to {WEBHOOK_SECRETS_MAX} secrets");
            return Err(SandboxError::Settings(rule));
        }
        Ok(Self { url: url.to_owned(), secrets })
    }
}

/// What a sandbox can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The ledger; made when it does not exist.
    pub data_file: PathBuf,
    /// What callers prove themselves with, as a bearer token.
    pub secret: ApiSecret,
    /// Where webhooks go; without it events can only be looked up.
    pub webhook: Option<WebhookTarget>,
    /// How late `card_slow` is answered, and an authorization of `card_silent`.
    pub slow_answer: Duration,
    /// How late the webhooks of `card_webhook_late` and `card_silent` are.
    pub webhook_late: Duration,
    /// The wait after the first failed delivery; it doubles with each further one, up to an hour.
    pub webhook_backoff: Duration,
    /// How often a delivery is tried before it is abandoned.
    pub webhook_attempts_max: u32,
    /// Deliveries that wait; beyond them an event's delivery is listed as abandoned at once.
    pub webhooks_pending_max: u32,
    /// How long an answer is kept under its idempotency key.
    pub idempotency_ttl: Duration,
    /// Connections served at the same time; others wait in the backlog.
    pub connections_max: usize,
}

impl Settings {
    /// A ledger in `data_file` behind `secret`, and defaults for the rest.
    #[must_use]
    pub fn new(data_file: PathBuf, secret: ApiSecret) -> Self {
        Self {
            data_file,
            secret,
            webhook: None,
            slow_answer: Duration::from_secs(3),
            webhook_late: Duration::from_secs(30),
            webhook_backoff: Duration::from_secs(1),
            webhook_attempts_max: 20,
            webhooks_pending_max: 10_000,
            idempotency_ttl: Duration::from_secs(24 * 3600),
            connections_max: 512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_enough_and_never_shown() {
        let secret = ApiSecret::new("correct horse battery").unwrap();

        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert!(secret.matches(b"correct horse battery"));
        assert!(!secret.matches(b"correct horse batterz"));
        assert!(ApiSecret::new("hunter2").is_err());
    }

    #[test]
    fn a_target_is_an_address_with_one_or_two_secrets() {
        let secret = || ApiSecret::new("correct horse battery").unwrap();

        assert!(WebhookTarget::new("http://127.0.0.1:1/hook", vec![secret(), secret()]).is_ok());
        assert!(WebhookTarget::new("http://127.0.0.1:1/hook", vec![]).is_err());
        assert!(WebhookTarget::new("http://127.0.0.1:1/hook", vec![secret(); 3]).is_err());
        assert!(WebhookTarget::new("https://example.com/hook", vec![secret()]).is_err());
        assert!(WebhookTarget::new("nonsense", vec![secret()]).is_err());
    }
}
