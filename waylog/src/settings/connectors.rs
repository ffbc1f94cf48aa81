//! Whom the outside's calls go to, and how patient we are with them.

use std::time::Duration;

use clap::Args;
use connectors::notifications::MailSettings;
use connectors::payment_provider::{CircuitSettings, ProviderSettings};
use connectors::payments::ConnectorSettings;
use service_kit::Secret;
use service_kit::secret::ConnectionUrl;

use super::WrongUse;

/// Whom payments and messages go through. Embedded, the sandbox in this process, unless a payment
/// provider is named.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connectors")]
pub(crate) struct ConnectorsSection {
    /// The payment provider's API (http://...)
    #[arg(long, env = "WAYLOG_PAYMENT_PROVIDER_URL", value_name = "URL")]
    pub(crate) payment_provider_url: Option<String>,
    /// What we prove ourselves to it with, at least 16 bytes
    #[arg(long, env = "WAYLOG_PAYMENT_PROVIDER_SECRET", hide_env_values = true)]
    pub(crate) payment_provider_secret: Option<Secret>,
    /// What proves its webhooks; two while one replaces the other, without any none are taken
    #[arg(long, env = "WAYLOG_WEBHOOK_SECRETS", value_name = "SECRET,...")]
    #[arg(value_delimiter = ',', hide_env_values = true)]
    pub(crate) webhook_secrets: Vec<Secret>,
    /// The relay that mail goes through (smtp://[user:password@]host:port)
    #[arg(long, env = "WAYLOG_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) smtp_url: Option<ConnectionUrl>,
    /// Who writes mail
    #[arg(long, env = "WAYLOG_MAIL_FROM", value_name = "MAILBOX")]
    #[arg(default_value = "Waylog <waylog@localhost>")]
    pub(crate) mail_from: String,
    /// The API for text messages, pushes and partners' webhooks (http://...)
    #[arg(long, env = "WAYLOG_MESSAGE_API_URL", value_name = "URL")]
    pub(crate) message_api_url: Option<String>,
    /// What we prove ourselves to it with, and sign its messages, at least 16 bytes
    #[arg(long, env = "WAYLOG_MESSAGE_API_SECRET", hide_env_values = true)]
    pub(crate) message_api_secret: Option<Secret>,
    /// Requests to the payment provider at one time
    #[arg(long, env = "WAYLOG_PAYMENT_REQUESTS_MAX", default_value_t = 32)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) payment_requests_max: u16,
    /// Milliseconds that one try of a call to a provider may take
    #[arg(long, env = "WAYLOG_PROVIDER_ATTEMPT_TIMEOUT_MS", default_value_t = 6000)]
    #[arg(value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(crate) provider_attempt_timeout_ms: u64,
    /// Milliseconds that a call may take, all its tries together
    #[arg(long, env = "WAYLOG_PROVIDER_CALL_TIMEOUT_MS", default_value_t = 15_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(10..=300_000))]
    pub(crate) provider_call_timeout_ms: u64,
    /// Repeats for each hundred calls to a provider, on average of ten seconds
    #[arg(long, env = "WAYLOG_PROVIDER_RETRY_PERCENT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) provider_retry_percent: u16,
    /// Calls that fail in a row until a provider is left alone for a while
    #[arg(long, env = "WAYLOG_PROVIDER_FAILURES_MAX", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) provider_failures_max: u32,
    /// The most seconds that a provider is left alone before one call tries it again
    #[arg(long, env = "WAYLOG_PROVIDER_PAUSE_SECONDS_MAX", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub(crate) provider_pause_seconds_max: u64,
}

impl ConnectorsSection {
    /// Refuses what would not do what it says.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let named = self.payment_provider_url.is_some();
        if named && self.payment_provider_secret.is_none() {
            return Err(WrongUse::because(
                "--payment-provider-url needs --payment-provider-secret too",
            ));
        }
        if !named && (self.payment_provider_secret.is_some() || !self.webhook_secrets.is_empty()) {
            return Err(WrongUse::because(
                "--payment-provider-secret and --webhook-secrets are about a provider that \
                 --payment-provider-url names; the sandbox inside has secrets of its own",
            ));
        }
        if self.message_api_url.is_some() != self.message_api_secret.is_some() {
            return Err(WrongUse::because(
                "--message-api-url and --message-api-secret are needed together",
            ));
        }
        if self.provider_attempt_timeout_ms > self.provider_call_timeout_ms {
            return Err(WrongUse::because(
                "--provider-attempt-timeout-ms is longer than --provider-call-timeout-ms, which \
                 holds all tries of a call",
            ));
        }
        Ok(())
    }

    /// What the client of the provider there is told.
    pub(crate) fn provider(&self, url: &str, secret: Secret) -> ProviderSettings {
        let mut settings = ProviderSettings::new(url, secret);
        settings.attempt_timeout = Duration::from_millis(self.provider_attempt_timeout_ms);
        settings.call_timeout = Duration::from_millis(self.provider_call_timeout_ms);
        settings.retries.per_calls_max = f32::from(self.provider_retry_percent) / 100.0;
        settings.circuit.failures_max = self.provider_failures_max;
        settings.circuit.open_max = Duration::from_secs(self.provider_pause_seconds_max);
        settings
    }

    /// What the mailer over that relay is told.
    pub(crate) fn mail(&self, url: &str) -> MailSettings {
        MailSettings {
            url: url.to_owned(),
            from: self.mail_from.clone(),
            timeout: Duration::from_millis(self.provider_attempt_timeout_ms),
            circuit: CircuitSettings {
                failures_max: self.provider_failures_max,
                open_max: Duration::from_secs(self.provider_pause_seconds_max),
                ..CircuitSettings::default()
            },
        }
    }

    /// What the payment connector is told.
    pub(crate) fn payments(&self) -> ConnectorSettings {
        ConnectorSettings {
            requests_in_flight_max: self.payment_requests_max.into(),
            ..ConnectorSettings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    const SECRET: &str = "correct horse battery";

    #[test]
    fn what_is_not_said_is_the_connectors_own_default() {
        let section = settings(&[]).connectors;

        let secret = || SECRET.parse().unwrap();
        let said = format!("{:?}", section.provider("http://psp.test", secret()));

        assert_eq!(said, format!("{:?}", ProviderSettings::new("http://psp.test", secret())));
        let default = ConnectorSettings::default();
        assert_eq!(section.payments().requests_in_flight_max, default.requests_in_flight_max);
    }

    #[test]
    fn a_provider_and_its_secrets_go_together() {
        let check = |flags: &[[&str; 2]]| settings(&flags.concat()).connectors.check();
        let url = ["--payment-provider-url", "http://psp.test"];
        let (secret, hooks) =
            (["--payment-provider-secret", SECRET], ["--webhook-secrets", SECRET]);

        assert!(check(&[]).is_ok());
        assert!(check(&[url, secret]).is_ok());
        assert!(check(&[url, secret, hooks]).is_ok());
        assert!(check(&[url]).is_err());
        assert!(check(&[secret]).is_err());
        let alone = check(&[hooks]).unwrap_err().to_string();
        assert!(alone.contains("--webhook-secrets"), "{alone}");
    }

    #[test]
    fn one_try_fits_into_its_call() {
        let flags = ["--provider-attempt-timeout-ms", "2000", "--provider-call-timeout-ms", "1000"];

        assert!(settings(&flags).connectors.check().is_err());
    }
}
