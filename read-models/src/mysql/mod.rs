//! The read store in `MySQL` 8 or `MariaDB` 10.11, for the models that belong there.
//!
//! One text for both servers; where they call a thing by two names, a commented version that only
//! one of them reads. Definitions commit by themselves there, so they are taken under a named lock
//! and in an order that leaves nothing half done: tables before the row that makes them known, and
//! that row gone before its tables are.

pub(crate) mod catalog;
pub(crate) mod ddl;
pub(crate) mod pool;
mod rows;
mod statements;
pub(crate) mod values;

use domain::PositionVector;

use self::pool::Connections;
pub use self::pool::MysqlSettings;
use crate::call::call;
use crate::check::check_changes;
use crate::projection::RowKey;
use crate::store::{
    Applied, Capabilities, Changes, Generation, ParkedStream, ProjectionState, ReadStore,
    ReadStoreError,
};
use crate::sum::TableSum;
use crate::table::{Table, Value};

/// A read store in one database.
pub struct MysqlReadStore {
    connections: Connections,
}

impl MysqlReadStore {
    /// A store in that database; it connects when it is first used.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`], when the URL cannot be read or names no database.
    pub fn new(settings: &MysqlSettings) -> Result<Self, ReadStoreError> {
        Ok(Self { connections: Connections::new(settings, "READ WRITE")? })
    }
}

/// Connections that only read, for queries.
pub struct MysqlReaders {
    pub(crate) connections: Connections,
}

impl MysqlReaders {
    /// Readers of a database that a [`MysqlReadStore`] has prepared.
    ///
    /// # Errors
    /// [`ReadStoreError::Refused`], when the URL cannot be read or names no database.
    pub fn new(settings: &MysqlSettings) -> Result<Self, ReadStoreError> {
        Ok(Self { connections: Connections::new(settings, "READ ONLY")? })
    }
}

#[async_trait::async_trait]
impl ReadStore for MysqlReadStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { full_text: true, long_batches: true }
    }

    async fn prepare(&self) -> Result<(), ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.scan, connection => catalog::prepare(connection, limits))
    }

    async fn generations(&self) -> Result<Vec<ProjectionState>, ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection => catalog::generations(&mut **connection))
    }

    async fn next_number(&self, projection: &str) -> Result<u32, ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection =>
            catalog::next_number(connection, projection))
    }

    async fn create(
        &self,
        generation: &Generation,
        version: u32,
        tables: &'static [&'static Table],
    ) -> Result<ProjectionState, ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection =>
            catalog::create(connection, generation, version, tables, limits))
    }

    async fn state(
        &self,
        generation: &Generation,
    ) -> Result<Option<ProjectionState>, ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection =>
            catalog::state(&mut **connection, generation))
    }

    async fn load(
        &self,
        generation: &Generation,
        table: &'static Table,
        keys: &[RowKey],
    ) -> Result<Vec<Vec<Value>>, ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection =>
            rows::load(connection, generation, table, keys))
    }

    async fn apply(&self, changes: Changes<'_>) -> Result<Applied, ReadStoreError> {
        check_changes(&changes.tables)?;
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection => rows::apply(connection, &changes))
    }

    async fn sums(
        &self,
        generation: &Generation,
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection => rows::sums(connection, generation))
    }

    async fn recompute_sums(
        &self,
        generation: &Generation,
        tables: &'static [&'static Table],
    ) -> Result<(PositionVector, Vec<(String, TableSum)>), ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.scan, connection =>
            rows::recompute_sums(connection, generation, tables, limits))
    }

    async fn parked(&self, generation: &Generation) -> Result<Vec<ParkedStream>, ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection => catalog::parked(connection, generation))
    }

    async fn promote(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.call, connection =>
            catalog::promote(connection, generation, limits))
    }

    async fn drop_generation(&self, generation: &Generation) -> Result<(), ReadStoreError> {
        let limits = self.connections.limits;
        call!(self.connections, limits.scan, connection =>
            catalog::drop_generation(connection, generation, limits))
    }
}
