//! A sandbox, a client of it, and what the sandbox's ledger says.

use std::sync::Arc;
use std::time::Duration;

use connectors::payment_provider::{
    Authorize, Capture, HttpPaymentProvider, Outcome, PaymentProvider as _, ProviderSettings,
    ProviderTotals, Receipt, RefundPayment, RetrySettings, Void,
};
use domain::money::Money;
use sandbox::{
    ApiSecret, Fault, FaultKind, Faults, Operation, PlannedFault, Sandbox, Settings, WebhookTarget,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(crate) const SECRET: &str = "sk_test_of_these_tests";
/// Longer than any answer of a healthy sandbox, shorter than what is late.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(1500);
/// What is late in these tests.
pub(crate) const LATE: Duration = Duration::from_secs(30);

/// A running sandbox.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) faults: Arc<Faults>,
    task: JoinHandle<()>,
    _dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::telling(None).await
    }

    /// A sandbox whose webhooks go somewhere.
    pub(crate) async fn telling(webhook: Option<WebhookTarget>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = ApiSecret::new(SECRET).unwrap();
        let settings = Settings {
            webhook,
            slow_answer: LATE,
            ..Settings::new(dir.path().join("sandbox.sqlite"), secret)
        };
        let sandbox = Sandbox::open(&settings).unwrap();
        let faults = sandbox.faults();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(sandbox.serve(listener, std::future::pending()));
        Self { url, faults, task, _dir: dir }
    }

    pub(crate) fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            attempt_timeout: ATTEMPT,
            ..ProviderSettings::new(&self.url, SECRET.parse().unwrap())
        }
    }

    /// A client that repeats nothing by itself.
    pub(crate) fn client(&self) -> HttpPaymentProvider {
        let retries = RetrySettings { per_call_max: 0, ..RetrySettings::default() };
        HttpPaymentProvider::new(ProviderSettings { retries, ..self.settings() }).unwrap()
    }

    pub(crate) fn plan(&self, operation: Operation, kind: FaultKind, calls: u32) {
        let delay_ms = u64::try_from(LATE.as_millis()).unwrap();
        let plan = PlannedFault { operation, fault: Fault { kind, delay_ms }, calls };
        self.faults.plan(plan).unwrap();
    }

    /// What the ledger says that a payment moved.
    pub(crate) async fn totals(&self, payment: Uuid) -> Option<ProviderTotals> {
        let Outcome::Done(all) = self.client().totals(None).await else {
            panic!("the ledger can be asked");
        };
        all.into_iter().find(|totals| totals.reference == payment.to_string())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

/// A payment of 100.00 and the calls that it may see, each under a key of its own.
pub(crate) struct Payment {
    pub(crate) id: Uuid,
    pub(crate) authorize: Authorize,
    pub(crate) capture: Capture,
    pub(crate) void: Void,
    pub(crate) refund: RefundPayment,
}

impl Payment {
    pub(crate) fn by(card: &str) -> Self {
        let payment = Uuid::now_v7();
        let key = Uuid::now_v7;
        let amount = euros(10_000);
        Self {
            id: payment,
            authorize: Authorize { key: key(), payment, amount, method: card.to_owned() },
            capture: Capture { key: key(), payment, amount },
            void: Void { key: key(), payment, amount },
            refund: RefundPayment { key: key(), payment, refund: key(), amount: euros(4000) },
        }
    }

    /// Makes one of the calls.
    pub(crate) async fn call(
        &self,
        client: &HttpPaymentProvider,
        operation: Operation,
    ) -> Outcome<Receipt> {
        match operation {
            Operation::Confirm => client.authorize(&self.authorize).await,
            Operation::Capture => client.capture(&self.capture).await,
            Operation::Cancel => client.void(&self.void).await,
            Operation::Refund => client.refund(&self.refund).await,
            Operation::Create | Operation::Message | Operation::LookUp => {
                panic!("no call that moves money")
            }
        }
    }

    /// Makes the calls that have to come before an operation.
    pub(crate) async fn reach(&self, client: &HttpPaymentProvider, operation: Operation) {
        let before: &[Operation] = match operation {
            Operation::Capture | Operation::Cancel => &[Operation::Confirm],
            Operation::Refund => &[Operation::Confirm, Operation::Capture],
            _ => &[],
        };
        for operation in before {
            let outcome = self.call(client, *operation).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        }
    }
}
