//! The connector killed where it hurts: between the provider's answer and its record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::payment::{Command, Status};
use domain::{Command as Any, StreamName};
use lanes::{Accepted, CommandError, CommandPort, CommandRequest};

use crate::world::{World, until, void};

/// Never sends anything on; counts what it was given.
#[derive(Default)]
struct Nowhere(AtomicU32);

#[async_trait::async_trait]
impl CommandPort for Nowhere {
    async fn send(&self, _: CommandRequest) -> Result<Accepted, CommandError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }

    fn shards(&self) -> u32 {
        1
    }

    fn shard_of(&self, _: &StreamName) -> u32 {
        0
    }
}

/// Sends everything on, and says of the first answers that they are unknown.
struct Forgetful {
    inner: Arc<dyn CommandPort>,
    forgets: AtomicU32,
}

#[async_trait::async_trait]
impl CommandPort for Forgetful {
    async fn send(&self, request: CommandRequest) -> Result<Accepted, CommandError> {
        assert!(matches!(request.command, Any::Payment(_)));
        let answer = self.inner.send(request).await;
        let left = |left: u32| left.checked_sub(1);
        match self.forgets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => {
                let reason = "the connection broke off".to_owned();
                Err(CommandError::OutcomeUnknown { reason, retry_after_seconds: 1 })
            }
            Err(_) => answer,
        }
    }

    fn shards(&self) -> u32 {
        self.inner.shards()
    }

    fn shard_of(&self, stream: &StreamName) -> u32 {
        self.inner.shard_of(stream)
    }
}

/// Runs a connector until it has an answer, and kills it before anything is recorded.
async fn killed_before_the_record(world: &World) {
    let nowhere = Arc::new(Nowhere::default());
    let connector = world.connect_through(Arc::clone(&nowhere) as _, &world.provider_url);
    until("there is an answer", || async { (nowhere.0.load(Ordering::SeqCst) > 0).then_some(()) })
        .await;
    connector.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_call_and_record_money_still_moves_once() {
    let world = World::new().await;

    let terms = world.request("card_approved", 900).await;
    killed_before_the_record(&world).await;
    let connector = world.connect();
    world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
    connector.stop().await;
    world.ask(terms.payment_id, Command::RequestCapture { attempt: 1 }).await;
    killed_before_the_record(&world).await;
    let connector = world.connect();
    world.payment(&terms, "it is captured", |b| b.status == Status::Captured).await;
    connector.stop().await;
    world.ask(terms.payment_id, void(&terms)).await;
    killed_before_the_record(&world).await;
    let connector = world.connect();
    let books = world.payment(&terms, "it is voided", |b| b.status == Status::Voided).await;

    let totals = world.totals(&terms).await.unwrap();
    assert_eq!((books.captured, books.refunded(), books.refunds.len()), (12_900, 12_900, 1));
    let moved = (totals.authorized, totals.captured, totals.refunded);
    assert_eq!(moved, (12_900, 12_900, 12_900));
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_outcome_is_unknown_is_made_again_and_once() {
    let world = World::new().await;
    let forgetful =
        Arc::new(Forgetful { inner: Arc::clone(&world.port), forgets: AtomicU32::new(2) });
    let connector = world.connect_through(forgetful, &world.provider_url);

    let terms = world.request("card_approved", 900).await;
    let books = world.payment(&terms, "it is authorized", |b| b.status == Status::Authorized).await;
    world.ask(terms.payment_id, Command::RequestCapture { attempt: 1 }).await;
    world.payment(&terms, "it is captured", |b| b.status == Status::Captured).await;

    assert_eq!(books.references.len(), 1);
    let totals = world.totals(&terms).await.unwrap();
    assert_eq!((totals.authorized, totals.captured), (12_900, 12_900));
    connector.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connectors_at_once_move_money_once() {
    let world = World::new().await;
    let connectors = [world.connect(), world.connect()];
    let mut payments = Vec::new();

    for _ in 0..10 {
        payments.push(world.request("card_lost_answer", 900).await);
    }
    for terms in &payments {
        world.payment(terms, "it is authorized", |b| b.status == Status::Authorized).await;
        world.ask(terms.payment_id, Command::RequestCapture { attempt: 1 }).await;
    }
    for terms in &payments {
        world.payment(terms, "it is captured", |b| b.status == Status::Captured).await;
        let totals = world.totals(terms).await.unwrap();
        assert_eq!((totals.authorized, totals.captured), (12_900, 12_900));
    }

    for connector in connectors {
        connector.stop().await;
    }
    world.end().await;
}
