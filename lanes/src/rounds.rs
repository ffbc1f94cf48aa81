//! Rounds over a list of work: look at a piece of it, begin what is not under way, look at the
//! piece behind it, and from the beginning again.
//!
//! Promises:
//! - a group of entries that is full (a shard that is away) keeps no other group from going;
//! - within a group the oldest entries have their turn first: once one of them finds no room, none
//!   behind it is begun before the next round;
//! - every entry has its turn, however long the list is;
//! - nobody looks while nothing could be begun.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Begun, Came, ErrandSettings, Errands};

/// Between word of a change and the look for it.
const WOKEN_PAUSE: Duration = Duration::from_millis(1);

/// A list of work, and what is to be done about an entry.
#[async_trait::async_trait]
pub trait WorkList: Send + Sync + 'static {
    /// One thing to do.
    type Entry: Send + 'static;
    /// What tells it apart from others, and from an earlier attempt.
    type Key: Clone + Eq + Hash + Send + 'static;
    /// Where a look goes on.
    type Cursor: Send + Sync;
    /// Why the list cannot be read.
    type Error: std::error::Error + Send;

    /// What the list is called in logs.
    fn name(&self) -> &'static str;

    /// The next entries behind the cursor, in the list's own order.
    ///
    /// # Errors
    /// When the list cannot be read now.
    async fn look(
        &self,
        after: Option<Self::Cursor>,
    ) -> Result<Piece<Self::Entry, Self::Cursor>, Self::Error>;

    /// What tells the entry apart.
    fn key(&self, entry: &Self::Entry) -> Self::Key;

    /// What it may have to wait for: entries of one group share their room.
    fn group(&self, entry: &Self::Entry) -> u32;

    /// Does it. Must have an end of its own.
    async fn run(&self, entry: Self::Entry) -> Came;
}

/// A piece of a list.
#[derive(Debug)]
pub struct Piece<E, C> {
    /// Its entries.
    pub entries: Vec<E>,
    /// Where the next one begins; none at the list's end.
    pub more: Option<C>,
}

/// How rounds are made.
#[derive(Clone, Debug)]
pub struct RoundSettings {
    /// Bounds and pauses of what is under way.
    pub errands: ErrandSettings,
    /// How many groups there are.
    pub groups: u32,
    /// Between two looks while there is work.
    pub look_busy: Duration,
    /// Between two looks while there is none.
    pub look_idle: Duration,
    /// How long what is under way may go on after the stop, if not to its own end.
    pub stop_max: Option<Duration>,
}

/// How rounds stand, for the health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What keeps them from being made, if anything does.
    pub trouble: Option<String>,
    /// Entries under way now.
    pub running: usize,
}

/// Rounds over one list, until they are stopped.
pub struct Rounds<W: WorkList> {
    list: Arc<W>,
    settings: RoundSettings,
    standing: Arc<Mutex<Standing>>,
    word: Arc<Notify>,
}

/// How far a round has come.
struct Round<C> {
    cursor: Option<C>,
    /// Groups of which an entry found no room.
    held_back: HashSet<u32>,
}

impl<C> Default for Round<C> {
    fn default() -> Self {
        Self { cursor: None, held_back: HashSet::new() }
    }
}

impl<W: WorkList> Rounds<W> {
    /// Rounds that have not begun.
    #[must_use]
    pub fn new(list: Arc<W>, settings: RoundSettings) -> Self {
        let trouble = Some("it has not looked at its work yet".to_owned());
        let standing = Arc::new(Mutex::new(Standing { trouble, running: 0 }));
        Self { list, settings, standing, word: Arc::default() }
    }

    /// Looks soon after each word that the list may have changed, not at its own pace alone.
    #[must_use]
    pub fn woken_by(mut self, word: Arc<Notify>) -> Self {
        self.word = word;
        self
    }

