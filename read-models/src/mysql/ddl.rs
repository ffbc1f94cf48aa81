//! Tables, word tables and views of one generation, as statements made from [`Table`].
//!
//! Full-text search is a table of words beside the rows, kept in their transaction. The servers'
//! own full-text indexes leave out short words, a list of common ones, and letters that their
//! tables of characters do not know: every store is to find the same rows.

use serde::{Deserialize, Serialize};

use super::values::{readable, type_name, word_type};
use crate::store::{Generation, ReadStoreError};
use crate::table::{ColumnType, IndexKind, Table};

/// Characters of an identifier.
const IDENTIFIER_CHARACTERS_MAX: usize = 64;
/// Characters of a column's comment; a table's may be twice as long.
const COMMENT_CHARACTERS_MAX: usize = 1024;

/// What a generation keeps of a table, so that a program which does not know it can drop it and
/// point a view at it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableRecord {
    /// The logical name, and the view's.
    pub(super) name: String,
    /// The tables that belong to it, itself included.
    pub(super) physical: Vec<String>,
    /// What the view selects.
    pub(super) view: String,
}

/// The table of the words that a full-text index of a table has.
pub(crate) fn words_table(generation: &Generation, table: &Table, index: &str) -> String {
    format!("{}_{index}", generation.physical_name(table.name))
}

/// The full-text indexes of a table: their names and columns.
pub(super) fn full_text(table: &Table) -> impl Iterator<Item = (&'static str, usize)> + '_ {
    table.indexes.iter().filter_map(|index| match index.kind {
        IndexKind::FullText(name) => {
            let at = table.columns.iter().position(|column| column.name == name);
            Some((index.name, at.expect("an index is over a column of its table")))
        }
        IndexKind::Ordered(_) | IndexKind::Present(_) | IndexKind::Json(_) => None,
    })
}

/// The statements that create a table and its word tables, in place of what an interrupted creation
/// left.
pub(super) fn create_table(
    generation: &Generation,
    table: &Table,
) -> Result<(Vec<String>, TableRecord), ReadStoreError> {
    let name = generation.physical_name(table.name);
    let mut parts: Vec<String> = Vec::with_capacity(table.columns.len() + table.indexes.len() + 1);
    for column in table.columns {
        let null = if column.nullable { "NULL" } else { "NOT NULL" };
        let unit = match column.column_type {
            ColumnType::Timestamp => " (microseconds since 1970)",
            ColumnType::Date => " (days since 1970)",
            _ => "",
        };
        let comment = comment(&format!("{}{unit}", column.comment.trim()), COMMENT_CHARACTERS_MAX);
        let type_name = type_name(table, column);
        parts.push(format!("\"{}\" {type_name} {null} COMMENT {comment}", column.name));
    }
    let key = column_list(table.key().iter().map(|column| column.name));
    parts.push(format!("PRIMARY KEY ({key})"));
    let mut physical = vec![name.clone()];
    let mut words = Vec::new();
    for index in table.indexes {
        match index.kind {
            // Its indexes hold every row.
            IndexKind::Ordered(columns) | IndexKind::Present(columns) => {
                let columns = column_list(columns.iter().copied());
                parts.push(format!("KEY \"{}\" ({columns})", index.name));
            }
            IndexKind::FullText(_) => {
                let of_index = words_table(generation, table, index.name);
                words.push(create_words(&of_index, table));
                physical.push(of_index);
            }
            // Documents are searched by scanning: what belongs here is small.
            IndexKind::Json(_) => {}
        }
    }
    for name in &physical {
        if name.chars().count() > IDENTIFIER_CHARACTERS_MAX {
            return Err(ReadStoreError::Refused(format!("{name} is too long a name")));
        }
    }
    let mut statements: Vec<_> = physical.iter().map(|name| drop_table(name)).collect();
    statements.push(format!(
        "CREATE TABLE \"{name}\" ({}) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC, COMMENT = {}",
        parts.join(", "),
        comment(table.comment.trim(), 2 * COMMENT_CHARACTERS_MAX)
    ));
    statements.append(&mut words);
    let shown = table.columns.iter().map(|c| format!("{} AS \"{}\"", readable(c), c.name));
    let view = format!("SELECT {} FROM \"{name}\"", shown.collect::<Vec<_>>().join(", "));
    Ok((statements, TableRecord { name: table.name.to_owned(), physical, view }))
}

/// Words first, for search; the rows' keys too, to take a row's words away.
fn create_words(name: &str, table: &Table) -> String {
    let key: Vec<_> = table
        .key()
        .iter()
        .map(|column| format!("\"{}\" {} NOT NULL", column.name, type_name(table, column)))
        .collect();
    let names = column_list(table.key().iter().map(|column| column.name));
    format!(
        "CREATE TABLE \"{name}\" (word {} NOT NULL, {}, PRIMARY KEY (word, {names}), \
         KEY of_row ({names})) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC, \
         COMMENT = 'The words of the rows, for full-text search'",
        word_type(),
        key.join(", ")
    )
}

/// The statement that drops a table.
pub(super) fn drop_table(name: &str) -> String {
    format!("DROP TABLE IF EXISTS \"{name}\"")
}

fn comment(text: &str, characters_max: usize) -> String {
    let text: String = text.chars().take(characters_max).collect();
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn column_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
