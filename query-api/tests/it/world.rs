//! A read store with a log of sample events in it, and a client of the routes over it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use domain::ids::{AccountId, ItineraryId};
use domain::itinerary as trip;
use domain::{Event, LogId, Position, PositionVector, RecordedEvent};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use keys::testing::{KeyWorld as _, SqliteKeyWorld};
use keys::{Keyring, KeyringSettings, PostgresKeySettings, PostgresKeyStore, Purpose};
use query_api::{
    LiveLimits, LogEnd, LogView, QueryApi, QuerySettings, RefusalTrail, Refused, RefusedPage,
    TrailError, WaitLimits,
};
use read_models::testing::loader::load_all;
use read_models::testing::samples::{
    SampleLog, activity_added, commented, created, invited, joined,
};
use read_models::testing::worlds::{SqliteWorld, StoreWorld as _};
use read_models::{Changes, Generation, ParkedStream, ReadStore};
use serde_json::Value;
use service_kit::auth::{Authentication, protect};
use service_kit::request_layer;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const LOG: LogId = LogId(Uuid::from_u128(0x106));
pub(crate) const OWNER: Uuid = Uuid::from_u128(0xB1);
pub(crate) const EDITOR: Uuid = Uuid::from_u128(0xB2);
pub(crate) const INVITED: Uuid = Uuid::from_u128(0xB3);
pub(crate) const STRANGER: Uuid = Uuid::from_u128(0xB4);
pub(crate) const TRIP: Uuid = Uuid::from_u128(0x7A1);
pub(crate) const SHARED_TRIP: Uuid = Uuid::from_u128(0x7A2);
pub(crate) const TENANT: &str = "default";
/// The longest that anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A log of which the test says where it ends, and what was refused.
#[derive(Default)]
pub(crate) struct ToldLog(
    pub(crate) Mutex<Option<Arc<LogEnd>>>,
    /// Newest first; nothing when the log is away.
    pub(crate) Mutex<Option<Vec<Refused>>>,
);

impl RefusalTrail for ToldLog {
    /// One at a time, so that pages are put together from pieces.
    fn read(
        &self,
        before: PositionVector,
        _: usize,
    ) -> BoxFuture<'_, Result<RefusedPage, TrailError>> {
        let kept = self.1.lock().unwrap().clone();
        async move {
            let kept = kept.ok_or_else(|| TrailError::Unavailable("nobody answers".into()))?;
            let newest = kept.first().map_or(0, |newest| newest.at.offset + 1);
            let start = before.offset(0).unwrap_or(newest);
            let older: Vec<_> = kept.into_iter().filter(|one| one.at.offset < start).collect();
            let place = |offset| [Position { partition: 0, offset }].into_iter().collect();
            let last = older.first().map_or(start, |one| one.at.offset);
            let (more, first) = (older.len() > 1, older.into_iter().take(1));
            Ok(RefusedPage {
                refused: first.collect(),
                start: place(start),
                before: place(last),
                more,
            })
        }
        .boxed()
    }
}

impl LogView for ToldLog {
    fn log_id(&self) -> Option<LogId> {
        Some(LOG)
    }

    fn end(&self) -> Option<Arc<LogEnd>> {
        self.0.lock().unwrap().clone()
    }
}

/// Everything that a test needs; the directory goes with it.
pub(crate) struct World {
    pub(crate) store: Arc<dyn ReadStore>,
    pub(crate) log: Arc<ToldLog>,
    pub(crate) router: Router,
    pub(crate) stopping: CancellationToken,
    pub(crate) keyring: Keyring,
    files: (SqliteWorld, SqliteKeyWorld),
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_else(|| panic!("no problem: {self:?}"))
    }

    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    pub(crate) fn data(&self) -> &Vec<Value> {
        self.body["data"].as_array().unwrap_or_else(|| panic!("no list: {self:?}"))
    }
}

/// Settings for tests: short waits.
pub(crate) fn settings() -> QuerySettings {
    QuerySettings {
        wait: WaitLimits {
            wait_max: Duration::from_millis(200),
            poll_interval: Duration::from_millis(5),
            ..WaitLimits::default()
        },
        live: LiveLimits { poll_interval: Duration::from_millis(5), ..LiveLimits::default() },
    }
}

