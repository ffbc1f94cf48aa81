//! Where a set of services is reached: the variables that Waylog reads, as one type.

use std::{collections::BTreeSet, env, fmt::Write as _};

use super::{kind::Kind, registry, state::State};

const KAFKA: &str = "WAYLOG_KAFKA_BROKERS";
const REGISTRY: &str = "WAYLOG_SCHEMA_REGISTRY_URL";
const POSTGRES: &str = "WAYLOG_POSTGRES_URL";
const MYSQL: &str = "WAYLOG_MYSQL_URL";
const REDIS: &str = "WAYLOG_REDIS_URL";

/// Addresses of the services that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// `host:port` of every broker, separated by commas.
    pub kafka_brokers: Option<String>,
    /// Base URL of Confluent's API.
    pub schema_registry_url: Option<String>,
    /// `postgres://user:password@host:port/database`; the user may create databases.
    pub postgres_url: Option<String>,
    /// `mysql://user:password@host:port/database`; the user may create databases.
    pub mysql_url: Option<String>,
    /// `redis://default:password@host:port/0`; there are 64 databases.
    pub redis_url: Option<String>,
}

impl Endpoints {
    /// What the environment names, as `scripts/services env` or `scripts/test` set it.
    #[must_use]
    pub fn from_env() -> Self {
        let read = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            kafka_brokers: read(KAFKA),
            schema_registry_url: read(REGISTRY),
            postgres_url: read(POSTGRES),
            mysql_url: read(MYSQL),
            redis_url: read(REDIS),
        }
    }

    /// The services of a set that were started and not stopped.
    pub(super) fn of(state: &State) -> Self {
        let password = &state.password;
        let ports = |kind| -> Vec<u16> {
            let started = state.nodes(kind).filter(|(_, entry)| entry.process.is_some());
            started.map(|(_, entry)| entry.port).collect()
        };
        let url = |kind, form: &dyn Fn(u16) -> String| ports(kind).first().map(|port| form(*port));
        let brokers: Vec<String> =
            ports(Kind::Kafka).iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Self {
            kafka_brokers: Some(brokers.join(",")).filter(|brokers| !brokers.is_empty()),
            schema_registry_url: url(Kind::Registry, &|port| {
                format!("http://127.0.0.1:{port}{}", registry::API)
            }),
            postgres_url: url(Kind::Postgres, &|port| {
                format!("postgres://waylog:{password}@127.0.0.1:{port}/waylog")
            }),
            mysql_url: url(Kind::MariaDb, &|port| {
                format!("mysql://waylog:{password}@127.0.0.1:{port}/waylog")
            }),
            redis_url: url(Kind::Redis, &|port| {
                format!("redis://default:{password}@127.0.0.1:{port}/0")
            }),
        }
    }

    /// Name and value of each variable that is set.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (KAFKA, &self.kafka_brokers),
            (REGISTRY, &self.schema_registry_url),
            (POSTGRES, &self.postgres_url),
            (MYSQL, &self.mysql_url),
            (REDIS, &self.redis_url),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Lines for a shell's `eval`.
    #[must_use]
    pub fn exports(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.variables() {
            let quoted = value.replace('\'', r"'\''");
            writeln!(text, "export {name}='{quoted}'").expect("writing to a String cannot fail");
        }
        text
    }

    /// Which of `kinds` have no address here.
    #[must_use]
    pub fn lacking(&self, kinds: &[Kind]) -> Vec<Kind> {
        let named: BTreeSet<&str> = self.variables().map(|(name, _)| name).collect();
        let variable = |kind: &Kind| match kind {
            Kind::Kafka => KAFKA,
            Kind::Registry => REGISTRY,
            Kind::Postgres => POSTGRES,
            Kind::MariaDb => MYSQL,
            Kind::Redis => REDIS,
        };
        kinds.iter().copied().filter(|kind| !named.contains(variable(kind))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::*;
    use crate::services::{process::Identity, state::Entry};

    fn entry(kind: Kind, node: u8, port: u16, started: bool) -> Entry {
        let process = started.then(|| Identity::of(id()).unwrap());
        Entry { kind, node, port, controller_port: port + 1, process }
    }

    #[test]
    fn a_shell_reads_back_what_was_exported() {
        let endpoints = Endpoints {
            kafka_brokers: Some("127.0.0.1:1,127.0.0.1:2".to_owned()),
            redis_url: Some("redis://:it's$HOME@127.0.0.1/0".to_owned()),
            ..Endpoints::default()
        };
        let script = format!("{}printf %s \"$WAYLOG_REDIS_URL\"", endpoints.exports());

        let shell = Command::new("sh").args(["-c", &script]).output().unwrap();

        assert_eq!(shell.stdout, b"redis://:it's$HOME@127.0.0.1/0");
        assert_eq!(endpoints.exports().lines().count(), 2);
    }

    #[test]
    fn only_services_that_were_started_have_an_address() {
        let mut state = State::new("/data".into(), 3).unwrap();
        for node in 1..=3 {
            let broker = entry(Kind::Kafka, node, 7000 + u16::from(node), node != 2);
            state.processes.insert(format!("kafka-{node}"), broker);
        }
        state.processes.insert("redis".to_owned(), entry(Kind::Redis, 1, 7100, false));

        let endpoints = Endpoints::of(&state);

        assert_eq!(endpoints.kafka_brokers.as_deref(), Some("127.0.0.1:7001,127.0.0.1:7003"));
        assert_eq!(endpoints.redis_url, None);
        assert_eq!(endpoints.lacking(&[Kind::Kafka, Kind::Redis]), [Kind::Redis]);
    }
}
