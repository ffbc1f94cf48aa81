//! Every event type through every version of its schema; and errors that callers can tell apart.
//!
//! Values are generated from the schemas themselves, so that a new event or version is tested by
//! being listed. A text's doc says what it must be: a UUID, a zone, a currency.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use apache_avro::types::Value;
use domain::Command;
use domain::ids::{AccountId, BookingId, ItineraryId, SagaId};
use domain::money::Money;
use domain::saga::{self, Cancellation, FollowUp, Process, TripBooking};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

/// Ids as the embedded log gives them: from 1.
fn ids() -> Vec<Option<u32>> {
    (1..).take(KNOWN.len()).map(Some).collect()
}

#[derive(Default)]
struct Elsewhere {
    schemas: HashMap<u32, String>,
    away: Arc<AtomicBool>,
}

impl WriterSchemas for Elsewhere {
    fn writer_schema(&self, id: u32) -> Result<Option<String>, Source> {
        if self.away.load(Ordering::SeqCst) {
            return Err("the registry is away".into());
        }
        Ok(self.schemas.get(&id).cloned())
    }
}

fn codec() -> Codec {
    Codec::new(ids(), Box::new(Elsewhere::default()))
}

/// A value's framing.
fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], datum].concat()
}

/// What a saga's texts hold: documents and names of the domain's own.
fn of_sagas(doc: &str) -> Option<String> {
    let id = uuid::Uuid::from_u128(7);
    let total = Money { amount: 100, currency: "EUR".parse().unwrap() };
    let process = Process::TripBooking(TripBooking {
        booking_id: BookingId(id),
        account_id: AccountId(id),
        itinerary_id: ItineraryId(id),
        lines: Vec::new(),
        total,
        payment_method: "card_approved".to_owned(),
        recipient: None,
    });
    let cancellation = Cancellation { was_confirmed: true, refund: total, fee: total };
    let follow_up = FollowUp { saga_id: SagaId(id), process: process.clone() };
    let text = match doc {
        "The command: JSON." => json(&Command::Saga(saga::Command::PassDeadline)),
        "What it is about, fixed from here on: JSON." => json(&process),
        "What the installation allowed at the start: JSON." => json(&saga::Settings::default()),
        _ if doc.contains("JSON with was_confirmed") => json(&cancellation),
        _ if doc.contains("JSON with saga_id") => json(&follow_up),
        _ if doc.ends_with("a JSON object.") => r#"{"left":2}"#.to_owned(),
        _ if doc.contains("trip-booking, cancellation") => "trip-booking".to_owned(),
        _ if doc.contains("category-id") => format!("offer-{id}"),
        "Who: account:<uuid>." => format!("account:{id}"),
        _ => return None,
    };
    Some(text)
}

fn json(document: &impl serde::Serialize) -> String {
    serde_json::to_string(document).unwrap()
}

fn text(doc: &str) -> BoxedStrategy<Value> {
    let text = if let Some(document) = of_sagas(doc) {
        Just(document).boxed()
    } else if doc.contains("UUID") {
        any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string()).boxed()
    } else if doc.contains("IANA") {
        prop::sample::select(vec!["Europe/Lisbon", "UTC", "Asia/Tokyo"])
            .prop_map(str::to_owned)
            .boxed()
    } else if doc.contains("ISO 4217") {
        "[A-Z]{3}".boxed()
    } else {
        ".{0,40}".boxed()
    };
    text.prop_map(Value::String).boxed()
}

/// A claim names either a quantity or seats: one of its two fields is null.
fn claims() -> BoxedStrategy<Value> {
    let claim = |quantity: Value, seats: Value| {
        Value::Record(vec![("quantity".to_owned(), quantity), ("seats".to_owned(), seats)])
    };
    let null = || Value::Union(0, Box::new(Value::Null));
    let some = |value: Value| Value::Union(1, Box::new(value));
    let seats = prop::collection::vec("[0-9]{1,2}[A-F]".prop_map(Value::String), 1..4);
    prop_oneof![
        (1..=500_i64).prop_map(move |quantity| claim(some(Value::Long(quantity)), null())),
        seats.prop_map(move |seats| claim(null(), some(Value::Array(seats)))),
    ]
    .boxed()
}

/// The record or enumeration of that name, where the schema defines it.
fn named<'a>(schema: &'a Schema, name: &str) -> Option<&'a Schema> {
    match schema {
        Schema::Record(record) if record.name.fullname(None) == name => Some(schema),
        Schema::Enum(kind) if kind.name.fullname(None) == name => Some(schema),
        Schema::Record(record) => record.fields.iter().find_map(|f| named(&f.schema, name)),
        Schema::Array(array) => named(&array.items, name),
        Schema::Union(union) => union.variants().iter().find_map(|one| named(one, name)),
        _ => None,
    }
}

