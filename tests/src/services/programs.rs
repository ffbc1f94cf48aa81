//! Where the programs of the services are on this machine, and which are missing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};

use super::{account::caller_is_root, kind::Kind, launch::Launch};

/// The Maven coordinates; their versions are said there and nowhere else.
const POM: &str = include_str!("../../../scripts/services.pom.xml");
/// The oldest Java that Kafka's brokers run on.
const JAVA_MIN: u32 = 17;

/// What a set needs to run; a path is empty where no service asked for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs {
    pub(super) java: PathBuf,
    pub(super) kafka_libs: PathBuf,
    pub(super) registry_jar: PathBuf,
    pub(super) postgres_bin: PathBuf,
    pub(super) psql: PathBuf,
    pub(super) mariadbd: PathBuf,
    pub(super) mariadb_install: PathBuf,
    pub(super) mariadb: PathBuf,
    pub(super) redis: PathBuf,
}

/// Something that is not on this machine yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missing {
    Java,
    KafkaJars,
    RegistryJars,
    Postgres,
    MariaDb,
    Redis,
}

impl Programs {
    /// Looks for what `kinds` need.
    pub(super) fn look(kinds: &[Kind]) -> (Self, Vec<Missing>) {
        let mut programs = Self::default();
        let mut missing = Vec::new();
        let mut note = |found: Option<()>, what| {
            if found.is_none() && !missing.contains(&what) {
                missing.push(what);
            }
        };
        for kind in kinds {
            match kind {
                Kind::Kafka => {
                    note(programs.look_java(), Missing::Java);
                    note(programs.look_kafka(), Missing::KafkaJars);
                }
                Kind::Registry => {
                    note(programs.look_java(), Missing::Java);
                    note(programs.look_registry(), Missing::RegistryJars);
                }
                Kind::Postgres => note(programs.look_postgres(), Missing::Postgres),
                Kind::MariaDb => note(programs.look_mariadb(), Missing::MariaDb),
                Kind::Redis => note(programs.look_redis(), Missing::Redis),
            }
        }
        (programs, missing)
    }

    /// What `kinds` need.
    ///
    /// # Errors
    /// When something is missing, with what to do about it.
    pub(super) fn find(kinds: &[Kind]) -> Result<Self> {
        let (programs, missing) = Self::look(kinds);
        if !missing.is_empty() {
            bail!("not installed: {missing:?}; run: scripts/services install");
        }
        Ok(programs)
    }

    fn look_java(&mut self) -> Option<()> {
        if self.java.as_os_str().is_empty() {
            self.java = java()?;
        }
        Some(())
    }

    fn look_kafka(&mut self) -> Option<()> {
        self.kafka_libs = existing(kafka_dir())?;
        Some(())
    }

    fn look_registry(&mut self) -> Option<()> {
        let version = pom_property("registry.version");
        let jar = format!("apicurio-registry-app-{version}-runner.jar");
        self.registry_jar = existing(registry_dir().join(jar))?;
        Some(())
    }

    fn look_postgres(&mut self) -> Option<()> {
        self.postgres_bin = postgres_bin()?;
        self.psql = existing(self.postgres_bin.join("psql")).or_else(|| on_path("psql"))?;
        Some(())
    }

    fn look_mariadb(&mut self) -> Option<()> {
        self.mariadbd = on_path("mariadbd")?;
        self.mariadb_install = on_path("mariadb-install-db")?;
        self.mariadb = on_path("mariadb")?;
        Some(())
    }

    fn look_redis(&mut self) -> Option<()> {
        self.redis = on_path("redis-server")?;
        Some(())
    }
}

/// Where downloaded jars are kept: shared by all checkouts of a user. Root's home is closed to the
/// account that runs the services, so root's are in `/var/cache`.
pub(super) fn cache() -> PathBuf {
    if let Some(dir) = env::var_os("WAYLOG_SERVICES_CACHE") {
        return PathBuf::from(dir);
    }
    if caller_is_root() {
        return PathBuf::from("/var/cache/waylog-services");
    }
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    let base = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    base.join("waylog/services")
}

/// Kafka's jars of the version in the pom.
pub(super) fn kafka_dir() -> PathBuf {
    cache().join(format!("kafka-{}", pom_property("kafka.version")))
}

/// The registry of the version in the pom.
pub(super) fn registry_dir() -> PathBuf {
    cache().join(format!("registry-{}", pom_property("registry.version")))
}

/// A version as the pom states it.
fn pom_property(name: &str) -> &'static str {
    let value = POM
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    value.expect("scripts/services.pom.xml states every version as a property").0
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}

/// A program by name, also where only root's `PATH` would look.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// PostgreSQL's own programs are not on Debian's `PATH`; the newest installed version is taken.
fn postgres_bin() -> Option<PathBuf> {
    let complete = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let version =
        |dir: &PathBuf| -> Option<u32> { dir.parent()?.file_name()?.to_str()?.parse().ok() };
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = installed.map(|entry| entry.path().join("bin")).filter(complete);
    let elsewhere = || on_path("postgres")?.parent().map(Path::to_path_buf).filter(complete);
    debian.max_by_key(version).or_else(elsewhere)
}

/// The first Java of sufficient age: the caller's, then Debian's.
fn java() -> Option<PathBuf> {
    let home = env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    let debian = installed.map(|entry| entry.path().join("bin/java"));
    let candidates = home.into_iter().chain(on_path("java")).chain(debian);
    candidates.filter(|java| java.is_file()).find(|java| java_version(java) >= Some(JAVA_MIN))
}

fn java_version(java: &Path) -> Option<u32> {
    let said = Launch::new(java, "/").arg("-version").ask(Duration::from_secs(20)).ok()?;
    parse_java_version(&said)
}

/// From `openjdk version "17.0.15" 2025-04-15` or the `"1.8.0_402"` of old.
fn parse_java_version(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("version \"")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_java_are_understood_old_and_new() {
        let said = |version: &str| format!("openjdk version \"{version}\" 2025-04-15\nOpenJDK");

        assert_eq!(parse_java_version(&said("17.0.15")), Some(17));
        assert_eq!(parse_java_version(&said("1.8.0_402")), Some(8));
        assert_eq!(parse_java_version(&said("25")), Some(25));
        assert_eq!(parse_java_version("sh: java: not found"), None);
    }

    #[test]
    fn the_cache_names_the_versions_of_the_pom() {
        assert!(kafka_dir().ends_with("kafka-4.3.1"));
        assert!(registry_dir().ends_with("registry-3.0.9"));
    }

    #[test]
    fn a_program_is_found_on_the_path_and_a_missing_one_is_not() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program-anywhere"), None);
    }
}
