//! What a provider's client is told.

use std::time::Duration;

use reqwest::Url;
use service_kit::Secret;
use service_kit::client::ClientError;

use crate::circuit::CircuitSettings;

/// What a provider's client is told.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Where the provider's API is.
    pub url: String,
    /// What we prove ourselves with.
    pub secret: Secret,
    /// From the call to its outcome, all attempts and waits together.
    pub call_timeout: Duration,
    /// From an attempt to the end of its answer.
    pub attempt_timeout: Duration,
    /// The longest answer, in bytes.
    pub answer_bytes_max: usize,
    /// How a call is repeated before its outcome is told.
    pub retries: RetrySettings,
    /// When calls are not made at all.
    pub circuit: CircuitSettings,
}

/// How a call is repeated. Repeats carry the call's key.
#[derive(Debug, Clone)]
pub struct RetrySettings {
    /// Repeats of one call.
    pub per_call_max: u32,
    /// Repeats for each call of the last ten seconds, on average.
    pub per_calls_max: f32,
    /// Repeats in a second that are always granted.
    pub per_second_min: u32,
    /// The wait before the first repeat; it doubles with each.
    pub backoff_min: Duration,
    /// The longest wait between repeats.
    pub backoff_max: Duration,
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is not one that can be called.
    #[error("`{0}` is no http:// address of a provider")]
    Url(String),
    /// The waits between repeats contradict themselves.
    #[error("the waits between repeats are not in order")]
    Backoff,
    /// The HTTP client cannot be made.
    #[error("the provider's client could not be made")]
    Client(#[source] ClientError),
}

impl SettingsError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "provider_url_refused",
            Self::Backoff => "provider_backoff_refused",
            Self::Client(error) => error.code(),
        }
    }
}

impl ProviderSettings {
    /// The API at `url` behind `secret`, and defaults for the rest.
    #[must_use]
    pub fn new(url: impl Into<String>, secret: Secret) -> Self {
        Self {
            url: url.into(),
            secret,
            call_timeout: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(6),
            answer_bytes_max: 256 * 1024,
            retries: RetrySettings::default(),
            circuit: CircuitSettings::default(),
        }
    }

    /// The address without a slash at its end.
    ///
    /// # Errors
    /// [`SettingsError::Url`].
    pub(crate) fn base(&self) -> Result<String, SettingsError> {
        let url = Url::parse(&self.url).ok().filter(|url| url.scheme() == "http" && url.has_host());
        let plain = url.filter(|url| url.query().is_none() && url.fragment().is_none());
        match plain {
            Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
            None => Err(SettingsError::Url(service_kit::secret::redact(&self.url))),
        }
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            per_call_max: 2,
            per_calls_max: 0.2,
            per_second_min: 1,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_can_be_called_is_taken() {
        let base =
            |url: &str| ProviderSettings::new(url, "correct horse battery".parse().unwrap()).base();

        assert_eq!(base("http://127.0.0.1:4010/").unwrap(), "http://127.0.0.1:4010");
        assert_eq!(base("http://psp.test/api").unwrap(), "http://psp.test/api");
        for url in ["https://psp.test", "ftp://psp.test", "psp.test", "http://psp.test/?a=b", ""] {
            assert_eq!(base(url).unwrap_err().code(), "provider_url_refused", "{url}");
        }
    }
}
