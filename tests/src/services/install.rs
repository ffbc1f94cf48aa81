//! Brings onto the machine what is missing, says so first, and touches nothing that is there.
//!
//! Debian packages come by `apt-get` when the caller is root; their own daemons are not started
//! and no database cluster of Debian's is made. Kafka and the registry come by Maven into a cache
//! that every checkout of the user shares. Any other caller is told the exact command.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{
    account::{self, Account, caller_is_root},
    kind::Kind,
    programs::{self, Missing, Programs},
};

/// Debian's question to the administrator whether a package may start its daemon.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// 101 is "no". The comment tells a leftover of a killed run from somebody else's policy.
const POLICY_TEXT: &str = "#!/bin/sh\n# waylog: for one installation; may be removed\nexit 101\n";
/// Read by postgresql-common before it makes a cluster for a new version.
const CLUSTER_DIR: &str = "/etc/postgresql-common/createcluster.d";

/// Installs what `kinds` need and the machine lacks; `say` hears each step before it is taken.
///
/// # Errors
/// When the caller may not install packages (with the command to run), or a tool fails.
pub fn ensure(kinds: &[Kind], say: &(dyn Fn(&str) + Sync)) -> Result<()> {
    let (_, missing) = Programs::look(kinds);
    let wanted = packages(&missing, kinds);
    if !wanted.is_empty() {
        install_packages(&wanted, say)?;
    }
    if caller_is_root() && Account::current().is_err() {
        say(&format!("adding the system account {}, which runs the services", account::NAME));
        let shell = "--shell=/usr/sbin/nologin";
        run(Command::new("useradd")
            .args(["--system", "--user-group", "--no-create-home", shell])
            .args(["--home-dir=/nonexistent", account::NAME]))?;
    }
    if missing.contains(&Missing::KafkaJars) {
        fetch("Apache Kafka", "copy-dependencies@kafka", &programs::kafka_dir(), say)?;
    }
    if missing.contains(&Missing::RegistryJars) {
        fetch("the schema registry", "copy@registry", &programs::registry_dir(), say)?;
    }
    Programs::find(kinds).map(drop).context("still incomplete after installing")
}

/// Whether everything that `kinds` need is there.
#[must_use]
pub fn complete(kinds: &[Kind]) -> bool {
    let prepared = !caller_is_root() || Account::current().is_ok();
    prepared && Programs::look(kinds).1.is_empty()
}

