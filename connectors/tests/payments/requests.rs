//! What payments ask for is done by the provider, once, and recorded.

use connectors::payment_provider::PaymentProvider as _;
use domain::payment::{Command, Status};
use sandbox::{Fault, FaultKind, Operation, PlannedFault};

use crate::process_log;
use crate::world::{World, refund, until, void};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_payment_is_authorized_and_captured_once() {
    let world = World::new().await;
    let connector = world.connect();

    let terms = world.request("card_approved", 900).await;
    world.payment(&terms, "it is authorized", |books| books.status == Status::Authorized).await;
    world.ask(terms.payment_id, Command::RequestCapture { attempt: 1 }).await;
    let books = world.payment(&terms, "it is captured", |b| b.status == Status::Captured).await;

    let totals = world.totals(&terms).await.unwrap();
    assert_eq!((books.authorized, books.captured), (12_900, 12_900));
    assert_eq!((totals.authorized, totals.captured), (12_900, 12_900));
    assert_eq!(world.open().await, []);
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_card_fails_the_payment_with_the_providers_code() {
    let world = World::new().await;
    let connector = world.connect();

    let terms = world.request("card_declined", 900).await;
    let books = world.payment(&terms, "it has failed", |b| b.status == Status::Failed).await;

    assert!(books.closed && books.authorized == 0);
    assert_eq!(world.totals(&terms).await.map_or(0, |totals| totals.authorized), 0);
    assert_eq!(world.open().await, []);
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_or_wrong_is_found_out_and_moves_nothing_twice() {
    let world = World::new().await;
    let connector = world.connect();

    for card in ["card_lost_answer", "card_error_after_work"] {
        let terms = world.request(card, 900).await;
        world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
        world.ask(terms.payment_id, Command::RequestCapture { attempt: 1 }).await;
        world.payment(&terms, "it is captured", |b| b.status == Status::Captured).await;
        world.ask(terms.payment_id, refund(900)).await;
        let books = world.payment(&terms, "some is refunded", |b| b.refunded() == 900).await;

        let totals = world.totals(&terms).await.unwrap();
        assert_eq!((books.authorized, books.captured), (12_900, 12_900), "{card}");
        let moved = (totals.authorized, totals.captured, totals.refunded);
        assert_eq!(moved, (12_900, 12_900, 900), "{card}");
    }
    assert_eq!(world.open().await, []);
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_certain_is_told_once_an_errand_with_its_payment_and_request() {
    process_log::keep();
    let world = World::new().await;
    let lost = Fault { kind: FaultKind::DropAfter, delay_ms: 0 };
    let plan = PlannedFault { operation: Operation::Confirm, fault: lost, calls: 1 };
    world.faults.plan(plan).unwrap();

    let terms = world.request("card_approved", 900).await;
    let row = until("it is open", || async { world.open().await.into_iter().next() }).await;
    let connector = world.connect();
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;

    let log = process_log::text();
    let payment = format!("payment_id={}", terms.payment_id.0);
    let told: Vec<_> = log.lines().filter(|line| line.contains(&payment)).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let request = format!("correlation_id={}", row.correlation_id);
    let kind = format!("operation=\"{}\"", row.kind);
    for word in ["WARN", &request, &kind, "outcome=\"unknown\"", "code=\"provider_broke_off\""] {
        assert!(told[0].contains(word), "{word}: {told:#?}");
    }
    let refused = until("it is among the refusals", || async {
        Some(world.refused()).filter(|refused| !refused.is_empty())
    })
    .await;
    let [evidence] = &refused[..] else { panic!("{refused:#?}") };
    assert_eq!(evidence.code, "provider_unanswered");
    assert_eq!(evidence.facts["request"], row.asked_by.to_string());
    assert_eq!(evidence.facts["operation"], row.kind);
    assert_eq!(evidence.facts["provider_code"], "provider_broke_off");
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_never_arrived_is_made_again() {
    let world = World::new().await;
    for kind in [FaultKind::DropBefore, FaultKind::ErrorBefore] {
        let fault = Fault { kind, delay_ms: 0 };
        let plan = PlannedFault { operation: Operation::Confirm, fault, calls: 1 };
        world.faults.plan(plan).unwrap();
    }
    let connector = world.connect();

    let terms = world.request("card_approved", 900).await;
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;

    assert_eq!(world.totals(&terms).await.unwrap().authorized, 12_900);
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_releases_and_shuts_the_door_even_of_a_payment_never_heard_of() {
    let world = World::new().await;
    let connector = world.connect();
    let terms = world.request("card_approved", 900).await;
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
    let unheard = crate::world::terms("card_approved", terms.due_at);

    for terms in [&terms, &unheard] {
        world.ask(terms.payment_id, void(terms)).await;
        world.payment(terms, "it is voided", |b| b.status == Status::Voided).await;
    }

    let totals = world.totals(&terms).await.unwrap();
    assert_eq!((totals.authorized, totals.released, totals.reserved), (12_900, 12_900, 0));
    let call = connectors::payment_provider::Authorize {
        key: uuid::Uuid::now_v7(),
        payment: unheard.payment_id.0,
        amount: unheard.amount,
        method: unheard.method.clone(),
    };
    let late = world.provider().authorize(&call).await;
    assert_eq!(late.name(), "refused");
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_that_comes_behind_a_capture_becomes_a_refund() {
    let world = World::new().await;
    let connector = world.connect();
    let terms = world.request("card_approved", 900).await;
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
    connector.stop().await;
    let call = connectors::payment_provider::Capture {
        key: uuid::Uuid::now_v7(),
        payment: terms.payment_id.0,
        amount: terms.amount,
    };
    let captured = world.provider().capture(&call).await;
    assert_eq!(captured.name(), "done");

    world.ask(terms.payment_id, void(&terms)).await;
    let connector = world.connect();
    let books = world.payment(&terms, "it is voided", |b| b.status == Status::Voided).await;

    let totals = world.totals(&terms).await.unwrap();
    assert_eq!((books.captured, books.refunded()), (12_900, 12_900));
    assert_eq!((totals.captured, totals.refunded), (12_900, 12_900));
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_refund_is_recorded_and_gives_nothing_back() {
    let world = World::new().await;
    let connector = world.connect();
    let terms = world.request("card_refund_refused", 900).await;
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
    world.ask(terms.payment_id, Command::RequestCapture { attempt: 1 }).await;
    world.payment(&terms, "it is captured", |b| b.status == Status::Captured).await;

    world.ask(terms.payment_id, refund(900)).await;
    let refused =
        |books: &domain::payment::Ledger| books.refunds.len() == 1 && books.refund_pending() == 0;
    let books = world.payment(&terms, "the refund is refused", refused).await;

    assert_eq!((books.refunded(), books.refundable()), (0, 12_900));
    assert_eq!(world.totals(&terms).await.unwrap().refunded, 0);
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_is_due_is_looked_up_before_it_is_timed_out() {
    let world = World::new().await;
    let known = world.request("card_approved", 0).await;
    let unknown = world.request("card_approved", 0).await;
    let call = connectors::payment_provider::Authorize {
        key: uuid::Uuid::now_v7(),
        payment: known.payment_id.0,
        amount: known.amount,
        method: known.method.clone(),
    };
    let authorized = world.provider().authorize(&call).await;
    assert_eq!(authorized.name(), "done");

    let connector = world.connect();
    world.payment(&known, "it is authorized", |b| b.status == Status::Authorized).await;
    world.payment(&unknown, "it is timed out", |b| b.status == Status::TimedOut).await;

    until("nothing is open", || async { world.open().await.is_empty().then_some(()) }).await;
    assert_eq!(world.totals(&unknown).await, None, "it was never asked for");
    connector.stop().await;
    world.end().await;
}
