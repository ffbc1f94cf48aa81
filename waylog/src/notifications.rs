//! Messages to people, as part of the service `connectors`: through the relay and the API that the
//! settings name, or embedded through the sandbox inside, which keeps them to be looked at.

use std::sync::Arc;

use connectors::notifications::{
    self, Channel, Channels, Mailer, MessageApi, NotificationConnector, NotificationSettings,
    Standing,
};
use connectors::payment_provider::Circuit;
use lanes::SystemClock;
use service_kit::health::Finding;
use service_kit::shutdown::Phase;

use crate::connectors::{Parts, SandboxInside};
use crate::settings::WrongUse;

/// Starts the connector, and gives the circuits of those whom it calls. It stops with the intake;
/// what is cut off is found again.
///
/// # Errors
/// When a relay, sender or API that the settings name cannot be.
pub(crate) fn start(
    parts: &Parts<'_>,
    sandbox: Option<&SandboxInside>,
) -> anyhow::Result<Vec<Arc<Circuit>>> {
    notifications::describe_metrics();
    let (channels, circuits) = channels(parts, sandbox)?;
    let missing = missing(&channels);
    if let Some(missing) = missing {
        tracing::warn!("{missing}");
    }
    let connector = NotificationConnector::new(
        Arc::clone(&parts.queries),
        Arc::clone(&parts.port),
        parts.keyring.clone(),
        channels,
        Arc::new(SystemClock),
        &NotificationSettings::default(),
    );
    let standing = connector.watch();
    parts
        .health
        .register("notifications", move || std::future::ready(finding(standing(), missing)));
    let ended = parts.shutdown.clone();
    // The handle is not needed: the shutdown waits for the task by itself.
    drop(parts.shutdown.spawn(Phase::Intake, "notifications", |stopping| async move {
        // As with payments: messages that nobody works on must not look healthy.
        let _takes_down = ended.on_drop();
        connector.run(stopping).await;
    }));
    Ok(circuits)
}

/// Whom messages go through, and their circuits.
fn channels(
    parts: &Parts<'_>,
    sandbox: Option<&SandboxInside>,
) -> anyhow::Result<(Channels, Vec<Arc<Circuit>>)> {
    let (section, mut circuits) = (parts.section, Vec::new());
    let wrong = |error: &dyn std::fmt::Display| WrongUse::because(error.to_string());
    let smtp_url = section.smtp_url.as_ref().map(|url| url.expose());
    let mail = match smtp_url.or(sandbox.map(|sandbox| sandbox.smtp_url.as_str())) {
        Some(url) => {
            let mailer = Mailer::new(section.mail(url)).map_err(|error| wrong(&error))?;
            circuits.push(Arc::clone(mailer.circuit()));
            Some(Arc::new(mailer) as Arc<dyn Channel>)
        }
        None => None,
    };
    let named = section.message_api_url.as_deref().zip(section.message_api_secret.as_ref());
    let inside = || sandbox.map(|sandbox| (sandbox.url.as_str(), &sandbox.secret));
    let api = match named.or_else(inside) {
        Some((url, secret)) => {
            let api = MessageApi::new(section.provider(url, secret.clone()));
            let api = api.map_err(|error| wrong(&error))?;
            circuits.push(Arc::clone(api.circuit()));
            Some(Arc::new(api) as Arc<dyn Channel>)
        }
        None => None,
    };
    Ok((Channels { mail, api }, circuits))
}

/// What is not sent, because nobody is named who would.
fn missing(channels: &Channels) -> Option<&'static str> {
    match (&channels.mail, &channels.api) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some("no --smtp-url: mail waits, and is given up after a day"),
        (Some(_), None) => Some("no --message-api-url: text messages and pushes wait for a day"),
        (None, None) => {
            Some("neither --smtp-url nor --message-api-url: messages wait, and are given up")
        }
    }
}

/// A provider that is away is no reason to take the service out: what it cannot do waits.
fn finding(standing: Standing, missing: Option<&'static str>) -> Finding {
    match (standing.trouble, standing.provider) {
        (Some(trouble), _) => Finding::Failing(trouble),
        (None, Some(code)) => {
            Finding::Warning(format!("the last try to send a message: {code}; it is made again"))
        }
        (None, None) => missing.map_or(Finding::Passing, |why| Finding::Warning(why.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_away_is_a_warning() {
        let finding = |trouble: Option<&str>, provider, missing| {
            let trouble = trouble.map(str::to_owned);
            finding(Standing { trouble, provider, running: 0 }, missing)
        };

        assert!(matches!(finding(None, None, None), Finding::Passing));
        assert!(matches!(finding(None, None, Some("no relay")), Finding::Warning(_)));
        assert!(matches!(finding(None, Some("provider_away"), None), Finding::Warning(_)));
        assert!(matches!(finding(Some("no database"), None, None), Finding::Failing(_)));
    }
}
