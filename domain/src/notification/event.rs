//! What can have happened to a notification. One struct an event: each has an Avro schema of its
//! own, and names the notification and its booking.

use serde::{Deserialize, Serialize};

use super::value::Channel;
use crate::Sealed;
use crate::ids::{BookingId, NotificationId};
use crate::payload::event_types;

event_types! {
    /// An event of a notification.
    pub enum Event in Notification {
        /// A message is to be sent.
        Requested(NotificationRequested) = "notification-requested",
        /// The provider took it.
        Sent(NotificationSent) = "notification-sent",
        /// The provider did not take it, or it came back.
        Failed(NotificationFailed) = "notification-failed",
        /// It reached the recipient.
        Delivered(NotificationDelivered) = "notification-delivered",
        /// Nobody tries any more.
        Abandoned(NotificationAbandoned) = "notification-abandoned",
    }
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// The notification.
            pub notification_id: NotificationId,
            /// What it is about.
            pub booking_id: BookingId,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )+};
}

payloads! {
    /// `notification-requested`.
    NotificationRequested {
        /// Which text.
        template: String,
        /// Which way.
        channel: Channel,
        /// In which language.
        locale: String,
        /// To whom; none when the channel knows.
        recipient: Option<Sealed>,
        /// What the text is filled with: a JSON object.
        facts: String,
    }
    /// `notification-sent`.
    NotificationSent {
        /// The provider's id of the message, if it has one.
        reference: Option<String>,
    }
    /// `notification-failed`.
    NotificationFailed {
        /// From 1; which try this was.
        attempt: u32,
        /// The provider's code.
        code: String,
        /// What was wrong; earlier builds kept the provider's words.
        message: String,
    }
    /// `notification-delivered`.
    NotificationDelivered {}
    /// `notification-abandoned`.
    NotificationAbandoned {
        /// Why.
        reason: String,
    }
}
