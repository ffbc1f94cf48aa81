//! The small values that notifications are made of.

use serde::{Deserialize, Serialize};

/// The way a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail; the default for readers that know fewer channels than the writer.
    Email,
    /// Text message.
    Sms,
    /// A push to the traveller's device.
    Push,
    /// A call to a partner's server.
    Webhook,
}

/// Where a notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is to be sent.
    Requested,
    /// A try failed, or it came back; it may be tried again.
    Failed,
    /// A provider took it.
    Sent,
    /// It reached the recipient.
    Delivered,
    /// Nobody tries any more.
    Abandoned,
}
