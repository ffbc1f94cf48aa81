//! One process of ours: told apart from every other that may carry its number later.
//!
//! A pid is recycled; the pair of pid and start time within one boot is not. A signal goes through
//! a pidfd that was opened before the identity was checked, so it can never reach a stranger.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};

/// How often a wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A process as `state.json` remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: i32,
    /// Clock ticks between the boot and the start of the process (`/proc/PID/stat`, field 22).
    started_ticks: u64,
    boot_id: String,
}

/// What the kernel says about a process of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    /// Stopped by a signal (`SIGSTOP`), to be continued.
    Paused,
    /// Ended, or its number belongs to somebody else now.
    Gone,
}

impl Identity {
    /// Remembers the process that has this pid now.
    ///
    /// # Errors
    /// When there is no such process.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid).context("a pid beyond the kernel's own bound")?;
        let Some((_, started_ticks)) = stat(pid) else { bail!("process {pid} is gone already") };
        Ok(Self { pid, started_ticks, boot_id: boot_id()? })
    }

    /// Whether the very process still lives.
    pub(super) fn life(&self) -> Life {
        if boot_id().is_ok_and(|boot| boot != self.boot_id) {
            return Life::Gone;
        }
        match stat(self.pid) {
            Some((_, ticks)) if ticks != self.started_ticks => Life::Gone,
            None | Some(('Z' | 'X', _)) => Life::Gone,
            Some(('T' | 't', _)) => Life::Paused,
            Some(_) => Life::Running,
        }
    }

    /// Sends a signal to this process and to no other; none when it is gone.
    ///
    /// # Errors
    /// When the caller may not signal it.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let opened = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(opened) => opened,
            Err(Errno::SRCH) => return Ok(()),
            Err(error) => return Err(error).context(format!("cannot reach process {}", self.pid)),
        };
        // Whoever has the number now is who the pidfd stands for: checked after the opening.
        if self.life() == Life::Gone {
            return Ok(());
        }
        match pidfd_send_signal(opened, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).context(format!("cannot signal process {}", self.pid)),
        }
    }

    /// Signals the children of the process. Call it while the process itself is stopped: it then
    /// neither makes nor reaps any, so that their numbers stay theirs.
    ///
    /// # Errors
    /// When the kernel does not list them, or the caller may not signal one.
    pub(super) fn signal_children(&self, signal: Signal) -> Result<()> {
        let pid = self.pid;
        let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
            .with_context(|| format!("cannot list the children of process {pid}"))?;
        for child in listed.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?))
        {
            match rustix::process::kill_process(child, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error).context("cannot signal a child process"),
            }
        }
        Ok(())
    }

    /// Waits until the process is as `wanted`; false when it is not after `patience`.
    pub(super) fn wait_for(&self, wanted: Life, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.life() != wanted {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(LOOK_AGAIN);
        }
        true
    }

    /// Asks the process to end with `polite`, and after `patience` makes it.
    ///
    /// # Errors
    /// When the process may not be signalled, or outlives even `SIGKILL` by 10 s.
    pub(super) fn end(&self, polite: Signal, patience: Duration) -> Result<()> {
        self.signal(polite)?;
        // A paused process would not see the request.
        self.signal(Signal::CONT)?;
        if self.wait_for(Life::Gone, patience) {
            return Ok(());
        }
        self.signal(Signal::KILL)?;
        if !self.wait_for(Life::Gone, Duration::from_secs(10)) {
            bail!("process {} does not end", self.pid);
        }
        Ok(())
    }
}

fn boot_id() -> Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .context("no /proc: the services need Linux")?;
    Ok(text.trim().to_owned())
}

/// State letter and start time of a process.
fn stat(pid: i32) -> Option<(char, u64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The command's name, second field, may itself hold blanks and parentheses: what follows its last
/// `)` has fixed places.
fn parse_stat(line: &str) -> Option<(char, u64)> {
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 9 9";

        let parsed = parse_stat(line);

        assert_eq!(parsed, Some(('S', 777)));
    }

    #[test]
    fn a_process_that_was_told_to_end_is_gone() {
        let mut child = sleeper();
        let identity = Identity::of(child.id()).unwrap();
        let before = identity.life();

        identity.end(Signal::TERM, Duration::from_secs(10)).unwrap();

        assert_eq!(before, Life::Running);
        assert_eq!(identity.life(), Life::Gone);
        child.wait().unwrap();
    }

    #[test]
    fn a_recycled_pid_is_never_signalled() {
        let mut child = sleeper();
        let now = Identity::of(child.id()).unwrap();
        let earlier = Identity { started_ticks: now.started_ticks - 1, ..now.clone() };
        let (pid, started_ticks) = (now.pid, now.started_ticks);
        let other_boot = Identity { boot_id: "another".to_owned(), pid, started_ticks };

        earlier.signal(Signal::KILL).unwrap();
        other_boot.signal(Signal::KILL).unwrap();

        assert_eq!(earlier.life(), Life::Gone);
        assert_eq!(other_boot.life(), Life::Gone);
        assert_eq!(now.life(), Life::Running);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_paused_process_is_told_apart_and_still_ends() {
        let mut child = sleeper();
        let identity = Identity::of(child.id()).unwrap();

        identity.signal(Signal::STOP).unwrap();
        let paused = identity.wait_for(Life::Paused, Duration::from_secs(10));

        assert!(paused);
        identity.end(Signal::TERM, Duration::from_secs(10)).unwrap();
        child.wait().unwrap();
    }
}
