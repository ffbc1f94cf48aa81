//! Services as a test holds them: addresses, faults to order, and an end when the test ends.

use std::{env, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::{
    endpoints::Endpoints,
    engine::Engine,
    kind::Kind,
    options::Options,
    process::{Identity, Life},
};

/// With this set to 1, a test that finds no services fails instead of leaving itself out.
const REQUIRED: &str = "WAYLOG_TEST_REQUIRE_SERVICES";
/// Longest wait for a service that was told to go on, or started again.
const COMING_BACK: Duration = Duration::from_secs(120);

/// Running services.
///
/// Those that [`Services::start`] started are private, may be broken on purpose, and end when this
/// value is dropped or its process dies. Those of [`Services::from_env`] are everybody's: they can
/// be used, not broken.
#[derive(Debug)]
pub struct Services {
    endpoints: Endpoints,
    engine: Option<Engine>,
}

impl Services {
    /// Starts private services in `dir` and waits until they work.
    ///
    /// # Errors
    /// When a program is not installed, or a service does not come up within 120 s.
    pub fn start(dir: &Path, options: &Options) -> Result<Self> {
        let options = Options { mortal: true, ..options.clone() };
        let engine = Engine::start(dir, &options, &|_| ())?;
        Ok(Self { endpoints: engine.endpoints(), engine: Some(engine) })
    }

    /// The services that the environment names, when it names all of `kinds`.
    ///
    /// None tells a test to leave itself out, as on a machine without services.
    ///
    /// # Errors
    /// When some are lacking and `WAYLOG_TEST_REQUIRE_SERVICES=1` forbids to leave anything out.
    pub fn from_env(kinds: &[Kind]) -> Result<Option<Self>> {
        Self::of_environment(Endpoints::from_env(), kinds, required())
    }

    fn of_environment(
        endpoints: Endpoints,
        kinds: &[Kind],
        required: bool,
    ) -> Result<Option<Self>> {
        let lacking = endpoints.lacking(kinds);
        if lacking.is_empty() {
            return Ok(Some(Self { endpoints, engine: None }));
        }
        if required {
            bail!("{REQUIRED}=1, but the environment names no {lacking:?}");
        }
        Ok(None)
    }

    /// Private services in `dir`, or none where they are not installed.
    ///
    /// # Errors
    /// As [`Services::start`]; and when programs are missing although
    /// `WAYLOG_TEST_REQUIRE_SERVICES=1` forbids to leave anything out.
    pub fn start_if_installed(dir: &Path, options: &Options) -> Result<Option<Self>> {
        if !required() && !super::install::complete(&options.kinds()) {
            return Ok(None);
        }
        Self::start(dir, options).map(Some)
    }

    /// All addresses.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// `host:port` of every broker, separated by commas; a killed one stays in the list.
    ///
    /// # Panics
    /// When Kafka was not asked for, as do the other addresses for their service.
    #[must_use]
    pub fn brokers(&self) -> &str {
        self.endpoints.kafka_brokers.as_deref().expect("the test asked for Kafka")
    }

    /// Base URL of the schema registry's Confluent API.
    #[must_use]
    pub fn registry_url(&self) -> &str {
        self.endpoints.schema_registry_url.as_deref().expect("the test asked for the registry")
    }

    /// URL of a PostgreSQL database, of a user that may create others.
    #[must_use]
    pub fn postgres_url(&self) -> &str {
        self.endpoints.postgres_url.as_deref().expect("the test asked for PostgreSQL")
    }

    /// URL of a MariaDB database, of a user that may create others.
    #[must_use]
    pub fn mysql_url(&self) -> &str {
        self.endpoints.mysql_url.as_deref().expect("the test asked for MariaDB")
    }

    /// URL of Redis database 0.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        self.endpoints.redis_url.as_deref().expect("the test asked for Redis")
    }

    /// Ends a process without ceremony and waits until it is gone. `node` is the broker's number
    /// (1 to 3), 1 for every other service.
    ///
    /// # Errors
    /// When the services are not private, or it does not run.
    pub fn kill(&self, kind: Kind, node: u8) -> Result<()> {
        let engine = self.private()?;
        let name = name_of(kind, node);
        self.process(&name)?;
        engine.end_all(&[name], false)
    }

    /// Starts a process again on its port and its data, and waits until it works (a broker: and
    /// sees the others). One that still runs is killed first.
    ///
    /// # Errors
    /// When the services are not private, it was never started, or it does not come up in 120 s.
    pub fn restart(&self, kind: Kind, node: u8) -> Result<()> {
        let engine = self.private()?;
        let name = name_of(kind, node);
        if !engine.state().processes.contains_key(&name) {
            bail!("there is no {name}");
        }
        engine.end_all(std::slice::from_ref(&name), false)?;
        engine.launch(&name)?;
        engine.await_ready(&name, COMING_BACK)
    }

    /// Stops a process (`SIGSTOP`) in the middle of whatever it does: it keeps its connections and
    /// answers nobody. `node` is the broker's number, 1 for every other service.
    ///
    /// # Errors
    /// When the services are not private, or it does not run.
    pub fn pause(&self, kind: Kind, node: u8) -> Result<()> {
        let process = self.process(&name_of(kind, node))?;
        process.signal(Signal::STOP)?;
        if !process.wait_for(Life::Paused, COMING_BACK) {
            bail!("{kind} {node} does not pause");
        }
        // PostgreSQL serves each connection by a child.
        process.signal_children(Signal::STOP)
    }

    /// Lets a paused process go on, and waits until it works.
    ///
    /// # Errors
    /// When the services are not private, or it does not work again within 120 s.
    pub fn resume(&self, kind: Kind, node: u8) -> Result<()> {
        let name = name_of(kind, node);
        let process = self.process(&name)?;
        process.signal_children(Signal::CONT)?;
        process.signal(Signal::CONT)?;
        self.private()?.await_ready(&name, COMING_BACK)
    }

    fn private(&self) -> Result<&Engine> {
        self.engine.as_ref().context("these services are everybody's: they cannot be broken")
    }

    fn process(&self, name: &str) -> Result<Identity> {
        let state = self.private()?.state();
        let entry = state.processes.get(name).with_context(|| format!("there is no {name}"))?;
        entry.process.clone().with_context(|| format!("{name} does not run"))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let Some(engine) = &self.engine else { return };
        if let Err(error) = engine.drop_all() {
            // A second panic would abort the test run; the kernel kills what is left with us.
            assert!(std::thread::panicking(), "services are left running: {error:#}");
        }
    }
}

