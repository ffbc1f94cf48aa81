//! A running Waylog as its users see it: real processes, real services, plain HTTP.

mod client;
pub(crate) mod crash_points;
pub(crate) mod journeys;
mod process;
pub(crate) mod provider;
pub(crate) mod sales;
pub(crate) mod shop;

use std::path::Path;

use tempfile::TempDir;
use waylog_tests::{Endpoints, Kind, Services};

pub(crate) use client::{Answer, Client, eventually};
pub(crate) use crash_points::CrashPoints;
use process::ANYWHERE;
pub(crate) use process::{Process, waylog};
pub(crate) use provider::{Provider, kept};

/// The secrets that the processes of one deployment share.
const SECRETS: [(&str, &str); 2] = [
    ("WAYLOG_CLUSTER_SECRET", "the-secret-of-the-tests-cluster"),
    ("WAYLOG_FINGERPRINT_KEY", "a fingerprint key of the test"),
];

/// What a distributed deployment stands on.
const KINDS: [Kind; 5] = [Kind::Kafka, Kind::Registry, Kind::Postgres, Kind::MariaDb, Kind::Redis];

/// One deployment with a private data directory, and a log and databases of its own.
pub(crate) struct World {
    /// Every process by what it does; `origin` is the one that clients talk to.
    pub(crate) processes: Vec<(&'static str, Process)>,
    /// Where processes keep their files.
    pub(crate) dir: TempDir,
    settings: Vec<(String, String)>,
}

impl World {
    /// Everything in one process, no other service.
    pub(crate) fn embedded() -> Self {
        let mut world = Self { processes: Vec::new(), dir: directory(), settings: Vec::new() };
        world.start("origin", &[]);
        world
    }

    /// Everything in one process but the provider, whose books are its own: it is told of it by
    /// webhooks, and may be asked what it knows after the process died.
    pub(crate) fn selling_alone(settings: &[(&str, &str)]) -> Self {
        let mut world = Self { processes: Vec::new(), dir: directory(), settings: Vec::new() };
        world.found_provider(settings);
        world.start("origin", &[]);
        world
    }

    /// Two command-apis, projectors and the query-api around the services of the environment;
    /// nothing where there are none.
    pub(crate) fn distributed() -> Option<Self> {
        Services::from_env(&KINDS).unwrap().as_ref().map(Self::around)
    }

    /// The same with everything that sells: sagas, connectors, and the provider's sandbox; nothing
    /// where there are no services.
    pub(crate) fn selling() -> Option<Self> {
        Self::selling_with(&[])
    }

    /// The same with settings of the test's own.
    pub(crate) fn selling_with(settings: &[(&str, &str)]) -> Option<Self> {
        let mut world = Self::bare(Services::from_env(&KINDS).unwrap().as_ref()?);
        world.found_provider(settings);
        world.serve_around();
        world.start("sagas", &["--only", "sagas"]);
        world.start("connectors", &["--only", "connectors"]);
        Some(world)
    }

    /// The same in one process, around given services and a Redis of the test's own.
    pub(crate) fn selling_in_one(services: &Services, redis: &str) -> Self {
        let mut world = Self::bare(services);
        world.found_provider(&[("WAYLOG_REDIS_URL", redis)]);
        world.start("origin", &[]);
        world
    }

    /// A provider of this deployment's own, and what its processes have to know of it.
    fn found_provider(&mut self, settings: &[(&str, &str)]) {
        let sandbox = Process::sandbox(&self.dir.path().join("sandbox"));
        let points = self.dir.path().join("crash-points");
        let own = [
            ("WAYLOG_PAYMENT_PROVIDER_URL", sandbox.url()),
            ("WAYLOG_PAYMENT_PROVIDER_SECRET", provider::SECRET),
            ("WAYLOG_WEBHOOK_SECRETS", provider::WEBHOOK_SECRET),
            ("WAYLOG_CRASH_POINTS", points.to_str().unwrap()),
        ];
        let all = own.iter().chain(settings).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        self.settings.extend(all);
        self.processes.push(("sandbox", sandbox));
    }

    /// The provider's own books, and its faults on demand.
    pub(crate) fn provider(&self) -> Provider {
        Provider::at(self.url("sandbox"))
    }

    /// Where processes of this deployment can be made to die.
    pub(crate) fn crash_points(&self) -> CrashPoints {
        CrashPoints::in_dir(Path::new(self.setting("WAYLOG_CRASH_POINTS")))
    }

    /// Everything around given services but what sells.
    pub(crate) fn around(services: &Services) -> Self {
        let mut world = Self::bare(services);
        world.serve_around();
        world
    }

    fn serve_around(&mut self) {
        let world = self;
        world.start("command-1", &["--only", "command-api"]);
        world.start("command-2", &["--only", "command-api"]);
        world.start("projectors", &["--only", "projectors"]);
        let writes = format!("{},{}", world.url("command-1"), world.url("command-2"));
        let projectors = world.url("projectors").to_owned();
        let flags = ["--only", "query-api", "--command-api-url", &writes];
        world.start("origin", &[&flags[..], &["--projectors-url", &projectors]].concat());
    }

