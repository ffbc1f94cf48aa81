//! One dialogue with the mail relay, verb by verb: what a refusal means depends on what was asked.
//!
//! A relay that does not take our credentials, our sender or mail for others is misconfigured, here
//! or there: the message is not to blame and waits. What it says for good of the recipient
//! ends the message; everything else is tried again. What it words is read for that, and kept
//! nowhere.

use std::error::Error as _;
use std::time::Duration;

use lettre::Message as Mail;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, SMTP_PORT, commands};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout, timeout_at};

use super::Sending;
use super::words::{Reply, Status, told};
use crate::payment_provider::{Doubt, Obstacle, Refusal};

/// How long the relay may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where mail is handed over.
pub(super) struct Relay {
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Sender,
    Recipient,
    Content,
}

impl Relay {
    /// The relay that a URL names.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let url = reqwest::Url::parse(url).ok().filter(|url| url.scheme() == "smtp")?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let plain = ["", "/"].contains(&url.path()) && url.query().is_none();
        if host.is_empty() || !plain {
            return None;
        }
        let plain = |text| percent_decode_str(text).decode_utf8().ok().map(String::from);
        let credentials = if url.username().is_empty() {
            None
        } else {
            let password = plain(url.password().unwrap_or_default())?;
            Some(Credentials::new(plain(url.username())?, password))
        };
        Some(Self { host, port: url.port().unwrap_or(SMTP_PORT), credentials })
    }

    /// Hands it over, until then.
    pub(super) async fn deliver(&self, mail: &Mail, end: Instant) -> Sending {
        // A relay that is not there was not asked: that is no failure of the message.
        let mut line = match timeout_at(end, self.open()).await {
            Ok(Ok(line)) => line,
            Ok(Err(obstacle)) => return Sending::NotTried(obstacle),
            Err(_) => return Sending::NotTried(Obstacle::NoConnection),
        };
        let sending = match timeout_at(end, hand_over(&mut line, mail)).await {
            Ok(Ok(())) => Sending::Taken { reference: None, delivered: false },
            Ok(Err(sending)) => sending,
            Err(_) => Sending::Unknown(Doubt::Late),
        };
        // What was said stands, however the goodbye goes.
        if !matches!(sending, Sending::Unknown(_))
            && !matches!(timeout(GOODBYE, line.quit()).await, Ok(Ok(_)))
        {
            tracing::debug!("the mail relay does not say goodbye");
        }
        sending
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Obstacle> {
        let (server, name) = ((self.host.as_str(), self.port), ClientId::default());
        let line = AsyncSmtpConnection::connect_tokio1(server, None, &name, None, None).await;
        let mut line = line.map_err(|error| unwelcome(&error))?;
        if let Some(credentials) = &self.credentials {
            let login = line.auth(DEFAULT_MECHANISMS, credentials).await;
            login.map_err(|error| unwelcome(&error))?;
        }
        Ok(line)
    }
}

/// Why there is no dialogue. What the relay refuses for good, and a login that it has no way for,
/// is somebody's to correct.
fn unwelcome(error: &Error) -> Obstacle {
    if error.is_permanent() || error.is_client() {
        return misconfigured(error);
    }
    tracing::debug!(why = told(error), "the mail relay is away");
    Obstacle::NoConnection
}

fn misconfigured(error: &Error) -> Obstacle {
    let why = told(error);
    tracing::error!(why, "the mail relay does not take our credentials, sender or mail");
    Obstacle::Misconfigured
}

