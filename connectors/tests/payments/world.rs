//! A whole way for payments: an embedded log with lanes, projectors, a connector, and the sandbox
//! with a ledger of its own, each in this process and restartable.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connectors::payment_provider::webhook::WebhookVerifier;
use connectors::payment_provider::{
    HttpPaymentProvider, Outcome, ProviderSettings, ProviderTotals, RetrySettings,
};
use connectors::payments::webhooks::{Webhooks, router};
use connectors::payments::{ConnectorSettings, PaymentConnector};
use domain::ids::{AccountId, BookingId, CommandId, PaymentId, RefundId, SagaId};
use domain::money::Money;
use domain::payment::{Command, Ledger, Payment as State, Terms};
use domain::{Category, PositionVector, StreamName, Tenant, Timestamp};
use event_log::{EmbeddedLog, EmbeddedOptions, EventLog as _};
use lanes::{
    Accepted, Cause, CommandPort, Lanes, LanesParts, SystemActor, SystemClock, WallClock as _,
};
use projectors::{Placement, ProjectorSettings, Projectors};
use read_models::projections::{ProviderRequestRow, ProviderRequests};
use read_models::{ReadQueries, SqliteReadStore, SqliteReaders, SqliteSettings};
use sandbox::{ApiSecret, Faults, Sandbox, Settings, WebhookTarget};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const SECRET: &str = "sk_test_of_these_tests";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_these_tests";
/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) port: Arc<dyn CommandPort>,
    pub(crate) queries: Arc<ReadQueries>,
    pub(crate) faults: Arc<Faults>,
    /// Where the sandbox serves.
    pub(crate) provider_url: String,
    /// Where webhooks are taken.
    pub(crate) hook_url: String,
    log: Arc<EmbeddedLog>,
    lanes: Arc<Lanes>,
    projectors: Projectors,
    tasks: Vec<JoinHandle<()>>,
    _dir: TempDir,
}

/// Waits for what a condition gives; fails the test when it does not come.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    condition: impl Fn() -> F,
) -> T {
    let end = Instant::now() + PATIENCE;
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < end, "did not happen in time: {what}");
        pause.tick().await;
    }
}

fn client(url: &str) -> HttpPaymentProvider {
    let retries = RetrySettings { per_call_max: 0, ..RetrySettings::default() };
    let secret = SECRET.parse().unwrap();
    let attempt_timeout = Duration::from_secs(2);
    let settings =
        ProviderSettings { retries, attempt_timeout, ..ProviderSettings::new(url, secret) };
    HttpPaymentProvider::new(settings).unwrap()
}

impl World {
    /// A world whose sandbox tells nothing on its own.
    pub(crate) async fn new() -> Self {
        Self::start(false).await
    }

    /// A world whose sandbox sends webhooks.
    pub(crate) async fn told() -> Self {
        Self::start(true).await
    }

    async fn start(webhooks: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(&dir.path().join("log"), EmbeddedOptions::default()).unwrap();
        let (codec, log) = (Arc::new(log.codec().unwrap()), Arc::new(log));
        let parts = LanesParts::new(Arc::clone(&log) as _, Arc::clone(&codec));
        let lanes = Arc::new(Lanes::start(parts).await.unwrap());
        let read = dir.path().join("read.sqlite");
        let store = SqliteReadStore::open(&read, SqliteSettings::default()).unwrap();
        let placement =
            Placement { projection: Arc::new(ProviderRequests), store: Arc::new(store) };
        let settings = ProjectorSettings::default();
        let projectors = Projectors::start(Arc::clone(&log) as _, codec, vec![placement], settings);
        let readers = until("the read models are there", || async {
            SqliteReaders::open(&read, &SqliteSettings::default()).ok()
        })
        .await;
        let queries = Arc::new(ReadQueries::sqlite(readers));
        until("the projection is live", || async {
            queries.position("provider_requests").await.ok()
        })
        .await;
        let port = lanes.port();
        let mut tasks = Vec::new();

        let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook_url = format!("http://{}/v1/webhooks/sandbox", hook.local_addr().unwrap());
        let route = router(Webhooks {
            queries: Arc::clone(&queries),
            port: Arc::clone(&port),
            verifier: WebhookVerifier::new(vec![WEBHOOK_SECRET.parse().unwrap()]).unwrap(),
            clock: Arc::new(SystemClock),
        });
        tasks.push(tokio::spawn(async move { axum::serve(hook, route).await.unwrap() }));

        let secret = |text| ApiSecret::new(text).unwrap();
        let target = WebhookTarget::new(&hook_url, vec![secret(WEBHOOK_SECRET)]).unwrap();
        let sandbox = Sandbox::open(&Settings {
            webhook: webhooks.then_some(target),
            webhook_backoff: Duration::from_millis(50),
            ..Settings::new(dir.path().join("sandbox.sqlite"), secret(SECRET))
        })
        .unwrap();
        let faults = sandbox.faults();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider_url = format!("http://{}", listener.local_addr().unwrap());
        tasks.push(tokio::spawn(sandbox.serve(listener, std::future::pending())));
        Self {
            port,
            queries,
            faults,
            provider_url,
            hook_url,
            log,
            lanes,
            projectors,
            tasks,
            _dir: dir,
        }
    }

