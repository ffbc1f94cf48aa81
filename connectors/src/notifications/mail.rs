//! Mail through an SMTP server of the deployment's own network, which brings it to the world.
//!
//! Without TLS, as with the databases: the way to the relay is trusted. What leaves the network is
//! the relay's to encrypt and to sign.

use std::time::{Duration, Instant};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error, SMTP_PORT};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use percent_encoding::percent_decode_str;

use super::settings::ChannelError;
use super::{Channel, Message, Sending};
use crate::circuit::{Circuit, CircuitSettings};
use crate::payment_provider::{Doubt, Obstacle, Refusal};

/// Where mail goes, and in whose name.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The relay: `smtp://[user:password@]host:port`.
    pub url: String,
    /// Who writes: `Name <name@example.org>`.
    pub from: String,
    /// How long one try may take.
    pub timeout: Duration,
    /// When the relay is left alone.
    pub circuit: CircuitSettings,
}

/// Sends mail.
pub struct Mailer {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    circuit: Circuit,
}

impl Mailer {
    /// A mailer; nothing is sent yet.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn new(settings: MailSettings) -> Result<Self, ChannelError> {
        let MailSettings { url, from, timeout, circuit } = settings;
        let shown = || ChannelError::MailUrl(service_kit::secret::redact(&url));
        let relay = relay(&url).ok_or_else(shown)?.timeout(Some(timeout)).build();
        let from = from.parse().map_err(|_| ChannelError::Sender(from))?;
        Ok(Self { relay, from, timeout, circuit: Circuit::new("mail", circuit) })
    }

    fn write(&self, message: &Message<'_>) -> Result<Mail, Refusal> {
        let malformed = |code: &str, why: String| Refusal { code: code.to_owned(), message: why };
        let to = message.to.unwrap_or_default().parse::<lettre::Address>();
        let to = to.map_err(|error| malformed("address_malformed", error.to_string()))?;
        let host = self.from.email.domain();
        Mail::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&message.letter.subject)
            .message_id(Some(format!("<{}@{host}>", message.name.0)))
            .header(ContentType::TEXT_PLAIN)
            .body(message.letter.text.clone())
            .map_err(|error| malformed("mail_malformed", error.to_string()))
    }

    async fn deliver(&self, mail: Mail) -> Sending {
        let end = Instant::now() + self.timeout;
        // A relay that is not there was not asked: that is no failure of the message.
        match tokio::time::timeout(self.timeout, self.relay.test_connection()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false) | Err(_)) | Err(_) => return Sending::NotTried(Obstacle::NoConnection),
        }
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, self.relay.send(mail)).await {
            Ok(Ok(_)) => Sending::Taken { reference: None, delivered: false },
            Ok(Err(error)) => said(&error),
            Err(_) => Sending::Unknown(Doubt::Late),
        }
    }
}

/// The relay that a URL names.
fn relay(url: &str) -> Option<AsyncSmtpTransportBuilder> {
    let url = reqwest::Url::parse(url).ok().filter(|url| url.scheme() == "smtp")?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    let plain = ["", "/"].contains(&url.path()) && url.query().is_none();
    if host.is_empty() || !plain {
        return None;
    }
    let relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
    let relay = relay.port(url.port().unwrap_or(SMTP_PORT));
    if url.username().is_empty() {
        return Some(relay);
    }
    let plain = |text| percent_decode_str(text).decode_utf8().ok().map(String::from);
    let password = plain(url.password().unwrap_or_default())?;
    Some(relay.credentials(Credentials::new(plain(url.username())?, password)))
}

fn said(error: &Error) -> Sending {
    let refusal = |code: &str| Refusal {
        code: error.status().map_or_else(|| code.to_owned(), |status| format!("smtp_{status}")),
        message: error.to_string(),
    };
    if error.is_permanent() {
        Sending::Refused(refusal("mail_refused"))
    } else if error.is_transient() {
        Sending::Later(refusal("mail_refused_for_now"))
    } else if error.is_client() {
        Sending::Refused(refusal("mail_malformed"))
    } else {
        Sending::Unknown(if error.is_timeout() { Doubt::Late } else { Doubt::BrokenOff })
    }
}

#[async_trait::async_trait]
impl Channel for Mailer {
    async fn send(&self, message: &Message<'_>) -> Sending {
        let mail = match self.write(message) {
            Ok(mail) => mail,
            Err(refusal) => return Sending::Refused(refusal),
        };
        let passage = match self.circuit.enter() {
            Ok(passage) => passage,
            Err(wait) => return Sending::NotTried(Obstacle::CircuitOpen(wait)),
        };
        let sending = self.deliver(mail).await;
        passage.settle(!matches!(sending, Sending::Unknown(_) | Sending::NotTried(_)));
        sending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_relay_and_a_sender_that_can_be_used_are_taken() {
        let mailer = |url: &str, from: &str| {
            let timeout = Duration::from_secs(1);
            let circuit = CircuitSettings::default();
            let (url, from) = (url.to_owned(), from.to_owned());
            Mailer::new(MailSettings { url, from, timeout, circuit }).map(drop)
        };
        let from = "Waylog <trips@example.org>";

        assert!(mailer("smtp://127.0.0.1:2525", from).is_ok());
        assert!(mailer("smtp://user:password@relay:25", from).is_ok());
        assert_eq!(mailer("smtps://relay", from).unwrap_err().code(), "mail_url_refused");
        assert_eq!(mailer("relay:25", from).unwrap_err().code(), "mail_url_refused");
        let nobody = mailer("smtp://127.0.0.1:2525", "nobody").unwrap_err();
        assert_eq!(nobody.code(), "mail_sender_refused");
    }
}
