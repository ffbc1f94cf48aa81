//! The service `connectors`: payments between the log and their provider, and messages to people.
//! An embedded system that names no payment provider gets the sandbox: a server of its own on the
//! loopback, inside this process.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use connectors::circuits;
use connectors::payment_provider::webhook::WebhookVerifier;
use connectors::payment_provider::{self, HttpPaymentProvider, ProviderSettings};
use connectors::payments::webhooks::{self, PROVIDER, Webhooks};
use connectors::payments::{self, PaymentConnector, Standing};
use keys::Keyring;
use lanes::{CommandPort, SystemClock};
use projectors::Projectors;
use read_models::ReadQueries;
use sandbox::{ApiSecret, Sandbox, WebhookTarget};
use service_kit::Secret;
use service_kit::health::{Finding, Health};
use service_kit::shutdown::{Phase, Shutdown};
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

use crate::notifications;
use crate::settings::{ConnectorsSection, Mode, Places, Service, ServicesSection, WrongUse};
use crate::word;

/// The ledger of the sandbox inside.
pub(crate) const SANDBOX_FILE: &str = "sandbox.sqlite";

/// Requests to the provider that are older than this are told of.
const ANSWER_EXPECTED: Duration = Duration::from_secs(60);

/// What the service adds to this process.
#[derive(Default)]
pub(crate) struct Connected {
    /// Proves its callers by their signatures, so that no identity is asked for.
    pub(crate) webhooks: Router,
    /// What operators may do about those whom it calls.
    pub(crate) operations: OpenApiRouter,
    /// Where the sandbox inside serves.
    pub(crate) sandbox_url: Option<String>,
}

/// Where the sandbox inside takes messages.
pub(crate) struct SandboxInside {
    pub(crate) url: String,
    pub(crate) secret: Secret,
    pub(crate) smtp_url: String,
}

/// What the service is built with.
pub(crate) struct Parts<'a> {
    pub(crate) section: &'a ConnectorsSection,
    pub(crate) services: &'a ServicesSection,
    pub(crate) places: &'a Places,
    pub(crate) mode: &'a Mode,
    /// Where this process serves HTTP.
    pub(crate) url: &'a str,
    pub(crate) queries: Arc<ReadQueries>,
    pub(crate) port: Arc<dyn CommandPort>,
    /// Those of this process, if it folds.
    pub(crate) projectors: Option<&'a Projectors>,
    pub(crate) keyring: Keyring,
    pub(crate) health: &'a Health,
    pub(crate) shutdown: &'a Shutdown,
}

/// A provider, and what proves its webhooks.
struct Provider {
    settings: ProviderSettings,
    webhook_secrets: Vec<Secret>,
    sandbox: Option<SandboxInside>,
}

/// Starts the connector. It stops with the intake; calls that are cut off are found again.
///
/// # Errors
/// When the provider's settings cannot be, or the sandbox inside cannot be opened.
pub(crate) async fn start(parts: Parts<'_>) -> anyhow::Result<Connected> {
    payment_provider::describe_metrics();
    payments::describe_metrics();
    let provider = match (&parts.section.payment_provider_url, parts.mode) {
        (Some(url), _) => named(url, parts.section)?,
        (None, Mode::Embedded) => sandbox_inside(&parts).await?,
        (None, Mode::Distributed { .. }) => {
            nobody(&parts)?;
            let circuits = notifications::start(&parts, None)?;
            return Ok(Connected {
                operations: circuits::router(circuits),
                ..Connected::default()
            });
        }
    };
    let mut circuits = notifications::start(&parts, provider.sandbox.as_ref())?;
    let queries = parts.queries;
    let client = HttpPaymentProvider::new(provider.settings)?;
    circuits.insert(0, Arc::clone(client.circuit()));
    let clock = Arc::new(SystemClock);
    let connector = PaymentConnector::new(
        Arc::clone(&queries),
        Arc::clone(&parts.port),
        Arc::new(client),
        Arc::clone(&clock) as _,
        parts.section.payments(),
    );
    let [requests] = word::of(parts.projectors, "provider_requests");
    let connector = connector.woken_by(requests);
    let standing = connector.watch();
    parts.health.register("connectors", move || std::future::ready(finding(standing())));
    let ended = parts.shutdown.clone();
    // The handle is not needed: the shutdown waits for the task by itself.
    drop(parts.shutdown.spawn(Phase::Intake, "connectors", |stopping| async move {
        // As with the sagas: payments that nobody works on must not look healthy.
        let _takes_down = ended.on_drop();
        connector.run(stopping).await;
    }));
    let webhooks = if provider.webhook_secrets.is_empty() {
        tracing::info!("no webhook secrets: what the provider does is learned by asking it alone");
        Router::new()
    } else {
        let verifier = WebhookVerifier::new(provider.webhook_secrets)
            .map_err(|error| WrongUse::because(error.to_string()))?;
        webhooks::router(Webhooks { queries, port: parts.port, verifier, clock })
    };
    let sandbox_url = provider.sandbox.map(|sandbox| sandbox.url);
    Ok(Connected { webhooks, operations: circuits::router(circuits), sandbox_url })
}

