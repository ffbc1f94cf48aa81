//! The contract about batches: what is written, all of it or nothing, once.

use domain::{Position, PositionVector, Timestamp};
use uuid::Uuid;

use super::{ENTRIES, SAMPLES, Writer, entry, generation, sample};
use crate::projection::{RowChange, RowKey};
use crate::store::{Applied, Changes, ParkedStream, ReadStoreError, TableChange};
use crate::table::Value;
use crate::testing::worlds::StoreWorld;

/// Rows, vector, continuity and the time of the newest event are of one transaction.
pub async fn a_batch_moves_rows_vector_and_continuity_together(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let writer = Writer::create(&*store, 1).await;
    let next: PositionVector = "0:17,3:9".parse().unwrap();
    let newest = Timestamp::from_micros(5);
    let rows = vec![RowChange { before: None, after: Some(sample(1, "One")) }];

    let changes = Changes {
        tables: vec![TableChange { table: SAMPLES, rows }],
        last_event_at: Some(newest),
        ..writer.empty(&next)
    };
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Committed);
    let later: PositionVector = "0:18,3:9".parse().unwrap();
    let older = Changes {
        expected: &next,
        expected_continuity: "kept",
        last_event_at: Some(Timestamp::from_micros(4)),
        ..writer.empty(&later)
    };
    assert_eq!(store.apply(older).await.unwrap(), Applied::Committed);

    let state = store.state(&generation(1)).await.unwrap().unwrap();
    assert_eq!((state.vector, state.continuity.as_str()), (later, "kept"));
    assert_eq!(state.last_event_at, Some(newest));
    assert_eq!(writer.load([1, 2]).await, [sample(1, "One")]);
}

/// An error in the middle of a batch undoes what came before it, the vector included.
pub async fn a_failed_batch_leaves_nothing(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    let entries = |numbers: &[i64]| TableChange {
        table: ENTRIES,
        rows: numbers.iter().copied().map(entry).collect(),
    };
    writer.apply(vec![entries(&[1])]).await.unwrap();

    for again in [vec![2, 1], (2..40).chain([1]).collect()] {
        let row = RowChange { before: None, after: Some(sample(5, "five")) };
        let samples = TableChange { table: SAMPLES, rows: vec![row] };
        let failed = writer.apply(vec![samples, entries(&again)]).await.unwrap_err();

        assert!(matches!(failed, ReadStoreError::Failed(..)), "{failed:?}");
        let state = store.state(&generation(1)).await.unwrap().unwrap();
        assert_eq!(state.vector, writer.vector);
        assert_eq!(writer.load([5]).await, Vec::<Vec<Value>>::new());
        writer.check_sums().await;
    }
}

/// The vector is compared and set: who comes second writes nothing.
pub async fn of_two_writers_on_one_vector_one_is_superseded(world: &impl StoreWorld) {
    let (one, other) = (world.open(), world.open());
    one.prepare().await.unwrap();
    let mut first = Writer::create(&*one, 1).await;
    let mut second = Writer::create(&*other, 1).await;
    let change = |title: &str| {
        let row = RowChange { before: None, after: Some(sample(1, title)) };
        vec![TableChange { table: SAMPLES, rows: vec![row] }]
    };

    let (a, b) = tokio::join!(first.apply(change("first")), second.apply(change("second")));

    let winner = match (a.unwrap(), b.unwrap()) {
        (Applied::Committed, Applied::Superseded) => "first",
        (Applied::Superseded, Applied::Committed) => "second",
        both => panic!("one wins, one loses: {both:?}"),
    };
    assert_eq!(first.load([1]).await, [sample(1, winner)]);
}

/// A change says what was there and what shall be.
pub async fn rows_are_inserted_updated_and_deleted(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    writer.write(vec![sample(1, "one"), sample(2, "two"), sample(3, "three")], &[]).await;

    writer.write(vec![sample(2, "TWO"), sample(4, "four")], &[3]).await;

    let expected = [sample(1, "one"), sample(2, "TWO"), sample(4, "four")];
    assert_eq!(writer.load(0..10).await, expected);
    writer.check_sums().await;
}

