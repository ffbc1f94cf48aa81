//! Starts, heals, watches and stops a set; the recipes say how, this says when.
//!
//! Promises: a start that fails leaves nothing running that it started; a second start of a set
//! that works changes nothing; a stop ends the recorded processes and no others. Starts and stops
//! of one set exclude each other across processes.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::Child,
    sync::{Mutex, PoisonError},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::{
    account::{self, Account},
    endpoints::Endpoints,
    kind::Kind,
    launch::tail,
    options::Options,
    ports,
    process::{Identity, Life},
    programs::Programs,
    recipe::{self, Place},
    report::{Condition, Row},
    roster::{enlist, move_ports, own_ports},
    state::{Book, Entry, State},
};

/// Longest wait until a service that was just started works; a busy machine is slow.
const STARTING: Duration = Duration::from_secs(120);
/// Longest wait for a service that runs already; after that it is started anew.
const ANSWERING: Duration = Duration::from_secs(15);
/// Longest wait for a service to end in good order.
const ENDING: Duration = Duration::from_secs(10);
/// Longest wait for another start or stop of the same set.
const TURN: Duration = Duration::from_secs(300);
/// How often a service is asked whether it works.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How often a start chooses other ports because somebody took the first ones.
const PORT_CHOICES: u32 = 3;

/// A set of services and its directory.
#[derive(Debug)]
pub struct Engine {
    home: PathBuf,
    book: Book,
    programs: Programs,
    account: Option<Account>,
    mortal: bool,
    /// Children of this very process, kept to be reaped.
    children: Mutex<Vec<Child>>,
}

impl Engine {
    /// Starts what is not running, waits until everything asked for works, and says what it does.
    ///
    /// # Errors
    /// When a program is missing, the set was made with another number of brokers, or a service
    /// does not come up within 120 s (with the end of its log).
    pub fn start(home: &Path, options: &Options, say: &(dyn Fn(&str) + Sync)) -> Result<Self> {
        let kinds = options.kinds();
        let programs = Programs::find(&kinds)?;
        let account = Account::current()?;
        account::make_passable(home)?;
        let home = home.canonicalize().context("no such directory")?;
        let _turn = turn(&home)?;
        fs::create_dir_all(home.join("logs")).context("cannot make the directory of logs")?;
        let file = home.join("state.json");
        let state = match State::load(&file)? {
            Some(state) => state,
            None => State::new(account::data_dir(&home, account), options.brokers.unwrap_or(1))?,
        };
        if options.brokers.is_some_and(|brokers| brokers != state.brokers) {
            bail!(
                "the set in {} has {} broker(s); stop it and take another --data-dir",
                home.display(),
                state.brokers
            );
        }
        account::make_passable(&state.data)?;
        let (book, mortal) = (Book::new(file, state), options.mortal);
        let engine = Self { home, book, programs, account, mortal, children: Mutex::default() };
        engine.start_all(&kinds, say)?;
        Ok(engine)
    }

