//! The read store in `PostgreSQL`, for the distributed mode.
//!
//! Commits of batches do not wait for the server's disk (`synchronous_commit = off`): rows and
//! vector
//! are of one transaction, so a crash of the server takes the last batches as a whole and the log
//! brings them back. Creating, switching and dropping wait for it.

pub(crate) mod catalog;
mod copying;
pub(crate) mod ddl;
pub(crate) mod pool;
mod rows;
pub(crate) mod values;

use domain::PositionVector;

pub use self::copying::{Copied, copy_again};
use self::pool::Connections;
pub use self::pool::PostgresSettings;
use self::pool::switched;
use crate::call::call;
use crate::check::check_changes;
use crate::projection::RowKey;
use crate::store::{
    Applied, Capabilities, Changes, Generation, Indexed, ParkedStream, ProjectionState, ReadStore,
    ReadStoreError,
};
use crate::sum::TableSum;
use crate::table::{Table, Value};

/// Rows are found by key and never by anything else, also in a table whose statistics still say
/// that
/// it is empty.
const WRITER_SETUP: &str = "SET synchronous_commit = off; SET jit = off; SET enable_seqscan = off; \
                            SET enable_hashjoin = off; SET enable_mergejoin = off";

const READER_SETUP: &str = "SET default_transaction_read_only = on; SET jit = off";

/// A read store in one database (and schema: the first of the connection's search path).
pub struct PostgresReadStore {
    connections: Connections,
}

impl PostgresReadStore {
    /// A store in that database; it connects when it is first used.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`], when the URL cannot be read.
    pub fn new(settings: &PostgresSettings) -> Result<Self, ReadStoreError> {
        Ok(Self { connections: Connections::new(settings, WRITER_SETUP)? })
    }

    /// A store for looking at: the database refuses every change.
    ///
    /// # Errors
    /// As [`PostgresReadStore::new`].
    pub fn read_only(settings: &PostgresSettings) -> Result<Self, ReadStoreError> {
        Ok(Self { connections: Connections::new(settings, READER_SETUP)? })
    }
}

/// Connections that only read, for queries.
pub struct PostgresReaders {
    pub(crate) connections: Connections,
}

impl PostgresReaders {
    /// Readers of a database that a [`PostgresReadStore`] has prepared.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`], when the URL cannot be read.
    pub fn new(settings: &PostgresSettings) -> Result<Self, ReadStoreError> {
        Ok(Self { connections: Connections::new(settings, READER_SETUP)? })
    }
}

#[async_trait::async_trait]
impl ReadStore for PostgresReadStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { full_text: true, long_batches: true }
    }

    async fn prepare(&self) -> Result<(), ReadStoreError> {
        let deadline = self.connections.scan_deadline;
        call!(self.connections, deadline, connection => catalog::prepare(connection))
    }

    async fn generations(&self) -> Result<Vec<ProjectionState>, ReadStoreError> {
        let deadline = self.connections.deadline;
        let states =
            call!(self.connections, deadline, connection => catalog::generations(connection));
        states.map_err(switched)
    }

    async fn next_number(&self, projection: &str) -> Result<u32, ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection =>
            catalog::next_number(connection, projection))
    }

    async fn create(
        &self,
        generation: &Generation,
        version: u32,
        tables: &'static [&'static Table],
    ) -> Result<ProjectionState, ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection =>
            catalog::create(connection, generation, version, tables))
    }

    async fn state(
        &self,
        generation: &Generation,
    ) -> Result<Option<ProjectionState>, ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection => catalog::state(&*connection, generation))
    }

    async fn load(
        &self,
        generation: &Generation,
        table: &'static Table,
        keys: &[RowKey],
    ) -> Result<Vec<Vec<Value>>, ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection =>
            rows::load(connection, generation, table, keys))
    }

    async fn apply(&self, changes: Changes<'_>) -> Result<Applied, ReadStoreError> {
        check_changes(&changes.tables)?;
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection => rows::apply(connection, &changes))
    }

    async fn sums(
        &self,
        generation: &Generation,
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection => rows::sums(connection, generation))
    }

    async fn recompute_sums(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        let deadline = self.connections.scan_deadline;
        call!(self.connections, deadline, connection =>
            rows::recompute_sums(connection, generation, tables, deadline))
    }

    async fn index(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<Indexed, ReadStoreError> {
        let deadline = self.connections.scan_deadline;
        call!(self.connections, deadline, connection =>
            catalog::index(connection, generation, tables, deadline))
    }

    async fn parked(&self, generation: &Generation) -> Result<Vec<ParkedStream>, ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection => catalog::parked(connection, generation))
    }

    async fn promote(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        let deadline = self.connections.deadline;
        call!(self.connections, deadline, connection => catalog::promote(connection, generation))
    }

    async fn drop_generation(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        let deadline = self.connections.scan_deadline;
        call!(self.connections, deadline, connection =>
            catalog::drop_generation(connection, generation))
    }
}