/// No type loses anything, at its limits neither.
pub async fn every_value_reads_back_as_written(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    let rows = vec![
        row_of(i64::MIN, &Value::Null, Value::Null, Value::Null),
        row_of(
            i64::MAX,
            &Value::Text("naïve 東京 🗼 \u{1} \\ \" '".to_owned()),
            Value::Timestamp(Timestamp::from_micros(i64::MAX)),
            Value::Json(r#"{"":[],"aa":{"b":[1,-2.5,"\u0001é",null,true]},"z":1}"#.to_owned()),
        ),
        row_of(
            0,
            &Value::Text(String::new()),
            Value::Timestamp(Timestamp::from_micros(crate::check::TIMESTAMP_MICROS_MIN)),
            Value::Json("[18446744073709551615,-9223372036854775808]".to_owned()),
        ),
        row_of(
            1,
            &Value::Text("x".repeat(crate::check::TEXT_BYTES_MAX)),
            Value::Timestamp(Timestamp::from_micros(-1)),
            Value::Json("\"text\"".to_owned()),
        ),
    ];

    writer.write(rows.clone(), &[]).await;

    for row in rows {
        let key = RowKey { table: SAMPLES, key: row[..2].to_vec() };
        assert_eq!(store.load(&writer.generation, SAMPLES, &[key]).await.unwrap(), [row]);
    }
    writer.check_sums().await;
}

fn row_of(number: i64, text: &Value, at: Value, document: Value) -> Vec<Value> {
    let optional = |value: Value| if *text == Value::Null { Value::Null } else { value };
    vec![
        Value::Text(format!("'é {number}")),
        Value::Integer(number),
        optional(Value::Bool(false)),
        optional(Value::Integer(number)),
        text.clone(),
        optional(Value::Uuid(Uuid::max())),
        at,
        optional(Value::Date(if number > 0 { crate::check::DATE_DAYS_MAX } else { -719_162 })),
        document,
        optional(Value::Digest(std::array::from_fn(|i| u8::try_from(i).unwrap()))),
        Value::Text(String::new()),
    ]
}

/// Sums are moved by what changes and equal what a full count finds.
pub async fn sums_follow_every_change(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    let mut seed = 7_i64;

    for round in 0..12 {
        let mut numbers: Vec<i64> = (0..30)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                (seed >> 40).rem_euclid(50)
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let present = |n: &i64| {
            writer.rows.contains_key(&crate::projection::encode_key(&super::sample_key(*n).key))
        };
        let (deleted, written): (Vec<i64>, Vec<i64>) =
            numbers.into_iter().partition(|n| n % 3 == round % 3 && present(n));
        let rows = written.into_iter().map(|n| sample(n, &format!("Round {round}"))).collect();
        writer.write(rows, &deleted).await;
        writer.check_sums().await;
    }
}

/// A value that one store could not hold is refused by all, before anything is written.
pub async fn what_no_store_can_hold_is_refused_and_nothing_written(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    let row = RowChange { before: None, after: Some(sample(1, "a\0b")) };
    let good = RowChange { before: None, after: Some(sample(2, "ab")) };

    let refused = writer.apply(vec![TableChange { table: SAMPLES, rows: vec![good, row] }]).await;

    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "read_store_refused");
    assert!(refused.to_string().contains("samples.title"), "{refused}");
    assert_eq!(writer.load([1, 2]).await.len(), 0);
    assert_eq!(store.state(&generation(1)).await.unwrap().unwrap().vector, writer.vector);
}

