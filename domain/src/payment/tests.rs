//! What a payment accepts, and what becomes of answers that come late, twice or wrong.

use uuid::Uuid;

use super::limits::{AMOUNT_MAX, REFERENCES_MAX, REFUNDS_MAX};
use super::*;
use crate::ids::{BookingId, EventId, PaymentId, RefundId, SagaId};
use crate::money::Money;
use crate::testing::{account, decide, fold, given, saga};
use crate::{Actor, Digest, RefusalKind, Timestamp};
use RefusalKind::{AlreadyExists, Forbidden, NotFound, Rule};

const PRICE: i64 = 12_900;

fn eur(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn terms() -> Terms {
    Terms {
        payment_id: PaymentId(Uuid::from_u128(1)),
        booking_id: BookingId(Uuid::from_u128(2)),
        saga_id: SagaId(Uuid::from_u128(3)),
        account_id: account(4),
        amount: eur(PRICE),
        method: "card_approved".to_owned(),
        due_at: "2026-01-01T12:00:00Z".parse().unwrap(),
    }
}

fn refund_id(number: u128) -> RefundId {
    RefundId(Uuid::from_u128(500 + number))
}

fn request() -> Command {
    Command::Request { terms: terms() }
}

fn void(attempt: u32) -> Command {
    Command::RequestVoid { terms: terms(), attempt, reason: "deadline".to_owned() }
}

fn refund(number: u128, amount: i64) -> Command {
    let (refund_id, reason) = (refund_id(number), "cancellation".to_owned());
    Command::RequestRefund { refund_id, amount: eur(amount), reason, attempt: 1 }
}

fn authorized(reference: &str, amount: i64) -> Command {
    Command::RecordAuthorized { reference: reference.to_owned(), amount: eur(amount) }
}

fn succeeded(reference: &str, amount: i64) -> Command {
    Command::RecordSucceeded { reference: reference.to_owned(), amount: eur(amount) }
}

fn refunded(number: u128, reference: &str, amount: i64) -> Command {
    let reference = reference.to_owned();
    Command::RecordRefunded { refund_id: refund_id(number), reference, amount: eur(amount) }
}

fn declined(phase: Phase, attempt: Option<u32>) -> Command {
    let (code, message) = ("card_declined".to_owned(), "The card was declined.".to_owned());
    Command::RecordFailed { phase, attempt, reference: None, code, message }
}

fn voided(attempt: u32) -> Command {
    Command::RecordVoided { attempt, reference: Some("rel_1".to_owned()) }
}

fn void_failed(attempt: u32) -> Command {
    let (code, message) = ("provider_refused".to_owned(), "Not now.".to_owned());
    Command::RecordVoidFailed { attempt, code, message }
}

fn refund_failed(refund_id: RefundId) -> Command {
    let (code, message) = ("refund_refused".to_owned(), "Not now.".to_owned());
    Command::RecordRefundFailed { refund_id, code, message }
}

fn capture(attempt: u32) -> Command {
    Command::RequestCapture { attempt }
}

/// The events of commands that are all accepted.
fn after(commands: &[Command]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for command in commands {
        let state: Payment = fold(&events);
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        events.extend(decide(&state, &saga(), command, now).expect("the command is accepted"));
    }
    events
}

/// What the last of the commands appends, by name.
fn names(commands: &[Command]) -> Vec<&'static str> {
    let (_, before) = commands.split_last().unwrap();
    after(commands)[after(before).len()..].iter().map(Event::name).collect()
}

fn ledger(commands: &[Command]) -> Ledger {
    match fold(&after(commands)) {
        Payment::Known(ledger) => *ledger,
        Payment::NotRequested => panic!("the payment is known"),
    }
}

/// The refund that the payment asked for itself.
fn own_refund(commands: &[Command]) -> RefundId {
    ledger(commands).pending().expect("a refund is pending")
}

fn refused(history: &[Command], command: &Command, kind: RefusalKind, code: &str) {
    given::<Payment>(&after(history)).when(&saga(), command).then_refused(kind, code);
}

