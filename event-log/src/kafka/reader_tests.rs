//! A reader whose broker goes away and comes back.

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn produce(brokers: &str, topic: &str, count: usize) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    for _ in 0..count {
        assert!(producer.send(BaseRecord::to(topic).partition(0).key("k").payload("v")).is_ok());
    }
    producer.flush(PATIENCE).unwrap();
}

/// Polls until `count` records came; outages on the way are counted.
fn read(reader: &mut KafkaReader, count: usize) -> (Vec<i64>, usize) {
    let deadline = Instant::now() + PATIENCE;
    let (mut offsets, mut outages) = (Vec::new(), 0);
    while offsets.len() < count {
        assert!(Instant::now() < deadline, "only {offsets:?}");
        match reader.poll(100, Duration::from_millis(50)) {
            Ok(records) => offsets.extend(records.iter().map(|record| record.position().offset)),
            Err(LogError::Unavailable { .. }) => outages += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    (offsets, outages)
}

#[test]
fn a_reader_goes_on_where_it_was_when_the_broker_comes_back() {
    let mock = MockCluster::new(1).unwrap();
    let settings = KafkaSettings::new(mock.bootstrap_servers());
    mock.create_topic(&settings.events(), 1, 1).unwrap();
    produce(&settings.brokers, &settings.events(), 3);
    let mut reader =
        KafkaReader::start(&settings, &PositionVector::empty(), std::iter::once(0)).unwrap();
    let (before, _) = read(&mut reader, 3);

    mock.broker_down(1).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let outage = loop {
        match reader.poll(100, Duration::from_millis(50)) {
            Ok(records) => assert!(records.is_empty(), "{records:?}"),
            Err(error) => break error,
        }
        assert!(Instant::now() < deadline, "the outage is never told");
    };
    mock.broker_up(1).unwrap();
    produce(&settings.brokers, &settings.events(), 2);
    let (after, _) = read(&mut reader, 2);

    assert_eq!(before, [0, 1, 2]);
    assert_eq!(outage.code(), "log_unavailable");
    assert_eq!(after, [3, 4]);
}

#[test]
fn a_poll_keeps_to_its_bounds() {
    let mock = MockCluster::new(1).unwrap();
    let settings = KafkaSettings::new(mock.bootstrap_servers());
    mock.create_topic(&settings.events(), 1, 1).unwrap();
    produce(&settings.brokers, &settings.events(), 5);
    let start = "0:1".parse().unwrap();
    let mut reader = KafkaReader::start(&settings, &start, std::iter::once(0)).unwrap();

    let (read, _) = read(&mut reader, 3);
    let started = Instant::now();
    let nothing = reader.poll(100, Duration::from_millis(50)).unwrap();

    assert_eq!(read, [2, 3, 4]);
    assert!(nothing.is_empty());
    assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
}

#[test]
fn a_record_that_is_not_ours_is_unreadable_and_does_not_stop_the_reader() {
    let mock = MockCluster::new(1).unwrap();
    let settings = KafkaSettings::new(mock.bootstrap_servers());
    mock.create_topic(&settings.events(), 1, 1).unwrap();
    produce(&settings.brokers, &settings.events(), 1);
    let mut reader =
        KafkaReader::start(&settings, &PositionVector::empty(), std::iter::once(0)).unwrap();

    let deadline = Instant::now() + PATIENCE;
    let records = loop {
        let records = reader.poll(100, Duration::from_millis(50)).unwrap();
        if !records.is_empty() {
            break records;
        }
        assert!(Instant::now() < deadline, "nothing came");
    };

    let LogRecord::Unreadable(record) = &records[0] else { panic!("{records:?}") };
    assert_eq!(record.key, "k");
}