/// The list of parked streams moves with the vector too.
pub async fn parked_streams_keep_their_first_reason_until_they_are_replayed(
    world: &impl StoreWorld,
) {
    let store = world.open();
    store.prepare().await.unwrap();
    let writer = Writer::create(&*store, 1).await;
    let parked = |stream: &str, offset, reason: &str| ParkedStream {
        stream: stream.to_owned(),
        position: Position { partition: 3, offset },
        reason: reason.to_owned(),
    };
    let (one, two): (PositionVector, PositionVector) =
        ("0:1".parse().unwrap(), "0:2".parse().unwrap());

    let first = vec![parked("b", 9, "strange"), parked("a", 7, "no")];
    let first = Changes { parked: first, ..writer.empty(&one) };
    assert_eq!(store.apply(first).await.unwrap(), Applied::Committed);
    let second = Changes {
        expected: &one,
        expected_continuity: "kept",
        parked: vec![parked("b", 10, "later")],
        unparked: vec!["a".to_owned()],
        ..writer.empty(&two)
    };
    assert_eq!(store.apply(second).await.unwrap(), Applied::Committed);

    assert_eq!(store.parked(&generation(1)).await.unwrap(), [parked("b", 9, "strange")]);
}

/// Changes at a standing vector exclude each other by the continuity.
pub async fn a_batch_on_another_continuity_is_superseded(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let writer = Writer::create(&*store, 1).await;
    let at = PositionVector::empty();
    let standing = |before, after| Changes {
        expected_continuity: before,
        continuity: after,
        ..writer.empty(&at)
    };

    let first = store.apply(standing("", "first")).await.unwrap();
    let second = store.apply(standing("", "second")).await.unwrap();
    let third = store.apply(standing("first", "third")).await.unwrap();

    assert_eq!(
        (first, second, third),
        (Applied::Committed, Applied::Superseded, Applied::Committed,)
    );
    assert_eq!(store.state(&generation(1)).await.unwrap().unwrap().continuity, "third");
}

/// Batches of a rebuild: many new rows, then many changed and deleted ones.
pub async fn many_keys_and_large_batches_are_taken(world: &impl StoreWorld) {
    const ROWS: i64 = 5_000;
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;

    writer.write((0..ROWS).map(|n| sample(n, "before")).collect(), &[]).await;
    let odd: Vec<i64> = (0..ROWS).filter(|n| n % 2 == 1).collect();
    writer.write((0..ROWS).step_by(2).map(|n| sample(n, "after")).collect(), &odd).await;
    let entries = TableChange { table: ENTRIES, rows: (0..ROWS).map(entry).collect() };
    writer.apply(vec![entries]).await.unwrap();

    let loaded = writer.load(0..2 * ROWS).await;
    assert_eq!(loaded.len(), 2_500);
    assert!(loaded.iter().all(|row| row[4] == Value::Text("after".to_owned())));
    assert_eq!(store.sums(&generation(1)).await.unwrap().1[0].1.rows, ROWS);
    writer.check_sums().await;
}

/// A generation that was never created takes nothing.
pub async fn an_unknown_generation_is_refused(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let writer = Writer {
        store: &*store,
        generation: generation(4),
        vector: PositionVector::empty(),
        rows: std::collections::BTreeMap::new(),
    };
    let next = "0:1".parse().unwrap();

    let refused = store.apply(writer.empty(&next)).await.unwrap_err();

    assert_eq!(refused.to_string(), "there is no suite g4");
    assert_eq!(store.state(&generation(4)).await.unwrap(), None);
    assert!(matches!(store.promote(&generation(4)).await, Err(ReadStoreError::Refused(_))));
    assert!(matches!(store.sums(&generation(4)).await, Err(ReadStoreError::Refused(_))));
}

/// What one store's index cannot hold no store takes.
pub async fn texts_in_an_index_are_bounded_alike_everywhere(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let mut writer = Writer::create(&*store, 1).await;
    let long = |characters: usize| {
        let mut row = sample(1, "one");
        row[0] = Value::Text("🗼".repeat(characters));
        vec![TableChange {
            table: SAMPLES,
            rows: vec![RowChange { before: None, after: Some(row) }],
        }]
    };

    let refused = writer.apply(long(256)).await.unwrap_err();
    let taken = writer.apply(long(255)).await.unwrap();

    assert!(refused.to_string().contains("over 255"), "{refused}");
    assert_eq!(taken, Applied::Committed);
}
