//! Questions by key or along an ordered index: written once, answered by every store.
//!
//! Whatever belongs in Redis is asked in this form, so that the same question can be answered by
//! the server database, which keeps those models too.

use super::statement::{Dialect, Sql, Statement};
use crate::store::{Generation, ReadStoreError};
use crate::table::{Column, IndexKind, Table, Value};

/// One question to one table.
#[derive(Clone, Debug)]
pub struct LookUp {
    /// The table.
    pub table: &'static Table,
    /// Which of its rows.
    pub by: By,
}

/// Which rows are asked for.
#[derive(Clone, Debug)]
pub enum By {
    /// Those with these keys, in no order; missing ones are left out.
    Keys(Vec<Vec<Value>>),
    /// Some along an index, in its order.
    Range(Range),
}

/// A part of an ordered index over columns that are never null.
#[derive(Clone, Debug)]
pub struct Range {
    /// The index's name.
    pub index: &'static str,
    /// Values of its first columns.
    pub equal: Vec<Value>,
    /// Where to go on: values of its further columns, then of the row's key. Nothing: from the
    /// beginning.
    pub after: Option<Vec<Value>>,
    /// Whether the order is turned round.
    pub descending: bool,
    /// Rows at most.
    pub limit: u32,
}

impl Range {
    /// The columns that the range is ordered by, behind those that are equal: the index's further
    /// ones, then the key's.
    pub(crate) fn columns(&self, table: &Table) -> Result<Vec<&'static Column>, ReadStoreError> {
        let refused =
            |why: &str| ReadStoreError::Refused(format!("{}.{}: {why}", table.name, self.index));
        let ordered = |index: &crate::Index| match index.kind {
            IndexKind::Ordered(columns) if index.name == self.index => Some(columns),
            _ => None,
        };
        let names =
            table.indexes.iter().find_map(ordered).ok_or_else(|| refused("no such index"))?;
        let column = |name: &&str| table.columns.iter().find(|column| column.name == *name);
        let columns: Vec<_> = names.iter().filter_map(column).chain(table.key()).collect();
        let rest = columns.len().checked_sub(self.equal.len());
        let fits = |after: &Vec<Value>| Some(after.len()) == rest;
        if columns.iter().any(|column| column.nullable) {
            return Err(refused("nulls have no place in an order that all stores agree on"));
        }
        if self.equal.len() > names.len() || !self.after.as_ref().is_none_or(fits) {
            return Err(refused("values and columns do not fit"));
        }
        Ok(columns[self.equal.len()..].to_vec())
    }
}

impl LookUp {
    /// Refuses a question that does not fit its table.
    pub(super) fn check(&self) -> Result<(), ReadStoreError> {
        match &self.by {
            By::Keys(_) => Ok(()),
            By::Range(range) => range.columns(self.table).map(drop),
        }
    }

    /// The question in a dialect.
    pub(super) fn statement(
        &self,
        generation: &Generation,
        dialect: Dialect,
    ) -> Result<Statement, ReadStoreError> {
        let mut sql = Sql::new(dialect);
        sql.push("SELECT ").columns("t", self.table, &[]).push(" FROM ");
        sql.table(generation, self.table, "t").push(" WHERE ");
        match &self.by {
            By::Keys(keys) => {
                sql.push(if keys.is_empty() { "1 = 0" } else { "" });
                for (nth, key) in keys.iter().enumerate() {
                    sql.push(if nth == 0 { "(" } else { " OR (" });
                    equal(&mut sql, self.table.key(), key);
                    sql.push(")");
                }
            }
            By::Range(range) => self.range(&mut sql, range)?,
        }
        Ok(sql.of_table(self.table))
    }

    fn range(&self, sql: &mut Sql, range: &Range) -> Result<(), ReadStoreError> {
        let rest = range.columns(self.table)?;
        sql.push("1 = 1");
        let ordered = self.table.indexes.iter().find_map(|index| match index.kind {
            IndexKind::Ordered(columns) if index.name == range.index => Some(columns),
            _ => None,
        });
        for (name, value) in ordered.unwrap_or_default().iter().zip(&range.equal) {
            sql.push(&format!(" AND t.\"{name}\" = ")).bind(value.clone());
        }
        let names = |direction: &str| {
            let names = rest.iter().map(|column| format!("t.\"{}\"{direction}", column.name));
            names.collect::<Vec<_>>().join(", ")
        };
        if let Some(after) = &range.after {
            let comparison = if range.descending { "<" } else { ">" };
            sql.push(&format!(" AND ({}) {comparison} (", names("")));
            for (nth, value) in after.iter().enumerate() {
                sql.push(if nth == 0 { "" } else { ", " }).bind(value.clone());
            }
            sql.push(")");
        }
        let direction = if range.descending { " DESC" } else { "" };
        sql.push(&format!(" ORDER BY {} LIMIT ", names(direction)));
        sql.bind(Value::Integer(range.limit.into()));
        Ok(())
    }
}

fn equal(sql: &mut Sql, columns: &[Column], values: &[Value]) {
    for (nth, (column, value)) in columns.iter().zip(values).enumerate() {
        let and = if nth == 0 { "" } else { " AND " };
        sql.push(&format!("{and}t.\"{}\" = ", column.name)).bind(value.clone());
    }
}
