//! `waylog serve`: puts the services together, embedded or distributed, all of them or some, behind
//! one HTTP server, and takes them apart again in order.

use std::cell::OnceCell;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use command_api::CommandApi;
use keys::Keyring;
use lanes::{CommandPort, LaneSettings, Lanes, LanesParts, LocalStreamStores, StreamStores};
use projectors::{ProjectorSettings, Projectors};
use query_api::{QueryApi, QuerySettings};
use read_models::ReadQueries;
use service_kit::auth::{Identity, Role};
use service_kit::config;
use service_kit::health::{Finding, Health};
use service_kit::shutdown::{Phase, Shutdown};
use service_kit::telemetry::{self, Build, Metrics};
use service_kit::{auth, http_server, request_layer};
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

use crate::banner::banner;
use crate::connectors::{self, Connected};
use crate::demo_data;
use crate::identity;
use crate::log::{self, OpenLog, Use};
use crate::log_watch::LogWatch;
use crate::output::Ended;
use crate::passages;
use crate::read_health;
use crate::refusals::LogRefusals;
use crate::running::Running;
use crate::sagas;
use crate::settings::{Mode, Places, Service, Settings};
use crate::stores;

/// The longest a stop may take, all phases together; HTTP drains in less.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// The longest a command may wait for its outcome; with what surrounds it, an answer takes at most
/// 5 s.
const ANSWER: Duration = Duration::from_millis(4500);
/// The longest projectors may take to finish what they fold.
const PROJECTORS_STOP: Duration = Duration::from_secs(10);
/// The longest one health check may take.
const CHECK_DEADLINE: Duration = Duration::from_secs(2);

/// What the services of this process add to its HTTP server.
struct Assembly {
    /// Behind the caller's identity, and described.
    api: OpenApiRouter,
    /// Behind the cluster secret.
    internal: Router,
    /// Calls to the outside, and what the outside calls.
    connected: Connected,
    /// Where commands go, when this process has lanes.
    port: Option<Arc<dyn CommandPort>>,
    /// When this process folds.
    projectors: Option<Projectors>,
}

/// What every service is built with.
struct Site<'a> {
    settings: &'a Settings,
    mode: Mode,
    open: OpenLog,
    /// One for all services, which so share its readers.
    queries: OnceCell<Arc<ReadQueries>>,
    /// Seals and opens personal data; one for all services, which so share its memory.
    keyring: Keyring,
    health: Health,
    shutdown: Shutdown,
    url: String,
}

/// Serves until it is told to stop.
///
/// # Errors
/// When something that a service needs is away or does not fit; nothing serves then.
pub(crate) fn run(settings: &Settings, effective: &[config::Setting]) -> anyhow::Result<Ended> {
    let metrics = instruments(settings)?;
    config::log_settings(effective);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let running = begin(settings, metrics).await?;
        crate::output::say(format_args!("{}", running.banner));
        let stopped = running.ended().await?;
        Ok(if stopped.left.is_empty() { Ended::Done } else { Ended::No })
    })
}

/// Log lines and metrics of this process; once.
///
/// # Errors
/// When they cannot be.
pub(crate) fn instruments(settings: &Settings) -> anyhow::Result<Metrics> {
    telemetry::init_logging(&settings.telemetry)?;
    let metrics =
        telemetry::init_metrics(Build { version: env!("CARGO_PKG_VERSION"), revision: "" });
    lanes::describe_metrics();
    Ok(metrics?)
}

