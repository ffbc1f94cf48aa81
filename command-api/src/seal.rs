//! Sealing personal data on its way into a command.
//!
//! Whatever can be judged is judged before: nobody can read it afterwards. What is sent again under
//! the same key is sealed anew, and differs; the lane answers with the first outcome all the same,
//! because the fingerprint is over what the client sent.

use domain::Sealed;
use domain::ids::PersonId;
use http::StatusCode;
use service_kit::Problem;

use crate::CommandApi;

/// What a sealed text is for; a text opens only for the purpose that it was sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Who travels on a booking: a JSON document.
    Traveller,
    /// Why somebody cancels a booking.
    CancellationReason,
}

/// Why a text was not sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The keys cannot be reached now.
    Unavailable,
    /// The person was forgotten: nothing about them is taken any longer.
    Forgotten,
}

/// Seals texts under the keys of persons.
#[async_trait::async_trait]
pub trait Sealer: Send + Sync + 'static {
    /// Seals a text about the person.
    ///
    /// # Errors
    /// [`SealError`].
    async fn seal(
        &self,
        person: PersonId,
        purpose: Purpose,
        text: &str,
    ) -> Result<Sealed, SealError>;
}

impl CommandApi {
    /// Seals a text under the person's key.
    ///
    /// # Errors
    /// 503 `unavailable` when the keys are away, 403 `person_forgotten`.
    pub(crate) async fn seal(
        &self,
        person: impl Into<PersonId>,
        purpose: Purpose,
        text: &str,
    ) -> Result<Sealed, Problem> {
        let sealed = match &self.sealer {
            Some(sealer) => sealer.seal(person.into(), purpose, text).await,
            None => Err(SealError::Unavailable),
        };
        sealed.map_err(|error| match error {
            SealError::Unavailable => {
                tracing::warn!("personal data cannot be sealed");
                Problem::unavailable("Personal data cannot be sealed now.")
                    .retry_after(std::time::Duration::from_secs(2))
            }
            SealError::Forgotten => {
                Problem::new(StatusCode::FORBIDDEN, "person_forgotten", "The account was forgotten")
                    .detail("Nothing about it is taken any longer.")
            }
        })
    }
}
