//! How a program of a service is run: as the services' account, with an environment of its own.
//!
//! Nothing is inherited: a `PGPORT`, `JAVA_TOOL_OPTIONS` or `QUARKUS_…` of the caller would change
//! what a service does.

use std::{
    ffi::OsString,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{Sender, channel},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::account::Account;

/// Lines of a log that a failure quotes.
const TAIL_LINES: usize = 25;
/// Bytes of a log that are read for them.
const TAIL_BYTES: usize = 16 * 1024;

/// A program with everything that it needs to start.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    dir: PathBuf,
}

impl Launch {
    /// A program that works in `dir`, its home and place for temporary files.
    pub(super) fn new(program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), dir: dir.into() }
    }

    pub(super) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(super) fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// The bare command, to be given its streams. With `mortal`, the process is killed when the
    /// thread that spawns it ends.
    fn command(&self, account: Option<Account>, mortal: bool) -> Command {
        // `setsid`: neither Ctrl-C nor the end of a terminal reaches a service. Both tools replace
        // themselves with the program, so the pid is the program's.
        let mut command = Command::new("setsid");
        if account.is_some() || mortal {
            command.arg("setpriv");
        }
        if let Some(Account { uid, gid }) = account {
            command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
            command.arg("--clear-groups");
        }
        if mortal {
            command.arg("--pdeathsig=KILL");
        }
        command.arg(&self.program).args(&self.args);
        command.env_clear().current_dir(&self.dir);
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("LANG", "C.UTF-8").env("HOME", &self.dir).env("TMPDIR", &self.dir);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Starts a service that outlives this call; its output is appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be run.
    pub(super) fn spawn(
        &self,
        account: Option<Account>,
        log: &Path,
        mortal: bool,
    ) -> Result<Child> {
        let out = append(log)?;
        let mut command = self.command(account, mortal);
        command.stdout(out.try_clone().context("cannot share a log")?).stderr(out);
        let spawned = if mortal { spawn_from_lasting_thread(command) } else { command.spawn() };
        spawned.with_context(|| format!("cannot run {}", self.program.display()))
    }

    /// Runs a program to its end, with `input`; its output is appended to `log`.
    ///
    /// # Errors
    /// When it fails or takes longer than `limit`; the message quotes the log.
    pub(super) fn run(
        &self,
        account: Option<Account>,
        log: &Path,
        input: &str,
        limit: Duration,
    ) -> Result<()> {
        let name = self.program.display();
        let out = append(log)?;
        let mut command = self.command(account, false);
        command.stdout(out.try_clone().context("cannot share a log")?).stderr(out);
        let mut child =
            if input.is_empty() { command.spawn() } else { command.stdin(Stdio::piped()).spawn() }
                .with_context(|| format!("cannot run {name}"))?;
        if let Some(mut pipe) = child.stdin.take() {
            // Shorter than a pipe's buffer, so this cannot block.
            std::io::Write::write_all(&mut pipe, input.as_bytes())
                .with_context(|| format!("{name} does not read its input"))?;
        }
        if await_success(&mut child, limit)? {
            return Ok(());
        }
        bail!("{name} failed; the end of {}:\n{}", log.display(), tail(log))
    }

    /// Runs a short question and returns its answer; at most a few kilobytes are expected.
    ///
    /// # Errors
    /// When it fails or takes longer than `limit`; the message is what it said.
    pub(super) fn ask(&self, limit: Duration) -> Result<String> {
        let mut child = self
            .command(None, false)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let success = await_success(&mut child, limit)?;
        let mut text = String::new();
        if let Some(mut out) = child.stdout.take() {
            out.read_to_string(&mut text).context("an answer that is no text")?;
        }
        if let Some(mut err) = child.stderr.take() {
            err.read_to_string(&mut text).context("an answer that is no text")?;
        }
        if success { Ok(text) } else { Err(anyhow!("{}", text.trim())) }
    }
}

/// Waits for the end of a child, and kills it after `limit`.
fn await_success(child: &mut Child, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a child")? {
            return Ok(status.success());
        }
        if Instant::now() >= deadline {
            child.kill().context("cannot end a child")?;
            child.wait().context("cannot wait for a child")?;
            bail!("no end after {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(5));
    }
}

/// The kernel ties the parent's death signal to the *thread* that forked. A test's thread ends
/// long before its process does, so one thread that never ends does the forking.
fn spawn_from_lasting_thread(command: Command) -> std::io::Result<Child> {
    type Order = (Command, Sender<std::io::Result<Child>>);
    static FORGE: OnceLock<Sender<Order>> = OnceLock::new();
    let forge = FORGE.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                // Who asked waits below; a reply to nobody needs no care.
                reply.send(command.spawn()).ok();
            }
        });
        orders
    });
    let (reply, answer) = channel();
    let gone = |_| std::io::Error::other("the thread that starts services is gone");
    forge.send((command, reply)).map_err(|_| gone(()))?;
    answer.recv().map_err(|_| gone(()))?
}

fn append(log: &Path) -> Result<fs::File> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> String {
    let Ok(bytes) = fs::read(log) else { return "(no log)".to_owned() };
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_nothing_of_the_callers_environment() {
        let dir = tempfile::tempdir().unwrap();

        let answer = Launch::new("/usr/bin/env", dir.path())
            .env("GIVEN", "yes")
            .ask(Duration::from_secs(10))
            .unwrap();

        assert!(answer.contains("GIVEN=yes\n"));
        assert!(!answer.contains("CARGO"));
    }

    #[test]
    fn a_failure_quotes_what_the_program_said() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");

        let error = Launch::new("/bin/sh", dir.path())
            .args(["-c", "read line; echo \"no $line\"; exit 3"])
            .run(None, &log, "luck\n", Duration::from_secs(10))
            .unwrap_err();

        assert!(error.to_string().ends_with("no luck"), "{error}");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let dir = tempfile::tempdir().unwrap();

        let error = Launch::new("/bin/sleep", dir.path())
            .arg("600")
            .ask(Duration::from_millis(50))
            .unwrap_err();

        assert!(error.to_string().starts_with("no end after"), "{error}");
    }

    #[test]
    fn a_tail_is_the_last_lines_alone() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let lines: Vec<String> = (1..=100).map(|n| format!("line {n}")).collect();
        fs::write(&log, lines.join("\n")).unwrap();

        let end = tail(&log);

        assert!(end.starts_with("line 76\n") && end.ends_with("line 100"), "{end}");
    }
}
