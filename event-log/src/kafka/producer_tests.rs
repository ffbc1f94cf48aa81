//! How transactions end when brokers misbehave. The mock cluster gives the errors; it does not
//! fence and does not hide aborted records, so what is *in* the log is for the real broker's cases.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::KafkaSettings;
use crate::kafka::clients::transactional_producer;
use crate::kafka::writer::json_headers;

const TOPIC: &str = "events";

struct Bench {
    mock: MockCluster<'static, DefaultProducerContext>,
    producer: TransactionalProducer,
}

impl Bench {
    fn new(patience: Duration) -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, 1, 1).unwrap();
        let settings = KafkaSettings {
            transaction_timeout: Duration::from_secs(5),
            ..KafkaSettings::new(mock.bootstrap_servers())
        };
        let config = transactional_producer(&settings, "waylog.shard.0");
        let producer = TransactionalProducer::new(&config, patience).unwrap();
        producer.initialise(Duration::from_secs(20)).unwrap();
        Self { mock, producer }
    }

    fn append(&self) -> Result<(), TransactionError> {
        self.producer.transact(|producer| {
            producer.send(Outgoing {
                topic: TOPIC,
                partition: 0,
                key: "key",
                value: b"value",
                headers: json_headers(),
                created_millis: None,
            })
        })
    }
}

fn bench() -> Bench {
    Bench::new(Duration::from_secs(10))
}

#[test]
fn a_transaction_that_commits_tells_its_offsets() {
    let bench = bench();

    bench.append().unwrap();
    let first = bench.producer.offsets(0, 1).unwrap();
    bench.append().unwrap();
    let second = bench.producer.offsets(0, 1).unwrap();

    assert!(first < second, "{first:?} {second:?}");
    assert_eq!(bench.producer.offsets(0, 2), None);
}

#[test]
fn a_rejected_record_aborts_and_the_producer_lives_on() {
    let bench = bench();
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
    bench.mock.request_errors(RDKafkaApiKey::Produce, &refused);

    let aborted = bench.append();

    assert!(matches!(aborted, Err(TransactionError::Aborted(_))), "{aborted:?}");
    // The client's sequence numbers are one ahead of the broker's until it notices.
    bench.append().or_else(|_| bench.append()).unwrap();
}

#[test]
fn being_fenced_before_the_commit_means_that_nothing_was_written() {
    let bench = bench();
    let fenced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH];
    bench.mock.request_errors(RDKafkaApiKey::AddPartitionsToTxn, &fenced);

    let lost = bench.append();

    let Err(TransactionError::Lost { committed, trouble }) = lost else { panic!("{lost:?}") };
    assert_eq!(committed, CommitState::NotWritten);
    assert!(trouble.fenced(), "{trouble:?}");
}

#[test]
fn a_lost_producer_stays_lost() {
    let bench = bench();
    let fenced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH];
    bench.mock.request_errors(RDKafkaApiKey::AddPartitionsToTxn, &fenced);
    assert!(bench.append().is_err());

    let again = bench.append();

    let Err(TransactionError::Lost { committed, .. }) = again else { panic!("{again:?}") };
    assert_eq!(committed, CommitState::NotWritten);
}

#[test]
fn a_fatal_answer_to_the_commit_leaves_its_outcome_unknown() {
    let bench = bench();
    let fenced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED];
    bench.mock.request_errors(RDKafkaApiKey::EndTxn, &fenced);

    let lost = bench.append();

    let Err(TransactionError::Lost { committed, trouble }) = lost else { panic!("{lost:?}") };
    assert_eq!(committed, CommitState::Unknown);
    assert!(trouble.fenced(), "{trouble:?}");
}

#[test]
fn a_commit_that_is_not_answered_in_time_leaves_its_outcome_unknown() {
    let bench = Bench::new(Duration::from_secs(1));
    let busy = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 1000];
    bench.mock.request_errors(RDKafkaApiKey::EndTxn, &busy);

    let started = Instant::now();
    let lost = bench.append();

    let Err(TransactionError::Lost { committed, .. }) = lost else { panic!("{lost:?}") };
    assert_eq!(committed, CommitState::Unknown);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn a_coordinator_that_is_busy_for_a_moment_is_asked_again() {
    let bench = bench();
    let busy = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 2];
    bench.mock.request_errors(RDKafkaApiKey::EndTxn, &busy);

    bench.append().unwrap();
}

#[test]
fn a_broker_that_is_away_during_the_deliveries_aborts_in_time_and_the_producer_lives_on() {
    let bench = Bench::new(Duration::from_secs(1));
    bench.mock.broker_down(1).unwrap();

    let started = Instant::now();
    let aborted = bench.append();
    let elapsed = started.elapsed();
    bench.mock.broker_up(1).unwrap();

    // The partition was never registered with the coordinator: there is nothing to tell it.
    assert!(matches!(aborted, Err(TransactionError::Aborted(_))), "{aborted:?}");
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = bench.append() {
        assert!(matches!(error, TransactionError::Aborted(_)), "{error:?}");
        assert!(Instant::now() < deadline, "the producer does not recover: {error:?}");
    }
}
