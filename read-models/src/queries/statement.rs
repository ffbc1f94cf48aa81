//! One statement, written once for the dialects: a model's server database, and `SQLite`.

use crate::mysql::ddl::words_table;
use crate::postgres::ddl::full_text_vector;
use crate::postgres::values::type_name;
use crate::store::Generation;
use crate::table::{ColumnType, Table, Value};

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Mysql,
    Sqlite,
}

/// A statement with its parameters and the types of its columns.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
    pub(super) columns: Vec<ColumnType>,
}

/// A statement that is being written. Values are always parameters, never part of the text.
pub(super) struct Sql {
    dialect: Dialect,
    text: String,
    parameters: Vec<Value>,
}

impl Sql {
    pub(super) const fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), parameters: Vec::new() }
    }

    /// Appends text.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a place for the value, with its type where the dialect wants one.
    pub(super) fn bind(&mut self, value: Value) -> &mut Self {
        let number = self.parameters.len() + 1;
        let place = match self.dialect {
            Dialect::Postgres => format!("${number}::{}", type_name(type_of(&value))),
            // Places have no numbers there: parameters come in the order of the text.
            Dialect::Mysql => "?".to_owned(),
            Dialect::Sqlite => format!("?{number}"),
        };
        self.parameters.push(value);
        self.push(&place)
    }

    /// Appends the table's columns, but for the bulky ones that nobody asked for: those come empty.
    pub(super) fn columns(&mut self, alias: &str, table: &Table, omitted: &[&str]) -> &mut Self {
        for (index, column) in table.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let expression = match (omitted.contains(&column.name), column.column_type) {
                (false, _) => format!("{alias}.\"{}\"", column.name),
                (true, ColumnType::Json) if self.dialect == Dialect::Postgres => {
                    "'{}'::jsonb".to_owned()
                }
                (true, ColumnType::Json) => "'{}'".to_owned(),
                (true, _) => "''".to_owned(),
            };
            self.push(comma).push(&expression);
        }
        self
    }

    /// Appends the generation's table under an alias.
    pub(super) fn table(
        &mut self,
        generation: &Generation,
        table: &Table,
        alias: &str,
    ) -> &mut Self {
        let name = generation.physical_name(table.name);
        self.push(&format!("\"{name}\" {alias}"))
    }

    /// Appends a condition: each word begins one of the words of the row's column, by the full-text
    /// index of that name.
    pub(super) fn matches(
        &mut self,
        (generation, table, index, column): (&Generation, &Table, &str, &str),
        alias: &str,
        words: &[String],
    ) -> &mut Self {
        // Words are letters and digits alone: nothing in them could end a quotation.
        match self.dialect {
            Dialect::Postgres => {
                let vector = full_text_vector(column)
                    .replace(&format!("\"{column}\""), &format!("{alias}.\"{column}\""));
                let words: Vec<_> = words.iter().map(|word| format!("'{word}':*")).collect();
                self.push(&format!("{vector} @@ (")).bind(Value::Text(words.join(" & ")));
                self.push(")::tsquery")
            }
            Dialect::Mysql => {
                let of_index = words_table(generation, table, index);
                let of = |alias: &str| {
                    let names = table.key().iter().map(|key| format!("{alias}.\"{}\"", key.name));
                    names.collect::<Vec<_>>().join(", ")
                };
                for (nth, word) in words.iter().enumerate() {
                    let and = if nth == 0 { "" } else { " AND " };
                    self.push(&format!(
                        "{and}({}) IN (SELECT {} FROM \"{of_index}\" w WHERE w.word LIKE ",
                        of(alias),
                        of("w")
                    ));
                    self.bind(Value::Text(format!("{word}%"))).push(")");
                }
                self
            }
            Dialect::Sqlite => {
                let index = format!("{}_{index}", generation.physical_name(table.name));
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"*")).collect();
                self.push(&format!(
                    "{alias}.row_id IN (SELECT rowid FROM \"{index}\" WHERE \"{index}\" MATCH "
                ));
                self.bind(Value::Text(words.join(" AND "))).push(")")
            }
        }
    }

    /// The statement, whose columns are of these types.
    pub(super) fn of(self, columns: impl IntoIterator<Item = ColumnType>) -> Statement {
        let columns = columns.into_iter().collect();
        Statement { sql: self.text, parameters: self.parameters, columns }
    }

    /// The statement, whose columns are those of the table.
    pub(super) fn of_table(self, table: &Table) -> Statement {
        self.of(table.columns.iter().map(|column| column.column_type))
    }
}

fn type_of(value: &Value) -> ColumnType {
    match value {
        Value::Bool(_) => ColumnType::Bool,
        Value::Integer(_) => ColumnType::Integer,
        Value::Null | Value::Text(_) => ColumnType::Text,
        Value::Uuid(_) => ColumnType::Uuid,
        Value::Timestamp(_) => ColumnType::Timestamp,
        Value::Date(_) => ColumnType::Date,
        Value::Json(_) => ColumnType::Json,
        Value::Digest(_) => ColumnType::Digest,
    }
}