    /// The set that was started in this directory; none when there is no record of one.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn open(home: &Path) -> Result<Option<Self>> {
        let file = home.join("state.json");
        let Some(state) = State::load(&file)? else { return Ok(None) };
        // Only these two are asked through their own client programs.
        let (programs, _) = Programs::look(&[Kind::Postgres, Kind::MariaDb]);
        Ok(Some(Self {
            home: home.canonicalize().context("no such directory")?,
            book: Book::new(file, state),
            programs,
            account: None,
            mortal: false,
            children: Mutex::default(),
        }))
    }

    /// Where the started services are reached.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::of(&self.book.read())
    }

    /// What every process of the set is doing, asked now.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let state = self.book.read();
        let row = |(name, entry): (&String, &Entry)| Row {
            name: name.clone(),
            condition: self.condition(&state, name, entry),
            pid: entry.process.as_ref().map(|process| process.pid),
            port: entry.port,
            log: self.log(name),
        };
        state.processes.iter().map(row).collect()
    }

    fn condition(&self, state: &State, name: &str, entry: &Entry) -> Condition {
        match entry.life() {
            None => Condition::Stopped,
            Some(Life::Gone) => Condition::Died,
            Some(Life::Paused) => Condition::Paused,
            Some(Life::Running) => {
                match recipe::of(entry.kind).probe(&self.place(state, name, entry)) {
                    Ok(()) => Condition::Ready,
                    Err(error) => Condition::NotAnswering(format!("{error:#}")),
                }
            }
        }
    }

    /// Ends the processes of these services in good order, within about 10 s, and waits for it.
    ///
    /// # Errors
    /// When a process cannot be ended.
    pub fn stop(&self, kinds: &[Kind]) -> Result<()> {
        let _turn = turn(&self.home)?;
        // A start may have gone on while this call waited for its turn.
        self.book.reload()?;
        self.end_all(&self.names(kinds), true)
    }

    /// Ends every process and removes the set: its data, its logs and its record.
    ///
    /// # Errors
    /// When a process cannot be ended, or something cannot be removed.
    pub fn forget(&self) -> Result<()> {
        let _turn = turn(&self.home)?;
        self.book.reload()?;
        self.end_all(&self.names(&Kind::ALL), false)?;
        for dir in [self.book.read().data, self.home.join("logs")] {
            if dir.exists() {
                fs::remove_dir_all(&dir)
                    .with_context(|| format!("cannot remove {}", dir.display()))?;
            }
        }
        fs::remove_file(self.home.join("state.json")).context("cannot remove the record")
    }

    /// Ends every process at once and without ceremony.
    pub(super) fn drop_all(&self) -> Result<()> {
        self.end_all(&self.names(&Kind::ALL), false)
    }

    fn start_all(&self, kinds: &[Kind], say: &(dyn Fn(&str) + Sync)) -> Result<()> {
        self.book.update(|state| kinds.iter().try_for_each(|kind| enlist(state, *kind)))?;
        let before = self.book.read();
        let results: Vec<Result<()>> = scope(|threads| {
            let started: Vec<_> = kinds
                .iter()
                .map(|kind| threads.spawn(|| self.start_one_kind(*kind, say)))
                .collect();
            let joined = started.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|done| done.unwrap_or_else(|_| Err(anyhow!("a start panicked")))).collect()
        });
        let failures: Vec<String> =
            results.into_iter().filter_map(|done| Some(format!("{:#}", done.err()?))).collect();
        if failures.is_empty() {
            return Ok(());
        }
        let now = self.book.read();
        let begun = now.processes.iter().filter(|(name, entry)| {
            entry.process.is_some() && entry.process != before.processes[*name].process
        });
        let begun: Vec<String> = begun.map(|(name, _)| name.clone()).collect();
        self.end_all(&begun, false)?;
        bail!("{}", failures.join("\n"))
    }

    fn start_one_kind(&self, kind: Kind, say: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let names = self.names(&[kind]);
        for choice in 1.. {
            match self.start_names(&names, say) {
                Ok(()) => break,
                Err(_) if choice < PORT_CHOICES && self.lost_its_ports(&names) => {
                    say(&format!("{kind}: somebody took its port; choosing another"));
                    self.end_all(&names, false)?;
                    self.book.update(|state| move_ports(state, &names))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// All are launched before any is waited for: brokers need each other.
    fn start_names(&self, names: &[String], say: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let started = Instant::now();
        let state = self.book.read();
        let alone = names
            .iter()
            .all(|name| matches!(state.processes[name].life(), None | Some(Life::Gone)));
        let taken = |name: &String| !own_ports(&state.processes[name]).all(ports::available);
        if alone && names.iter().any(taken) {
            self.book.update(|state| move_ports(state, names))?;
        }
        let mut launched = Vec::new();
        for name in names {
            if !matches!(state.processes[name].life(), Some(Life::Running | Life::Paused)) {
                self.launch(name)?;
                launched.push(name);
            }
        }
        for name in names {
            if launched.contains(&name) {
                self.await_ready(name, STARTING)?;
                let port = self.book.read().processes[name].port;
                let took = started.elapsed().as_secs_f32();
                say(&format!("{name}: ready on 127.0.0.1:{port} after {took:.1} s"));
            } else if self.await_ready(name, ANSWERING).is_ok() {
                say(&format!("{name}: already running"));
            } else {
                say(&format!("{name}: runs but does not answer; starting it anew"));
                self.end_all(std::slice::from_ref(name), true)?;
                self.launch(name)?;
                self.await_ready(name, STARTING)?;
            }
        }
        Ok(())
    }

    /// Starts one process on its recorded ports.
    pub(super) fn launch(&self, name: &str) -> Result<()> {
        let state = self.book.read();
        let entry = &state.processes[name];
        self.await_ports(name, entry)?;
        let place = self.place(&state, name, entry);
        let recipe = recipe::of(entry.kind);
        if place.log.exists() {
            fs::rename(&place.log, place.log.with_extension("previous.log"))
                .context("cannot put the last log aside")?;
        }
        let formatted = place.dir.join("formatted");
        if !formatted.exists() {
            if place.dir.exists() {
                fs::remove_dir_all(&place.dir).context("cannot remove a half-made directory")?;
            }
            account::private_dir(&place.dir, self.account)?;
            recipe.format(&place).with_context(|| format!("{name}: cannot prepare its data"))?;
            fs::write(&formatted, "").context("cannot mark a directory as prepared")?;
        }
        let child = recipe.launch(&place)?.spawn(self.account, &place.log, self.mortal)?;
        let identity = Identity::of(child.id());
        self.children.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        let identity = identity?;
        self.book.update(|state| {
            state.processes.entry(name.to_owned()).and_modify(|e| e.process = Some(identity));
            Ok(())
        })
    }

    /// The last owner of a port may need a moment to let go of it.
    fn await_ports(&self, name: &str, entry: &Entry) -> Result<()> {
        let deadline = Instant::now() + ENDING;
        while !own_ports(entry).all(ports::available) {
            if Instant::now() >= deadline {
                bail!("{name}: somebody else listens on its port {}", entry.port);
            }
            sleep(ASK_AGAIN);
        }
        Ok(())
    }

    /// Waits until one process works.
    ///
    /// # Errors
    /// When it ends, or does not work after `patience`; with the end of its log.
    pub(super) fn await_ready(&self, name: &str, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let state = self.book.read();
            let entry = &state.processes[name];
            let place = self.place(&state, name, entry);
            let answer = recipe::of(entry.kind).probe(&place);
            // Asked after the answer: somebody else may have answered on a port that was lost.
            let (what, seconds) = match (entry.life(), answer) {
                (Some(Life::Running), Ok(())) => return Ok(()),
                (None | Some(Life::Gone), _) => ("it ended".to_owned(), None),
                (_, Err(error)) => (format!("{error:#}"), Some(patience.as_secs())),
                (_, Ok(())) => ("it is paused".to_owned(), Some(patience.as_secs())),
            };
            if seconds.is_none() || Instant::now() >= deadline {
                let after = seconds.map(|s| format!(" after {s} s")).unwrap_or_default();
                let log = place.log.display();
                bail!("{name} does not work{after}: {what}; end of {log}:\n{}", tail(&place.log));
            }
            sleep(ASK_AGAIN);
        }
    }

    fn lost_its_ports(&self, names: &[String]) -> bool {
        let state = self.book.read();
        let mut entries = names.iter().map(|name| &state.processes[name]);
        entries.any(|entry| !entry.at_work() && !own_ports(entry).all(ports::available))
    }

    /// Ends these processes, all at the same time.
    pub(super) fn end_all(&self, names: &[String], politely: bool) -> Result<()> {
        let state = self.book.read();
        let results: Vec<Result<()>> = scope(|threads| {
            let state = &state;
            let end = |name: &String| end(&state.processes[name], politely);
            let ended: Vec<_> = names.iter().map(|name| threads.spawn(move || end(name))).collect();
            let joined = ended.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|done| done.unwrap_or_else(|_| Err(anyhow!("a stop panicked")))).collect()
        });
        self.reap();
        self.book.update(|state| {
            for (name, _) in names.iter().zip(&results).filter(|(_, result)| result.is_ok()) {
                state.processes.entry(name.clone()).and_modify(|entry| entry.process = None);
            }
            Ok(())
        })?;
        results.into_iter().collect()
    }

    /// Takes note of the children that ended, so that none stays a zombie.
    fn reap(&self) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// The state as it is now.
    pub(super) fn state(&self) -> State {
        self.book.read()
    }

    fn names(&self, kinds: &[Kind]) -> Vec<String> {
        let state = self.book.read();
        let chosen = state.processes.iter().filter(|(_, entry)| kinds.contains(&entry.kind));
        chosen.map(|(name, _)| name.clone()).collect()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.home.join("logs").join(format!("{name}.log"))
    }

    fn place<'a>(&'a self, state: &'a State, name: &str, entry: &'a Entry) -> Place<'a> {
        let (dir, log) = (state.data.join(name), self.log(name));
        Place { state, entry, programs: &self.programs, account: self.account, dir, log }
    }
}

/// Ends one process; one that was stopped before is left alone.
fn end(entry: &Entry, politely: bool) -> Result<()> {
    let Some(process) = &entry.process else { return Ok(()) };
    let recipe = recipe::of(entry.kind);
    process.end(if politely { recipe.farewell() } else { recipe.abrupt() }, ENDING)
}

/// Waits for this caller's turn to change the set; it lasts until the file is dropped.
fn turn(home: &Path) -> Result<File> {
    let lock = File::create(home.join("lock")).context("cannot lock the set")?;
    let deadline = Instant::now() + TURN;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(ASK_AGAIN),
            Err(error) => return Err(error).context("another start or stop of this set goes on"),
        }
    }
}
