//! Who may ask what, and with which keys: decided once, at start.

use service_kit::Secret;
use service_kit::auth::Authentication;
use service_kit::config::AuthSection;
use service_kit::fingerprint::Fingerprinter;

use crate::settings::{Mode, Settings, WrongUse};

/// The fingerprint key of an embedded system that was given none: everything that could be compared
/// with it is in the same directory.
const EMBEDDED_FINGERPRINT_KEY: &[u8] = b"waylog embedded fingerprint key";

/// How identities are established: the development identity is the default of an embedded system on
/// a loopback address, and nowhere else.
///
/// # Errors
/// When the development identity is asked for on an address that others can reach, or an embedded
/// system would serve there without anybody having said that it shall refuse every request.
pub(crate) fn authentication(settings: &Settings, mode: &Mode) -> anyhow::Result<Authentication> {
    let loopback = settings.http.listen.ip().is_loopback();
    let development = settings.auth.dev_identity.unwrap_or(*mode == Mode::Embedded && loopback);
    if development && !loopback {
        return Err(WrongUse::because(format!(
            "the development identity takes every request at its word, so it is refused on {}, \
             which others can reach; listen on 127.0.0.1, or set --dev-identity=false",
            settings.http.listen
        )));
    }
    if settings.auth.dev_identity.is_none() && *mode == Mode::Embedded && !loopback {
        return Err(WrongUse::because(format!(
            "there are no accounts yet, so every request to {} would be answered 401; listen on \
             127.0.0.1, or set --dev-identity=false to mean it",
            settings.http.listen
        )));
    }
    Ok(if development { Authentication::development() } else { Authentication::accounts() })
}

/// What makes fingerprints of requests.
///
/// # Errors
/// When a distributed system was given no key: its instances have to agree on one.
pub(crate) fn fingerprinter(auth: &AuthSection, mode: &Mode) -> anyhow::Result<Fingerprinter> {
    match (&auth.fingerprint_key, mode) {
        (Some(key), _) => Ok(Fingerprinter::new(key.expose().as_bytes())),
        (None, Mode::Embedded) => Ok(Fingerprinter::new(EMBEDDED_FINGERPRINT_KEY)),
        (None, Mode::Distributed { .. }) => Err(WrongUse::because(
            "a distributed command-api needs --fingerprint-key, the same on all instances",
        )),
    }
}

/// The secret of the internal hop.
///
/// # Errors
/// When a distributed system was given none.
pub(crate) fn cluster_secret(auth: &AuthSection, mode: &Mode) -> anyhow::Result<Option<Secret>> {
    match (&auth.cluster_secret, mode) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Mode::Embedded) => Ok(None),
        (None, Mode::Distributed { .. }) => Err(WrongUse::because(
            "a distributed command-api needs --cluster-secret, the same on all instances",
        )),
    }
}
