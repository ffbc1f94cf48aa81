//! The system that a demonstration is played on: one of its own in this process, by the code of
//! `waylog serve`, or one that runs already.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use service_kit::shutdown::{REQUESTED, Shutdown, Stopped};
use service_kit::telemetry::Metrics;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, Request};
use crate::serve;
use crate::settings::{ConnectorsSection, Places, Settings};

/// How long a system may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(60);

/// The settings of `waylog serve`.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// A system to play on.
pub(super) struct System {
    pub(super) url: String,
    /// Where its data is, as far as that is known here.
    pub(super) places: Places,
    /// Whose book its payments are in.
    pub(super) connectors: ConnectorsSection,
    /// Somebody wants it all to stop: whoever is about to serve does not hear that.
    asked: CancellationToken,
    /// The one in this process.
    own: Option<Own>,
}

struct Own {
    shutdown: Shutdown,
    serving: JoinHandle<anyhow::Result<Stopped>>,
    metrics: Metrics,
    /// Goes with it.
    _directory: Option<TempDir>,
}

impl System {
    /// Starts one in this process, in that directory or one that goes when it ends.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) async fn own(
        directory: Option<&Path>,
        asked: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let (path, temporary) = match directory {
            Some(path) => (path.to_owned(), None),
            None => {
                let made = tempfile::Builder::new().prefix("waylog-demo.").tempdir()?;
                (made.path().to_owned(), Some(made))
            }
        };
        let settings = settings(&path)?;
        let metrics = serve::instruments(&settings)?;
        let (places, connectors) = (settings.places.clone(), settings.connectors.clone());
        let running = serve::begin(&settings, metrics.clone()).await?;
        let (url, shutdown) = (running.url.clone(), running.shutdown.clone());
        let serving = tokio::spawn(running.ended());
        let own = Own { shutdown, serving, metrics, _directory: temporary };
        let asked = asked.clone();
        let mut system = Self { url, places, connectors, asked, own: Some(own) };
        system.begun().await?;
        Ok(system)
    }

    /// Stops the one of this process and starts it once more with its data, elsewhere; bookings
    /// that are requested from now on have so many seconds to be paid.
    ///
    /// # Errors
    /// When it does not stop or start.
    pub(super) async fn start_again(&mut self, deadline_seconds: u32) -> anyhow::Result<()> {
        self.stop().await?;
        let mut settings = settings(&self.places.data_dir)?;
        settings.sagas.payment_deadline_seconds = deadline_seconds;
        let own = self.own.as_mut().context("only a system of its own is started again")?;
        let running = serve::begin(&settings, own.metrics.clone()).await?;
        (self.url, own.shutdown) = (running.url.clone(), running.shutdown.clone());
        own.serving = tokio::spawn(running.ended());
        self.begun().await
    }

    /// Waits until what was started is ready, unless it was to stop before it could hear of it.
    async fn begun(&mut self) -> anyhow::Result<()> {
        if self.asked.is_cancelled() {
            self.stop().await?;
        }
        self.during(ready(self.url.clone())).await
    }

    /// One that runs already; its data is where the settings in the environment say, or there.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn running(
        url: &str,
        data_dir: Option<PathBuf>,
        asked: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let matches = Line::command().try_get_matches_from(["waylog"])?;
        let Settings { mut places, connectors, .. } = Line::from_arg_matches(&matches)?.settings;
        if let Some(dir) = data_dir {
            places.data_dir = dir;
        }
        let url = url.trim_end_matches('/').to_owned();
        let mut system = Self { url, places, connectors, asked: asked.clone(), own: None };
        system.begun().await?;
        Ok(system)
    }

    /// What comes of the work, unless the system stops meanwhile.
    ///
    /// # Errors
    /// The work's, or that the system stopped.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            stopped = self.stopped() => Err(interrupted(&stopped?)),
        }
    }

    /// Resolves when the system of this process stops by itself, as at a signal; of another one,
    /// when this is to leave it alone.
    async fn stopped(&mut self) -> anyhow::Result<Stopped> {
        match &mut self.own {
            Some(own) => (&mut own.serving).await.context("the system died")?,
            None => {
                self.asked.cancelled().await;
                Ok(Stopped { reason: "signal", left: vec![] })
            }
        }
    }

    /// Stops the one of this process in good order; its data stays until this is dropped.
    ///
    /// # Errors
    /// When it fails at that, or somebody wanted it to stop.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        match &self.own {
            Some(own) => own.shutdown.request(),
            None => return Ok(()),
        }
        let stopped = self.stopped().await?;
        if stopped.reason == REQUESTED && stopped.left.is_empty() && !self.asked.is_cancelled() {
            return Ok(());
        }
        Err(interrupted(&stopped))
    }
}

async fn ready(url: String) -> anyhow::Result<()> {
    let api = Api::new(&url)?;
    api.reach().await?;
    let health = Request::new(http::Method::GET, "/health/ready", None);
    let asked = api.insist(&health, READY_MAX).await;
    asked.map(drop).with_context(|| format!("{url} is not ready"))
}

fn interrupted(stopped: &Stopped) -> anyhow::Error {
    let Stopped { reason, left } = stopped;
    let left = if left.is_empty() { String::new() } else { format!(", {} left", left.join(", ")) };
    anyhow!("it was stopped before everything was played ({reason}{left})")
}

/// As somebody would start it who says nothing but where; the environment is for other systems.
fn settings(directory: &Path) -> anyhow::Result<Settings> {
    let command = Line::command().mut_args(|arg| arg.env(Resettable::Reset));
    let directory = directory.to_str().context("the directory's name is not UTF-8")?;
    let words = ["waylog", "--listen", "127.0.0.1:0", "--log-level", "warn,waylog=error"];
    let words = words.into_iter().chain(["--data-dir", directory]);
    let matches = command.try_get_matches_from(words)?;
    Ok(Line::from_arg_matches(&matches)?.settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Mode;

    #[test]
    fn a_system_of_its_own_is_embedded_and_on_the_loopback() {
        let settings = settings(Path::new("somewhere")).unwrap();

        assert_eq!(settings.places.mode().unwrap(), Mode::Embedded);
        assert_eq!(settings.places.data_dir, Path::new("somewhere"));
        assert!(settings.http.listen.ip().is_loopback() && settings.http.listen.port() == 0);
    }
}