    /// How they stand, whenever it is asked.
    pub fn watch(&self) -> impl Fn() -> Standing + Send + Sync + 'static {
        let standing = Arc::clone(&self.standing);
        move || standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes rounds until it is told to stop, and waits then for what is under way.
    pub async fn run(self, stopping: CancellationToken) {
        let mut errands = Errands::new(self.settings.errands.clone());
        let mut round = Round::default();
        while !stopping.is_cancelled() {
            let begun = self.step(&mut round, &mut errands).await;
            let (busy, idle) = (self.settings.look_busy, self.settings.look_idle);
            let pause = if begun || errands.running() > 0 { busy } else { idle };
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                // What comes shortly after the word is found by the same look.
                () = self.word.notified() => tokio::time::sleep(WOKEN_PAUSE).await,
            }
            errands.reap();
        }
        let Some(stop_max) = self.settings.stop_max else { return errands.drain().await };
        if tokio::time::timeout(stop_max, errands.drain()).await.is_err() {
            let (list, left) = (self.list.name(), errands.running());
            tracing::warn!(list, left, "what was under way was left; it is found again");
        }
    }

    /// Looks at the round's next piece, if anything could be begun. Whether anything was.
    async fn step(&self, round: &mut Round<W::Cursor>, errands: &mut Errands<W::Key>) -> bool {
        let groups = self.settings.groups as usize;
        if errands.groups_full() >= groups {
            *round = Round::default();
            return false;
        }
        let piece = match self.list.look(round.cursor.take()).await {
            Ok(piece) => piece,
            Err(error) => {
                self.stand(Some(&error), errands.running());
                *round = Round::default();
                return false;
            }
        };
        let mut begun = false;
        for entry in piece.entries {
            let group = self.list.group(&entry);
            if round.held_back.contains(&group) {
                continue;
            }
            let (list, key) = (Arc::clone(&self.list), self.list.key(&entry));
            match errands.begin(&key, group, || async move { list.run(entry).await }) {
                Begun::Now => begun = true,
                Begun::Before => {}
                Begun::NoRoom => {
                    round.held_back.insert(group);
                }
            }
        }
        match piece.more {
            Some(more) if round.held_back.len() < groups => round.cursor = Some(more),
            _ => *round = Round::default(),
        }
        self.stand(None, errands.running());
        begun
    }

    fn stand(&self, error: Option<&W::Error>, running: usize) {
        let trouble = error.map(ToString::to_string);
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &trouble
            && standing.trouble.is_none()
        {
            tracing::warn!(list = self.list.name(), trouble, "work cannot be read; looking again");
        }
        *standing = Standing { trouble, running };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Numbers in pieces of ten. Those of group 1 never end.
    struct Numbers {
        upto: u32,
        done: Mutex<Vec<u32>>,
        looks: Mutex<u32>,
        away: bool,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the list is away")]
    struct Away;

    #[async_trait::async_trait]
    impl WorkList for Numbers {
        type Entry = u32;
        type Key = u32;
        type Cursor = u32;
        type Error = Away;

        fn name(&self) -> &'static str {
            "numbers"
        }

        async fn look(&self, after: Option<u32>) -> Result<Piece<u32, u32>, Away> {
            if self.away {
                return Err(Away);
            }
            *self.looks.lock().unwrap() += 1;
            let first = after.map_or(0, |last| last + 1);
            let entries: Vec<u32> = (first..self.upto.min(first + 10)).collect();
            let more = (entries.len() == 10).then(|| entries[9]);
            Ok(Piece { entries, more })
        }

        fn key(&self, entry: &u32) -> u32 {
            *entry
        }

        fn group(&self, entry: &u32) -> u32 {
            u32::from(*entry < 20)
        }

        async fn run(&self, entry: u32) -> Came {
            if entry < 20 {
                std::future::pending::<()>().await;
            }
            self.done.lock().unwrap().push(entry);
            Came::Done
        }
    }

    fn rounds(upto: u32, groups: u32, away: bool) -> Rounds<Numbers> {
        let errands = ErrandSettings {
            in_flight_max: 2,
            retry_first: SECOND,
            retry_max: 3600 * SECOND,
            resend_after: SECOND,
        };
        let (look_busy, look_idle) = (SECOND / 100, SECOND / 10);
        let stop_max = Some(Duration::ZERO);
        let list = Numbers { upto, done: Mutex::default(), looks: Mutex::default(), away };
        let settings = RoundSettings { errands, groups, look_busy, look_idle, stop_max };
        Rounds::new(Arc::new(list), settings)
    }

    /// Runs for that long, by a clock that nobody waits for.
    async fn run_for(rounds: Rounds<Numbers>, long: Duration) -> Arc<Numbers> {
        let list = Arc::clone(&rounds.list);
        let stopping = CancellationToken::new();
        let task = tokio::spawn(rounds.run(stopping.clone()));
        tokio::time::advance(Duration::ZERO).await;
        let waited = tokio::time::timeout(long, std::future::pending::<()>()).await;
        assert!(waited.is_err());
        stopping.cancel();
        task.await.unwrap();
        list
    }

    #[tokio::test(start_paused = true)]
    async fn entries_behind_many_that_hang_all_have_their_turn_in_order() {
        let list = run_for(rounds(55, 2, false), 10 * SECOND).await;

        assert_eq!(*list.done.lock().unwrap(), (20..55).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_looks_while_nothing_could_be_begun() {
        let list = run_for(rounds(15, 1, false), 10 * SECOND).await;

        assert_eq!(*list.looks.lock().unwrap(), 1, "the first look took all the room");
    }

    #[tokio::test(start_paused = true)]
    async fn word_of_a_change_is_looked_for_at_once() {
        let mut rounds = rounds(0, 1, false);
        rounds.settings.look_idle = 3600 * SECOND;
        let word = Arc::new(Notify::new());
        word.notify_one();

        let list = run_for(rounds.woken_by(word), SECOND).await;

        assert_eq!(*list.looks.lock().unwrap(), 2, "one to begin with, one for the word");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_away_is_trouble() {
        let rounds = rounds(15, 1, true);
        let standing = rounds.watch();
        let before = standing().trouble.unwrap();

        run_for(rounds, SECOND).await;

        assert!(before.contains("not looked"), "{before}");
        assert_eq!(standing().trouble.unwrap(), "the list is away");
    }
}
