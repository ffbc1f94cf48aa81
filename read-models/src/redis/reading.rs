//! Questions to Redis: by key and along ordered indexes, all of a question at one moment.

use redis::Script;

use super::codec::{read_instant, read_row};
use super::connection::{Connection, RedisSettings};
use crate::projection::encode_key;
use crate::queries::{By, LookUp, Snapshot};
use crate::store::{Generation, ProjectionState, ReadStoreError};

/// Asks the live generations of one prefix of a server.
pub struct RedisReaders {
    connection: Connection,
    read: Script,
}

/// As the script answers: number, version, vector, continuity, newest instant; then of each
/// question its rows.
type Found = (u32, u32, String, String, String, Vec<Vec<Vec<u8>>>);

impl RedisReaders {
    /// Readers of what a [`RedisReadStore`](super::RedisReadStore) keeps.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`], when the URL cannot be read.
    pub fn new(settings: &RedisSettings) -> Result<Self, ReadStoreError> {
        let read = Script::new(include_str!("read.lua"));
        Ok(Self { connection: Connection::new(settings)?, read })
    }

    /// Answers all questions from the live generation of a projection; nothing when it has none.
    pub(crate) async fn look_up(
        &self,
        projection: &str,
        questions: &[LookUp],
    ) -> Result<Option<Snapshot>, ReadStoreError> {
        let keys = &self.connection.keys;
        let mut arguments = vec![keys.prefix().into(), projection.into()];
        for question in questions {
            arguments.push(question.table.name.into());
            push(question, &mut arguments)?;
        }
        let found: Option<Found> =
            self.connection.run(&self.read, &[keys.own("live")], &arguments).await?;
        let Some((number, version, vector, continuity, newest, answers)) = found else {
            return Ok(None);
        };
        let mut rows = Vec::with_capacity(questions.len());
        for (question, answer) in questions.iter().zip(answers) {
            let read = answer.iter().map(|row| read_row(question.table, row));
            rows.push(read.collect::<Result<Vec<_>, _>>()?);
        }
        let state = ProjectionState {
            generation: Generation { projection: projection.to_owned(), number },
            version,
            vector: vector.parse().map_err(ReadStoreError::corrupt)?,
            continuity,
            last_event_at: read_instant(&newest)?,
            live: true,
        };
        Ok(Some(Snapshot { states: vec![state], rows }))
    }
}

/// Appends a question as the script takes it.
fn push(question: &LookUp, arguments: &mut Vec<Vec<u8>>) -> Result<(), ReadStoreError> {
    match &question.by {
        By::Keys(keys) => {
            arguments.extend([b"keys".to_vec(), keys.len().to_string().into_bytes()]);
            arguments.extend(keys.iter().map(|key| encode_key(key)));
        }
        By::Range(range) => {
            range.columns(question.table)?;
            let lowest = encode_key(&range.equal);
            // No value's encoding begins with so large a byte.
            let highest = [lowest.as_slice(), &[0xff]].concat();
            let passed = range.after.as_ref().map(|after| {
                let values: Vec<_> = range.equal.iter().chain(after).cloned().collect();
                encode_key(&values)
            });
            let lower = |bytes: &[u8]| match bytes {
                [] => b"-".to_vec(),
                bytes => [b"[", bytes].concat(),
            };
            let (command, from, to) = match (range.descending, passed) {
                (false, None) => ("ZRANGEBYLEX", lower(&lowest), [b"(", &*highest].concat()),
                (false, Some(passed)) => {
                    let beyond = [passed.as_slice(), &[0xff]].concat();
                    ("ZRANGEBYLEX", lower(&beyond), [b"(", &*highest].concat())
                }
                (true, passed) => {
                    let below = passed.unwrap_or(highest);
                    ("ZREVRANGEBYLEX", [b"(", &*below].concat(), lower(&lowest))
                }
            };
            arguments.extend(["range", range.index, command].map(|text| text.as_bytes().to_vec()));
            arguments.extend([from, to, range.limit.to_string().into_bytes()]);
        }
    }
    Ok(())
}
