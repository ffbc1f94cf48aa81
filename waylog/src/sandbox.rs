//! `waylog sandbox`: the payment provider's sandbox as a server of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sandbox::{ApiSecret, Card, Sandbox, Settings, WebhookTarget};
use service_kit::Secret;
use service_kit::config::TelemetrySection;
use service_kit::shutdown::{Phase, Shutdown};
use service_kit::telemetry;
use tokio::net::TcpListener;

use crate::output::{Ended, say};
use crate::settings::WrongUse;

/// The longest a stop may take.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// What callers on this machine prove themselves with, unless another secret is set.
const DEVELOPMENT_SECRET: &str = "sk_test_waylog_sandbox";

/// Where it serves, and how it behaves.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "WAYLOG_SANDBOX_LISTEN", value_name = "ADDR")]
    #[arg(default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The address to take mail on (SMTP); without it none is taken
    #[arg(long, env = "WAYLOG_SANDBOX_SMTP_LISTEN", value_name = "ADDR")]
    smtp_listen: Option<SocketAddr>,
    /// The ledger; made when it does not exist
    #[arg(long, env = "WAYLOG_SANDBOX_DATA_FILE", value_name = "FILE")]
    #[arg(default_value = "waylog-data/sandbox.sqlite")]
    data_file: PathBuf,
    /// What callers prove themselves with, at least 16 bytes; on the loopback there is a default
    #[arg(long, env = "WAYLOG_SANDBOX_SECRET", hide_env_values = true)]
    secret: Option<Secret>,
    /// Where webhooks go (http://...); without it events can only be looked up
    #[arg(long, env = "WAYLOG_SANDBOX_WEBHOOK_URL", value_name = "URL")]
    webhook_url: Option<String>,
    /// What signs webhooks; two while one replaces the other
    #[arg(long, env = "WAYLOG_SANDBOX_WEBHOOK_SECRETS", value_name = "SECRET,...")]
    #[arg(value_delimiter = ',', hide_env_values = true)]
    webhook_secrets: Vec<Secret>,
    /// Milliseconds by which `card_slow` is answered late, and authorizations of `card_silent`
    #[arg(long, env = "WAYLOG_SANDBOX_SLOW_ANSWER_MS", default_value_t = 3000)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=600_000))]
    slow_answer_ms: u64,
    /// Milliseconds by which the webhooks of `card_webhook_late` and `card_silent` are late
    #[arg(long, env = "WAYLOG_SANDBOX_WEBHOOK_LATE_MS", default_value_t = 30_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=86_400_000))]
    webhook_late_ms: u64,
    #[command(flatten)]
    telemetry: TelemetrySection,
}

impl Question {
    fn settings(&self) -> anyhow::Result<Settings> {
        let secret = match &self.secret {
            Some(secret) => secret.expose(),
            None if self.listen.ip().is_loopback() => DEVELOPMENT_SECRET,
            None => {
                return Err(WrongUse::because("away from the loopback, --secret is needed"));
            }
        };
        let webhook = match &self.webhook_url {
            None => None,
            Some(url) => {
                let secrets = self.webhook_secrets.iter().map(|secret| taken(secret.expose()));
                let secrets = secrets.collect::<anyhow::Result<_>>()?;
                let target = WebhookTarget::new(url, secrets);
                Some(target.map_err(|error| WrongUse::because(error.to_string()))?)
            }
        };
        Ok(Settings {
            webhook,
            slow_answer: Duration::from_millis(self.slow_answer_ms),
            webhook_late: Duration::from_millis(self.webhook_late_ms),
            ..Settings::new(self.data_file.clone(), taken(secret)?)
        })
    }
}

fn taken(secret: &str) -> anyhow::Result<ApiSecret> {
    ApiSecret::new(secret).map_err(|error| WrongUse::because(error.to_string()))
}

/// Serves until it is told to stop.
///
/// # Errors
/// When the settings cannot be, the address is taken, or the ledger cannot be opened.
pub(crate) fn run(question: &Question) -> anyhow::Result<Ended> {
    let settings = question.settings()?;
    telemetry::init_logging(&question.telemetry)?;
    let sandbox = Sandbox::open(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(question, sandbox))
}

async fn serve(question: &Question, sandbox: Sandbox) -> anyhow::Result<Ended> {
    let listener = TcpListener::bind(question.listen)
        .await
        .with_context(|| format!("cannot listen on {}", question.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let shutdown = Shutdown::new(STOP_DEADLINE);
    let mail = match question.smtp_listen {
        Some(address) => {
            let mailbox = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?;
            let smtp = format!("smtp://{}", mailbox.local_addr()?);
            let mail = sandbox.mail();
            shutdown.spawn(Phase::Intake, "sandbox mail", |stopping| async move {
                mail.serve(mailbox, stopping.cancelled_owned()).await;
            });
            smtp
        }
        None => "none taken".to_owned(),
    };
    shutdown.spawn(Phase::Intake, "sandbox", |stopping| async move {
        sandbox.serve(listener, stopping.cancelled()).await;
    });
    say(format_args!("{}", banner(&url, &mail, question)));
    let stopped = shutdown.run().await?;
    tracing::info!(?stopped, "stopped");
    Ok(if stopped.left.is_empty() { Ended::Done } else { Ended::No })
}

/// Where it serves, and a first payment to copy.
fn banner(url: &str, mail: &str, question: &Question) -> String {
    let secret = match question.secret {
        Some(_) => "$WAYLOG_SANDBOX_SECRET",
        None => DEVELOPMENT_SECRET,
    };
    let cards = Card::ALL.map(Card::name).join(", ");
    format!(
        "The payment provider's sandbox serves at {url}\n\n  \
         ledger       {ledger}\n  \
         cards        {cards}\n  \
         mail         {mail}\n  \
         messages     {url}/admin/messages\n\n\
         No money moves. Try:\n\n  \
         curl -s {url}/v1/payment_intents -H 'authorization: Bearer {secret}' \\\n    \
         -H 'idempotency-key: first' -d '{{\"reference\":\"first\",\"amount\":12900,\
         \"currency\":\"EUR\",\"method\":\"card_approved\",\"confirm\":true}}'\n",
        ledger = question.data_file.display(),
    )
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        question: Question,
    }

    fn settings(flags: &[&str]) -> anyhow::Result<Settings> {
        // Whoever runs the tests may have settings in the environment.
        let command = Line::command().mut_args(|arg| arg.env(Resettable::Reset));
        let words = std::iter::once(&"sandbox").chain(flags);
        let matches = command.try_get_matches_from(words).unwrap();
        Line::from_arg_matches(&matches).unwrap().question.settings()
    }

    #[test]
    fn away_from_the_loopback_a_secret_is_needed() {
        let everywhere = settings(&["--listen", "0.0.0.0:0"]).unwrap_err();
        let guarded = settings(&["--listen", "0.0.0.0:0", "--secret", "correct horse battery"]);

        assert!(everywhere.to_string().contains("--secret"), "{everywhere}");
        assert!(guarded.is_ok());
        assert!(settings(&[]).is_ok());
    }

    #[test]
    fn webhooks_need_a_secret() {
        let url = ["--webhook-url", "http://127.0.0.1:1/hook"];
        let unsigned = settings(&url).unwrap_err();
        let both = ["--webhook-secrets", "correct horse battery,battery horse correct"];

        assert!(unsigned.to_string().contains("secrets"), "{unsigned}");
        assert!(settings(&[url, both].concat()).unwrap().webhook.is_some());
    }
}
