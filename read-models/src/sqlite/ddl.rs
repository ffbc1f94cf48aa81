//! Tables, indexes and full-text search of one generation, as `SQLite` statements made from
//! [`Table`].

use std::fmt::Write as _;

use super::values::type_name;
use crate::store::Generation;
use crate::table::{IndexKind, Table};

/// The statements that create a table with its indexes.
///
/// Rows have a number of their own (`row_id`): full-text search refers to it, and it stays when
/// the file is vacuumed.
pub(super) fn create_table(generation: &Generation, table: &Table) -> String {
    let name = generation.physical_name(table.name);
    let mut sql = format!("CREATE TABLE \"{name}\" (\n    row_id INTEGER PRIMARY KEY,\n");
    for column in table.columns {
        let null = if column.nullable { "" } else { " NOT NULL" };
        let type_name = type_name(column.column_type);
        append(&mut sql, &format!("    \"{}\" {type_name}{null},\n", column.name));
    }
    let key = column_list(table.columns[..table.key_columns].iter().map(|column| column.name));
    append(&mut sql, &format!("    UNIQUE ({key})\n) STRICT;\n"));
    for index in table.indexes {
        let index_name = format!("{name}_{}", index.name);
        match index.kind {
            IndexKind::Ordered(columns) | IndexKind::Present(columns) => {
                let some = match index.kind {
                    IndexKind::Present(_) => format!(" WHERE \"{}\" IS NOT NULL", columns[0]),
                    _ => String::new(),
                };
                let columns = column_list(columns.iter().copied());
                let on = format!("ON \"{name}\" ({columns}){some}");
                append(&mut sql, &format!("CREATE INDEX \"{index_name}\" {on};\n"));
            }
            IndexKind::FullText(column) => append(&mut sql, &full_text(&name, &index_name, column)),
            // Documents are searched by scanning: an embedded store is small.
            IndexKind::Json(_) => {}
        }
    }
    sql
}

/// The statements that drop a table with everything made for it.
pub(super) fn drop_table(generation: &Generation, table: &str) -> String {
    format!("DROP TABLE IF EXISTS \"{}\";\n", generation.physical_name(table))
}

/// An index over the words of a column, kept by triggers in the row's own transaction.
fn full_text(table: &str, index: &str, column: &str) -> String {
    let forget = format!(
        "INSERT INTO \"{index}\"(\"{index}\", rowid, \"{column}\") \
         VALUES ('delete', old.row_id, old.\"{column}\");"
    );
    let learn = format!(
        "INSERT INTO \"{index}\"(rowid, \"{column}\") VALUES (new.row_id, new.\"{column}\");"
    );
    format!(
        "CREATE VIRTUAL TABLE \"{index}\" USING fts5(\"{column}\", content='{table}', \
         content_rowid='row_id', tokenize='unicode61 remove_diacritics 0', \
         columnsize=0);\n\
         CREATE TRIGGER \"{index}_insert\" AFTER INSERT ON \"{table}\" BEGIN {learn} END;\n\
         CREATE TRIGGER \"{index}_delete\" AFTER DELETE ON \"{table}\" BEGIN {forget} END;\n\
         CREATE TRIGGER \"{index}_update\" AFTER UPDATE OF \"{column}\" ON \"{table}\"\n\
         BEGIN {forget} {learn} END;\n"
    )
}

fn column_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn append(sql: &mut String, text: &str) {
    sql.write_str(text).expect("a string takes any text");
}
