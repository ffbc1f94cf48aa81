//! What `serve` and the reading verbs can be told: every setting is a flag and a `WAYLOG_...`
//! variable at once. There is no configuration file.

mod connectors;
mod sagas;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use event_log::EmbeddedOptions;
use service_kit::config::{AuthSection, HttpSection, TelemetrySection};
use service_kit::secret::ConnectionUrl;

use crate::stores;

pub(crate) use connectors::ConnectorsSection;
pub(crate) use sagas::SagasSection;

/// Everything that `serve` can be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// Where everything is kept.
    #[command(flatten)]
    pub(crate) places: Places,
    /// Which services run in this process.
    #[command(flatten)]
    pub(crate) services: ServicesSection,
    /// What sagas are allowed.
    #[command(flatten)]
    pub(crate) sagas: SagasSection,
    /// Calls to the outside.
    #[command(flatten)]
    pub(crate) connectors: ConnectorsSection,
    /// Where and how HTTP is served.
    #[command(flatten)]
    pub(crate) http: HttpSection,
    /// Log lines.
    #[command(flatten)]
    pub(crate) telemetry: TelemetrySection,
    /// Who may do what.
    #[command(flatten)]
    pub(crate) auth: AuthSection,
}

/// Where log and read models are. Brokers choose the distributed way, their absence the embedded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Places")]
pub(crate) struct Places {
    /// The directory of the embedded log, keys and read models; distributed, of local caches
    #[arg(long, env = "WAYLOG_DATA_DIR", value_name = "DIR", default_value = "waylog-data")]
    pub(crate) data_dir: PathBuf,
    /// Kafka's bootstrap servers (host:port,...); needs the registry and PostgreSQL too
    #[arg(long, env = "WAYLOG_KAFKA_BROKERS", value_name = "HOST:PORT,...")]
    pub(crate) kafka_brokers: Option<String>,
    /// The first part of the names of topics, transactional ids and groups
    #[arg(long, env = "WAYLOG_KAFKA_TOPIC_PREFIX", default_value = "waylog")]
    pub(crate) kafka_topic_prefix: String,
    /// Partitions of the log (8; embedded 4); fixed once the log exists
    #[arg(long, env = "WAYLOG_PARTITIONS", value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    partitions: Option<u32>,
    /// Shards, each with one lane (2; embedded 1); divides the partitions; fixed like them
    #[arg(long, env = "WAYLOG_SHARDS", value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=256))]
    shards: Option<u32>,
    /// Milliseconds after which a silent owner of shards is taken for dead
    #[arg(long, env = "WAYLOG_OWNER_SESSION_TIMEOUT_MS", default_value_t = 6000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1000..=60_000))]
    pub(crate) owner_session_timeout_ms: u32,
    /// A schema registry with Confluent's API
    #[arg(long, env = "WAYLOG_SCHEMA_REGISTRY_URL", value_name = "URL")]
    pub(crate) schema_registry_url: Option<ConnectionUrl>,
    /// PostgreSQL for the read models and the keys of personal data
    #[arg(long, env = "WAYLOG_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) postgres_url: Option<ConnectionUrl>,
    /// MySQL or MariaDB, for the read models that belong there
    #[arg(long, env = "WAYLOG_MYSQL_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) mysql_url: Option<ConnectionUrl>,
    /// Redis, for faster copies of some read models; without it PostgreSQL answers
    #[arg(long, env = "WAYLOG_REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) redis_url: Option<ConnectionUrl>,
}

