//! The read store in Redis, for models that are asked often and are quickly built anew.
//!
//! A batch is one script: the server runs nothing beside it. What Redis keeps over a crash is what
//! it was configured to keep, and each form of that (a snapshot, an append-only file, a replica)
//! holds whole scripts in order: rows that are lost take the vector with them, and the projector
//! folds them again from the log. So losing everything costs time and nothing else; but a server
//! that throws single keys away when it is full would tear rows from their vector, and is refused.
//!
//! One server (or the address of whichever is primary), not a cluster of shards: all keys of a
//! deployment are of one slot.

mod batch;
mod codec;
pub(crate) mod connection;
mod reading;

use std::collections::HashSet;
use std::time::Instant;

use domain::{Position, PositionVector};
use redis::{Script, pipe};
use uuid::Uuid;

use self::codec::{read_instant, read_row};
pub use self::connection::RedisSettings;
use self::connection::{Connection, member};
pub use self::reading::RedisReaders;
use crate::call::late;
use crate::check::check_changes;
use crate::projection::{RowKey, encode_key};
use crate::store::{
    Applied, Capabilities, Changes, Generation, ParkedStream, ProjectionState, ReadStore,
    ReadStoreError,
};
use crate::sum::TableSum;
use crate::table::{IndexKind, Table, Value};

/// A step of a scan: where the next one begins, and some fields with their values.
type Scanned = (u64, Vec<(Vec<u8>, Vec<u8>)>);

type Outcome<T> = Result<T, ReadStoreError>;

/// Raised when rows or indexes are kept in another form.
const FORMAT: &str = "1";
/// Rows that are asked for at once.
const LOAD_MAX: usize = 1_000;
/// How often a switch is tried again because vectors moved between comparison and switch.
const PROMOTIONS_MAX: usize = 20;

/// A read store under one prefix of a server.
pub struct RedisReadStore {
    connection: Connection,
    apply: Script,
    states: Script,
    create: Script,
    promote: Script,
    drop: Script,
    copy: Script,
}

/// A generation as the script tells of it: its name, version, vector, continuity, newest instant,
/// whether it is live.
type StateText = (String, u32, String, String, String, String);

impl RedisReadStore {
    /// A store on that server; it connects when it is first used.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`], when the URL cannot be read.
    pub fn new(settings: &RedisSettings) -> Result<Self, ReadStoreError> {
        Ok(Self {
            connection: Connection::new(settings)?,
            apply: Script::new(include_str!("apply.lua")),
            states: Script::new(include_str!("states.lua")),
            create: Script::new(include_str!("create.lua")),
            promote: Script::new(include_str!("promote.lua")),
            drop: Script::new(include_str!("drop.lua")),
            copy: Script::new(include_str!("copy.lua")),
        })
    }

    async fn states(&self, only: Option<&Generation>) -> Outcome<Vec<ProjectionState>> {
        let keys = &self.connection.keys;
        let mut arguments = vec![keys.own("state:")];
        arguments.extend(only.map(member));
        let names = [keys.own("generations"), keys.own("live")];
        let found: Vec<StateText> = self.connection.run(&self.states, &names, &arguments).await?;
        found.into_iter().map(read_state).collect()
    }

    async fn known(&self, generation: &Generation) -> Outcome<ProjectionState> {
        let state = self.state(generation).await?;
        state.ok_or_else(|| ReadStoreError::unknown(generation))
    }

    /// Everything that a generation of these tables is made of, but its state.
    fn belongings(&self, generation: &Generation, tables: &[&Table]) -> Vec<String> {
        let keys = &self.connection.keys;
        let mut names = vec![keys.of("sums", generation), keys.of("parked", generation)];
        for table in tables {
            names.push(keys.rows(generation, table.name));
            let indexes = batch::ordered(table);
            names.extend(indexes.map(|(index, _)| keys.index(generation, table.name, index)));
        }
        names
    }