/// Any value of a schema.
fn values(root: &Schema, schema: &Schema, doc: &str) -> BoxedStrategy<Value> {
    match schema {
        Schema::Null => Just(Value::Null).boxed(),
        Schema::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Schema::Int if doc.contains(" 0 to 100.") => (0..=100).prop_map(Value::Int).boxed(),
        Schema::Int if doc.contains(" 2000 to 2199.") => (2000..=2199).prop_map(Value::Int).boxed(),
        Schema::Int => any::<i32>().prop_map(Value::Int).boxed(),
        // Counts are the narrowest of our longs; amounts and instants go far beyond in their own.
        Schema::Long => (0..=i64::from(u32::MAX)).prop_map(Value::Long).boxed(),
        Schema::Date => (-700_000..2_900_000).prop_map(Value::Date).boxed(),
        Schema::TimestampMicros => any::<i64>().prop_map(Value::TimestampMicros).boxed(),
        Schema::String => text(doc),
        Schema::Enum(kind) => {
            let symbols: Vec<_> = (0..).zip(kind.symbols.clone()).collect();
            prop::sample::select(symbols).prop_map(|(at, name)| Value::Enum(at, name)).boxed()
        }
        Schema::Array(array) => prop::collection::vec(values(root, &array.items, doc), 0..4)
            .prop_map(Value::Array)
            .boxed(),
        Schema::Union(union) => {
            let branches = (0..).zip(union.variants()).map(|(at, branch)| {
                values(root, branch, doc)
                    .prop_map(move |value| Value::Union(at, Box::new(value)))
                    .boxed()
            });
            proptest::strategy::Union::new(branches.collect::<Vec<_>>()).boxed()
        }
        Schema::Record(record) if record.name.fullname(None) == "waylog.Claim" => claims(),
        Schema::Record(record) => {
            let names: Vec<_> = record.fields.iter().map(|field| field.name.clone()).collect();
            let fields: Vec<_> = record
                .fields
                .iter()
                .map(|field| values(root, &field.schema, field.doc.as_deref().unwrap_or_default()))
                .collect();
            fields
                .prop_map(move |values| Value::Record(names.iter().cloned().zip(values).collect()))
                .boxed()
        }
        Schema::Ref { name } => {
            let named = named(root, &name.fullname(None)).expect("a schema says what it names");
            values(root, named, doc)
        }
        other => panic!("the generator does not know {other:?}: teach it"),
    }
}

#[test]
fn every_event_type_goes_through_every_version_of_its_schema() {
    let codec = codec();
    for (known, id) in KNOWN.iter().zip(1..) {
        let newest = schemas::newest(known.event).unwrap();
        let writer = writer(&known.schema).unwrap();
        let read = |value: Value| {
            let datum = writer.write_value_to_vec(value).unwrap();
            let written = framed(id, &datum);

            let event = codec.decode(known.event, &written).unwrap();
            let mut again = Vec::new();
            codec.encode(&event, &mut again).unwrap();

            prop_assert_eq!(event.name(), known.event);
            prop_assert_eq!(&codec.decode(known.event, &again).unwrap(), &event);
            prop_assert_eq!(again[..5].to_vec(), framed(ids()[newest].unwrap(), &[]));
            if KNOWN[newest].version == known.version {
                prop_assert_eq!(again, written);
            }
            Ok(())
        };
        let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
        runner.run(&values(&known.schema, &known.schema, ""), read).unwrap();
    }
}

struct Names;

impl PayloadVisitor for Names {
    type Output = (&'static str, String);

    fn visit<E: EventPayload>(&mut self) -> Self::Output {
        (E::NAME, format!("waylog.{}", E::RECORD))
    }
}

#[test]
fn every_event_is_written_with_the_newest_schema_of_its_record() {
    for (event, record) in Event::visit_all_types(&mut Names) {
        let newest = schemas::newest(event).unwrap_or_else(|| panic!("no schema of {event}"));

        assert_eq!(KNOWN[newest].record, record);
    }
}

#[test]
fn every_schema_file_is_carried_once_and_in_order() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas");
    let files: BTreeSet<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".avsc"))
        .collect();

    let carried: Vec<_> =
        KNOWN.iter().map(|known| format!("{}.v{}.avsc", known.event, known.version)).collect();

    assert_eq!(carried.iter().cloned().collect::<BTreeSet<_>>(), files);
    assert_eq!(carried.len(), files.len());
    for known in KNOWN.iter() {
        let older = KNOWN.iter().filter(|other| other.event == known.event);
        let versions: Vec<_> = older.map(|other| other.version).collect();
        assert!(versions.is_sorted(), "{}: {versions:?}", known.event);
    }
}

