//! Named places at which a development build can be made to die, as a power cut would have it: for
//! tests that ask what is left. A release build holds nothing of it.
//!
//! `WAYLOG_CRASH_POINTS` names a directory. While it holds a file `trace`, every place that is
//! reached adds its name as a line. While it holds a file `armed` with a name (`name#3`: its third
//! time since then, in whichever process), the process that gets there takes the file away and ends
//! itself with `SIGKILL`: nothing is flushed, closed or answered. With `stop ` before the name it
//! stands still there (`SIGSTOP`) until somebody lets it go on. Whoever changes `armed` or takes it
//! away holds the lock of the file `lock` meanwhile, and puts what is new there whole, by its name:
//! no count is lost, nothing is read by halves, and nothing is armed once it was taken away.

#[cfg(debug_assertions)]
pub use development::reached;

/// Places that were reached. Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn reached<I: IntoIterator<Item = String>>(_: impl FnOnce() -> I) {}

#[cfg(debug_assertions)]
mod development {
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};

    use nix::sys::signal::{Signal, raise};

    const DIRECTORY: &str = "WAYLOG_CRASH_POINTS";

    /// Places that were reached, in their order. The process may end here. Does nothing, and names
    /// nothing, unless the environment says where to look.
    pub fn reached<I: IntoIterator<Item = String>>(names: impl FnOnce() -> I) {
        static POINTS: OnceLock<Option<Points>> = OnceLock::new();
        let found = || Some(Points::new(Path::new(&std::env::var_os(DIRECTORY)?)));
        let Some(points) = POINTS.get_or_init(found) else { return };
        for name in names() {
            if let Some(signal) = points.signal(&name) {
                // To this thread: one for the process is taken by any, and this one would go on for
                // as long as another takes to wake up.
                raise(signal).expect("a process may signal itself");
            }
        }
    }

    /// What a directory asks for.
    struct Points {
        armed: PathBuf,
        draft: PathBuf,
        lock: PathBuf,
        trace: PathBuf,
        /// One thread after the other.
        one: Mutex<()>,
    }

    impl Points {
        fn new(dir: &Path) -> Self {
            let [armed, draft, lock, trace] =
                ["armed", "draft", "lock", "trace"].map(|name| dir.join(name));
            Self { armed, draft, lock, trace, one: Mutex::default() }
        }

        /// Notes that the place was reached. What the process is to send itself there.
        fn signal(&self, name: &str) -> Option<Signal> {
            let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(mut trace) = File::options().append(true).open(&self.trace) {
                // One write a line: other processes write into the same file.
                trace.write_all(format!("{name}\n").as_bytes()).expect("the trace can be written");
            }
            // Most places are not the one: they wait for nobody.
            self.armed_for(name)?;
            let lock = File::create(&self.lock).expect("the lock can be opened");
            lock.lock().expect("a file can be locked");
            let (signal, count) = self.armed_for(name)?;
            if count > 1 {
                // Counted in the file, because other processes get there too.
                let stop = if signal == Signal::SIGSTOP { "stop " } else { "" };
                fs::write(&self.draft, format!("{stop}{name}#{}", count - 1))
                    .and_then(|()| fs::rename(&self.draft, &self.armed))
                    .expect("what is armed can be written");
                return None;
            }
            // Whoever takes it away is the one whose end it is.
            fs::remove_file(&self.armed).is_ok().then_some(signal)
        }

        /// What is armed, and for which time, if it is that place.
        fn armed_for(&self, name: &str) -> Option<(Signal, u32)> {
            let armed = fs::read_to_string(&self.armed).ok()?;
            let (signal, wanted) = match armed.strip_prefix("stop ") {
                Some(wanted) => (Signal::SIGSTOP, wanted),
                None => (Signal::SIGKILL, armed.as_str()),
            };
            let (wanted, count) = match wanted.rsplit_once('#') {
                Some((wanted, count)) => (wanted, count.parse().unwrap_or(1)),
                None => (wanted, 1),
            };
            (wanted == name).then_some((signal, count))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn points() -> (tempfile::TempDir, Points) {
            let dir = tempfile::tempdir().unwrap();
            let points = Points::new(dir.path());
            (dir, points)
        }

        #[test]
        fn nothing_dies_and_nothing_is_noted_unless_it_is_asked_for() {
            let (dir, points) = points();

            assert_eq!(points.signal("lane.before_append"), None);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }

        #[test]
        fn a_place_is_deadly_once_and_as_often_as_was_said() {
            let (dir, points) = points();
            points.signal("here");
            fs::write(dir.path().join("armed"), "here#2").unwrap();

            let sent = ["here", "there", "here", "here"].map(|name| points.signal(name));

            assert_eq!(
                sent,
                [None, None, Some(Signal::SIGKILL), None],
                "counted since it was armed"
            );
            assert!(!dir.path().join("armed").exists());
        }

        #[test]
        fn a_process_can_be_stopped_instead() {
            let (dir, points) = points();
            fs::write(dir.path().join("armed"), "stop here#2").unwrap();

            let sent = ["here", "here"].map(|name| points.signal(name));

            assert_eq!(sent, [None, Some(Signal::SIGSTOP)]);
        }

        #[test]
        fn what_is_reached_is_noted_in_its_order() {
            let (dir, points) = points();
            let trace = dir.path().join("trace");
            File::create(&trace).unwrap();

            let sent = ["one", "two", "one"].map(|name| points.signal(name));

            assert_eq!(sent, [None; 3]);
            assert_eq!(fs::read_to_string(trace).unwrap(), "one\ntwo\none\n");
        }
    }
}
