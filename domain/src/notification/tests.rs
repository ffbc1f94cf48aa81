//! What a notification accepts, and what each refusal is good for.

use uuid::Uuid;

use super::limits::FACTS_BYTES_MAX;
use super::*;
use crate::ids::{BookingId, EventId, NotificationId, PersonId};
use crate::testing::{account, decide, fold, given, saga};
use crate::{Actor, RefusalKind, Sealed, Timestamp};
use RefusalKind::{AlreadyExists, Forbidden, NotFound, Rule};

fn notification_id() -> NotificationId {
    NotificationId(Uuid::from_u128(1))
}

fn sealed(ciphertext: &str) -> Sealed {
    Sealed { person: PersonId(Uuid::from_u128(3)), ciphertext: ciphertext.to_owned() }
}

fn request_of(template: &str, locale: &str, ciphertext: &str, facts: &str) -> Command {
    Command::Request {
        notification_id: notification_id(),
        booking_id: BookingId(Uuid::from_u128(2)),
        template: template.to_owned(),
        channel: Channel::Email,
        locale: locale.to_owned(),
        recipient: Some(sealed(ciphertext)),
        facts: facts.to_owned(),
    }
}

fn request() -> Command {
    request_of("booking-confirmed", "pt-PT", "c2VhbGVk", r#"{"places":["Porto"]}"#)
}

fn sent(reference: Option<&str>) -> Command {
    Command::RecordSent { reference: reference.map(str::to_owned) }
}

fn failed(attempt: u32) -> Command {
    let (code, message) = ("mailbox_full".to_owned(), "Try later.".to_owned());
    Command::RecordFailed { attempt, code, message }
}

fn delivered() -> Command {
    Command::RecordDelivered {}
}

fn abandon() -> Command {
    Command::Abandon { reason: "too many tries".to_owned() }
}

fn after(commands: &[Command]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for command in commands {
        let state: Notification = fold(&events);
        let decided = decide(&state, &saga(), command, Timestamp::default());
        events.extend(decided.expect("the command is accepted"));
    }
    events
}

fn names(commands: &[Command]) -> Vec<&'static str> {
    after(commands).iter().map(Event::name).collect()
}

fn nothing(history: &[Command], command: &Command) {
    given::<Notification>(&after(history)).when(&saga(), command).then_nothing();
}

fn refused(history: &[Command], command: &Command, kind: RefusalKind, code: &str) {
    given::<Notification>(&after(history)).when(&saga(), command).then_refused(kind, code);
}

#[test]
fn a_message_is_requested_sent_and_delivered() {
    let story = [request(), failed(1), sent(Some("msg_1")), delivered()];

    let names = names(&story);

    let expected = ["requested", "failed", "sent", "delivered"];
    assert_eq!(names, expected.map(|name| format!("notification-{name}")));
}

#[test]
fn the_request_is_kept_as_it_was_made() {
    given::<Notification>(&[]).when(&saga(), &request()).then(&[NotificationRequested {
        notification_id: notification_id(),
        booking_id: BookingId(Uuid::from_u128(2)),
        template: "booking-confirmed".to_owned(),
        channel: Channel::Email,
        locale: "pt-PT".to_owned(),
        recipient: Some(sealed("c2VhbGVk")),
        facts: r#"{"places":["Porto"]}"#.to_owned(),
    }
    .into()]);
}

#[test]
fn a_message_is_requested_once_and_by_systems_alone() {
    refused(&[request()], &request(), AlreadyExists, "notification_already_exists");
    given::<Notification>(&[])
        .when(&Actor::Account(account(1)), &request())
        .then_refused(Forbidden, "notification_system_required");
}

#[test]
fn a_message_that_was_never_heard_of_has_no_fate() {
    for command in [sent(None), failed(1), delivered(), abandon()] {
        refused(&[], &command, NotFound, "notification_not_found");
    }
}