async fn hand_over(line: &mut AsyncSmtpConnection, mail: &Mail) -> Result<(), Sending> {
    let (envelope, text) = (mail.envelope(), mail.formatted());
    let mut addresses = envelope.to().iter().chain(envelope.from());
    let ascii = addresses.all(|one| one.user().is_ascii() && one.domain().is_ascii());
    let mut parameters = Vec::new();
    if !ascii {
        if !line.server_info().supports_feature(Extension::SmtpUtfEight) {
            let why = "the relay takes no addresses beyond ASCII";
            return Err(Sending::Refused(Refusal::own("mail_malformed", why)));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !text.is_ascii() && line.server_info().supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }

    let sender = commands::Mail::new(envelope.from().cloned(), parameters);
    line.command(sender).await.map_err(|error| About::Sender.judge(&error))?;
    for to in envelope.to() {
        let recipient = commands::Rcpt::new(to.clone(), Vec::new());
        line.command(recipient).await.map_err(|error| About::Recipient.judge(&error))?;
    }
    line.command(commands::Data).await.map_err(|error| About::Content.judge(&error))?;
    line.message(&text).await.map_err(|error| About::Content.judge(&error))?;
    Ok(())
}

impl About {
    fn judge(self, error: &Error) -> Sending {
        let Some(reply) = Reply::of(error) else {
            let late = error.is_timeout();
            return Sending::Unknown(if late { Doubt::Late } else { Doubt::BrokenOff });
        };
        let what = match self {
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Content => "content",
        };
        let why = format!("the mail relay does not take the {what}: {reply}");
        let refusal = Refusal::own(&format!("smtp_{}", reply.code), &why);
        if error.is_transient() {
            return Sending::Later(refusal);
        }
        match (self, reply.code) {
            // Who has to log in, or to log in otherwise.
            (_, 530 | 534 | 535 | 538) | (Self::Sender, _) => {
                Sending::NotTried(misconfigured(error))
            }
            (Self::Recipient, 550 | 551 | 553 | 556) if !of_us(reply, error) => {
                Sending::Refused(refusal)
            }
            // Too much for one mailbox, or for one message: not for good, whatever the code.
            (Self::Recipient, 552) | (Self::Content, _) => Sending::Later(refusal),
            (Self::Recipient, _) => Sending::NotTried(misconfigured(error)),
        }
    }
}

/// Whether a refusal at the recipient is about us: many relays judge the sender, and for whom they
/// relay, no earlier. An enhanced status says so (policy, or the sender's address); without one,
/// the words do.
fn of_us(reply: Reply, error: &Error) -> bool {
    match reply.status {
        Some(Status { subject, detail }) => {
            subject == 7 || (subject == 1 && matches!(detail, 7 | 8))
        }
        None => {
            let words = error.source().map(|words| words.to_string().to_lowercase());
            words.is_some_and(|words| words.contains("relay") || words.contains("sender"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    /// A relay that takes everything, but answers this to what begins with that.
    async fn said_by_a_relay(verb: &'static str, answer: &'static str) -> Sending {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://user:password@{}", listener.local_addr().unwrap());
        let relay = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 ready\r\n").await.unwrap();
            let mut content = false;
            while let Ok(Some(line)) = lines.next_line().await {
                if content && line != "." {
                    continue;
                }
                let usual = match line.split(' ').next().unwrap_or_default() {
                    "EHLO" => "250-relay\r\n250 AUTH PLAIN",
                    "AUTH" => "235 welcome",
                    "DATA" => "354 go on",
                    _ => "250 OK",
                };
                content = line == "DATA";
                let hit = !verb.is_empty() && line.starts_with(verb);
                let answer = if hit { answer } else { usual };
                if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let mail = Mail::builder()
            .from("Waylog <trips@example.org>".parse().unwrap())
            .to("ada@example.org".parse().unwrap())
            .body("Hello".to_owned())
            .unwrap();

        let end = Instant::now() + Duration::from_secs(60);
        let sending = Relay::parse(&url).unwrap().deliver(&mail, end).await;
        relay.abort();
        sending
    }

    fn refusal(sending: &Sending) -> Option<&str> {
        match sending {
            Sending::Refused(refusal) => Some(&refusal.code),
            _ => None,
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_us_is_not_the_messages_failure() {
        let cases = [
            ("EHLO", "554 5.7.1 not from there"),
            ("EHLO", "250 a relay without logins"),
            ("AUTH", "530 5.7.0 a login is needed"),
            ("AUTH", "534 5.7.9 the mechanism is too weak"),
            ("AUTH", "535 5.7.8 wrong credentials"),
            ("AUTH", "538 5.7.11 encryption is needed"),
            ("MAIL", "530 5.7.0 a login is needed"),
            ("MAIL", "550 5.1.8 no such sender"),
            ("MAIL", "553 not yours"),
            ("RCPT", "530 5.7.0 a login is needed"),
            ("RCPT", "550 5.7.1 Relaying denied"),
            ("RCPT", "550 relay not permitted"),
            ("RCPT", "553 5.1.8 Sender address rejected"),
            ("RCPT", "554 5.7.1 Relay access denied"),
        ];
        for (verb, answer) in cases {
            let sending = said_by_a_relay(verb, answer).await;
            assert_eq!(sending, Sending::NotTried(Obstacle::Misconfigured), "{verb}: {answer}");
        }
    }

    #[tokio::test]
    async fn what_is_said_of_the_recipient_for_good_ends_the_message() {
        let cases = [
            ("550 no such mailbox", "smtp_550"),
            ("550 5.1.1 User unknown in relay recipient table", "smtp_550"),
            ("551 5.1.6 moved", "smtp_551"),
            ("553 5.1.3 no such name is possible", "smtp_553"),
        ];
        for (answer, code) in cases {
            let sending = said_by_a_relay("RCPT", answer).await;
            assert_eq!(refusal(&sending), Some(code), "{answer}: {sending:?}");
        }
    }

    #[tokio::test]
    async fn everything_else_is_tried_again() {
        let cases = [
            ("MAIL", "452 no room"),
            ("RCPT", "451 busy"),
            ("RCPT", "552 the mailbox is full"),
            ("DATA", "451 not now"),
            (".", "554 5.7.1 it looks like an advertisement"),
        ];
        for (verb, answer) in cases {
            let sending = said_by_a_relay(verb, answer).await;
            assert!(matches!(sending, Sending::Later(_)), "{verb}: {answer}: {sending:?}");
        }
        let away = said_by_a_relay("AUTH", "454 4.7.0 later").await;
        assert_eq!(away, Sending::NotTried(Obstacle::NoConnection));
        let taken = said_by_a_relay("", "").await;
        assert_eq!(taken, Sending::Taken { reference: None, delivered: false });
    }
}