    /// Sums up a copy of a table's rows.
    async fn sum_copy(&self, copy: &str, table: &Table, until: Instant) -> Outcome<TableSum> {
        let (mut sum, mut cursor) = (TableSum::default(), 0_u64);
        // A scan may give a row twice while the server enlarges its table of them.
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        loop {
            if Instant::now() >= until {
                return Err(late(self.connection.scan_deadline));
            }
            let mut commands = pipe();
            commands.cmd("HSCAN").arg(copy).arg(cursor).arg("COUNT").arg(LOAD_MAX);
            let ((next, rows),): (Scanned,) = self.connection.ask(&commands).await?;
            for (field, row) in rows {
                if seen.insert(field) {
                    sum.insert(&read_row(table, &row)?);
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(sum);
            }
        }
    }
}

fn read_state(text: StateText) -> Outcome<ProjectionState> {
    let (name, version, vector, continuity, newest, live) = text;
    let (projection, number) = name
        .rsplit_once('/')
        .ok_or_else(|| ReadStoreError::corrupt(format!("{name} is no name of a generation")))?;
    let number = number.parse().map_err(ReadStoreError::corrupt)?;
    Ok(ProjectionState {
        generation: Generation { projection: projection.to_owned(), number },
        version,
        vector: vector.parse().map_err(ReadStoreError::corrupt)?,
        continuity,
        last_event_at: read_instant(&newest)?,
        live: live == "1",
    })
}

/// What the server says of itself under that name.
fn said<'a>(information: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = information.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[async_trait::async_trait]
impl ReadStore for RedisReadStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { full_text: false, long_batches: false }
    }

    async fn prepare(&self) -> Outcome<()> {
        let format = self.connection.keys.own("format");
        let mut commands = pipe();
        commands.cmd("INFO").cmd("SETNX").arg(&format).arg(FORMAT).ignore().cmd("GET").arg(&format);
        let (information, format): (String, String) = self.connection.ask(&commands).await?;
        if format != FORMAT {
            return Err(ReadStoreError::Refused(format!(
                "Redis holds rows in form {format}, and this program knows {FORMAT}: run the one \
                 that wrote them, or delete the keys; they are built anew from the log"
            )));
        }
        let policy = said(&information, "maxmemory_policy").unwrap_or("noeviction");
        if policy.starts_with("allkeys") {
            return Err(ReadStoreError::Refused(format!(
                "Redis throws keys away when it is full (maxmemory-policy {policy}), which would \
                 lose rows unnoticed: set it to noeviction"
            )));
        }
        let version = said(&information, "redis_version").unwrap_or("0");
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < (6, 2) {
            return Err(ReadStoreError::Refused(format!("Redis is {version}, and 6.2 is needed")));
        }
        Ok(())
    }

    async fn generations(&self) -> Outcome<Vec<ProjectionState>> {
        let mut states = self.states(None).await?;
        states.sort_by(|a, b| a.generation.cmp(&b.generation));
        Ok(states)
    }

    async fn next_number(&self, projection: &str) -> Outcome<u32> {
        let mut commands = pipe();
        commands.cmd("HGET").arg(self.connection.keys.own("numbers")).arg(projection);
        let (last,): (Option<u32>,) = self.connection.ask(&commands).await?;
        Ok(last.unwrap_or(0) + 1)
    }

    async fn create(
        &self,
        generation: &Generation,
        version: u32,
        tables: &'static [&'static Table],
    ) -> Outcome<ProjectionState> {
        for table in tables {
            let full_text = |index: &crate::Index| matches!(index.kind, IndexKind::FullText(_));
            if table.indexes.iter().any(full_text) {
                return Err(ReadStoreError::Refused(format!(
                    "{} has words to search for, which Redis cannot serve",
                    table.name
                )));
            }
        }
        let keys = &self.connection.keys;
        let belongings = self.belongings(generation, tables);
        let mut names: Vec<String> =
            ["generations", "live", "numbers", "dropped", "format"].map(|own| keys.own(own)).into();
        names.push(keys.of("state", generation));
        names.extend(belongings.iter().cloned());
        let mut arguments = vec![
            member(generation),
            generation.projection.clone(),
            generation.number.to_string(),
            version.to_string(),
            FORMAT.to_owned(),
            serde_json::to_string(&belongings).expect("names are text"),
        ];
        arguments.extend(tables.iter().map(|table| table.name.to_owned()));
        let outcome: String = self.connection.run(&self.create, &names, &arguments).await?;
        if outcome == "dropped" {
            return Err(ReadStoreError::dropped(generation));
        }
        self.known(generation).await?.of_version(version)
    }

    async fn state(&self, generation: &Generation) -> Outcome<Option<ProjectionState>> {
        Ok(self.states(Some(generation)).await?.pop())
    }

    async fn load(
        &self,
        generation: &Generation,
        table: &'static Table,
        keys: &[RowKey],
    ) -> Outcome<Vec<Vec<Value>>> {
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(LOAD_MAX) {
            let mut commands = pipe();
            commands.atomic().cmd("EXISTS").arg(self.connection.keys.of("state", generation));
            commands.cmd("HMGET").arg(self.connection.keys.rows(generation, table.name));
            for key in keys {
                commands.arg(encode_key(&key.key));
            }
            let (known, found): (bool, Vec<Option<Vec<u8>>>) =
                self.connection.ask(&commands).await?;
            if !known {
                return Err(ReadStoreError::unknown(generation));
            }
            for row in found.into_iter().flatten() {
                rows.push(read_row(table, &row)?);
            }
        }
        Ok(rows)
    }

    async fn apply(&self, changes: Changes<'_>) -> Outcome<Applied> {
        check_changes(&changes.tables)?;
        batch::apply(&self.connection, &self.apply, &changes).await
    }

    async fn sums(
        &self,
        generation: &Generation,
    ) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
        let keys = &self.connection.keys;
        let mut commands = pipe();
        commands.atomic().cmd("HGET").arg(keys.of("state", generation)).arg("vector");
        commands.cmd("HGETALL").arg(keys.of("sums", generation));
        let (vector, kept): (Option<String>, Vec<(String, String)>) =
            self.connection.ask(&commands).await?;
        let vector = vector.ok_or_else(|| ReadStoreError::unknown(generation))?;
        let mut sums = Vec::with_capacity(kept.len());
        for (name, text) in kept {
            let sum = text.split_once(' ').and_then(|(rows, sum)| {
                let sum = u128::from_str_radix(sum, 16).ok()?;
                Some(TableSum { rows: rows.parse().ok()?, sum })
            });
            sums.push((name, sum.ok_or_else(|| ReadStoreError::corrupt(text))?));
        }
        sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok((vector.parse().map_err(ReadStoreError::corrupt)?, sums))
    }

    /// The rows are copied aside at once and read from the copy, which takes their memory a second
    /// time and holds the server up for as long as the copying takes.
    async fn recompute_sums(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Outcome<(PositionVector, Vec<(String, TableSum)>)> {
        let keys = &self.connection.keys;
        let until = Instant::now() + self.connection.scan_deadline;
        let aside = Uuid::now_v7().simple().to_string();
        let copies: Vec<String> =
            tables.iter().map(|table| keys.own(&format!("copy:{aside}:{}", table.name))).collect();
        let mut names = vec![keys.of("state", generation)];
        for (table, copy) in tables.iter().zip(&copies) {
            names.extend([keys.rows(generation, table.name), copy.clone()]);
        }
        let lifetime = [self.connection.scan_deadline.as_secs().max(1).to_string()];
        let found: Option<(String, Vec<i64>)> =
            self.connection.run(&self.copy, &names, &lifetime).await?;
        let (vector, counts) = found.ok_or_else(|| ReadStoreError::unknown(generation))?;
        let mut sums = Vec::with_capacity(tables.len());
        for ((table, copy), count) in tables.iter().zip(&copies).zip(counts) {
            let sum = self.sum_copy(copy, table, until).await?;
            if sum.rows != count {
                return Err(ReadStoreError::Unavailable("the copied rows went away".into(), None));
            }
            sums.push((table.name.to_owned(), sum));
        }
        let mut commands = pipe();
        commands.cmd("UNLINK").arg(&copies).ignore();
        self.connection.ask::<()>(&commands).await?;
        sums.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok((vector.parse().map_err(ReadStoreError::corrupt)?, sums))
    }

    async fn parked(&self, generation: &Generation) -> Outcome<Vec<ParkedStream>> {
        let mut commands = pipe();
        commands.cmd("HGETALL").arg(self.connection.keys.of("parked", generation));
        let (found,): (Vec<(String, String)>,) = self.connection.ask(&commands).await?;
        let read = |(stream, text): (String, String)| {
            read_parked(stream, &text).ok_or_else(|| ReadStoreError::corrupt(text))
        };
        let mut parked = found.into_iter().map(read).collect::<Outcome<Vec<_>>>()?;
        parked.sort_unstable_by(|a, b| a.stream.cmp(&b.stream));
        Ok(parked)
    }

    async fn promote(&self, generation: &Generation) -> Outcome<()> {
        let keys = &self.connection.keys;
        for _ in 0..PROMOTIONS_MAX {
            let next = self.known(generation).await?;
            let states = self.generations().await?;
            let of_projection = |state: &&ProjectionState| {
                state.live && state.generation.projection == generation.projection
            };
            let live = states.iter().find(of_projection);
            let live = live.ok_or_else(|| ReadStoreError::no_pointer(generation))?;
            next.may_replace(live)?;
            let names = [
                keys.own("live"),
                keys.of("state", generation),
                keys.of("state", &live.generation),
            ];
            let arguments = [
                generation.projection.clone(),
                generation.number.to_string(),
                next.vector.to_string(),
                live.generation.number.to_string(),
                live.vector.to_string(),
            ];
            let outcome: String = self.connection.run(&self.promote, &names, &arguments).await?;
            if outcome == "promoted" {
                return Ok(());
            }
        }
        let reason = format!("{generation} moved with every attempt to promote it");
        Err(ReadStoreError::Unavailable(reason, None))
    }

    async fn drop_generation(&self, generation: &Generation) -> Outcome<()> {
        let keys = &self.connection.keys;
        let mut names: Vec<String> =
            ["generations", "live", "dropped"].map(|own| keys.own(own)).into();
        names.push(keys.of("state", generation));
        let arguments =
            [member(generation), generation.projection.clone(), generation.number.to_string()];
        let outcome: String = self.connection.run(&self.drop, &names, &arguments).await?;
        match outcome.as_str() {
            "live" => Err(ReadStoreError::Refused(format!("{generation} is the live one"))),
            "unknown" => Err(ReadStoreError::unknown(generation)),
            _ => Ok(()),
        }
    }
}

/// A parked stream from its text: partition, offset, reason.
fn read_parked(stream: String, text: &str) -> Option<ParkedStream> {
    let mut parts = text.splitn(3, ' ');
    let position =
        Position { partition: parts.next()?.parse().ok()?, offset: parts.next()?.parse().ok()? };
    Some(ParkedStream { stream, position, reason: parts.next()?.to_owned() })
}
