//! All lanes of a process: start, port, readiness, shutdown.

use std::sync::{Arc, Mutex, PoisonError};

use event_log::{Codec, EventLog, LogError, Membership, OwnershipHandler};
use service_kit::Secret;
use service_kit::client::ClientError;

use crate::CommandPort;
use crate::clock::{ClockSkew, ClockWatch, SystemClock, WallClock};
use crate::gear::{Gear, StreamStores};
use crate::hop_client::HopClient;
use crate::internal_hop;
use crate::readiness::Readiness;
use crate::roster::{Assignments, Roster};
use crate::router::Router;
use crate::rules::Rules;
use crate::settings::LaneSettings;

/// What lanes are made of. [`LanesParts::new`] fills in everything but the log and the codec.
pub struct LanesParts {
    /// Where events are kept.
    pub log: Arc<dyn EventLog>,
    /// How events are written and read.
    pub codec: Arc<Codec>,
    /// Bounds and times.
    pub settings: LaneSettings,
    /// Where stream stores are kept; needed when the log has none of its own.
    pub stores: Option<Arc<dyn StreamStores>>,
    /// What authenticates forwarded commands; without it none are forwarded or taken.
    pub cluster_secret: Option<Secret>,
    /// The wall clock.
    pub clock: Arc<dyn WallClock>,
    /// The domain's rules.
    pub rules: Rules,
}

impl LanesParts {
    /// The parts of a process that is alone: nothing is forwarded, the log keeps the streams.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, codec: Arc<Codec>) -> Self {
        Self {
            log,
            codec,
            settings: LaneSettings::default(),
            stores: None,
            cluster_secret: None,
            clock: Arc::new(SystemClock),
            rules: Rules::default(),
        }
    }
}

/// Lanes could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log did not let this process join the owners.
    #[error("the owners of the log could not be joined")]
    Join(#[source] LogError),
    /// The client for forwarded commands could not be made.
    #[error("the client for forwarded commands could not be made")]
    Client(#[source] ClientError),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
}

impl StartError {
    /// Stable code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Join(error) => error.code(),
            Self::Client(_) => "hop_client",
            Self::Thread(_) => "thread",
        }
    }
}

/// The lanes of this process. Shut them down before dropping them: a drop gives the shards up too,
/// but blocks its thread while doing so.
pub struct Lanes {
    gear: Arc<Gear>,
    roster: Arc<Roster>,
    router: Arc<Router>,
    secret: Option<Secret>,
    clock_watch: Mutex<Option<ClockWatch>>,
}

impl Lanes {
    /// Joins the owners of the log. The lanes of assigned shards start on their own; see
    /// [`Lanes::readiness`] for how far they are. Commands wait for them meanwhile.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(parts: LanesParts) -> Result<Self, StartError> {
        let hop = parts
            .cluster_secret
            .as_ref()
            .map(HopClient::new)
            .transpose()
            .map_err(StartError::Client)?;
        let skew = Arc::new(ClockSkew::default());
        let secret = parts.cluster_secret.clone();
        let gear = Arc::new(Gear::of(parts, Arc::clone(&skew)));
        let watch = ClockWatch::start(Arc::clone(&gear.log), skew, gear.settings.clock_check_every)
            .map_err(StartError::Thread)?;
        let roster = Arc::new(Roster::new(Arc::clone(&gear)));
        let joining = Arc::clone(&gear);
        let handler: Arc<dyn OwnershipHandler> = Arc::new(Assignments(Arc::downgrade(&roster)));
        let joined = blocking(move || joining.log.join(handler)).await;
        let membership: Arc<dyn Membership> = joined.map_err(StartError::Join)?.into();
        *gear.membership.lock().unwrap_or_else(PoisonError::into_inner) = Some(membership);
        let router = Arc::new(Router { gear: Arc::clone(&gear), roster: Arc::clone(&roster), hop });
        let clock_watch = Mutex::new(Some(watch));
        Ok(Self { gear, roster, router, secret, clock_watch })
    }

    /// Where commands go.
    #[must_use]
    pub fn port(&self) -> Arc<dyn CommandPort> {
        Arc::clone(&self.router) as _
    }

    /// The routes that take commands forwarded by other processes (`POST /internal/v1/commands`);
    /// none without a cluster secret. They belong on the address of [`LaneSettings::address`].
    #[must_use]
    pub fn internal_routes(&self) -> Option<axum::Router> {
        let secret = self.secret.clone()?;
        Some(internal_hop::routes(Arc::clone(&self.router), secret))
    }

    /// What the lanes are doing.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let durability = self.gear.log.durability();
        let lanes = self.roster.statuses();
        let unserved = self.gear.log.topology().all_shards().filter(|shard| {
            !lanes.iter().any(|lane| lane.shard == *shard)
                && self.router.owner_address(*shard).is_none()
        });
        let unserved = unserved.collect();
        Readiness {
            lanes,
            unserved,
            clock: self.gear.skew.excess(self.gear.settings.clock_skew_max),
            survives_power_cut: durability.survives_power_cut,
            durability: durability.description,
        }
    }

    /// Gives all shards up and leaves the owners: others take over at once. Running batches are
    /// finished and answered. Commands that still wait, and those that come later, go to the next
    /// owner where there is a way there (a cluster secret); otherwise they are answered with what
    /// is true of them. A second call changes nothing.
    pub async fn leave(&self) {
        let (gear, roster) = (Arc::clone(&self.gear), Arc::clone(&self.roster));
        blocking(move || end(&gear, &roster)).await;
    }

    /// Leaves the owners, and ends everything else that runs here. A second call changes nothing.
    pub async fn shutdown(&self) {
        self.leave().await;
        let watch = self.clock_watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        blocking(move || drop(watch)).await;
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        end(&self.gear, &self.roster);
    }
}

fn end(gear: &Gear, roster: &Roster) {
    roster.close();
    let membership = gear.membership.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(membership) = membership
        && let Err(error) = membership.leave()
    {
        tracing::warn!(code = error.code(), %error, "the owners were not left in good order");
    }
}

/// Where a process that owns no shards sends commands: over the internal hop, to whoever does.
///
/// # Errors
/// [`StartError::Client`].
pub fn remote_port(
    log: Arc<dyn EventLog>,
    codec: Arc<Codec>,
    settings: LaneSettings,
    secret: &Secret,
) -> Result<Arc<dyn CommandPort>, StartError> {
    let parts = LanesParts { settings, ..LanesParts::new(log, codec) };
    let gear = Arc::new(Gear::of(parts, Arc::new(ClockSkew::default())));
    let roster = Arc::new(Roster::new(Arc::clone(&gear)));
    let hop = Some(HopClient::new(secret).map_err(StartError::Client)?);
    Ok(Arc::new(Router { gear, roster, hop }))
}

/// Runs what blocks off the runtime's workers; its panic is the caller's.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("blocking work is never cancelled once it has begun"),
        },
    }
}
