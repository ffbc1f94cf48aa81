//! How a notification says no: each variant names the broken rule and carries what a caller needs
//! to act on it.

use super::Status;
use crate::ids::{EventId, NotificationId};
use crate::refusal::refusals;
use crate::text::faults_refuse;

refusals! {
    /// A refusal of a notification.
    pub enum Refusal {
        /// Nothing was ever asked of it.
        #[error("there is no such notification")]
        NotificationNotFound = NotFound, "notification_not_found";
        /// It was requested before.
        #[error("notification {notification_id} exists already")]
        NotificationAlreadyExists {
            /// Which one.
            notification_id: NotificationId,
        } = AlreadyExists, "notification_already_exists";
        /// Messages follow from what happened.
        #[error("notifications are sent by the booking process alone")]
        SystemRequired = Forbidden, "notification_system_required";
        /// That nobody could be asked is no fact about the message.
        #[error("nobody could be asked to send by `{operation}`: {provider_code}")]
        Unanswered {
            /// The event that asks for the message.
            request: EventId,
            /// The channel.
            operation: String,
            /// What was in the way: a stable code.
            provider_code: String,
            /// How many more ended so, and were not recorded, since the last that was.
            left_out: u64,
        } = Rule, "notification_unanswered";
        /// What was sent is not given up.
        #[error("the notification was sent already")]
        AlreadySent {
            /// Where it stands.
            notification_status: Status,
        } = Rule, "notification_already_sent";
        /// The template's name is none.
        #[error("`{template}` is not a template: lower-case letters, digits and hyphens")]
        TemplateMalformed {
            /// What was asked for.
            template: String,
        } = Rule, "notification_template_malformed";
        /// The locale is none.
        #[error("`{locale}` is not a locale such as pt-PT")]
        LocaleMalformed {
            /// What was asked for.
            locale: String,
        } = Rule, "notification_locale_malformed";
        /// The recipient is no ciphertext.
        #[error("the recipient is not sealed")]
        RecipientMalformed = Rule, "notification_recipient_malformed";
        /// The facts are no JSON object.
        #[error("the facts are not a JSON object")]
        FactsMalformed = Rule, "notification_facts_malformed";
        /// The facts are too long.
        #[error("the facts have {bytes} bytes, more than {bytes_max}")]
        FactsTooLong {
            /// Bytes asked for.
            bytes: usize,
            /// Bytes allowed.
            bytes_max: usize,
        } = Rule, "notification_facts_too_long";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `reason`.
            field: &'static str,
        } = Rule, "notification_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field: `reason`.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "notification_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field: `reason`.
            field: &'static str,
        } = Rule, "notification_text_unprintable";
    }
}

faults_refuse!(Refusal);