fn nothing(history: &[Command], command: &Command) {
    given::<Payment>(&after(history)).when(&saga(), command).then_nothing();
}

#[test]
fn a_payment_is_authorized_then_captured() {
    let story = [request(), authorized("auth_1", PRICE), capture(1), succeeded("cap_1", PRICE)];

    let ledger = ledger(&story);

    assert_eq!((ledger.status, ledger.closed), (Status::Captured, false));
    assert_eq!((ledger.authorized, ledger.captured, ledger.refundable()), (PRICE, PRICE, PRICE));
    let names: Vec<_> = after(&story).iter().map(Event::name).collect();
    let expected = ["requested", "authorized", "capture-requested", "succeeded"];
    assert_eq!(names, expected.map(|name| format!("payment-{name}")));
}

#[test]
fn only_systems_ask_of_a_payment() {
    let traveller = Actor::Account(account(4));

    for command in [request(), void(1), succeeded("cap_1", PRICE), Command::TimeOut {}] {
        given::<Payment>(&after(&[request()]))
            .when(&traveller, &command)
            .then_refused(Forbidden, "payment_system_required");
    }
}

#[test]
fn a_payment_that_was_never_heard_of_can_only_be_requested_or_voided() {
    for command in [
        capture(1),
        refund(1, 1),
        Command::TimeOut {},
        authorized("auth_1", PRICE),
        succeeded("cap_1", PRICE),
        declined(Phase::Capture, None),
        voided(1),
        void_failed(1),
        refunded(1, "ref_1", 1),
        refund_failed(refund_id(1)),
    ] {
        refused(&[], &command, NotFound, "payment_not_found");
    }
}

#[test]
fn what_nobody_proves_is_refused_whatever_the_payment_and_says_what_it_was() {
    let unproven = Command::TakeUnproven {
        provider: "sandbox".to_owned(),
        why: "w".repeat(100),
        body_sha256: Digest([7; 32]),
        left_out: 3,
    };

    for history in [&[][..], &[request()], &[request(), succeeded("cap_1", PRICE)]] {
        let refusal = given::<Payment>(&after(history))
            .when(&saga(), &unproven)
            .then_refused(Forbidden, "payment_webhook_unproven");
        assert_eq!(refusal.facts["left_out"], 3);
        assert_eq!(refusal.facts["why"], "w".repeat(64), "no more than a code");
        assert_eq!(refusal.facts["body_sha256"], "07".repeat(32));
    }
    assert!(unproven.check().is_err());
}

#[test]
fn a_call_without_an_answer_is_noted_by_a_refusal_whatever_the_payment() {
    let request_event = EventId(Uuid::from_u128(9));
    let note = |may_be_done| Command::NoteUnanswered {
        request: request_event,
        operation: "capture".to_owned(),
        may_be_done,
        code: "c".repeat(100),
        left_out: 3,
    };

    for history in [&[][..], &[request()], &[request(), succeeded("cap_1", PRICE)]] {
        let refusal = given::<Payment>(&after(history))
            .when(&saga(), &note(true))
            .then_refused(Rule, "provider_unanswered");
        let held_back = given::<Payment>(&after(history))
            .when(&saga(), &note(false))
            .then_refused(Rule, "provider_unanswered");
        let code = "c".repeat(64);
        assert_eq!(
            refusal.message,
            format!("`capture` has no certain answer of the provider: {code}")
        );
        assert_eq!(held_back.message, format!("`capture` was not done by the provider: {code}"));
        assert_eq!(
            (&refusal.facts["may_be_done"], &held_back.facts["may_be_done"]),
            (&true.into(), &false.into())
        );
        assert_eq!(refusal.facts["operation"], "capture");
        assert_eq!(refusal.facts["provider_code"], code, "no more than a code");
        assert_eq!(refusal.facts["left_out"], 3);
        assert_eq!(refusal.facts["request"], request_event.to_string());
    }
    assert!(note(true).check().is_err());
}

#[test]
fn a_payment_is_requested_once() {
    refused(&[request()], &request(), AlreadyExists, "payment_already_exists");
}