/// The packages that stand for what is missing.
fn packages(missing: &[Missing], kinds: &[Kind]) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    for what in missing {
        wanted.extend(match what {
            Missing::Java => vec![java_package()],
            Missing::KafkaJars | Missing::RegistryJars => {
                let absent = programs::on_path("mvn").is_none();
                if absent { vec!["maven"] } else { vec![] }
            }
            Missing::Postgres => vec!["postgresql", "postgresql-client"],
            // The core packages hold the programs alone: no daemon, no account, no configuration.
            Missing::MariaDb => vec!["mariadb-server-core", "mariadb-client-core"],
            Missing::Redis => vec!["redis-server"],
        });
    }
    // A convenience for people: nobody without root is sent to fetch it for its own sake.
    let lacks_kcat = kinds.contains(&Kind::Kafka) && programs::on_path("kcat").is_none();
    if lacks_kcat && (caller_is_root() || !wanted.is_empty()) {
        wanted.push("kcat");
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Debian 12 names the version, later releases have newer ones only.
fn java_package() -> &'static str {
    let known = Command::new("apt-cache")
        .args(["show", "openjdk-17-jre-headless"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let seventeen = known.is_ok_and(|status| status.success());
    if seventeen { "openjdk-17-jre-headless" } else { "default-jre-headless" }
}

fn install_packages(wanted: &[&str], say: &(dyn Fn(&str) + Sync)) -> Result<()> {
    let names = wanted.join(" ");
    if programs::on_path("apt-get").is_none() {
        bail!("no apt-get here; install the equivalent of these Debian packages: {names}");
    }
    if !caller_is_root() {
        let command = "apt-get install -y --no-install-recommends";
        bail!("only root can install packages; run: sudo {command} {names}");
    }
    say(&format!("installing Debian packages: {names}"));
    let _quiet = Temporary::policy()?;
    let _no_cluster = Temporary::no_main_cluster()?;
    run(apt_get().args(["-qq", "update"]))?;
    // A package that is there stays as it is, and nothing is ever removed for another.
    run(apt_get()
        .args(["-qq", "-y", "--no-install-recommends", "--no-upgrade", "--no-remove", "install"])
        .args(wanted))?;
    if wanted.contains(&"redis-server") && programs::on_path("systemctl").is_some() {
        // The package came for its program: its daemon shall not appear at the next boot.
        run(Command::new("systemctl").args(["--quiet", "disable", "redis-server"]))?;
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// A file that exists for one installation, and its directory when that was made for it.
struct Temporary {
    file: PathBuf,
    made_dir: Option<PathBuf>,
}

impl Temporary {
    /// Keeps packages from starting their daemons; an existing policy is left to decide itself.
    fn policy() -> Result<Option<Self>> {
        let file = Path::new(POLICY);
        let leftover = fs::read_to_string(file).is_ok_and(|text| text == POLICY_TEXT);
        if file.exists() && !leftover {
            return Ok(None);
        }
        fs::write(file, POLICY_TEXT)
            .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {POLICY}"))?;
        Ok(Some(Self { file: file.to_owned(), made_dir: None }))
    }

    /// Keeps postgresql-common from making and starting a cluster of its own.
    fn no_main_cluster() -> Result<Self> {
        let dir = Path::new(CLUSTER_DIR);
        let made_dir = (!dir.exists()).then(|| dir.to_owned());
        let file = dir.join("waylog-install.conf");
        fs::create_dir_all(dir)
            .and_then(|()| fs::write(&file, "create_main_cluster = false\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { file, made_dir })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Best effort: a leftover is recognised and replaced by the next installation, and the
        // directory stays when a package has put something of its own there meanwhile.
        fs::remove_file(&self.file).ok();
        if let Some(dir) = &self.made_dir {
            fs::remove_dir(dir).ok();
        }
    }
}

/// Downloads into a directory of the cache that appears only when it is complete.
fn fetch(what: &str, goal: &str, target: &Path, say: &(dyn Fn(&str) + Sync)) -> Result<()> {
    let cache = programs::cache();
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = fs::File::create(cache.join("lock")).context("cannot lock the cache")?;
    lock.lock().context("cannot lock the cache")?;
    if target.exists() {
        return Ok(()); // somebody else fetched it while this call waited
    }
    say(&format!("downloading {what} by Maven into {}", target.display()));
    let aside = target.with_extension("part");
    if aside.exists() {
        fs::remove_dir_all(&aside).context("cannot remove a broken download")?;
    }
    fs::create_dir_all(&aside).with_context(|| format!("cannot make {}", aside.display()))?;
    let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/services.pom.xml");
    let mut out = OsString::from("-Dout=");
    out.push(&aside);
    // Strict checksums: a damaged download fails instead of running.
    run(Command::new("mvn")
        .args(["--batch-mode", "--quiet", "--strict-checksums", "--file"])
        .arg(pom)
        .arg(format!("dependency:{goal}"))
        .arg(out))?;
    unpack(&aside)?;
    fs::rename(&aside, target).with_context(|| format!("cannot make {}", target.display()))
}

/// Unpacks the archives of a directory in place.
fn unpack(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).context("cannot read a download")? {
        let file = entry.context("cannot read a download")?.path();
        if file.extension().is_some_and(|extension| extension == "gz") {
            run(Command::new("tar")
                .args(["--no-same-owner", "-xzf"])
                .arg(&file)
                .arg("-C")
                .arg(dir))?;
            fs::remove_file(&file).context("cannot remove an unpacked archive")?;
        }
    }
    Ok(())
}

/// Runs a tool whose output the caller sees, on standard error: standard output is for `eval`.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status}); what it said is above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for_and_once() {
        let missing = [Missing::Redis, Missing::MariaDb, Missing::Redis];

        let wanted = packages(&missing, &[Kind::Redis, Kind::MariaDb]);

        assert_eq!(wanted, ["mariadb-client-core", "mariadb-server-core", "redis-server"]);
        assert!(packages(&[], &[Kind::Redis]).is_empty());
    }

    #[test]
    fn archives_are_unpacked_where_they_are_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("inside.jar"), "jar").unwrap();
        let archive = dir.path().join("all.tar.gz");
        let packed = Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .args(["-C", dir.path().to_str().unwrap(), "--remove-files", "inside.jar"])
            .status()
            .unwrap();
        assert!(packed.success());

        unpack(dir.path()).unwrap();

        assert_eq!(fs::read_to_string(dir.path().join("inside.jar")).unwrap(), "jar");
        assert!(!archive.exists());
    }

    #[test]
    fn a_temporary_file_goes_and_a_directory_that_others_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("mine"), "").unwrap();
        fs::write(own.join("theirs"), "").unwrap();

        drop(Temporary { file: own.join("mine"), made_dir: Some(own.clone()) });

        assert!(!own.join("mine").exists());
        assert!(own.join("theirs").exists());
    }
}
