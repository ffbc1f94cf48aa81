//! Questions by key and along an index, as tests: every store passes all of them.
//!
//! `look_ups_contract!(world)` makes one test of each case.

use domain::{PositionVector, Timestamp};

use super::loader::index;
use super::worlds::StoreWorld;
use crate::projection::RowChange;
use crate::queries::{By, LookUp, QueryError, Range, ReadQueries};
use crate::store::{Applied, Changes, Generation, ReadStore, TableChange};
use crate::table::{Column, ColumnType, Index, IndexKind, Table, Value};

/// Makes a test of every case.
#[macro_export]
macro_rules! look_ups_contract {
    ($world:path) => {
        $crate::look_ups_contract!(@cases $world:
            rows_are_found_by_their_keys,
            an_index_gives_its_rows_in_order,
            pages_along_an_index_skip_and_repeat_nothing,
            an_index_follows_changed_and_deleted_rows,
            questions_of_another_shape_are_refused,
            answers_come_from_the_live_generation_at_its_position,
        );
    };
    (@cases $world:path: $($case:ident,)+) => {
        #[cfg(test)]
        mod look_ups {
            use super::world;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if let Some(world) = world().await {
                        $crate::testing::look_up_suite::$case(&world).await;
                    }
                }
            )+
        }
    };
}

const fn column(name: &'static str, column_type: ColumnType, nullable: bool) -> Column {
    Column { name, column_type, nullable, comment: "A column of a test" }
}

/// Places with a rank.
const RANKS: &Table = &Table {
    name: "ranks",
    comment: "Places with a rank",
    columns: &[
        column("place", ColumnType::Text, false),
        column("country", ColumnType::Text, false),
        column("score", ColumnType::Integer, false),
        column("seen_at", ColumnType::Timestamp, true),
    ],
    key_columns: 1,
    indexes: &[
        Index { name: "score", kind: IndexKind::Ordered(&["country", "score"]) },
        Index { name: "seen", kind: IndexKind::Ordered(&["seen_at"]) },
    ],
    append_only: false,
};

fn generation(number: u32) -> Generation {
    Generation { projection: "suite".to_owned(), number }
}

fn rank(place: &str, country: &str, score: i64) -> Vec<Value> {
    vec![
        Value::Text(place.to_owned()),
        Value::Text(country.to_owned()),
        Value::Integer(score),
        Value::Timestamp(Timestamp::from_micros(score)),
    ]
}

fn ranks() -> Vec<Vec<Value>> {
    vec![
        rank("Évora", "pt", -7),
        rank("Faro", "pt", 3),
        rank("Lisboa", "pt", 90),
        rank("Porto", "pt", 3),
        rank("Paris", "fr", 91),
        rank("Praha", "p", 4),
        rank("Pau ", "fr", 0),
        rank("Pau", "fr", 0),
    ]
}

/// Fills a generation, at a vector of its own.
async fn fill(store: &dyn ReadStore, number: u32, vector: &str, rows: Vec<Vec<Value>>) {
    store.create(&generation(number), 1, &[RANKS]).await.unwrap();
    let changes = rows.into_iter().map(|row| RowChange { before: None, after: Some(row) });
    write(store, number, ("", vector), changes.collect()).await;
}

async fn write(store: &dyn ReadStore, number: u32, at: (&str, &str), rows: Vec<RowChange>) {
    let (expected, next) = (at.0.parse().unwrap(), at.1.parse().unwrap());
    let changes = Changes {
        generation: &generation(number),
        expected: &expected,
        expected_continuity: "",
        next: &next,
        continuity: "",
        last_event_at: Some(Timestamp::from_micros(5)),
        tables: vec![TableChange { table: RANKS, rows }],
        parked: Vec::new(),
        unparked: Vec::new(),
    };
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Committed);
}

fn range(country: &str, descending: bool, after: Option<Vec<Value>>, limit: u32) -> Range {
    let equal = vec![Value::Text(country.to_owned())];
    Range { index: "score", equal, after, descending, limit }
}

async fn ask(queries: &ReadQueries, by: By) -> Result<Vec<Vec<Value>>, QueryError> {
    let questions = vec![LookUp { table: RANKS, by }];
    let answer = queries.look_up("suite", questions, &PositionVector::empty()).await?;
    Ok(answer.value.into_iter().next().unwrap())
}

fn places(rows: &[Vec<Value>]) -> Vec<&str> {
    let mut places = Vec::new();
    for row in rows {
        match &row[0] {
            Value::Text(place) => places.push(place.as_str()),
            other => panic!("{other:?} is no place"),
        }
    }
    places
}