/// A provider that is away is no reason to take the service out: what it cannot do waits.
fn finding(standing: Standing) -> Finding {
    let waits = standing.oldest_open.filter(|waits| *waits > ANSWER_EXPECTED);
    match (standing.trouble, standing.provider, waits) {
        (Some(trouble), _, _) => Finding::Failing(trouble),
        (None, Some(code), _) => Finding::Warning(format!(
            "the payment provider's last answer: {code}; payments wait for it"
        )),
        // Others may be answered well.
        (None, None, Some(waits)) => Finding::Warning(format!(
            "a request to the payment provider has had no answer for {} s; see `waylog saga ls`",
            waits.as_secs()
        )),
        (None, None, None) => Finding::Passing,
    }
}

/// The provider that the settings name; they have been looked at.
fn named(url: &str, section: &ConnectorsSection) -> anyhow::Result<Provider> {
    let secret = section.payment_provider_secret.clone();
    let secret = secret.context("a provider is named together with its secret")?;
    Ok(Provider {
        settings: section.provider(url, secret),
        webhook_secrets: section.webhook_secrets.clone(),
        sandbox: None,
    })
}

/// A deployment without a provider takes no payments, and says so.
fn nobody(parts: &Parts<'_>) -> anyhow::Result<()> {
    if parts.services.only.contains(&Service::Connectors) {
        return Err(WrongUse::because(
            "--only connectors needs --payment-provider-url and --payment-provider-secret",
        ));
    }
    tracing::warn!("no payment provider is named: payments wait until one is");
    parts.health.register("connectors", || {
        let reason = "no --payment-provider-url: payments wait until there is one";
        std::future::ready(Finding::Warning(reason.to_owned()))
    });
    Ok(())
}

/// The sandbox in this process, on a port of its own, with secrets that nobody else knows.
async fn sandbox_inside(parts: &Parts<'_>) -> anyhow::Result<Provider> {
    let (secret, webhook_secret) = (generated()?, generated()?);
    let taken = |secret: &str| ApiSecret::new(secret);
    let hook = format!("{}/v1/webhooks/{PROVIDER}", loopback(parts.url));
    let settings = sandbox::Settings {
        webhook: Some(WebhookTarget::new(&hook, vec![taken(&webhook_secret)?])?),
        ..sandbox::Settings::new(parts.places.data_dir.join(SANDBOX_FILE), taken(&secret)?)
    };
    let opened = tokio::task::spawn_blocking(move || Sandbox::open(&settings)).await;
    let sandbox = opened.context("a starting thread died")??;
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mail = sandbox.mail();
    let mailbox = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let smtp_url = format!("smtp://{}", mailbox.local_addr()?);
    drop(parts.shutdown.spawn(Phase::Drain, "sandbox mail", |stopping| async move {
        mail.serve(mailbox, stopping.cancelled_owned()).await;
    }));
    // It goes on while the connector finishes. The handle is not needed: see above.
    drop(parts.shutdown.spawn(Phase::Drain, "sandbox", |stopping| async move {
        sandbox.serve(listener, stopping.cancelled_owned()).await;
    }));
    Ok(Provider {
        settings: parts.section.provider(&url, secret.parse()?),
        webhook_secrets: vec![webhook_secret.parse()?],
        sandbox: Some(SandboxInside { url, secret: secret.parse()?, smtp_url }),
    })
}

/// 256 bits of the system's randomness, as hexadecimal digits.
fn generated() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    let mut digits = String::with_capacity(64);
    for byte in bytes {
        write!(digits, "{byte:02x}").expect("a string takes every digit");
    }
    Ok(digits)
}

/// Where this process reaches itself, also when it listens on every address.
fn loopback(url: &str) -> String {
    url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reaches_itself_on_the_loopback() {
        assert_eq!(loopback("http://0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(loopback("http://[::]:80"), "http://[::1]:80");
        assert_eq!(loopback("http://10.0.0.1:80"), "http://10.0.0.1:80");
    }

    #[test]
    fn no_two_secrets_are_alike() {
        let (one, other) = (generated().unwrap(), generated().unwrap());

        assert_eq!((one.len(), other.len()), (64, 64));
        assert_ne!(one, other);
    }

    #[test]
    fn a_provider_that_is_away_is_a_warning() {
        let standing = |trouble: Option<&str>, provider| {
            let trouble = trouble.map(str::to_owned);
            finding(Standing { trouble, provider, running: 0, oldest_open: None })
        };
        let waiting = |seconds| {
            let oldest_open = Some(Duration::from_secs(seconds));
            finding(Standing { trouble: None, provider: None, running: 1, oldest_open })
        };

        assert!(matches!(standing(None, None), Finding::Passing));
        assert!(matches!(standing(None, Some("provider_away")), Finding::Warning(_)));
        assert!(matches!(standing(Some("no database"), None), Finding::Failing(_)));
        assert!(matches!(waiting(60), Finding::Passing));
        assert!(matches!(waiting(61), Finding::Warning(_)), "also where others are answered");
    }
}
