//! The mail side: a small SMTP server that takes every message and keeps it in the ledger, so that
//! it can be looked at. It relays nothing.
//!
//! Addresses misbehave by their local part: `no-such-mailbox@...` is refused for good, `busy@...`
//! for now. Whatever was answered 250 is in the ledger, synced to disk.

use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::ledger::messages::NewMessage;

/// How long a client may say nothing.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Bytes of one line of the dialogue.
const LINE_BYTES_MAX: u64 = 2048;
/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Recipients of one message.
const RECIPIENTS_MAX: usize = 100;
/// Connections at one time.
const CONNECTIONS_MAX: usize = 64;
/// The pause after the system had no connection to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The mail side of an opened sandbox.
#[derive(Debug, Clone)]
pub struct MailSink(pub(crate) Api);

/// What one client has said so far.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

impl MailSink {
    /// Serves until `shutdown`. Dropped, it ends at once.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut clients = JoinSet::new();
        loop {
            let room = clients.len() < CONNECTIONS_MAX;
            tokio::select! {
                () = &mut shutdown => return,
                Some(_) = clients.join_next() => {}
                accepted = listener.accept(), if room => match accepted {
                    Ok((stream, _)) => {
                        clients.spawn(client(self.0.clone(), stream));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept connections for mail");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }
}

async fn client(api: Api, stream: TcpStream) {
    let (read, write) = stream.into_split();
    let mut dialogue = Dialogue { read: BufReader::new(read), write };
    if let Err(error) = dialogue.hold(&api).await {
        tracing::debug!(%error, "a mail client broke off");
    }
}

struct Dialogue {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Dialogue {
    async fn hold(&mut self, api: &Api) -> std::io::Result<()> {
        self.say("220 sandbox ready").await?;
        let mut envelope = Envelope::default();
        while let Some(line) = self.line().await? {
            let verb = line.get(..4).unwrap_or(&line).to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let size = format!("250-SIZE {MESSAGE_BYTES_MAX}");
                    self.say("250-sandbox").await?;
                    self.say(&size).await?;
                    self.say("250-8BITMIME").await?;
                    self.say("250 SMTPUTF8").await?;
                }
                "HELO" | "NOOP" => self.say("250 OK").await?,
                "RSET" => {
                    envelope = Envelope::default();
                    self.say("250 OK").await?;
                }
                "MAIL" => {
                    envelope = Envelope { from: Some(address(&line)), to: Vec::new() };
                    self.say("250 OK").await?;
                }
                "RCPT" => {
                    let answer = recipient(&mut envelope, address(&line));
                    self.say(answer).await?;
                }
                "DATA" => self.data(api, &mut envelope).await?,
                "QUIT" => return self.say("221 bye").await,
                _ => self.say("502 not here").await?,
            }
        }
        Ok(())
    }

    async fn data(&mut self, api: &Api, envelope: &mut Envelope) -> std::io::Result<()> {
        let Envelope { from: Some(_), to } = std::mem::take(envelope) else {
            return self.say("503 who writes to whom?").await;
        };
        if to.is_empty() {
            return self.say("503 who writes to whom?").await;
        }
        self.say("354 go on, end with a lone dot").await?;
        let (mut text, mut too_long) = (String::new(), false);
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            if line == "." {
                break;
            }
            too_long |= text.len() + line.len() > MESSAGE_BYTES_MAX;
            if !too_long {
                text += line.strip_prefix('.').unwrap_or(&line);
                text.push('\n');
            }
        }
        if too_long {
            return self.say("552 too long").await;
        }
        let message = NewMessage {
            // A message that is sent again is a message again: mail has no other way.
            key: None,
            channel: "email".to_owned(),
            recipient: to.join(", "),
            subject: header(&text, "subject"),
            reference: header(&text, "message-id"),
            body: text,
        };
        match api.work(move |ledger| ledger.keep_message(&message)).await {
            Ok(id) => self.say(&format!("250 kept as {id}")).await,
            Err(_) => self.say("451 not kept, try again").await,
        }
    }

    /// The next line without its end; none when the client is gone or silent for too long.
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let mut bounded = (&mut self.read).take(LINE_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut bytes);
        match tokio::time::timeout(IDLE_MAX, read).await {
            Ok(Ok(0)) | Err(_) => Ok(None),
            Ok(Ok(_)) => {
                let text = String::from_utf8_lossy(&bytes);
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            Ok(Err(error)) => Err(error),
        }
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.write.write_all(format!("{line}\r\n").as_bytes()).await
    }
}

fn recipient(envelope: &mut Envelope, address: String) -> &'static str {
    if envelope.to.len() >= RECIPIENTS_MAX {
        return "452 too many recipients";
    }
    match address.split('@').next() {
        Some("no-such-mailbox") => "550 no such mailbox",
        Some("busy") => "451 the mailbox is busy",
        _ => {
            envelope.to.push(address);
            "250 OK"
        }
    }
}

/// What stands between the angle brackets.
fn address(line: &str) -> String {
    let from = line.find('<').map_or(line.len(), |at| at + 1);
    let rest = &line[from..];
    rest[..rest.find('>').unwrap_or(rest.len())].to_owned()
}

/// A header's value in a message's head.
fn header(text: &str, name: &str) -> Option<String> {
    let head = text.lines().take_while(|line| !line.is_empty());
    head.filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_headers_are_found() {
        let text = "Subject: Hello\nMessage-ID: <7@waylog>\n\nSubject: not this\n";

        assert_eq!(address("RCPT TO:<ada@example.org> SIZE=3"), "ada@example.org");
        assert_eq!(address("RCPT TO:"), "");
        assert_eq!(header(text, "message-id").as_deref(), Some("<7@waylog>"));
        assert_eq!(header(text, "subject").as_deref(), Some("Hello"));
        assert_eq!(header(text, "from"), None);
    }
}