/// Starts what is to serve, and serves.
///
/// # Errors
/// As [`run`].
pub(crate) async fn begin(settings: &Settings, metrics: Metrics) -> anyhow::Result<Running> {
    let mode = settings.places.mode()?;
    let authentication = identity::authentication(settings, &mode)?;
    settings.check(&mode, authentication.development_mode())?;
    let listener = TcpListener::bind(settings.http.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.http.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let shutdown = Shutdown::new(STOP_DEADLINE);
    let health = Health::new(CHECK_DEADLINE, shutdown.token(Phase::Intake));
    let places = settings.places.clone();
    let open = blocking(move || log::open(&places, Use::Serve)).await?;
    let durability = open.log.durability();
    let keyring = keyring(&settings.places, &open)?;
    let queries = OnceCell::new();
    let site = Site { settings, mode, open, queries, keyring, health, shutdown, url };

    let assembly = site.assemble().await?;
    let sandbox = assembly.connected.sandbox_url.as_deref();
    let said = banner(&site.url, &site.mode, settings, &durability.description, sandbox);
    let (api, description) = assembly.api.split_for_parts();
    let document = query_api::docs::document([description], &[]);
    let api = passages::of_callers(&settings.services)?.complete(api);
    let router = auth::protect(api, authentication)
        .merge(assembly.internal)
        .merge(assembly.connected.webhooks)
        .merge(passages::of_webhooks(&settings.services)?)
        .merge(query_api::docs::router(&document))
        .merge(site.health.router())
        .merge(metrics.router());
    let router = request_layer::wrap(router, settings.http.handling_timeout());
    let (limits, ended) = (settings.http.limits(), site.shutdown.clone());
    let server = site.shutdown.spawn(Phase::Intake, "http server", |stopping| async move {
        let drained = http_server::serve(listener, router, limits, stopping).await;
        // A server that ended by itself takes the process down: nobody could reach it any more.
        ended.request();
        drained
    });
    Ok(Running { url: site.url, banner: said, shutdown: site.shutdown, server, _open: site.open })
}

impl Assembly {
    /// Adds routes for operators alone.
    fn operate(&mut self, routes: OpenApiRouter) {
        let operators = from_fn(|identity: Identity, request: Request, next: Next| async move {
            match identity.require(Role::Operator) {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        });
        self.api = std::mem::take(&mut self.api).merge(routes.route_layer(operators));
    }
}

impl Site<'_> {
    /// Starts the services that run here, each stopped by the shutdown.
    async fn assemble(&self) -> anyhow::Result<Assembly> {
        let services = &self.settings.services;
        let mut assembly = Assembly {
            api: OpenApiRouter::new(),
            internal: Router::new(),
            connected: Connected::default(),
            port: None,
            projectors: None,
        };
        if services.runs(Service::CommandApi) || services.runs(Service::QueryApi) {
            let watched = self.keyring.clone();
            self.health.register("keys", move || keys_finding(watched.clone()));
        }
        if services.runs(Service::CommandApi) {
            self.command_api(&mut assembly).await?;
        }
        if services.runs(Service::Projectors) {
            self.projectors(&mut assembly)?;
        }
        if services.runs(Service::QueryApi) {
            self.query_api(&mut assembly)?;
        }
        if services.runs(Service::Sagas) {
            sagas::start(sagas::Parts {
                section: &self.settings.sagas,
                queries: self.queries()?,
                port: self.port(&assembly)?,
                projectors: assembly.projectors.as_ref(),
                health: &self.health,
                shutdown: &self.shutdown,
            });
        }
        if services.runs(Service::Connectors) {
            assembly.connected = connectors::start(connectors::Parts {
                section: &self.settings.connectors,
                services,
                places: &self.settings.places,
                mode: &self.mode,
                url: &self.url,
                queries: self.queries()?,
                port: self.port(&assembly)?,
                projectors: assembly.projectors.as_ref(),
                keyring: self.keyring.clone(),
                health: &self.health,
                shutdown: &self.shutdown,
            })
            .await?;
            let operations = std::mem::take(&mut assembly.connected.operations);
            assembly.operate(operations);
        }
        Ok(assembly)
    }

    /// The queries over the read models: opened once, when the first service asks for them.
    fn queries(&self) -> anyhow::Result<Arc<ReadQueries>> {
        if let Some(queries) = self.queries.get() {
            return Ok(Arc::clone(queries));
        }
        let opened = stores::queries(&self.settings.places)?;
        Ok(Arc::clone(self.queries.get_or_init(|| opened)))
    }

    /// Where this process's own services send commands: its lanes, or the owners elsewhere.
    fn port(&self, assembly: &Assembly) -> anyhow::Result<Arc<dyn CommandPort>> {
        if let Some(port) = &assembly.port {
            return Ok(Arc::clone(port));
        }
        let secret = identity::cluster_secret(&self.settings.auth, &self.mode)?;
        let secret = secret.context("an embedded system has lanes of its own")?;
        let (log, codec) = (Arc::clone(&self.open.log), Arc::clone(&self.open.codec));
        let settings = LaneSettings { deadline: ANSWER, ..LaneSettings::default() };
        Ok(lanes::remote_port(log, codec, settings, &secret)?)
    }

    async fn command_api(&self, assembly: &mut Assembly) -> anyhow::Result<()> {
        let settings = self.settings;
        let stores = match &self.mode {
            Mode::Embedded => None,
            Mode::Distributed { .. } => {
                let dir = settings.places.data_dir.join("streams");
                let stores = LocalStreamStores::new(&dir, self.open.log.topology())?;
                Some(Arc::new(stores) as Arc<dyn StreamStores>)
            }
        };
        let advertised = settings.services.advertise_url.clone();
        let address = match &self.mode {
            Mode::Embedded => String::new(),
            Mode::Distributed { .. } if advertised.is_none() => {
                anyhow::ensure!(
                    !settings.http.listen.ip().is_unspecified(),
                    "{} is no address that other instances could forward commands to: set \
                     --advertise-url",
                    settings.http.listen
                );
                self.url.clone()
            }
            Mode::Distributed { .. } => advertised.unwrap_or_default(),
        };
        let lanes = Lanes::start(LanesParts {
            settings: LaneSettings { address, deadline: ANSWER, ..LaneSettings::default() },
            stores,
            cluster_secret: identity::cluster_secret(&settings.auth, &self.mode)?,
            ..LanesParts::new(Arc::clone(&self.open.log), Arc::clone(&self.open.codec))
        })
        .await?;
        let lanes = Arc::new(lanes);
        let watched = Arc::clone(&lanes);
        self.health.register("lanes", move || std::future::ready(lanes_finding(&watched)));
        if settings.services.demo_data {
            demo_data::play(&*lanes.port(), &self.keyring).await?;
        }
        assembly.port = Some(lanes.port());
        let fingerprinter = identity::fingerprinter(&settings.auth, &self.mode)?;
        let api = CommandApi::new(lanes.port(), fingerprinter, self.keyring.clone());
        let api = command_api::router(api);
        assembly.api = std::mem::take(&mut assembly.api).merge(api);
        if let Some(internal) = lanes.internal_routes() {
            assembly.internal = std::mem::take(&mut assembly.internal).merge(internal);
        }
        if self.mode != Mode::Embedded {
            // Others can take over: not a moment later than necessary. What is in flight here is
            // sent on to them.
            let leaving = Arc::clone(&lanes);
            self.stop_with(Phase::Intake, "shards", async move { leaving.leave().await });
        }
        self.stop_with(Phase::Drain, "lanes", async move { lanes.shutdown().await });
        Ok(())
    }

    fn projectors(&self, assembly: &mut Assembly) -> anyhow::Result<()> {
        let placements = stores::open(&self.settings.places)?.placements();
        let (log, codec) = (Arc::clone(&self.open.log), Arc::clone(&self.open.codec));
        let projectors = Projectors::start(log, codec, placements, ProjectorSettings::default());
        let watched = projectors.clone();
        self.health.register("projections", move || {
            std::future::ready(read_health::of_projections(&watched.readiness()))
        });
        assembly.operate(projectors::http::router(projectors.clone()));
        assembly.projectors = Some(projectors.clone());
        self.stop_with(Phase::Drain, "projectors", async move {
            if !projectors.shutdown(PROJECTORS_STOP).await {
                tracing::warn!("projectors were left in the middle of a batch; it is folded anew");
            }
        });
        Ok(())
    }

    fn query_api(&self, assembly: &mut Assembly) -> anyhow::Result<()> {
        let queries = self.queries()?;
        read_health::register(&self.health, &queries, &self.mode);
        let stopping = self.shutdown.token(Phase::Intake);
        let watch = LogWatch::start(Arc::clone(&self.open.log), stopping.clone());
        let trail = Arc::new(LogRefusals(Arc::clone(&self.open.log)));
        let log = (watch as _, trail as _);
        let api =
            QueryApi::new(queries, self.keyring.clone(), log, QuerySettings::default(), stopping);
        assembly.api = std::mem::take(&mut assembly.api).merge(query_api::router(api));
        Ok(())
    }

    /// Runs `stop` when the phase begins, and lets the next one wait for it.
    fn stop_with(
        &self,
        phase: Phase,
        name: &'static str,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        // The handle is not needed: the shutdown waits for the task by itself.
        drop(self.shutdown.spawn(phase, name, |begun| async move {
            begun.cancelled().await;
            stop.await;
        }));
    }
}

/// The keys of this deployment. An embedded log that has events and no keys was separated from
/// them: whoever went on would seal with new ones, and lose that when the old ones come back.
fn keyring(places: &Places, open: &OpenLog) -> anyhow::Result<Keyring> {
    let file = places.data_dir.join(stores::KEYS_FILE);
    let missing = places.mode()? == Mode::Embedded && !file.exists();
    anyhow::ensure!(
        !missing || open.log.end()?.iter().next().is_none(),
        "the log in {} has events, but {}, which holds the keys of the personal data in them, is \
         not there: put it back from its backup. If it is lost for good, `waylog accept-log` goes \
         on without: what was sealed stays unreadable",
        places.data_dir.display(),
        stores::KEYS_FILE
    );
    stores::keyring(places)
}

/// Without keys, everything that has nothing to do with personal data goes on.
async fn keys_finding(keyring: Keyring) -> Finding {
    match keyring.check().await {
        Ok(()) => Finding::Passing,
        Err(error) => Finding::Warning(format!(
            "{error}; commands and queries about personal data are answered 503"
        )),
    }
}

fn lanes_finding(lanes: &Lanes) -> Finding {
    let readiness = lanes.readiness();
    let reasons = readiness.reasons();
    if !reasons.is_empty() {
        return Finding::Failing(reasons.join("; "));
    }
    if readiness.survives_power_cut {
        Finding::Passing
    } else {
        Finding::Warning(readiness.durability)
    }
}

/// Runs what blocks away from the runtime's workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("a starting thread died")?
}
