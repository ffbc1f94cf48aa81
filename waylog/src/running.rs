//! A system that serves in this process, until it is told to stop.

use anyhow::Context as _;
use service_kit::http_server::{Drained, ServeError};
use service_kit::shutdown::{Shutdown, Stopped};
use tokio::task::JoinHandle;

use crate::log::OpenLog;

/// What serves, and how it is stopped.
pub(crate) struct Running {
    /// Where.
    pub(crate) url: String,
    /// What people are told.
    pub(crate) banner: String,
    /// Stops it; signals do, too, as soon as its end is waited for.
    pub(crate) shutdown: Shutdown,
    pub(crate) server: JoinHandle<Result<Drained, ServeError>>,
    /// Locks the data until everything has stopped.
    pub(crate) _open: OpenLog,
}

impl Running {
    /// Waits until it has stopped, as it was told to or by itself.
    ///
    /// # Errors
    /// When it fails at that.
    pub(crate) async fn ended(self) -> anyhow::Result<Stopped> {
        let stopped = self.shutdown.run().await?;
        let drained = self.server.await.context("the HTTP server's task died")??;
        tracing::info!(?drained, ?stopped, "stopped");
        Ok(stopped)
    }
}