#[test]
fn a_void_before_the_request_closes_the_door() {
    let early = given::<Payment>(&[]).when(&saga(), &void(1));

    let state = early.then(&[Event::VoidRequested(PaymentVoidRequested {
        payment_id: terms().payment_id,
        booking_id: terms().booking_id,
        saga_id: terms().saga_id,
        account_id: terms().account_id,
        amount: eur(PRICE),
        method: "card_approved".to_owned(),
        due_at: terms().due_at,
        attempt: 1,
        reason: "deadline".to_owned(),
        release: true,
    })]);

    let now = Timestamp::default();
    let late = decide(&state, &saga(), &request(), now);
    assert_eq!(late, Err(Refusal::Closed { payment_status: Status::Voiding }));
    refused(&[void(1), voided(1)], &request(), Rule, "payment_closed");
    let story = [void(1), voided(1), authorized("auth_1", PRICE)];
    assert_eq!(names(&story), ["payment-authorized", "payment-void-requested"]);
}

#[test]
fn a_capture_follows_an_authorization() {
    refused(&[request()], &capture(1), Rule, "payment_not_authorized");
    let open = [request(), authorized("auth_1", PRICE), capture(1)];
    refused(&open, &capture(2), Rule, "payment_attempt_open");
    nothing(&[&open[..], &[succeeded("cap_1", PRICE)]].concat(), &capture(2));
}

#[test]
fn a_failed_capture_may_be_tried_again_with_a_later_attempt() {
    let failed =
        [request(), authorized("auth_1", PRICE), capture(1), declined(Phase::Capture, Some(1))];

    refused(&failed, &capture(1), Rule, "payment_attempt_passed");
    let again = [&failed[..], &[capture(2)]].concat();
    assert_eq!(names(&again), ["payment-capture-requested"]);
    // The answer to the first attempt comes once more: it says nothing about the second.
    nothing(&again, &declined(Phase::Capture, Some(1)));
    assert_eq!(ledger(&again).status, Status::Capturing);
}

#[test]
fn a_failure_of_what_nobody_asked_for_is_no_news() {
    nothing(&[request()], &declined(Phase::Capture, Some(7)));
}

#[test]
fn a_declined_payment_takes_nothing_more() {
    let declined = [request(), declined(Phase::Authorization, None)];

    assert_eq!(ledger(&declined).status, Status::Failed);
    refused(&declined, &capture(1), Rule, "payment_closed");
    refused(&declined, &request(), Rule, "payment_closed");
    refused(&declined, &Command::TimeOut {}, Rule, "payment_authorization_not_awaited");
}

#[test]
fn a_time_out_waits_for_its_time() {
    let state: Payment = fold(&after(&[request()]));
    let early = terms().due_at.plus_seconds(-1);

    let outcome = decide(&state, &saga(), &Command::TimeOut {}, early);

    assert_eq!(outcome, Err(Refusal::NotDue { due_at: terms().due_at }));
    assert_eq!(names(&[request(), Command::TimeOut {}]), ["payment-timed-out"]);
    nothing(&[request(), Command::TimeOut {}], &Command::TimeOut {});
    let answered = [request(), authorized("auth_1", PRICE)];
    refused(&answered, &Command::TimeOut {}, Rule, "payment_authorization_not_awaited");
}

#[test]
fn a_late_authorization_is_recorded_and_released() {
    for closing in [Command::TimeOut {}, declined(Phase::Authorization, None)] {
        let late = [request(), closing, authorized("auth_1", PRICE)];

        assert_eq!(names(&late), ["payment-authorized", "payment-void-requested"]);
        assert_eq!(ledger(&late).void, Some(OpenVoid { attempt: 0, release: true }));
        refused(&late, &capture(1), Rule, "payment_closed");
    }
}

