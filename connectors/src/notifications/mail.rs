//! Mail through an SMTP server of the deployment's own network, which brings it to the world.
//!
//! Without TLS, as with the databases: the way to the relay is trusted. What leaves the network is
//! the relay's to encrypt and to sign.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message as Mail};
use tokio::time::Instant;

use super::settings::ChannelError;
use super::smtp::Relay;
use super::{Channel, Message, Sending};
use crate::circuit::{Circuit, CircuitSettings};
use crate::payment_provider::{Obstacle, Refusal};

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
    relay: Relay,
    from: Mailbox,
    timeout: Duration,
    circuit: Arc<Circuit>,
}

impl Mailer {
    /// A mailer; nothing is sent yet.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn new(settings: MailSettings) -> Result<Self, ChannelError> {
        let MailSettings { url, from, timeout, circuit } = settings;
        let shown = || ChannelError::MailUrl(service_kit::secret::redact(&url));
        let relay = Relay::parse(&url).ok_or_else(shown)?;
        let from = from.parse().map_err(|_| ChannelError::Sender(from))?;
        let circuit = Arc::new(Circuit::new("mail", circuit));
        Ok(Self { relay, from, timeout, circuit })
    }

    /// The circuit, to be looked at and reset.
    #[must_use]
    pub const fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    fn write(&self, message: &Message<'_>) -> Result<Mail, Refusal> {
        // The parser's own words may hold the address.
        let malformed = |code: &str, why: &str| Refusal::own(code, why);
        let to = message.to.unwrap_or_default().parse::<lettre::Address>();
        let to =
            to.map_err(|_| malformed("address_malformed", "the recipient's address is none"))?;
        let host = self.from.email.domain();
        Mail::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&message.letter.subject)
            .message_id(Some(format!("<{}@{host}>", message.name.0)))
            .header(ContentType::TEXT_PLAIN)
            .body(message.letter.text.clone())
            .map_err(|_| malformed("mail_malformed", "the mail cannot be written"))
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
        let sending = self.relay.deliver(&mail, Instant::now() + self.timeout).await;
        // A relay that does not take us is there: the circuit is not to hide what has to be said.
        passage.settle(!matches!(
            sending,
            Sending::Unknown(_) | Sending::NotTried(Obstacle::NoConnection)
        ));
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