/// Keys are found exactly, last spaces included; what is not there is left out.
pub async fn rows_are_found_by_their_keys(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    fill(&*store, 1, "0:1", ranks()).await;
    let key = |place: &str| vec![Value::Text(place.to_owned())];

    let keys = By::Keys(vec![key("Pau"), key("Évora"), key("evora"), key("Nowhere")]);
    let mut found = ask(&world.queries(), keys).await.unwrap();
    let none = ask(&world.queries(), By::Keys(Vec::new())).await.unwrap();

    found.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(found, [rank("Pau", "fr", 0), rank("Évora", "pt", -7)]);
    assert_eq!(none, Vec::<Vec<Value>>::new());
}

/// By the index, then by the key; a value that begins another one is not taken for it.
pub async fn an_index_gives_its_rows_in_order(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    fill(&*store, 1, "0:1", ranks()).await;
    let queries = world.queries();

    let up = ask(&queries, By::Range(range("pt", false, None, 10))).await.unwrap();
    let down = ask(&queries, By::Range(range("pt", true, None, 3))).await.unwrap();
    let short = ask(&queries, By::Range(range("p", false, None, 10))).await.unwrap();
    let all = Range { equal: Vec::new(), ..range("", false, None, 100) };
    let all = ask(&queries, By::Range(all)).await.unwrap();

    assert_eq!(places(&up), ["Évora", "Faro", "Porto", "Lisboa"]);
    assert_eq!(places(&down), ["Lisboa", "Porto", "Faro"]);
    assert_eq!(places(&short), ["Praha"]);
    assert_eq!(places(&all), ["Pau", "Pau ", "Paris", "Praha", "Évora", "Faro", "Porto", "Lisboa"]);
}

/// The last row of a page says where the next one begins.
pub async fn pages_along_an_index_skip_and_repeat_nothing(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let rows = (0..25).map(|n| rank(&format!("place {n:02}"), "xx", n / 4)).collect();
    fill(&*store, 1, "0:1", rows).await;
    let queries = world.queries();

    for descending in [false, true] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = ask(&queries, By::Range(range("xx", descending, after, 4))).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(vec![last[2].clone(), last[0].clone()]);
            seen.extend(places(&page).into_iter().map(str::to_owned));
        }

        let mut expected: Vec<String> = (0..25).map(|n| format!("place {n:02}")).collect();
        if descending {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

/// A row stands in an index once, where it is now.
pub async fn an_index_follows_changed_and_deleted_rows(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    fill(&*store, 1, "0:1", ranks()).await;
    let moved =
        RowChange { before: Some(rank("Évora", "pt", -7)), after: Some(rank("Évora", "pt", 50)) };
    let gone = RowChange { before: Some(rank("Faro", "pt", 3)), after: None };

    write(&*store, 1, ("0:1", "0:2"), vec![moved, gone]).await;

    let found = ask(&world.queries(), By::Range(range("pt", false, None, 10))).await.unwrap();
    assert_eq!(places(&found), ["Porto", "Évora", "Lisboa"]);
}

/// A question that stores would answer differently is answered by none.
pub async fn questions_of_another_shape_are_refused(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    fill(&*store, 1, "0:1", ranks()).await;
    let queries = world.queries();
    let unknown = Range { index: "nothing", ..range("pt", false, None, 1) };
    let nulls = Range { index: "seen", equal: Vec::new(), ..range("", false, None, 1) };
    let short = range("pt", false, Some(vec![Value::Integer(1)]), 1);

    for strange in [unknown, nulls, short] {
        let refused = ask(&queries, By::Range(strange.clone())).await;

        // Where Redis is the only store, what it refuses nobody answers.
        let error = refused.unwrap_err();
        assert!(
            ["read_store_refused", "read_store_unavailable"].contains(&error.code()),
            "{strange:?}: {error}"
        );
    }
}

/// The answer says at which position it is true, and follows the pointer.
pub async fn answers_come_from_the_live_generation_at_its_position(world: &impl StoreWorld) {
    let store = world.open();
    store.prepare().await.unwrap();
    let queries = world.queries();
    let nobody = queries.position("suite").await.unwrap_err();
    fill(&*store, 1, "0:1", ranks()).await;
    fill(&*store, 2, "0:2,3:1", vec![rank("Olinda", "br", 1)]).await;
    let before = queries.position("suite").await.unwrap();

    index(&*store, &generation(2), &[RANKS]).await.unwrap();
    store.promote(&generation(2)).await.unwrap();

    let questions = ["br", "pt"]
        .map(|country| LookUp { table: RANKS, by: By::Range(range(country, false, None, 10)) });
    let answer = queries.look_up("suite", questions.into(), &PositionVector::empty()).await;
    let answer = answer.unwrap();
    assert_eq!(nobody.code(), "read_store_unavailable");
    assert_eq!((before.generation, before.vector.to_string().as_str()), (1, "0:1"));
    assert_eq!((answer.at.generation, answer.at.version), (2, 1));
    assert_eq!(answer.at.vector.to_string(), "0:2,3:1");
    assert_eq!(answer.at.last_event_at, Some(Timestamp::from_micros(5)));
    assert_eq!(answer.value, [vec![rank("Olinda", "br", 1)], Vec::new()]);
}
