//! Tables, indexes, comments and views, as `PostgreSQL` statements made from [`Table`].

use std::fmt::Write as _;

use super::values::type_name;
use crate::store::{Generation, ReadStoreError};
use crate::table::{Index, IndexKind, Table};

/// Bytes of an identifier; the server cuts longer ones off without an error.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// The statements that create a table with its key and comments; see [`create_indexes`].
pub(super) fn create_table(
    generation: &Generation,
    table: &Table,
) -> Result<String, ReadStoreError> {
    let name = generation.physical_name(table.name);
    let mut sql = format!("CREATE TABLE \"{name}\" (\n");
    for column in table.columns {
        // Compared by code point, as in every other store.
        let collation = if type_name(column.column_type) == "text" { " COLLATE \"C\"" } else { "" };
        let null = if column.nullable { "" } else { " NOT NULL" };
        let type_name = type_name(column.column_type);
        append(&mut sql, &format!("    \"{}\" {type_name}{collation}{null},\n", column.name));
    }
    let key = column_list(table.columns[..table.key_columns].iter().map(|column| column.name));
    append(&mut sql, &format!("    PRIMARY KEY ({key})\n);\n"));
    append(&mut sql, &format!("COMMENT ON TABLE \"{name}\" IS {};\n", literal(table.comment)));
    for column in table.columns {
        let comment = literal(column.comment);
        append(
            &mut sql,
            &format!("COMMENT ON COLUMN \"{name}\".\"{}\" IS {comment};\n", column.name),
        );
    }
    Ok(sql)
}

/// The statements that create a table's indexes, each with the index's name.
pub(super) fn create_indexes(
    generation: &Generation,
    table: &Table,
) -> Result<Vec<(String, String)>, ReadStoreError> {
    let name = generation.physical_name(table.name);
    let create = |index: &Index| {
        let index_name = format!("{name}_{}", index.name);
        if index_name.len() > IDENTIFIER_BYTES_MAX {
            return Err(ReadStoreError::Refused(format!("{index_name} is too long a name")));
        }
        let target = match index.kind {
            IndexKind::Ordered(columns) => format!("({})", column_list(columns.iter().copied())),
            IndexKind::Present(columns) => format!(
                "({}) WHERE \"{}\" IS NOT NULL",
                column_list(columns.iter().copied()),
                columns[0]
            ),
            IndexKind::FullText(column) => format!("USING gin ({})", full_text_vector(column)),
            IndexKind::Json(column) => format!("USING gin (\"{column}\" jsonb_path_ops)"),
        };
        let sql = format!("CREATE INDEX \"{index_name}\" ON \"{name}\" {target}");
        Ok((index_name, sql))
    };
    table.indexes.iter().map(create).collect()
}

/// The words of a column as a search vector: taken as they are, because they were normalized before
/// they were stored. Queries must use this very expression to be served by the index.
pub(crate) fn full_text_vector(column: &str) -> String {
    format!("array_to_tsvector(string_to_array(\"{column}\", ' '))")
}

/// A quoted text literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.trim().replace('\'', "''"))
}

fn column_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn append(sql: &mut String, text: &str) {
    sql.write_str(text).expect("a string takes any text");
}