fn required() -> bool {
    env::var(REQUIRED).is_ok_and(|value| value == "1")
}

fn name_of(kind: Kind, node: u8) -> String {
    if kind == Kind::Kafka { format!("{kind}-{node}") } else { kind.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis_alone() -> Endpoints {
        Endpoints { redis_url: Some("redis://127.0.0.1:1/0".to_owned()), ..Endpoints::default() }
    }

    #[test]
    fn a_test_leaves_itself_out_only_where_that_is_allowed() {
        let wanted = [Kind::Redis, Kind::Kafka];

        let allowed = Services::of_environment(redis_alone(), &wanted, false).unwrap();
        let forbidden = Services::of_environment(redis_alone(), &wanted, true).unwrap_err();

        assert!(allowed.is_none());
        assert!(forbidden.to_string().ends_with("names no [Kafka]"), "{forbidden}");
    }

    #[test]
    fn services_of_the_environment_can_be_used_but_not_broken() {
        let services = Services::of_environment(redis_alone(), &[Kind::Redis], true).unwrap();

        let services = services.unwrap();
        let error = services.pause(Kind::Redis, 1).unwrap_err();

        assert_eq!(services.redis_url(), "redis://127.0.0.1:1/0");
        assert!(error.to_string().contains("cannot be broken"));
    }
}
