//! What is kept of what relays and message APIs say.
//!
//! They echo what they were given: `550 5.1.1 <ada@example.org>: Recipient address rejected`. What
//! is recorded or logged outlives the key of who was written to, so nothing that they worded is:
//! their codes are, as far as those can be nothing else, and sentences of our own.

use std::error::Error as _;
use std::fmt;
use std::io;

use domain::notification::limits::REFERENCE_CHARACTERS_MAX;
use lettre::transport::smtp::Error;

/// So many digits in a row of a reference's may be a phone number, in whatever form it was echoed.
const PHONE_DIGITS: usize = 7;

/// A relay's negative reply: its code, and the enhanced status (RFC 3463) if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) status: Option<Status>,
}

/// An enhanced status without its class, which is the first digit of the code: subject and detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) subject: u16,
    pub(super) detail: u16,
}

impl Reply {
    /// What the relay replied; nothing when it did not reply, or not so that it can be read.
    pub(super) fn of(error: &Error) -> Option<Self> {
        let code = u16::from(error.status()?);
        let status = error.source().and_then(|words| Status::parse(code, &words.to_string()));
        Some(Self { code, status })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(Status { subject, detail }) => {
                write!(f, "{} {}.{subject}.{detail}", self.code, self.code / 100)
            }
            None => self.code.fmt(f),
        }
    }
}

impl Status {
    /// The first word, if it is exactly a status, and of the code's class.
    fn parse(code: u16, words: &str) -> Option<Self> {
        let mut parts = words.split_whitespace().next()?.split('.');
        let class = number(parts.next()?)?;
        let status = Self { subject: number(parts.next()?)?, detail: number(parts.next()?)? };
        (class == code / 100 && parts.next().is_none()).then_some(status)
    }
}

/// One to three digits, the first no zero that could be left out.
fn number(digits: &str) -> Option<u16> {
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    (plain && (digits == "0" || !digits.starts_with('0'))).then(|| digits.parse().ok())?
}

/// What is told of an error of the dialogue with a relay.
pub(super) fn told(error: &Error) -> String {
    if let Some(reply) = Reply::of(error) {
        return format!("it replied {reply}");
    }
    if error.is_response() {
        return "its reply cannot be read".to_owned();
    }
    if error.is_client() {
        return "it speaks otherwise than we do, or has no login that we have".to_owned();
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return cause.kind().to_string();
        }
        source = cause.source();
    }
    "the connection broke off".to_owned()
}

/// The message API's name for a message, unless it may say who was written to.
pub(super) fn reference(id: String, to: Option<&str>) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if !(1..=REFERENCE_CHARACTERS_MAX).contains(&id.len()) || !id.bytes().all(plain) {
        return None;
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let to = digits(to.unwrap_or_default());
    let end = &to[to.len().saturating_sub(PHONE_DIGITS)..];
    let phone = !end.is_empty() && digits(&id).contains(end);
    (!phone).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_exactly_or_none() {
        let status = |words: &str| Status::parse(550, words);

        assert_eq!(status("5.1.1 <ada@example.org>"), Some(Status { subject: 1, detail: 1 }));
        assert_eq!(status("5.7.509"), Some(Status { subject: 7, detail: 509 }));
        assert_eq!(status("5.0.0 no"), Some(Status { subject: 0, detail: 0 }));
        for none in [
            "", "no", "4.1.1", "5.1", "5.1.1.1", "5.1.", "5.1.1234", "5.01.1", "5.1.+1", "5.1.x",
            "<5.1.1>", "5.1.1:", "5.1.١",
        ] {
            assert_eq!(status(none), None, "{none}");
        }
        let reply = Reply { code: 550, status: status("5.1.1 no") };
        assert_eq!(reply.to_string(), "550 5.1.1");
    }

    #[test]
    fn a_reference_that_may_be_an_address_is_not_kept() {
        let kept = |id: &str, to| reference(id.to_owned(), to).is_some();
        let phone = Some("+351 21 555 0100");

        assert!(kept("msg_0192f3c4-7a5e:1", phone));
        assert!(kept("msg_7", None));
        for id in ["351215550100", "msg-21-555-0100-1", "ada@example.org", "", "two words"] {
            assert!(!kept(id, phone), "{id}");
        }
        assert!(!kept(&"m".repeat(REFERENCE_CHARACTERS_MAX + 1), None));
    }
}
