//! The stores' own tables, embedded in the binary. Forward only: an applied file never changes,
//! which
//! its recorded checksum proves, and a database that a newer program prepared is left alone.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::store::ReadStoreError;

/// One step forward.
#[derive(Debug)]
pub(crate) struct Migration {
    /// From 1, without gaps.
    pub(crate) number: i64,
    /// The file's name without its number.
    pub(crate) name: &'static str,
    /// Its statements.
    pub(crate) sql: &'static str,
}

/// One step that a database has recorded.
#[derive(Debug)]
pub(crate) struct AppliedMigration {
    /// Its number.
    pub(crate) number: i64,
    /// SHA-256 of its statements, hexadecimal.
    pub(crate) checksum: String,
}

/// For `SQLite`.
pub(crate) const SQLITE: &[Migration] = &[Migration {
    number: 1,
    name: "generations",
    sql: include_str!("../../migrations/sqlite/0001_generations.sql"),
}];

/// For `PostgreSQL`.
pub(crate) const POSTGRES: &[Migration] = &[
    Migration {
        number: 1,
        name: "generations",
        sql: include_str!("../../migrations/postgres/0001_generations.sql"),
    },
    Migration {
        number: 2,
        name: "indexes_after_filling",
        sql: include_str!("../../migrations/postgres/0002_indexes_after_filling.sql"),
    },
];

/// For `MySQL` and `MariaDB`. Their definitions are not transactional: every statement can be taken
/// again, because a step that was interrupted is.
pub(crate) const MYSQL: &[Migration] = &[Migration {
    number: 1,
    name: "generations",
    sql: include_str!("../../migrations/mysql/0001_generations.sql"),
}];

impl Migration {
    /// SHA-256 of its statements, hexadecimal.
    pub(crate) fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql.as_bytes());
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes any text");
            text
        })
    }
}

/// The steps that are still to be taken, given those that were.
///
/// # Errors
/// [`ReadStoreError::Refused`] when a step that was taken is not the one known here.
pub(crate) fn pending(
    known: &'static [Migration],
    applied: &[AppliedMigration],
) -> Result<&'static [Migration], ReadStoreError> {
    for (index, step) in applied.iter().enumerate() {
        match known.get(index) {
            Some(ours) if ours.number == step.number && ours.checksum() == step.checksum => {}
            Some(ours) => {
                return Err(ReadStoreError::Refused(format!(
                    "migration {} was applied with another content than this program's {}",
                    step.number, ours.name
                )));
            }
            None => {
                return Err(ReadStoreError::Refused(format!(
                    "migration {} was applied by a newer program: run that one",
                    step.number
                )));
            }
        }
    }
    Ok(&known[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(number: i64, checksum: &str) -> AppliedMigration {
        AppliedMigration { number, checksum: checksum.to_owned() }
    }

    #[test]
    fn files_are_numbered_without_gaps() {
        for known in [SQLITE, POSTGRES, MYSQL] {
            assert!(known.iter().zip(1..).all(|(step, number)| step.number == number));
        }
    }

    #[test]
    fn only_what_was_not_applied_is_pending() {
        let first = applied(1, &SQLITE[0].checksum());

        assert_eq!(pending(SQLITE, &[]).unwrap().len(), SQLITE.len());
        assert_eq!(pending(SQLITE, &[first]).unwrap().len(), SQLITE.len() - 1);
    }

    #[test]
    fn an_edited_or_newer_migration_is_refused() {
        let edited = pending(SQLITE, &[applied(1, "00")]).unwrap_err();
        let ours: Vec<_> =
            SQLITE.iter().map(|step| applied(step.number, &step.checksum())).collect();
        let newer = ours.into_iter().chain([applied(99, "00")]).collect::<Vec<_>>();

        assert!(edited.to_string().contains("another content"), "{edited}");
        assert!(pending(SQLITE, &newer).unwrap_err().to_string().contains("newer program"));
    }
}
