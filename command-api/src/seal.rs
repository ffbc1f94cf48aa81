//! Sealing personal data on its way into a command.
//!
//! Whatever can be judged is judged before: nobody can read it afterwards. What is sent again under
//! the same key is sealed anew, and differs; the lane answers with the first outcome all the same,
//! because the fingerprint is over what the client sent.

use domain::Sealed;
use domain::ids::PersonId;
use http::StatusCode;
use keys::{KeyError, KeyErrorKind, Purpose};
use service_kit::Problem;

use crate::CommandApi;

impl CommandApi {
    /// Seals a text under the person's key.
    ///
    /// # Errors
    /// 503 `unavailable` when the key store is away, 403 `person_forgotten`, 413
    /// `personal_data_too_large`.
    pub(crate) async fn seal(
        &self,
        person: impl Into<PersonId>,
        purpose: Purpose,
        text: &str,
    ) -> Result<Sealed, Problem> {
        self.keyring.seal(person.into(), purpose, text).await.map_err(by_keys)
    }
}

/// The problem that an error of the keys is.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn by_keys(error: KeyError) -> Problem {
    match (&error, error.kind()) {
        (_, KeyErrorKind::Unavailable) => {
            tracing::warn!(code = error.code(), %error, "personal data cannot be sealed");
            Problem::unavailable("Personal data cannot be sealed now.")
                .retry_after(std::time::Duration::from_secs(2))
        }
        (KeyError::Forgotten(_), _) => {
            Problem::new(StatusCode::FORBIDDEN, error.code(), "The account was forgotten")
                .detail("Nothing about it is taken any longer.")
        }
        (KeyError::TooLarge { bytes_max }, _) => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "personal_data_too_large",
            "More personal data than is sealed at once",
        )
        .fact("bytes_max", *bytes_max),
        _ => Problem::defect(&error),
    }
}