#[test]
fn a_late_success_is_recorded_and_refunded() {
    for closing in [
        vec![Command::TimeOut {}],
        vec![declined(Phase::Authorization, None)],
        vec![void(1), voided(1)],
        vec![void(1), void_failed(1)],
    ] {
        let late = [vec![request()], closing, vec![succeeded("cap_1", PRICE)]].concat();

        let expected = ["payment-authorized", "payment-succeeded", "payment-refund-requested"];
        assert_eq!(names(&late), expected);
        let ledger = ledger(&late);
        assert_eq!((ledger.captured, ledger.refund_pending()), (PRICE, PRICE));
        match after(&late).last() {
            Some(Event::RefundRequested(event)) => {
                assert_eq!((event.attempt, event.reference.as_deref()), (0, Some("cap_1")));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_void_that_meets_a_success_is_answered_by_the_refund() {
    let racing =
        [request(), authorized("auth_1", PRICE), capture(1), void(1), succeeded("cap_1", PRICE)];
    assert_eq!(names(&racing), ["payment-succeeded", "payment-refund-requested"]);
    assert_eq!(ledger(&racing).void, Some(OpenVoid { attempt: 1, release: false }));
    // That the provider does not release what it took is no news.
    nothing(&racing, &void_failed(1));
    nothing(&racing, &voided(1));

    let refund_id = own_refund(&racing);
    let (reference, amount) = ("ref_1".to_owned(), eur(PRICE));
    let answer = Command::RecordRefunded { refund_id, reference, amount };
    let settled = [&racing[..], &[answer]].concat();

    assert_eq!(names(&settled), ["payment-refunded", "payment-voided"]);
    assert_eq!(ledger(&settled).status, Status::Voided);
}

#[test]
fn a_void_fails_with_the_refund_that_it_waits_for_and_is_tried_again() {
    let captured =
        [request(), authorized("auth_1", PRICE), capture(1), succeeded("cap_1", PRICE), void(1)];
    assert_eq!(names(&captured), ["payment-void-requested", "payment-refund-requested"]);

    let failed = [&captured[..], &[refund_failed(own_refund(&captured))]].concat();
    assert_eq!(names(&failed), ["payment-refund-failed", "payment-void-failed"]);
    let again = [&failed[..], &[void(2)]].concat();

    assert_eq!(names(&again), ["payment-void-requested", "payment-refund-requested"]);
    assert_ne!(own_refund(&again), own_refund(&captured));
}

#[test]
fn a_void_of_nothing_is_answered_at_once() {
    let voided = [request(), void(1), voided(1), void(2)];

    assert_eq!(names(&voided), ["payment-void-requested", "payment-voided"]);
    let returned = [
        request(),
        succeeded("cap_1", PRICE),
        refund(1, PRICE),
        refunded(1, "ref_1", PRICE),
        void(1),
    ];
    assert_eq!(names(&returned), ["payment-void-requested", "payment-voided"]);
}

#[test]
fn a_void_has_one_open_attempt() {
    let open = [request(), void(1)];

    refused(&open, &void(1), Rule, "payment_attempt_passed");
    refused(&open, &void(2), Rule, "payment_attempt_open");
    let failed = [&open[..], &[void_failed(1)]].concat();
    assert_eq!(ledger(&failed).status, Status::VoidFailed);
    refused(&failed, &void(1), Rule, "payment_attempt_passed");
    assert_eq!(names(&[&failed[..], &[void(2)]].concat()), ["payment-void-requested"]);
    nothing(&failed, &void_failed(1));
}

#[test]
fn a_void_that_is_asked_for_replaces_the_payments_own() {
    let own = [request(), Command::TimeOut {}, authorized("auth_1", PRICE)];

    let asked = [&own[..], &[void(1)]].concat();

    assert_eq!(names(&asked), ["payment-void-failed", "payment-void-requested"]);
    assert_eq!(ledger(&asked).void, Some(OpenVoid { attempt: 1, release: true }));
    // Whatever attempt the provider answers: nothing is held.
    let answered = [&asked[..], &[voided(0)]].concat();
    match after(&answered).last() {
        Some(Event::Voided(event)) => assert_eq!(event.attempt, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_payment_could_not_undo_is_handed_to_the_watch() {
    let watch = |number| WatchAttempt { episode: 1, number }.attempt();
    let own = [request(), Command::TimeOut {}, authorized("auth_1", PRICE), void_failed(0)];
    let late = [request(), Command::TimeOut {}, succeeded("cap_1", PRICE)];
    let unpaid = [&late[..], &[refund_failed(own_refund(&late))]].concat();
    let asked = [&own[..], &[void(watch(1))]].concat();
    let again = [&asked[..], &[void_failed(watch(1)), void(watch(2)), voided(watch(2))]].concat();

    assert_eq!(names(&own), ["payment-void-failed", "payment-watch-requested"]);
    assert_eq!(names(&unpaid), ["payment-refund-failed", "payment-watch-requested"]);
    assert_eq!(names(&asked), ["payment-void-requested"]);
    let failed = [&asked[..], &[void_failed(watch(1))]].concat();
    assert_eq!(names(&failed), ["payment-void-failed"], "the watch hears of it, nobody else");
    assert_eq!(ledger(&again).status, Status::Voided);
    refused(&again, &void(watch(2)), Rule, "payment_attempt_passed");
    let refunding = [&unpaid[..], &[void(watch(1))]].concat();
    assert_eq!(names(&refunding), ["payment-void-requested", "payment-refund-requested"]);
    let in_vain = [&refunding[..], &[refund_failed(own_refund(&refunding))]].concat();
    assert_eq!(names(&in_vain), ["payment-refund-failed", "payment-void-failed"]);
}

#[test]
fn the_booking_process_goes_before_the_watch() {
    let watch = WatchAttempt { episode: 1, number: 1 }.attempt();
    let own = [request(), Command::TimeOut {}, authorized("auth_1", PRICE), void_failed(0)];
    let asked = [&own[..], &[void(watch)]].concat();
    let before = [&asked[..], &[void(1)]].concat();

    assert_eq!(names(&before), ["payment-void-failed", "payment-void-requested"]);
    refused(&before, &void(watch + 1), Rule, "payment_attempt_open");
    let done = [&before[..], &[voided(1), void(watch + 1)]].concat();
    assert_eq!(names(&done), ["payment-void-requested", "payment-voided"], "nothing is left");
}

#[test]
fn what_the_provider_releases_on_its_own_is_voided() {
    let expired = [request(), authorized("auth_1", PRICE), voided(0)];

    assert_eq!(names(&expired), ["payment-voided"]);
    refused(&expired, &capture(1), Rule, "payment_closed");
    nothing(&expired, &voided(0));
    nothing(&[request(), succeeded("cap_1", PRICE)], &voided(0));
}

#[test]
fn a_refund_of_nothing_settles_itself_and_closes_the_door() {
    let closed = [request(), authorized("auth_1", PRICE), refund(1, PRICE)];

    assert_eq!(names(&closed), ["payment-refund-requested", "payment-refunded"]);
    refused(&closed, &capture(1), Rule, "payment_closed");
    let late = [&closed[..], &[succeeded("cap_1", PRICE)]].concat();
    assert_eq!(names(&late), ["payment-succeeded", "payment-refund-requested"]);
    let free = [request(), succeeded("cap_1", PRICE), refund(1, 0)];
    assert_eq!(names(&free), ["payment-refund-requested", "payment-refunded"]);
    assert_eq!(ledger(&free).refundable(), PRICE);
}

#[test]
fn a_refund_is_no_more_than_what_is_left() {
    let captured = [request(), succeeded("cap_1", PRICE)];
    let partial = [&captured[..], &[refund(1, 900), refunded(1, "ref_1", 900)]].concat();

    assert_eq!(ledger(&partial).status, Status::Captured);
    refused(&captured, &refund(1, PRICE + 1), Rule, "payment_refund_too_large");
    refused(&partial, &refund(2, PRICE), Rule, "payment_refund_too_large");
    refused(&partial, &refund(1, 1), AlreadyExists, "payment_refund_already_exists");
    let open = [&partial[..], &[refund(2, 1)]].concat();
    refused(&open, &refund(3, 1), Rule, "payment_refund_pending");
    let rest = [&partial[..], &[refund(2, PRICE - 900)]].concat();
    let done = [&rest[..], &[refunded(2, "ref_2", PRICE - 900)]].concat();
    assert_eq!(ledger(&done).status, Status::Refunded);
}

#[test]
fn a_refund_that_failed_leaves_the_money_for_another() {
    let open = [request(), succeeded("cap_1", PRICE), refund(1, PRICE)];

    let failed = [&open[..], &[refund_failed(refund_id(1))]].concat();

    assert_eq!(names(&failed), ["payment-refund-failed"]);
    assert_eq!(ledger(&failed).refundable(), PRICE);
    nothing(&failed, &refund_failed(refund_id(1)));
    nothing(&failed, &refund_failed(refund_id(9)));
    // It was given back after all.
    let after_all = [&failed[..], &[refunded(1, "ref_1", PRICE)]].concat();
    assert_eq!(ledger(&after_all).refunded(), PRICE);
}

#[test]
fn what_is_missing_of_a_refund_is_asked_for_again() {
    let partly =
        [request(), succeeded("cap_1", PRICE), refund(1, PRICE), refunded(1, "ref_1", 900)];

    assert_eq!(names(&partly), ["payment-refunded", "payment-refund-requested"]);
    let ledger = ledger(&partly);
    assert_eq!((ledger.refunded(), ledger.refund_pending()), (900, PRICE - 900));
}

#[test]
fn a_refund_that_nobody_asked_for_counts() {
    let unasked = [request(), succeeded("cap_1", PRICE), refunded(7, "ref_7", 900)];

    assert_eq!(names(&unasked), ["payment-refunded"]);
    assert_eq!(ledger(&unasked).refundable(), PRICE - 900);
    // And once more under the same id, with a reference of its own: both happened.
    let twice = [&unasked[..], &[refunded(7, "ref_8", 100)]].concat();
    assert_eq!(ledger(&twice).refunded(), 1_000);
}

#[test]
fn more_than_was_asked_for_is_evidence_and_counts_as_what_was() {
    let over = [request(), authorized("auth_1", PRICE + 5), succeeded("cap_1", PRICE + 7)];

    let events = after(&over);
    let ledger = ledger(&over);

    assert_eq!((ledger.authorized, ledger.captured, ledger.closed), (PRICE, PRICE, false));
    assert!(matches!(&events[1], Event::Authorized(event)
        if event.kept && event.reported == Some(eur(PRICE + 5))));
    assert!(matches!(&events[2], Event::Succeeded(event)
        if event.kept && event.reported == Some(eur(PRICE + 7))));
}

#[test]
fn less_than_was_asked_for_is_not_kept() {
    let less = [request(), authorized("auth_1", PRICE - 1)];

    assert_eq!(names(&less), ["payment-authorized", "payment-void-requested"]);
    refused(&less, &capture(1), Rule, "payment_closed");
    let taken = [request(), authorized("auth_1", PRICE), succeeded("cap_1", PRICE - 1)];
    assert_eq!(names(&taken), ["payment-succeeded", "payment-refund-requested"]);
    assert_eq!(ledger(&taken).refund_pending(), PRICE - 1);
}

#[test]
fn money_of_another_currency_counts_for_nothing() {
    let yen = Money { amount: PRICE, currency: "JPY".parse().unwrap() };
    let reference = "auth_1".to_owned();
    let story = [request(), Command::RecordAuthorized { reference, amount: yen }];

    assert_eq!(names(&story), ["payment-authorized", "payment-void-requested"]);
    assert!(matches!(&after(&story)[1], Event::Authorized(event)
        if event.amount == eur(0) && event.reported == Some(yen) && !event.kept));
    let (refund_id, reason) = (refund_id(1), "cancellation".to_owned());
    let wrong = Command::RequestRefund { refund_id, amount: yen, reason, attempt: 1 };
    refused(&[request()], &wrong, Rule, "payment_currency_mismatch");
}

#[test]
fn a_fact_is_recorded_once() {
    let story = [
        request(),
        authorized("auth_1", PRICE),
        capture(1),
        succeeded("cap_1", PRICE),
        refund(1, PRICE),
        refunded(1, "ref_1", PRICE),
    ];

    for fact in [&story[1], &story[3], &story[5]] {
        nothing(&story, fact);
    }
    nothing(&[request(), declined(Phase::Authorization, None)], &{
        declined(Phase::Authorization, Some(1))
    });
}

#[test]
fn a_second_authorization_or_success_is_evidence_and_undoes_nothing() {
    let good = [request(), authorized("auth_1", PRICE), capture(1)];

    let second = [&good[..], &[authorized("auth_2", PRICE)]].concat();
    let taken = [&good[..], &[succeeded("cap_1", PRICE), succeeded("cap_2", PRICE)]].concat();

    assert_eq!(names(&second), ["payment-authorized"]);
    assert_eq!(ledger(&second).status, Status::Capturing);
    assert_eq!(names(&taken), ["payment-succeeded"]);
    assert!(matches!(after(&taken).last(), Some(Event::Succeeded(event))
        if !event.kept && event.amount == eur(0) && event.reported == Some(eur(PRICE))));
    assert!(!ledger(&taken).closed);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let negative = [authorized("a", -1), succeeded("a", -1), refunded(1, "a", -1)];
    for command in &negative {
        refused(&[request()], command, Rule, "payment_amount_out_of_range");
    }
    refused(&[request()], &authorized(" ", PRICE), Rule, "payment_text_blank");
    refused(&[request()], &authorized("a\u{0}b", PRICE), Rule, "payment_text_unprintable");
    refused(&[request()], &succeeded(&"a".repeat(256), PRICE), Rule, "payment_text_too_long");
    for amount in [0, -1, AMOUNT_MAX + 1] {
        let command = Command::Request { terms: Terms { amount: eur(amount), ..terms() } };
        refused(&[], &command, Rule, "payment_amount_out_of_range");
        assert!(command.check().is_err());
    }
    for zero in [capture(0), void(0)] {
        refused(&[request()], &zero, Rule, "payment_attempt_zero");
        assert!(zero.check().is_err());
    }
}

#[test]
fn a_providers_words_are_cut_rather_than_refused() {
    let (code, message) = ("c".repeat(100), format!("a\u{0}b{}", "m".repeat(1_000)));
    let phase = Phase::Authorization;
    let wordy = Command::RecordFailed { phase, attempt: None, reference: None, code, message };

    let events = after(&[request(), wordy]);

    match events.last() {
        Some(Event::Failed(event)) => {
            assert_eq!((event.code.len(), event.message.len()), (64, 500));
            assert!(event.message.starts_with("a bm"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_grows_without_a_limit() {
    let mut story = vec![request(), succeeded("cap", PRICE)];
    for number in 0..REFUNDS_MAX as u128 {
        story.push(refund(number, 1));
        story.push(refund_failed(refund_id(number)));
    }
    refused(&story, &refund(999, 1), Rule, "too_many_payment_refunds");
    refused(&story, &void(1), Rule, "too_many_payment_refunds");
    let mut story = vec![request()];
    for number in 0..REFERENCES_MAX {
        story.push(authorized(&format!("auth_{number}"), PRICE));
    }
    refused(&story, &authorized("more", PRICE), Rule, "too_many_payment_references");
    nothing(&story, &authorized("auth_0", PRICE));
}

#[test]
fn a_late_authorization_during_the_refund_is_released_before_the_void_is_answered() {
    let waiting = [request(), succeeded("cap_1", PRICE), void(1), authorized("auth_2", PRICE)];
    assert_eq!(names(&waiting), ["payment-authorized", "payment-void-requested"]);

    let released = [&waiting[..], &[voided(1)]].concat();
    assert_eq!(names(&released), ["payment-void-requested"]);
    let refund_id = own_refund(&released);
    let (reference, amount) = ("ref_1".to_owned(), eur(PRICE));
    let answer = Command::RecordRefunded { refund_id, reference, amount };

    let settled = [&released[..], &[answer]].concat();
    assert_eq!(names(&settled), ["payment-refunded", "payment-voided"]);
}
