//! A real process of the binary, ended when the test ends.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest a process may take to say where it serves, or to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, built once for the whole run.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // The test runs from target/<profile>/deps.
        let own = std::env::current_exe().unwrap();
        let profile = own.parent().unwrap().parent().unwrap();
        let mut build = Command::new(env!("CARGO"));
        // The selection of `cargo test --workspace` (a test is in it for the sake of the features
        // that tests ask of dependencies): nothing is compiled that was not compiled already.
        build.args(["build", "--quiet", "--workspace", "--bin", "waylog", "--test", "catalog"]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the binary does not build");
        profile.join("waylog")
    })
}

/// The binary without the settings of whoever runs the tests.
pub(crate) fn waylog() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WAYLOG_")) {
        command.env_remove(name);
    }
    command
}

/// `waylog serve` with its files there.
fn serving(dir: &Path, settings: &[(String, String)], listen: &str) -> Command {
    let mut command = waylog();
    command.args(["serve", "--listen", listen, "--data-dir"]).arg(dir.join("data"));
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command
}

/// A serving process.
pub(crate) struct Process {
    child: Child,
    url: String,
    log: PathBuf,
    /// What it was told beside where to listen.
    flags: Vec<String>,
}

/// A free port of the loopback.
pub(crate) const ANYWHERE: &str = "127.0.0.1:0";

impl Process {
    /// Starts `waylog serve` and waits until it says where it serves.
    pub(crate) fn serve(
        dir: &Path,
        settings: &[(String, String)],
        listen: &str,
        flags: Vec<String>,
    ) -> Self {
        let mut command = serving(dir, settings, listen);
        command.args(&flags);
        let mut process = Self::start(dir, command);
        process.flags = flags;
        process
    }

    /// Starts `waylog serve`, which does not come to serve: its exit code, and the end of its log.
    pub(crate) fn refused(dir: &Path, settings: &[(String, String)]) -> (Option<i32>, String) {
        let log = dir.join("stderr.log");
        let mut command = serving(dir, settings, ANYWHERE);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let process = Self { child, url: String::new(), log: log.clone(), flags: Vec::new() };
        (process.wait().code(), tail(&log))
    }

    /// Starts `waylog sandbox` on a free port and waits until it says where it serves.
    pub(crate) fn sandbox(dir: &Path) -> Self {
        Self::sandbox_on(dir, ANYWHERE)
    }

    /// The same at that address.
    pub(crate) fn sandbox_on(dir: &Path, listen: &str) -> Self {
        let mut command = waylog();
        command.args(["sandbox", "--listen", listen, "--data-file"]);
        command.arg(dir.join("sandbox.sqlite"));
        Self::start(dir, command)
    }

    fn start(dir: &Path, mut command: Command) -> Self {
        fs::create_dir_all(dir).unwrap();
        let log = dir.join("stderr.log");
        let errors = File::options().create(true).append(true).open(&log).unwrap();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (found, address) = mpsc::channel();
        // Reads to the end, so that the process never blocks on its own banner.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(place) = line.find("http://") {
                    let url = line[place..].split_whitespace().next().unwrap();
                    // Nobody listens any more after the first.
                    found.send(url.trim_end_matches('/').to_owned()).ok();
                }
            }
        });
        let Ok(url) = address.recv_timeout(PATIENCE) else {
            child.kill().ok();
            child.wait().ok();
            panic!("the process did not say where it serves:\n{}", tail(&log));
        };
        Self { child, url, log, flags: Vec::new() }
    }

    /// Where it serves: `http://host:port`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens: `host:port`.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// What it was told beside where to listen.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether it stands still, as after `SIGSTOP`.
    pub(crate) fn stopped(&self) -> bool {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The state follows the name, which is in brackets.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Ends it with `SIGKILL`, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end with `SIGTERM` and waits until it has.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", tail(&self.log));
            std::thread::yield_now();
        }
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success(), "signal {name} was not sent");
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        tail(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