#[test]
fn versions_of_one_record_read_each_other() {
    for (index, newer) in KNOWN.iter().enumerate() {
        for older in KNOWN[..index].iter().filter(|older| older.record == newer.record) {
            assert_eq!(check(&older.schema, &newer.schema), Ok(()), "{}", newer.record);
        }
    }
}

/// A schema that a newer program registered: one more field, which this one does not know.
fn from_the_future(record: &str) -> (Schema, String) {
    let json = format!(
        r#"{{"type": "record", "name": "{record}", "namespace": "waylog", "fields": [
            {{"name": "mood", "type": {{"type": "enum", "name": "Mood", "symbols": ["glad"]}}}},
            {{"name": "itinerary_id", "type": "string"}},
            {{"name": "title", "type": "string"}}
        ]}}"#
    );
    (Schema::parse_str(&json).unwrap(), json)
}

fn renamed_in_the_future(schema: &Schema) -> Vec<u8> {
    let id = "0190a5c0-0000-7000-8000-000000000001".to_owned();
    let fields = vec![
        ("mood".to_owned(), Value::Enum(0, "glad".to_owned())),
        ("itinerary_id".to_owned(), Value::String(id)),
        ("title".to_owned(), Value::String("Lisbon".to_owned())),
    ];
    framed(900, &writer(schema).unwrap().write_value_to_vec(Value::Record(fields)).unwrap())
}

#[test]
fn what_a_newer_compatible_schema_wrote_is_read_with_what_is_known_of_it() {
    let (schema, json) = from_the_future("ItineraryRenamed");
    let away = Arc::new(AtomicBool::new(true));
    let elsewhere = Elsewhere { schemas: [(900, json)].into(), away: Arc::clone(&away) };
    let codec = Codec::new(ids(), Box::new(elsewhere));
    let value = renamed_in_the_future(&schema);

    // While nobody can be asked, it is only that.
    let waiting = codec.decode("itinerary-renamed", &value).unwrap_err();
    assert!(matches!(waiting, CodecError::Unavailable { id: 900, .. }), "{waiting}");
    away.store(false, Ordering::SeqCst);
    let event = codec.decode("itinerary-renamed", &value).unwrap();
    assert_eq!(serde_json::to_value(&event).unwrap()["title"], "Lisbon");

    // And once asked, nobody needs to be asked again.
    away.store(true, Ordering::SeqCst);
    assert_eq!(codec.decode("itinerary-renamed", &value).unwrap(), event);
}

#[test]
fn a_record_that_replaced_ours_is_an_unknown_schema() {
    let (schema, json) = from_the_future("ItineraryRenamedV2");
    let elsewhere = Elsewhere { schemas: [(900, json)].into(), ..Elsewhere::default() };
    let codec = Codec::new(ids(), Box::new(elsewhere));

    let refused = codec.decode("itinerary-renamed", &renamed_in_the_future(&schema)).unwrap_err();

    assert!(matches!(refused, CodecError::UnknownSchema { id: 900, .. }), "{refused}");
}

#[test]
fn callers_can_tell_what_is_wrong() {
    let codec = codec();
    let mut shared = Vec::new();
    let id = domain::ids::ItineraryId(uuid::Uuid::from_u128(1));
    let event: Event = domain::itinerary::ItineraryShared { itinerary_id: id }.into();
    codec.encode(&event, &mut shared).unwrap();
    let longer = [&shared[..], b"x"].concat();
    let renamed = framed(ids()[schemas::newest("itinerary-renamed").unwrap()].unwrap(), b"\x02x");

    let code = |event_type: &str, value: &[u8]| codec.decode(event_type, value).unwrap_err().code();

    assert_eq!(code("itinerary-teleported", &shared), "unknown_event_type");
    assert_eq!(code("itinerary-shared", &framed(900, &shared[5..])), "unknown_schema");
    assert_eq!(code("itinerary-shared", b"\0\0\0"), "malformed_event");
    assert_eq!(code("itinerary-shared", &[&[1], &shared[1..]].concat()), "malformed_event");
    assert_eq!(code("itinerary-shared", &shared[..shared.len() - 1]), "malformed_event");
    assert_eq!(code("itinerary-shared", &longer), "malformed_event");
    assert_eq!(code("itinerary-renamed", &shared), "unknown_schema");
    assert_eq!(code("itinerary-renamed", &renamed), "malformed_event");
}

#[test]
fn an_event_whose_schema_has_no_id_is_not_written() {
    let codec = Codec::new(vec![None; KNOWN.len()], Box::new(Elsewhere::default()));
    let id = domain::ids::ItineraryId(uuid::Uuid::from_u128(1));
    let mut out = b"before".to_vec();

    let refused =
        codec.encode(&domain::itinerary::ItineraryShared { itinerary_id: id }.into(), &mut out);

    assert!(matches!(refused, Err(CodecError::Unregistered("itinerary-shared"))), "{refused:?}");
    assert_eq!(out, b"before");
}