impl World {
    /// Read models that hold these events.
    pub(crate) async fn with(events: &[RecordedEvent]) -> Self {
        Self::of(events, settings()).await
    }

    /// The same read models, to somebody who cannot have the keys.
    pub(crate) fn without_keys(&self) -> Router {
        let known: Arc<dyn LogView> = Arc::<ToldLog>::clone(&self.log);
        let queries = Arc::new(self.files.0.queries());
        let stopping = self.stopping.clone();
        let api = QueryApi::new(
            queries,
            keys_that_are_away(),
            (known, self.log.clone()),
            settings(),
            stopping,
        );
        let (routes, _) = query_api::router(api).split_for_parts();
        request_layer::wrap(protect(routes, Authentication::development()), PATIENCE)
    }

    pub(crate) async fn of(events: &[RecordedEvent], settings: QuerySettings) -> Self {
        let (files, key_files) = (SqliteWorld::new(), SqliteKeyWorld::new());
        let keyring = key_files.keyring(KeyringSettings::default());
        let store = files.open();
        store.prepare().await.unwrap();
        load_all(&*store, &sealed(events, &keyring).await, 100).await.unwrap();
        let log = Arc::new(ToldLog::default());
        *log.1.lock().unwrap() = Some(Vec::new());
        let stopping = CancellationToken::new();
        let queries = Arc::new(files.queries());
        let known: Arc<dyn LogView> = Arc::<ToldLog>::clone(&log);
        let api = QueryApi::new(
            queries,
            keyring.clone(),
            (known, log.clone()),
            settings,
            stopping.clone(),
        );
        let (routes, _) = query_api::router(api).split_for_parts();
        let router = protect(routes, Authentication::development());
        let router = request_layer::wrap(router, PATIENCE);
        Self { store, log, router, stopping, keyring, files: (files, key_files) }
    }

    /// The log's further events, as the projections see them.
    pub(crate) async fn load(&self, events: &[RecordedEvent]) {
        load_all(&*self.store, &sealed(events, &self.keyring).await, 100).await.unwrap();
    }

    /// Events as they stand in the log.
    pub(crate) async fn load_as_it_is(&self, events: &[RecordedEvent]) {
        load_all(&*self.store, events, 100).await.unwrap();
    }

    /// Samples as the edge would have made them.
    pub(crate) async fn sealed(&self, events: &[RecordedEvent]) -> Vec<RecordedEvent> {
        sealed(events, &self.keyring).await
    }

    /// Parks a stream in a projection, whose vector goes on.
    pub(crate) async fn park(&self, projection: &str, event: &RecordedEvent) {
        let generation = Generation { projection: projection.to_owned(), number: 1 };
        let state = self.store.state(&generation).await.unwrap().unwrap();
        let mut next = state.vector.clone();
        next.advance(event.position);
        let parked = ParkedStream {
            stream: event.envelope.stream.to_string(),
            position: event.position,
            reason: "poison".to_owned(),
        };
        let changes = Changes {
            generation: &generation,
            expected: &state.vector,
            expected_continuity: &state.continuity,
            next: &next,
            continuity: &state.continuity,
            last_event_at: None,
            tables: Vec::new(),
            parked: vec![parked],
            unparked: Vec::new(),
        };
        self.store.apply(changes).await.unwrap();
    }

    /// As an account with these roles of the default tenant.
    pub(crate) async fn get(&self, who: Who, path: &str) -> Answer {
        self.get_with(who, path, &[]).await
    }