/// Which services run, and how others reach this process.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Services")]
pub(crate) struct ServicesSection {
    /// Run only this service of a distributed deployment; repeatable
    #[arg(long, env = "WAYLOG_ONLY", value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Service>,
    /// Where other instances reach this one for forwarded commands; derived from the address
    /// listened on when missing
    #[arg(long, env = "WAYLOG_ADVERTISE_URL", value_name = "URL")]
    pub(crate) advertise_url: Option<String>,
    /// Make a few trips to look at, unless they are there already; needs the development identity
    #[arg(long, env = "WAYLOG_DEMO_DATA")]
    pub(crate) demo_data: bool,
    /// Where a query-api passes writes on to; several are tried in turn
    #[arg(long, env = "WAYLOG_COMMAND_API_URL", value_name = "URL,...", value_delimiter = ',')]
    pub(crate) command_api_url: Vec<String>,
    /// Where a query-api passes the operation of read models on to
    #[arg(long, env = "WAYLOG_PROJECTORS_URL", value_name = "URL,...", value_delimiter = ',')]
    pub(crate) projectors_url: Vec<String>,
    /// Where a query-api passes the payment provider's webhooks, and operators of circuits, on to
    #[arg(long, env = "WAYLOG_CONNECTORS_URL", value_name = "URL,...", value_delimiter = ',')]
    pub(crate) connectors_url: Vec<String>,
}

/// One service of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Takes all commands and owns shards.
    CommandApi,
    /// Folds the log into read models.
    Projectors,
    /// Answers queries, and passes writes on: the one origin for clients.
    QueryApi,
    /// Sends what sagas ask for, and expires holds.
    Sagas,
    /// Asks providers for what the log requests, and takes their webhooks.
    Connectors,
}

/// The settings contradict themselves or leave something out: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(String);

impl WrongUse {
    /// A sentence that tells what to do.
    pub(crate) fn because(sentence: impl Into<String>) -> anyhow::Error {
        Self(sentence.into()).into()
    }
}

/// The two ways to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One process, one directory.
    Embedded,
    /// Around Kafka and databases.
    Distributed {
        /// Bootstrap servers.
        brokers: String,
        /// The schema registry.
        registry: ConnectionUrl,
        /// The read models.
        postgres: ConnectionUrl,
        /// Those that belong there.
        mysql: Option<ConnectionUrl>,
        /// Copies of some.
        redis: Option<ConnectionUrl>,
    },
}

impl Settings {
    /// Refuses what would not do what it says, before anything is opened.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn check(&self, mode: &Mode, development: bool) -> anyhow::Result<()> {
        self.services.check(mode, development)?;
        self.sagas.check()?;
        self.connectors.check()
    }
}

impl Places {
    /// Which way these settings choose.
    ///
    /// # Errors
    /// A sentence that names what is missing.
    pub(crate) fn mode(&self) -> anyhow::Result<Mode> {
        let (partitions, shards) = self.shape();
        if !partitions.is_multiple_of(shards) {
            return Err(WrongUse::because(format!(
                "{shards} shards do not divide {partitions} partitions; choose --shards so that \
                 they do",
            )));
        }
        let Some(brokers) = self.kafka_brokers.clone() else {
            return Ok(Mode::Embedded);
        };
        let (Some(registry), Some(postgres)) =
            (self.schema_registry_url.clone(), self.postgres_url.clone())
        else {
            return Err(WrongUse::because(
                "--kafka-brokers chooses the distributed way, which needs --schema-registry-url \
                 and --postgres-url too",
            ));
        };
        let (mysql, redis) = (self.mysql_url.clone(), self.redis_url.clone());
        stores::check_homes(&read_models::projections(), mysql.is_some())?;
        Ok(Mode::Distributed { brokers, registry, postgres, mysql, redis })
    }
}

impl Places {
    /// How many partitions and shards the log has.
    pub(crate) fn shape(&self) -> (u32, u32) {
        let alone = EmbeddedOptions::default();
        let (partitions, shards) =
            if self.kafka_brokers.is_some() { (8, 2) } else { (alone.partitions, alone.shards) };
        (self.partitions.unwrap_or(partitions), self.shards.unwrap_or(shards))
    }
}

impl ServicesSection {
    /// Whether that service runs here.
    pub(crate) fn runs(&self, service: Service) -> bool {
        self.only.is_empty() || self.only.contains(&service)
    }

