//! The yardstick of a rebuild: how long COPY takes for the rows that the rebuild wrote, into tables
//! with the same keys and indexes.

use std::io::SeekFrom;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use deadpool_postgres::{Object, Transaction};
use futures::{SinkExt as _, TryStreamExt as _};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};
use tokio::time::timeout;

use super::WRITER_SETUP;
use super::pool::{Connections, PostgresSettings, fault};
use crate::call::late;
use crate::store::{Generation, ReadStoreError};
use crate::table::Table;

/// What the server is given at one time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What was copied, and how long the server took to write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows of all tables.
    pub rows: u64,
    /// From the first byte to the server's word that all are written; reading them is not in it.
    pub time: Duration,
}

/// Copies a generation's rows into tables made like its own, which nobody else sees. The rows wait
/// in a file without a name meanwhile, so that reading them costs the server nothing while it is
/// timed.
///
/// # Errors
/// What the database says, or that there is no room for the file.
pub async fn copy_again(
    settings: &PostgresSettings,
    generation: &Generation,
    tables: &[&Table],
) -> Result<Copied, ReadStoreError> {
    // One connection, whose every statement may take as long as a scan.
    let patient = PostgresSettings { deadline: settings.scan_deadline, ..settings.clone() };
    let patient = PostgresSettings { connections: 1, ..patient };
    let connections = Connections::new(&patient, WRITER_SETUP)?;
    let mut connection = connections.connection().await?;
    let deadline = settings.scan_deadline;
    let mut all = Copied::default();
    for table in tables {
        let from = generation.physical_name(table.name);
        let copied = timeout(deadline, copy(&mut connection, &from));
        let Ok(copied) = copied.await else {
            // With it goes what it was at.
            drop(Object::take(connection));
            return Err(late(deadline));
        };
        let Copied { rows, time } = copied?;
        all = Copied { rows: all.rows + rows, time: all.time + time };
    }
    Ok(all)
}

/// In a transaction that is not committed: whatever becomes of this process, nothing is left.
async fn copy(connection: &mut Object, from: &str) -> Result<Copied, ReadStoreError> {
    let tx = connection.transaction().await.map_err(fault)?;
    let into = format!("{from}_copy");
    let like = format!("CREATE TABLE \"{into}\" (LIKE \"{from}\" INCLUDING ALL)");
    tx.batch_execute(&like).await.map_err(fault)?;
    let mut spool = spool(&tx, from).await?;

    let begun = Instant::now();
    let sql = format!("COPY \"{into}\" FROM STDIN BINARY");
    let mut sink = pin!(tx.copy_in(&sql).await.map_err(fault)?);
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        if spool.read_buf(&mut chunk).await.map_err(|error| full(&error))? == 0 {
            break;
        }
        sink.send(chunk.freeze()).await.map_err(fault)?;
    }
    let rows = sink.finish().await.map_err(fault)?;
    let time = begun.elapsed();
    tx.rollback().await.map_err(fault)?;
    Ok(Copied { rows, time })
}

/// A table's rows in a file that nobody else sees and that is gone with its handle.
async fn spool(tx: &Transaction<'_>, from: &str) -> Result<File, ReadStoreError> {
    let file = tempfile::tempfile().map_err(|error| full(&error))?;
    let mut writer = BufWriter::with_capacity(CHUNK_BYTES, File::from_std(file));
    let out = tx.copy_out(&format!("COPY \"{from}\" TO STDOUT BINARY")).await.map_err(fault)?;
    let mut out = pin!(out);
    while let Some(row) = out.try_next().await.map_err(fault)? {
        writer.write_all(&row).await.map_err(|error| full(&error))?;
    }
    writer.flush().await.map_err(|error| full(&error))?;
    let mut file = writer.into_inner();
    file.seek(SeekFrom::Start(0)).await.map_err(|error| full(&error))?;
    Ok(file)
}

fn full(error: &std::io::Error) -> ReadStoreError {
    ReadStoreError::Failed(format!("the file of rows to copy: {error}"), None)
}
