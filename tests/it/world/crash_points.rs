//! Where a process is made to die, and which of these places a test tries.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::eventually;

/// The directory through which a development build is told where to die.
pub(crate) struct CrashPoints {
    dir: PathBuf,
}

impl CrashPoints {
    pub(crate) fn in_dir(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        Self { dir: dir.to_owned() }
    }

    /// Whoever gets there from now on dies.
    pub(crate) fn arm(&self, point: &str) {
        let _lock = self.lock();
        let draft = self.dir.join("draft");
        fs::write(&draft, point).unwrap();
        fs::rename(draft, self.dir.join("armed")).unwrap();
    }

    /// Nobody dies any more. Whether somebody still would have.
    pub(crate) fn disarm(&self) -> bool {
        let _lock = self.lock();
        fs::remove_file(self.dir.join("armed")).is_ok()
    }

    /// Nobody changes what is armed meanwhile.
    fn lock(&self) -> File {
        let lock = File::create(self.dir.join("lock")).unwrap();
        lock.lock().unwrap();
        lock
    }

    /// Begins something and waits until somebody came past that place so often, or until it is
    /// `over`. What was begun.
    pub(crate) fn past<T>(
        &self,
        place: &str,
        times: usize,
        begin: impl FnOnce() -> T,
        over: impl Fn(&T) -> bool,
    ) -> T {
        let trace = self.dir.join("trace");
        File::create(&trace).unwrap();
        let begun = begin();
        let past = eventually(Duration::from_secs(30), || {
            let reached = fs::read_to_string(&trace).unwrap();
            reached.lines().filter(|name| *name == place).count() >= times || over(&begun)
        });
        fs::remove_file(&trace).unwrap();
        assert!(past, "nobody comes past {place} {times} times");
        begun
    }

    /// The places that `journey` passes, each with its count: `name#2` is its second time there.
    pub(crate) fn of(&self, journey: impl FnOnce()) -> Vec<String> {
        let trace = self.dir.join("trace");
        File::create(&trace).unwrap();
        journey();
        // What follows a journey's end, such as the last commits of read models, belongs to it.
        let (mut length, mut since) = (0, Instant::now());
        let quiet = eventually(Duration::from_secs(30), || {
            let now = fs::metadata(&trace).unwrap().len();
            if now != length {
                (length, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(500)
        });
        assert!(quiet, "there is no end to it");
        let reached = fs::read_to_string(&trace).unwrap();
        fs::remove_file(&trace).unwrap();
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let numbered = reached.lines().filter_map(|name| {
            let count = counts.entry(name).or_default();
            *count += 1;
            // How often a batch is committed is a matter of time: only the first is sure to come.
            (*count == 1 || !name.starts_with("projector")).then(|| format!("{name}#{count}"))
        });
        numbered.collect()
    }
}

/// All of them in an order that is the same for the same seed, and however few are tried, there are
/// as many of one kind as of another.
pub(crate) fn spread<T: Clone>(points: &[(T, String)], seed: u64) -> Vec<(T, String)> {
    let chance = |index: usize| {
        let mut hasher = DefaultHasher::new();
        (seed, index).hash(&mut hasher);
        hasher.finish()
    };
    let mut shuffled: Vec<(u64, &(T, String))> =
        points.iter().enumerate().map(|(index, point)| (chance(index), point)).collect();
    shuffled.sort_by_key(|(chance, _)| *chance);
    let mut kinds: BTreeMap<&str, Vec<&(T, String)>> = BTreeMap::new();
    for (_, point) in shuffled {
        let kind = point.1.split(' ').next().unwrap();
        kinds.entry(kind).or_default().push(point);
    }
    let longest = kinds.values().map(Vec::len).max().unwrap_or_default();
    let rounds = (0..longest).flat_map(|round| kinds.values().filter_map(move |k| k.get(round)));
    rounds.map(|point| (*point).clone()).collect()
}
