//! Read models: what the log says, folded into tables that answer questions.
//!
//! A [`Projection`] is a pure fold from (rows, event) to rows. A [`ReadStore`] keeps its tables and
//! its position vector, moved together in one transaction, on any database; one contract suite
//! proves every store. [`ReadQueries`] are beside them, one text for two dialects.

mod call;
pub mod canonical;
pub mod check;
mod migrations;
pub mod mysql;
pub mod postgres;
pub mod projection;
pub mod projections;
pub mod queries;
pub mod redis;
pub mod row;
pub mod search;
pub mod sqlite;
pub mod store;
pub mod sum;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use self::redis::{RedisReadStore, RedisReaders, RedisSettings};
pub use mysql::{MysqlReadStore, MysqlReaders, MysqlSettings};
pub use postgres::{PostgresReadStore, PostgresReaders, PostgresSettings};
pub use projection::{Home, HotCopy, Projection, RowChange, RowKey, Rows};
pub use projections::projections;
pub use queries::ReadQueries;
pub use sqlite::{SqliteReadStore, SqliteReaders, SqliteSettings};
pub use store::{
    Applied, Capabilities, Changes, Generation, Indexed, ParkedStream, ProjectionState, ReadStore,
    ReadStoreError, TableChange,
};
pub use sum::TableSum;
pub use table::{Column, ColumnType, Index, IndexKind, Row, Table, Value};
