//! Named places at which a development build can be made to die, as a power cut would have it: for
//! tests that ask what is left. A release build holds nothing of it.
//!
//! `WAYLOG_CRASH_POINTS` names a directory. While it holds a file `trace`, every place that is
//! reached adds its name as a line. While it holds a file `armed` with a name (`name#3`: its third
//! time since then, in whichever process), the process that gets there takes the file away and ends itself with
//! `SIGKILL`: nothing is flushed, closed or answered.

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

    use rustix::process::{Signal, getpid, kill_process};

    const DIRECTORY: &str = "WAYLOG_CRASH_POINTS";

    /// Places that were reached, in their order. The process may end here. Does nothing, and names
    /// nothing, unless the environment says where to look.
    pub fn reached<I: IntoIterator<Item = String>>(names: impl FnOnce() -> I) {
        static POINTS: OnceLock<Option<Points>> = OnceLock::new();
        let found = || Some(Points::new(Path::new(&std::env::var_os(DIRECTORY)?)));
        let Some(points) = POINTS.get_or_init(found) else { return };
        for name in names() {
            if points.deadly(&name) {
                kill_process(getpid(), Signal::KILL).expect("a process may end itself");
                loop {
                    std::thread::park();
                }
            }
        }
    }

    /// What a directory asks for.
    struct Points {
        armed: PathBuf,
        trace: PathBuf,
        /// One thread after the other.
        one: Mutex<()>,
    }

    impl Points {
        fn new(dir: &Path) -> Self {
            Self { armed: dir.join("armed"), trace: dir.join("trace"), one: Mutex::default() }
        }

        /// Notes that the place was reached. Whether the process is to end there.
        fn deadly(&self, name: &str) -> bool {
            let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(mut trace) = File::options().append(true).open(&self.trace) {
                // One write a line: other processes write into the same file.
                trace.write_all(format!("{name}\n").as_bytes()).expect("the trace can be written");
            }
            let Ok(armed) = fs::read_to_string(&self.armed) else { return false };
            let (wanted, count) = match armed.rsplit_once('#') {
                Some((wanted, count)) => (wanted, count.parse().unwrap_or(1)),
                None => (armed.as_str(), 1),
            };
            if wanted != name {
                return false;
            }
            if count > 1 {
                // Counted in the file, because other processes get there too.
                fs::write(&self.armed, format!("{name}#{}", count - 1))
                    .expect("what is armed can be written");
                return false;
            }
            // Whoever takes it away is the one that dies of it.
            fs::remove_file(&self.armed).is_ok()
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

            assert!(!points.deadly("lane.before_append"));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }

        #[test]
        fn a_place_is_deadly_once_and_as_often_as_was_said() {
            let (dir, points) = points();
            points.deadly("here");
            fs::write(dir.path().join("armed"), "here#2").unwrap();

            let deadly = ["here", "there", "here", "here"].map(|name| points.deadly(name));

            assert_eq!(deadly, [false, false, true, false], "counted from when it was armed");
            assert!(!dir.path().join("armed").exists());
        }

        #[test]
        fn what_is_reached_is_noted_in_its_order() {
            let (dir, points) = points();
            let trace = dir.path().join("trace");
            File::create(&trace).unwrap();

            let deadly = ["one", "two", "one"].map(|name| points.deadly(name));

            assert_eq!(deadly, [false; 3]);
            assert_eq!(fs::read_to_string(trace).unwrap(), "one\ntwo\none\n");
        }
    }
}