    /// Refuses what would not do what it says.
    ///
    /// # Errors
    /// A sentence that names the setting.
    fn check(&self, mode: &Mode, development: bool) -> anyhow::Result<()> {
        if *mode == Mode::Embedded && !self.runs(Service::CommandApi) {
            return Err(WrongUse::because(
                "--only without command-api is for a distributed deployment: nobody else could \
                 write an embedded log while this process holds it; say --kafka-brokers too, or \
                 leave --only out",
            ));
        }
        if self.demo_data && !development {
            return Err(WrongUse::because(
                "--demo-data makes trips of the development account, which nobody could look at \
                 without --dev-identity=true",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    pub(super) fn settings(flags: &[&str]) -> Settings {
        // Whoever runs the tests may have settings in the environment.
        let command = Line::command().mut_args(|arg| arg.env(Resettable::Reset));
        let words = std::iter::once(&"waylog").chain(flags);
        let matches = command.try_get_matches_from(words).unwrap();
        Line::from_arg_matches(&matches).unwrap().settings
    }

    #[test]
    fn nothing_said_means_embedded_with_every_service() {
        let settings = settings(&[]);

        assert_eq!(settings.places.mode().unwrap(), Mode::Embedded);
        for service in Service::value_variants() {
            assert!(settings.services.runs(*service));
        }
    }

    #[test]
    fn brokers_alone_are_refused_with_what_is_missing() {
        let places = settings(&["--kafka-brokers", "127.0.0.1:9092"]).places;

        let error = places.mode().unwrap_err().to_string();

        assert!(error.contains("--schema-registry-url"), "{error}");
        assert!(error.contains("--postgres-url"), "{error}");
    }

    #[test]
    fn brokers_need_mysql_and_take_redis_where_it_is_named() {
        let mut distributed = vec![
            "--kafka-brokers",
            "127.0.0.1:9092",
            "--schema-registry-url",
            "http://registry",
            "--postgres-url",
            "postgres://database",
        ];

        let error = settings(&distributed).places.mode().unwrap_err().to_string();
        distributed.extend(["--mysql-url", "mysql://database"]);
        let without = settings(&distributed).places.mode().unwrap();
        distributed.extend(["--redis-url", "redis://cache"]);
        let with = settings(&distributed).places.mode().unwrap();

        assert!(error.contains("--mysql-url"), "{error}");
        assert!(matches!(without, Mode::Distributed { redis: None, .. }), "{without:?}");
        assert!(matches!(with, Mode::Distributed { redis: Some(_), .. }), "{with:?}");
    }

    #[test]
    fn shards_that_do_not_divide_the_partitions_are_refused() {
        let places = settings(&["--partitions", "8", "--shards", "3"]).places;

        assert!(places.mode().is_err());
    }

    #[test]
    fn a_log_has_the_shape_that_is_said_or_that_of_its_kind() {
        let kafka = ["--kafka-brokers", "broker:9092"];

        assert_eq!(settings(&[]).places.shape(), (4, 1));
        assert_eq!(settings(&["--partitions", "16", "--shards", "4"]).places.shape(), (16, 4));
        assert_eq!(settings(&kafka).places.shape(), (8, 2));
    }

    #[test]
    fn what_would_not_do_what_it_says_is_refused() {
        let alone = settings(&["--only", "projectors"]).services;
        let shown = settings(&["--demo-data"]).services;

        assert!(alone.check(&Mode::Embedded, true).unwrap_err().to_string().contains("--only"));
        assert!(shown.check(&Mode::Embedded, false).is_err());
        assert!(shown.check(&Mode::Embedded, true).is_ok());
    }

    #[test]
    fn only_what_is_named_runs() {
        let services = settings(&["--only", "projectors"]).services;

        assert!(services.runs(Service::Projectors));
        assert!(!services.runs(Service::CommandApi));
    }
}
