//! Headers read back as what was written, and say what is wrong when they do not.

use domain::Actor;
use proptest::prelude::*;

use super::*;
use crate::sample;

fn written(envelope: &Envelope) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    write(envelope, &mut String::new(), &mut |name, value| headers.push((name, value.to_owned())));
    headers
}

fn pairs<'a>(headers: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    headers.iter().map(|(name, value)| (*name, value.as_bytes()))
}

fn record_of(headers: &[(&'static str, String)], key: &str, value: &'static [u8]) -> LogRecord {
    let position = Position { partition: 1, offset: 7 };
    record(position, key.as_bytes(), pairs(headers), Bytes::from_static(value))
}

proptest! {
    #[test]
    fn an_envelope_reads_back_as_itself(
        ids in prop::array::uniform4(any::<u128>()),
        numbers in prop::array::uniform3(1u64..=u64::MAX / 2),
        micros in -60_000_000_000_000_000i64..250_000_000_000_000_000,
        digests in prop::array::uniform2(prop::array::uniform32(any::<u8>())),
        system in prop::option::of("[a-z0-9-]{1,64}"),
        tenant in "[a-z0-9-]{1,64}",
        traceparent in prop::option::of("[0-9a-f-]{1,55}"),
    ) {
        let mut envelope = sample::event(1).envelope;
        envelope.event_id.0 = Uuid::from_u128(ids[0]);
        envelope.stream.id = Uuid::from_u128(ids[1]);
        envelope.command_id.0 = Uuid::from_u128(ids[2]);
        envelope.causation_id = Uuid::from_u128(ids[3]);
        envelope.version = numbers[0];
        envelope.sequence = numbers[1];
        envelope.epoch = i64::try_from(numbers[2]).unwrap();
        envelope.recorded_at = Timestamp::from_micros(micros);
        envelope.fingerprint = Digest(digests[0]);
        envelope.hash = Digest(digests[1]);
        if let Some(name) = system {
            envelope.actor = Actor::System(name);
        }
        envelope.tenant = tenant.parse().unwrap();
        envelope.traceparent = traceparent;
        let headers = written(&envelope);

        prop_assert!(headers.iter().all(|(_, value)| value.chars().all(|c| !c.is_control())));
        prop_assert_eq!(read(pairs(&headers)).unwrap(), envelope);
    }
}

#[test]
fn each_missing_header_is_named_but_the_optional_one() {
    let mut envelope = sample::event(1).envelope;
    envelope.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let headers = written(&envelope);
    assert_eq!(headers.len(), 18);

    for index in 0..headers.len() {
        let mut rest = headers.clone();
        let (name, _) = rest.remove(index);

        match read(pairs(&rest)) {
            Ok(read) => assert_eq!((name, read.traceparent), ("traceparent", None)),
            Err(error) => assert_eq!(error, HeaderError::Missing(name)),
        }
    }
}

#[test]
fn each_malformed_header_is_named() {
    let headers = written(&sample::event(1).envelope);

    for (name, value) in [
        ("ce_specversion", "0.3"),
        ("ce_id", "1"),
        ("ce_source", "/elsewhere"),
        ("ce_time", "yesterday"),
        ("ce_subject", "trip-018f4e2a-7c3b-7def-8123-456789abcdef"),
        ("content-type", "application/json"),
        ("waylog_version", "+1"),
        ("waylog_sequence", "01"),
        ("waylog_epoch", "1.5"),
        ("waylog_fingerprint", "00"),
        ("waylog_actor", "somebody"),
        ("waylog_tenant", "Not A Tenant"),
        ("waylog_hash", "\u{7}"),
    ] {
        let mut broken = headers.clone();
        broken.iter_mut().find(|(header, _)| *header == name).unwrap().1 = value.to_owned();

        let error = read(pairs(&broken)).unwrap_err();

        assert_eq!(error, HeaderError::Malformed { header: name, value: value.to_owned() });
    }
}

#[test]
fn a_header_that_is_there_twice_is_refused() {
    let mut headers = written(&sample::event(1).envelope);
    headers.push(("waylog_version", "2".to_owned()));

    assert_eq!(read(pairs(&headers)), Err(HeaderError::Doubled("waylog_version")));
}

#[test]
fn headers_of_others_are_ignored() {
    let envelope = sample::event(1).envelope;
    let mut headers = written(&envelope);
    headers.push(("baggage", "\u{7}".to_owned()));

    assert_eq!(read(pairs(&headers)), Ok(envelope));
}

#[test]
fn a_record_is_an_event_only_under_its_own_key_and_in_framing() {
    let event = sample::event(1);
    let headers = written(&event.envelope);
    let key = event.envelope.stream.to_string();

    assert!(matches!(record_of(&headers, &key, b"\0\0\0\0\x01"), LogRecord::Event(_)));
    for (key, value) in
        [(key.as_str(), &b"\x01\0\0\0\x01"[..]), (&key, b"\0\0"), ("itinerary-x", b"\0\0\0\0\x01")]
    {
        let LogRecord::Unreadable(record) = record_of(&headers, key, value) else {
            panic!("{key} {value:?} was read");
        };
        assert_eq!((record.key.as_str(), record.position.offset), (key, 7));
    }
}

#[test]
fn an_event_of_an_unknown_category_is_unreadable_and_names_its_stream() {
    let mut headers = written(&sample::event(1).envelope);
    let key = "cruise-018f4e2a-7c3b-7def-8123-456789abcdef";
    headers.iter_mut().find(|(name, _)| *name == "ce_subject").unwrap().1 = key.to_owned();

    let LogRecord::Unreadable(record) = record_of(&headers, key, b"\0\0\0\0\x01") else {
        panic!("an unknown category was read");
    };

    assert_eq!(record.key, key);
    assert!(record.reason.contains("ce_subject"), "{}", record.reason);
}

#[test]
fn an_event_of_an_unknown_type_is_an_event() {
    let mut event = sample::event(1);
    event.envelope.event_type = "itinerary-teleported".into();
    let headers = written(&event.envelope);

    let record = record_of(&headers, &event.envelope.stream.to_string(), b"\0\0\0\0\x01");

    assert!(
        matches!(record, LogRecord::Event(e) if e.envelope.event_type == "itinerary-teleported")
    );
}

#[test]
fn an_opened_record_reads_back_as_itself() {
    for address in ["http://10.0.0.7:8081", ""] {
        let mut headers = Vec::new();
        write_opened(ShardId(3), 17, address, &mut String::new(), &mut |name, value| {
            headers.push((name, value.to_owned()));
        });

        let LogRecord::Opened(opened) = record_of(&headers, &opened_key(ShardId(3)), b"") else {
            panic!("the opened record was not read");
        };

        assert_eq!(
            (opened.shard, opened.epoch, opened.address.as_str()),
            (ShardId(3), 17, address)
        );
    }
}

#[test]
fn the_size_of_a_record_counts_every_byte() {
    let event = sample::event(1);
    let headers = written(&event.envelope);
    let text: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();

    let bytes = record_bytes(&event.envelope, &event.value, &mut String::new());

    assert!(bytes >= text + event.value.len() + event.envelope.stream.to_string().len());
}