    /// The settings of a deployment around given services, with databases of its own; no process
    /// yet. Whoever breaks others of its services on purpose may use everybody's MariaDB.
    pub(crate) fn bare(services: &Services) -> Self {
        let name = format!("t{}", uuid::Uuid::now_v7().simple());
        let mut settings: Vec<(String, String)> =
            services.endpoints().variables().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let postgres = database(services.postgres_url(), &name);
        let named = services.endpoints().mysql_url.clone().or(Endpoints::from_env().mysql_url);
        let mysql = schema(&named.expect("a deployment has MariaDB"), &name);
        settings.extend([
            ("WAYLOG_POSTGRES_URL".to_owned(), postgres),
            ("WAYLOG_MYSQL_URL".to_owned(), mysql),
            ("WAYLOG_KAFKA_TOPIC_PREFIX".to_owned(), name),
            // Requests of these tests come from the development account, as in embedded mode.
            ("WAYLOG_DEV_IDENTITY".to_owned(), "true".to_owned()),
        ]);
        settings.extend(SECRETS.map(|(n, v)| (n.to_owned(), v.to_owned())));

        Self { processes: Vec::new(), dir: directory(), settings }
    }

    /// Starts a process of this deployment and waits until it is ready. The same name finds the
    /// same files again.
    pub(crate) fn start(&mut self, name: &'static str, flags: &[&str]) {
        self.launch(name, flags);
        Client::to(self.url(name)).await_ready();
    }

    /// The same, without the wait: it serves, and may lack something.
    pub(crate) fn launch(&mut self, name: &'static str, flags: &[&str]) {
        let dir = self.dir.path().join(name);
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        self.processes.push((name, Process::serve(&dir, &self.settings, ANYWHERE, flags)));
    }

    /// Starts a process that does not come to serve: its exit code, and the end of its log.
    pub(crate) fn refused(&self, name: &str) -> (Option<i32>, String) {
        Process::refused(&self.dir.path().join(name), &self.settings)
    }

    /// Which process has ended by itself, if one has.
    pub(crate) fn dead(&mut self) -> Option<&'static str> {
        let mut processes = self.processes.iter_mut();
        processes.find_map(|(name, process)| process.ended().then_some(*name))
    }

    /// Which process stands still, as soon as one does.
    pub(crate) fn standing_still(&self) -> &'static str {
        let mut found = None;
        let stopped = eventually(sales::PATIENCE, || {
            let mut all = self.processes.iter();
            found = all.find_map(|(name, process)| process.stopped().then_some(*name));
            found.is_some()
        });
        assert!(stopped, "every process goes on");
        found.expect("it was waited for")
    }

    /// Starts a process that has ended once more, with its files, flags and address, and waits
    /// until it is ready.
    pub(crate) fn restart(&mut self, name: &'static str) {
        let dir = self.dir.path().join(name);
        let ended = self.take(name);
        let (address, flags) = (ended.address(), ended.flags().to_vec());
        drop(ended);
        if name == "sandbox" {
            self.processes.push((name, Process::sandbox_on(&dir, &address)));
            return;
        }
        self.processes.push((name, Process::serve(&dir, &self.settings, &address, flags)));
        Client::to(self.url(name)).await_ready();
    }

    /// The address of a process.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.process(name).url()
    }

    /// A process by what it does.
    pub(crate) fn process(&self, name: &str) -> &Process {
        let (_, process) = self.processes.iter().find(|(known, _)| *known == name).unwrap();
        process
    }

    /// The process that the sagas run in.
    pub(crate) fn of_sagas(&self) -> &'static str {
        let alone = self.processes.iter().find(|(known, _)| *known == "sagas");
        alone.map_or("origin", |(name, _)| *name)
    }

    /// The value of one of this deployment's settings, by variable.
    pub(crate) fn setting(&self, variable: &str) -> &str {
        // The last one counts, as it does for the processes.
        let (_, value) = self.settings.iter().rfind(|(known, _)| known == variable).unwrap();
        value
    }

    /// Takes a process out, to be ended by the test.
    pub(crate) fn take(&mut self, name: &str) -> Process {
        let index = self.processes.iter().position(|(known, _)| *known == name).unwrap();
        self.processes.remove(index).1
    }

    /// A client of the one origin, as the development account.
    pub(crate) fn client(&self) -> Client {
        Client::to(self.url("origin"))
    }

    /// Everything holds that has to hold over the whole log, the read models and the provider's
    /// ledger.
    pub(crate) fn verify(&self) {
        let verified = self.run(&["verify"]);
        let said = String::from_utf8_lossy(&verified.stdout);
        let complained = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success(), "{said}\n{complained}");
    }

    /// Runs a command of the binary with this deployment's settings and returns how it ended.
    pub(crate) fn run(&self, words: &[&str]) -> std::process::Output {
        waylog()
            .args(words)
            .env("WAYLOG_DATA_DIR", self.dir.path().join("origin/data"))
            .envs(self.settings.iter().map(|(n, v)| (n, v)))
            .output()
            .unwrap()
    }
}

/// A directory that other users may pass through.
pub(crate) fn directory() -> TempDir {
    tempfile::Builder::new().prefix("waylog-it.").tempdir().unwrap()
}

/// A database of the test's own on the server of that URL; created by `psql`, so that the tests
/// need no client library of their own.
fn database(url: &str, name: &str) -> String {
    let made = std::process::Command::new("psql")
        .args([url, "-v", "ON_ERROR_STOP=1", "-qc"])
        .arg(format!("CREATE DATABASE {name}"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// The same on a MariaDB server, by its own client.
fn schema(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    let (account, place) = server.strip_prefix("mysql://").unwrap().rsplit_once('@').unwrap();
    let ((user, password), (host, port)) =
        (account.split_once(':').unwrap(), place.split_once(':').unwrap());
    let made = std::process::Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--host", host, "--port", port])
        .args(["--user", user, "-e", &format!("CREATE DATABASE {name}")])
        .env("MYSQL_PWD", password)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    format!("{server}/{name}")
}

/// Whether a path exists, for tests that delete files on purpose.
pub(crate) fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
}
