//! The schemas of an embedded log: ids are given out by the log itself, from 1 in the order of the
//! carried list, and kept in it, so that an id never changes its meaning.

use std::path::PathBuf;

use apache_avro::Schema;
use rusqlite::{Connection, OptionalExtension as _};

use crate::LogError;
use crate::codec::schemas::KNOWN;
use crate::codec::{WriterSchemas, check};
use crate::sqlite_records::{self as records, RecordsError};

/// A schema that the log has given an id.
struct Registered {
    id: u32,
    record: String,
    json: String,
}

fn registered(connection: &Connection) -> Result<Vec<Registered>, RecordsError> {
    let mut statement =
        connection.prepare("SELECT id, record, schema_json FROM schemas ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok(Registered { id: row.get(0)?, record: row.get(1)?, json: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The ids of the carried schemas, in their order, as far as the log has given them.
pub(super) fn ids(connection: &Connection) -> Result<Vec<Option<u32>>, LogError> {
    let registered = registered(connection)?;
    let id = |json: &str| registered.iter().find(|found| found.json == json).map(|found| found.id);
    Ok(KNOWN.iter().map(|known| id(known.json)).collect())
}

/// Gives ids to the carried schemas that have none, after checking each against every registered
/// schema of its record.
pub(super) fn register(connection: &mut Connection) -> Result<(), LogError> {
    let mut all = registered(connection)?;
    let mut new = Vec::new();
    for known in KNOWN.iter() {
        if all.iter().any(|found| found.json == known.json) {
            continue;
        }
        for older in all.iter().filter(|found| found.record == known.record) {
            let schema = Schema::parse_str(&older.json).map_err(|error| {
                LogError::Corrupt(format!("schema {} cannot be read: {error}", older.id))
            })?;
            check(&schema, &known.schema).map_err(|reason| {
                LogError::Mismatch(format!(
                    "version {} of the schema of {} does not fit schema {} in the log: {reason}; \
                     run a program whose schemas fit, or give the event a new record",
                    known.version, known.event, older.id
                ))
            })?;
        }
        let id = all.last().map_or(1, |last| last.id + 1);
        new.push(id);
        let (record, json) = (known.record.clone(), known.json.to_owned());
        all.push(Registered { id, record, json });
    }
    if new.is_empty() {
        return Ok(());
    }
    let mut insert = || -> Result<(), RecordsError> {
        let transaction = connection.transaction()?;
        for found in all.iter().filter(|found| new.contains(&found.id)) {
            transaction.execute(
                "INSERT INTO schemas (id, record, schema_json) VALUES (?1, ?2, ?3)",
                rusqlite::params![found.id, found.record, found.json],
            )?;
        }
        Ok(transaction.commit()?)
    };
    Ok(insert()?)
}

/// Schemas that a newer program registered in the same log.
pub(super) struct LogSchemas {
    pub(super) records: PathBuf,
}

impl WriterSchemas for LogSchemas {
    fn writer_schema(
        &self,
        id: u32,
    ) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        let connection = records::open_read_only(&self.records)?;
        let json = connection
            .query_row("SELECT schema_json FROM schemas WHERE id = ?1", [id], |row| row.get(0))
            .optional();
        Ok(json?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::ledger::TABLES).unwrap();
        connection
    }

    #[test]
    fn ids_rise_from_one_in_the_order_of_the_list_and_stay() {
        let mut connection = database();

        register(&mut connection).unwrap();
        let first = ids(&connection).unwrap();
        register(&mut connection).unwrap();

        assert_eq!(first, (1..).take(KNOWN.len()).map(Some).collect::<Vec<_>>());
        assert_eq!(ids(&connection).unwrap(), first);
    }

    #[test]
    fn a_schema_that_another_program_registered_keeps_its_id() {
        let mut connection = database();
        connection
            .execute("INSERT INTO schemas VALUES (1, 'waylog.Else', '{\"type\": \"null\"}')", [])
            .unwrap();

        register(&mut connection).unwrap();

        let expected: Vec<_> = (2..).take(KNOWN.len()).map(Some).collect();
        assert_eq!(ids(&connection).unwrap(), expected);
    }

    #[test]
    fn a_schema_that_does_not_fit_the_log_stops_the_start_and_names_the_field() {
        let mut connection = database();
        let json = r#"{"type": "record", "name": "ItineraryRenamed", "namespace": "waylog",
            "fields": [{"name": "itinerary_id", "type": "string"},
            {"name": "title", "type": "long"}]}"#;
        connection
            .execute("INSERT INTO schemas VALUES (1, 'waylog.ItineraryRenamed', ?1)", [json])
            .unwrap();

        let refused = register(&mut connection).unwrap_err().to_string();

        assert!(refused.contains("itinerary-renamed") && refused.contains("'title'"), "{refused}");
        assert_eq!(ids(&connection).unwrap(), vec![None; KNOWN.len()], "nothing was written");
    }
}
