//! Why something could not be sealed or opened. That a person was forgotten is no error when
//! something is opened; when something is to be sealed it is a refusal.

use domain::ids::PersonId;

/// What went wrong behind an error.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// What an error means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyErrorKind {
    /// Nothing was tried; it may work later.
    Unavailable,
    /// The answer is no, and stays no.
    Rejected,
    /// Ours, or the operator's, to repair.
    Defect,
}

/// Keys could not be had, or could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The store did not answer in time, or not at all.
    #[error("the key store is away: {0}")]
    Unavailable(String, #[source] Option<Source>),
    /// The store answered with an error, or with what it should not hold.
    #[error("the key store failed: {0}")]
    Store(String, #[source] Option<Source>),
    /// The store was prepared by another program than this one.
    #[error("the key store is refused: {0}")]
    Refused(String),
    /// Something was to be sealed for a person who was forgotten.
    #[error("{0} was forgotten, and gets no key again")]
    Forgotten(PersonId),
    /// More was to be sealed than fits.
    #[error("at most {bytes_max} bytes are sealed at once")]
    TooLarge {
        /// Bytes of UTF-8.
        bytes_max: usize,
    },
    /// A sealed text cannot be opened.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

/// Why a sealed text cannot be opened although its person was not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is no sealed text, or was sealed by a newer program.
    #[error("it is of no known form")]
    Form,
    /// It was altered, was sealed for another person or purpose, or under a key that is lost.
    #[error("it does not fit key, person and purpose")]
    Seal,
    /// The store does not know the person: it is not the one that this was sealed with.
    #[error("the key store does not know its person")]
    KeyMissing,
}

impl KeyError {
    /// The stable code, for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(..) => "key_store_unavailable",
            Self::Store(..) => "key_store_failed",
            Self::Refused(_) => "key_store_refused",
            Self::Forgotten(_) => "person_forgotten",
            Self::TooLarge { .. } => "sealed_too_large",
            Self::Damaged(_) => "sealed_damaged",
        }
    }

    /// What it means to the caller.
    #[must_use]
    pub const fn kind(&self) -> KeyErrorKind {
        match self {
            Self::Unavailable(..) => KeyErrorKind::Unavailable,
            Self::Forgotten(_) | Self::TooLarge { .. } => KeyErrorKind::Rejected,
            Self::Store(..) | Self::Refused(_) | Self::Damaged(_) => KeyErrorKind::Defect,
        }
    }
}

/// A store holds what no store of ours writes.
pub(crate) fn damaged_store(what: &str) -> KeyError {
    KeyError::Store(what.to_owned(), None)
}
