//! What each service has to say about itself; everything else is the engine's.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use rustix::process::Signal;

use super::{
    account::Account,
    kafka::Broker,
    kind::Kind,
    launch::Launch,
    mariadb::MariaDb,
    postgres::Postgres,
    programs::Programs,
    redis::Redis,
    registry::Registry,
    state::{Entry, State},
};

/// Longest wait for a tool that prepares a data directory.
pub(super) const PREPARATION: Duration = Duration::from_secs(120);
/// Longest wait for the answer to one question about readiness.
pub(super) const QUESTION: Duration = Duration::from_secs(3);

/// One process, and what it needs to know of its set.
pub(super) struct Place<'a> {
    pub(super) state: &'a State,
    pub(super) entry: &'a Entry,
    pub(super) programs: &'a Programs,
    pub(super) account: Option<Account>,
    /// The process's own directory, made before anything else and owned by the account.
    pub(super) dir: PathBuf,
    pub(super) log: PathBuf,
}

/// How one service is prepared, started, asked and ended.
pub(super) trait Recipe {
    /// Fills an empty directory; called again from the start when it failed half way.
    fn format(&self, place: &Place<'_>) -> Result<()>;

    /// Writes the configuration for the ports of this start and names the program.
    fn launch(&self, place: &Place<'_>) -> Result<Launch>;

    /// Asks once, in the service's own protocol, whether it works.
    fn probe(&self, place: &Place<'_>) -> Result<()>;

    /// The signal that ends it in good order without waiting for its clients.
    fn farewell(&self) -> Signal {
        Signal::TERM
    }

    /// The signal that ends it at once, its own children too.
    fn abrupt(&self) -> Signal {
        Signal::KILL
    }
}

/// The recipe of a service.
pub(super) fn of(kind: Kind) -> &'static dyn Recipe {
    match kind {
        Kind::Kafka => &Broker,
        Kind::Registry => &Registry,
        Kind::Postgres => &Postgres,
        Kind::MariaDb => &MariaDb,
        Kind::Redis => &Redis,
    }
}
