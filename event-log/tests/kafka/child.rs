//! A second process for cases about killed and paused ones: this test binary again, running one
//! case in another role.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use crate::world::{PATIENCE, World};

const ROLE: &str = "WAYLOG_TEST_CHILD_OF";
const MARK: &str = "child says ";

/// The corner of the case that started this process, if a case did.
pub(crate) fn role() -> Option<World> {
    let prefix = std::env::var(ROLE).ok()?;
    let brokers = std::env::var("WAYLOG_KAFKA_BROKERS").expect("inherited from the parent");
    Some(World::visiting(brokers, prefix))
}

/// Tells the parent.
pub(crate) fn say(what: &str) {
    println!("\n{MARK}{what}");
}

/// Waits for the parent's next line.
pub(crate) fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// A process of a case; killed when dropped.
pub(crate) struct Second {
    child: Child,
    stdin: ChildStdin,
    said: Receiver<String>,
}

impl Second {
    /// Runs the case named `case` in a second process.
    pub(crate) fn start(case: &str, world: &World) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([case, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, &world.prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(what) = line.strip_prefix(MARK)
                    && sender.send(what.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin, said }
    }

    /// What it says next.
    pub(crate) fn said(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("the second process says something in time")
    }

    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.stdin, "{what}").unwrap();
        self.stdin.flush().unwrap();
    }

    /// Sends it a signal, `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success(), "kill -s {name} {pid}: {status}");
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}