    /// A connector with the lanes, and the sandbox.
    pub(crate) fn connect(&self) -> Connector {
        self.connect_through(Arc::clone(&self.port), &self.provider_url)
    }

    /// A connector that sends its commands there and asks a provider there.
    pub(crate) fn connect_through(&self, port: Arc<dyn CommandPort>, url: &str) -> Connector {
        let connector = PaymentConnector::new(
            Arc::clone(&self.queries),
            port,
            Arc::new(client(url)),
            Arc::new(SystemClock),
            ConnectorSettings {
                look_busy: Duration::from_millis(5),
                look_idle: Duration::from_millis(5),
                retry_first: Duration::from_millis(5),
                retry_max: Duration::from_millis(100),
                time_out_grace: Duration::ZERO,
                ..ConnectorSettings::default()
            },
        );
        let stopping = CancellationToken::new();
        let task = tokio::spawn(connector.run(stopping.clone()));
        Connector { task, stopping }
    }

    /// The provider, asked behind the connector's back.
    pub(crate) fn provider(&self) -> HttpPaymentProvider {
        client(&self.provider_url)
    }

    /// Sends a command as the booking process would.
    pub(crate) async fn ask(&self, payment: PaymentId, command: Command) -> Accepted {
        let command = domain::Command::Payment(command);
        let id = Uuid::now_v7();
        let cause = Cause {
            tenant: Tenant::default(),
            correlation_id: domain::ids::CorrelationId(id),
            causation_id: id,
            traceparent: None,
        };
        let stream = StreamName::new(Category::Payment, payment.0);
        let asked = command.clone();
        let request =
            SystemActor("sagas").request(stream, CommandId(id), (&asked, command), &cause);
        self.port.send(request).await.unwrap()
    }

    /// Asks for a payment by that card, due in that many seconds.
    pub(crate) async fn request(&self, card: &str, due_in_seconds: i64) -> Terms {
        let terms = terms(card, SystemClock.now().plus_seconds(due_in_seconds));
        self.ask(terms.payment_id, Command::Request { terms: terms.clone() }).await;
        terms
    }

    /// The payment, once its books are as they should be.
    pub(crate) async fn payment(
        &self,
        terms: &Terms,
        what: &str,
        fits: impl Fn(&Ledger) -> bool,
    ) -> Ledger {
        until(what, || async {
            let row = self.queries.provider_payment(terms.payment_id).await.unwrap()?;
            let State::Known(ledger) = row.ledger.0 else { return None };
            fits(&ledger).then_some(*ledger)
        })
        .await
    }

    /// What is open of all payments.
    pub(crate) async fn open(&self) -> Vec<ProviderRequestRow> {
        self.queries.open_provider_requests(None).await.unwrap()
    }

    /// What the provider's ledger says that a payment moved.
    pub(crate) async fn totals(&self, terms: &Terms) -> Option<ProviderTotals> {
        let Outcome::Done(all) = self.provider().totals(None).await else {
            panic!("the ledger can be asked");
        };
        all.into_iter().find(|totals| totals.reference == terms.payment_id.0.to_string())
    }

    /// The log's refusals, the newest first.
    pub(crate) fn refused(&self) -> Vec<domain::Refusal> {
        let page = self.log.refusals(&PositionVector::empty(), 100).unwrap();
        page.refusals.into_iter().filter_map(|(_, record)| record.refusal).collect()
    }

    /// Ends everything in good order.
    pub(crate) async fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        assert!(self.projectors.shutdown(PATIENCE).await);
        self.lanes.shutdown().await;
    }
}

/// A connector that runs.
pub(crate) struct Connector {
    task: JoinHandle<()>,
    stopping: CancellationToken,
}

impl Connector {
    /// As a process that is killed: nothing is waited for.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// In good order.
    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        self.task.await.unwrap();
    }
}

pub(crate) fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

/// A payment of 129.00.
pub(crate) fn terms(card: &str, due_at: Timestamp) -> Terms {
    Terms {
        payment_id: PaymentId(Uuid::now_v7()),
        booking_id: BookingId(Uuid::now_v7()),
        saga_id: SagaId(Uuid::now_v7()),
        account_id: AccountId(Uuid::now_v7()),
        amount: euros(12_900),
        method: card.to_owned(),
        due_at,
    }
}

pub(crate) fn void(terms: &Terms) -> Command {
    Command::RequestVoid { terms: terms.clone(), attempt: 1, reason: "deadline".to_owned() }
}

pub(crate) fn refund(amount: i64) -> Command {
    let refund_id = RefundId(Uuid::now_v7());
    let reason = "cancellation".to_owned();
    Command::RequestRefund { refund_id, amount: euros(amount), reason, attempt: 1 }
}