#[test]
fn a_fact_is_recorded_once() {
    let story = [request(), failed(1), sent(Some("msg_1"))];

    nothing(&story, &failed(1));
    nothing(&story, &sent(Some("msg_1")));
    nothing(&story, &sent(None));
    let arrived = [&story[..], &[delivered()]].concat();
    for late in [delivered(), sent(Some("msg_2")), failed(2)] {
        nothing(&arrived, &late);
    }
}

#[test]
fn a_message_that_comes_back_may_be_sent_anew() {
    let back = [request(), sent(Some("msg_1")), failed(2)];

    for reference in [None, Some("msg_1"), Some("msg_2")] {
        let anew = [&back[..], &[sent(reference)]].concat();
        assert_eq!(names(&anew)[2..], ["notification-failed", "notification-sent"]);
        nothing(&anew, &sent(reference));
    }
}

/// Two senders made the same try: one had it taken, the other did not.
#[test]
fn a_try_that_one_sender_sent_does_not_fail_by_another() {
    for reference in [None, Some("msg_1")] {
        nothing(&[request(), sent(reference)], &failed(1));
        nothing(&[request(), failed(1), sent(reference)], &failed(2));
        let late = [request(), failed(1), sent(reference)];
        assert_eq!(names(&late)[1..], ["notification-failed", "notification-sent"]);
        let Notification::Known(message) = fold(&after(&late)) else { panic!("it was asked for") };
        assert_eq!(message.status, Status::Sent);
    }
}

#[test]
fn what_happened_after_giving_up_is_recorded() {
    let given_up = [request(), failed(1), abandon()];

    nothing(&given_up, &abandon());
    assert_eq!(names(&[&given_up[..], &[failed(2)]].concat()).len(), 4);
    assert_eq!(names(&[&given_up[..], &[sent(None)]].concat()).len(), 4);
    assert_eq!(names(&[&given_up[..], &[delivered()]].concat()).len(), 4);
}

#[test]
fn what_was_sent_is_not_given_up() {
    refused(&[request(), sent(None)], &abandon(), Rule, "notification_already_sent");
    refused(&[request(), delivered()], &abandon(), Rule, "notification_already_sent");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let long_facts = format!(r#"{{"a":"{}"}}"#, "x".repeat(FACTS_BYTES_MAX));
    let cases = [
        (request_of("Booking!", "pt", "c2Vh", "{}"), "notification_template_malformed"),
        (request_of("", "pt", "c2Vh", "{}"), "notification_template_malformed"),
        (request_of("t", "p", "c2Vh", "{}"), "notification_locale_malformed"),
        (request_of("t", "pt_PT", "c2Vh", "{}"), "notification_locale_malformed"),
        (request_of("t", "pt", "Ada Lovelace", "{}"), "notification_recipient_malformed"),
        (request_of("t", "pt", "c2Vh", "[]"), "notification_facts_malformed"),
        (request_of("t", "pt", "c2Vh", &long_facts), "notification_facts_too_long"),
    ];
    for (command, code) in cases {
        assert_eq!(command.check().map_err(|refusal| refusal.code()), Err(code));
        refused(&[], &command, Rule, code);
    }
    let reasons = [
        (" ".to_owned(), "notification_text_blank"),
        ("r".repeat(201), "notification_text_too_long"),
        ("a\u{0}".to_owned(), "notification_text_unprintable"),
    ];
    for (reason, code) in reasons {
        refused(&[request()], &Command::Abandon { reason }, Rule, code);
    }
}

#[test]
fn that_nobody_could_be_asked_is_noted_by_a_refusal_whatever_the_message() {
    let note = Command::NoteUnanswered {
        request: EventId(Uuid::from_u128(9)),
        operation: "email".to_owned(),
        code: "provider_away".to_owned(),
        left_out: 3,
    };

    for history in [&[][..], &[request()], &[request(), abandon()]] {
        let refusal = given::<Notification>(&after(history))
            .when(&saga(), &note)
            .then_refused(Rule, "notification_unanswered");
        assert_eq!(refusal.message, "nobody could be asked to send by `email`: provider_away");
        assert_eq!(refusal.facts["left_out"], 3);
    }
    assert!(note.check().is_err());
}