    pub(crate) async fn get_with(&self, who: Who, path: &str, more: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in who.headers() {
            request = request.header(name, value);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        answer(&self.router, request.body(Body::empty()).unwrap()).await
    }
}

/// The events as the edge would have made them: samples say in the clear what is to be sealed.
async fn sealed(events: &[RecordedEvent], keyring: &Keyring) -> Vec<RecordedEvent> {
    let mut events = events.to_vec();
    for recorded in &mut events {
        if let Event::Itinerary(trip::Event::Commented(commented)) = &mut recorded.event {
            let (person, text) = (commented.text.person, commented.text.ciphertext.clone());
            let sealing = keyring.seal(person, Purpose::ItineraryComment, &text);
            commented.text = sealing.await.unwrap();
        }
    }
    events
}

/// Keys that nobody can have now.
pub(crate) fn keys_that_are_away() -> Keyring {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = PostgresKeySettings::new(format!("postgresql://nobody@{closed}/none"));
    Keyring::new(Arc::new(PostgresKeyStore::new(&away).unwrap()), KeyringSettings::default())
}

/// Sends the request and reads its whole answer.
pub(crate) async fn answer(router: &Router, request: Request<Body>) -> Answer {
    let answering = tokio::time::timeout(PATIENCE, router.clone().oneshot(request));
    let (parts, body) = answering.await.unwrap().unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) account: Uuid,
    pub(crate) tenant: &'static str,
    pub(crate) roles: &'static str,
}

impl Who {
    pub(crate) const fn traveller(account: Uuid) -> Self {
        Self { account, tenant: TENANT, roles: "traveller" }
    }

    pub(crate) const fn staff(roles: &'static str) -> Self {
        Self { account: Uuid::from_u128(0xBF), tenant: TENANT, roles }
    }

    pub(crate) const fn of(self, tenant: &'static str) -> Self {
        Self { tenant, ..self }
    }

    pub(crate) fn headers(self) -> [(&'static str, String); 3] {
        [
            ("waylog-dev-actor", format!("account:{}", self.account)),
            ("waylog-dev-tenant", self.tenant.to_owned()),
            ("waylog-dev-roles", self.roles.to_owned()),
        ]
    }
}

/// A trip of everything, and a shared one; each in a partition of its own.
pub(crate) fn sample() -> SampleLog {
    let mut log = SampleLog::new();
    let itinerary_id = ItineraryId(TRIP);
    log.append(0, TRIP, OWNER, created(TRIP, OWNER, "Nine days in Lisbon"));
    log.append(
        0,
        TRIP,
        OWNER,
        activity_added(TRIP, Uuid::from_u128(0xA1), OWNER, "Tram 28", "Alfama"),
    );
    log.append(0, TRIP, OWNER, invited(TRIP, EDITOR, OWNER));
    log.append(0, TRIP, EDITOR, joined(TRIP, EDITOR));
    log.append(0, TRIP, OWNER, invited(TRIP, INVITED, OWNER));
    log.append(0, TRIP, EDITOR, commented(TRIP, Uuid::from_u128(0xC1), EDITOR, "Early?"));
    log.append(0, TRIP, EDITOR, renamed(TRIP, "Ten days in Lisbon"));
    log.append(1, SHARED_TRIP, OWNER, created(SHARED_TRIP, OWNER, "Porto"));
    log.append(1, SHARED_TRIP, OWNER, invited(SHARED_TRIP, INVITED, OWNER));
    let itinerary_id_shared = ItineraryId(SHARED_TRIP);
    log.append(1, SHARED_TRIP, OWNER, trip::ItineraryShared { itinerary_id: itinerary_id_shared });
    let budget = None;
    let preferences = vec!["window seat".to_owned()];
    let described =
        trip::ItineraryMetadataDescribed { itinerary_id, budget, travellers: Some(2), preferences };
    log.append(0, TRIP, OWNER, described);
    log
}

pub(crate) fn renamed(id: Uuid, title: &str) -> trip::ItineraryRenamed {
    trip::ItineraryRenamed { itinerary_id: ItineraryId(id), title: title.to_owned() }
}

pub(crate) fn left(id: Uuid, account: Uuid) -> trip::ItineraryCollaboratorLeft {
    let account_id = AccountId(account);
    trip::ItineraryCollaboratorLeft {
        itinerary_id: ItineraryId(id),
        account_id,
        ended_by: account_id,
    }
}

/// The token of everything in a log.
pub(crate) fn token(events: &[RecordedEvent]) -> String {
    let vector: PositionVector = events.iter().map(|event| event.position).collect();
    format!("{LOG}@{vector}")
}
