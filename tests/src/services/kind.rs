//! The five services by name, as `--only` spells them and `state.json` records them.

use std::{fmt, str::FromStr};

use anyhow::{Error, bail};
use serde::{Deserialize, Serialize};

/// One of the services that this crate knows how to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Apache Kafka in KRaft mode: one broker, or three.
    Kafka,
    /// A schema registry that speaks Confluent's API.
    Registry,
    /// PostgreSQL.
    Postgres,
    /// MariaDB, the server behind `WAYLOG_MYSQL_URL`.
    MariaDb,
    /// Redis.
    Redis,
}

impl Kind {
    /// Every service, in the order in which they are listed.
    pub const ALL: [Self; 5] =
        [Self::Kafka, Self::Registry, Self::Postgres, Self::MariaDb, Self::Redis];

    /// The name on the command line and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Registry => "registry",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::Redis => "redis",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some(kind) = Self::ALL.into_iter().find(|kind| kind.name() == text) else {
            let known = Self::ALL.map(Self::name).join(", ");
            bail!("there is no service {text:?}; there are {known}");
        };
        Ok(kind)
    }
}
