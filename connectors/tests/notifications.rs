//! Notifications from the log to people: a real log, real lanes, keys, and the sandbox, which keeps
//! what it is given.

#![cfg(test)]

mod process_log;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use connectors::notifications::{
    Channel as Way, Channels, MailSettings, Mailer, MessageApi, NotificationConnector,
    NotificationSettings,
};
use connectors::payment_provider::{CircuitSettings, ProviderSettings};
use domain::ids::{BookingId, CommandId, CorrelationId, NotificationId, PersonId};
use domain::notification::{Channel, Command};
use domain::{Category, PositionVector, Sealed, StreamName, Tenant};
use event_log::{EmbeddedLog, EmbeddedOptions, EventLog as _};
use keys::testing::{KeyWorld as _, SqliteKeyWorld};
use keys::{Keyring, KeyringSettings, Purpose};
use lanes::{Cause, CommandPort, Lanes, LanesParts, SystemActor, SystemClock};
use projectors::{Placement, ProjectorSettings, Projectors};
use read_models::projections::{Bookings, NotificationRow, Notifications};
use read_models::queries::Viewer;
use read_models::{ReadQueries, ReadStore, SqliteReadStore, SqliteReaders, SqliteSettings};
use sandbox::{ApiSecret, FaultKind, Faults, Operation, PlannedFault, Sandbox, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SECRET: &str = "sk_test_of_these_tests";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    port: Arc<dyn CommandPort>,
    queries: Arc<ReadQueries>,
    keyring: Keyring,
    faults: Arc<Faults>,
    url: String,
    log: Arc<EmbeddedLog>,
    lanes: Arc<Lanes>,
    projectors: Projectors,
    tasks: Vec<JoinHandle<()>>,
    client: reqwest::Client,
    stopping: CancellationToken,
    _keys: SqliteKeyWorld,
    dir: TempDir,
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, condition: impl Fn() -> F) -> T {
    let end = Instant::now() + PATIENCE;
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < end, "did not happen in time: {what}");
        pause.tick().await;
    }
}

impl World {
    async fn new() -> Self {
        Self::over(None).await
    }

    /// A world whose relay and API are those instead of the sandbox.
    async fn over(others: Option<(String, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(&dir.path().join("log"), EmbeddedOptions::default()).unwrap();
        let (codec, log) = (Arc::new(log.codec().unwrap()), Arc::new(log));
        let parts = LanesParts::new(Arc::clone(&log) as _, Arc::clone(&codec));
        let lanes = Arc::new(Lanes::start(parts).await.unwrap());
        let read = dir.path().join("read.sqlite");
        let store = SqliteReadStore::open(&read, SqliteSettings::default()).unwrap();
        let store: Arc<dyn ReadStore> = Arc::new(store);
        let placed = |projection| Placement { projection, store: Arc::clone(&store) };
        let placements = vec![placed(Arc::new(Notifications)), placed(Arc::new(Bookings))];
        let settings = ProjectorSettings::default();
        let projectors = Projectors::start(Arc::clone(&log) as _, codec, placements, settings);
        let readers = until("the read models are there", || async {
            SqliteReaders::open(&read, &SqliteSettings::default()).ok()
        })
        .await;
        let queries = Arc::new(ReadQueries::sqlite(readers));
        for projection in ["notifications", "bookings"] {
            until("the projection is live", || async { queries.position(projection).await.ok() })
                .await;
        }
        let keys = SqliteKeyWorld::new();
        let keyring = keys.keyring(KeyringSettings::default());

        let secret = ApiSecret::new(SECRET).unwrap();
        let file = dir.path().join("sandbox.sqlite");
        let sandbox = Sandbox::open(&Settings::new(file, secret)).unwrap();
        let (faults, mail) = (sandbox.faults(), sandbox.mail());
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", http.local_addr().unwrap());
        let smtp_url = format!("smtp://{}", smtp.local_addr().unwrap());
        let mut tasks = vec![
            tokio::spawn(sandbox.serve(http, std::future::pending())),
            tokio::spawn(mail.serve(smtp, std::future::pending())),
        ];
        let (relay, api) = others.unwrap_or_else(|| (smtp_url, url.clone()));
        let connector = NotificationConnector::new(
            Arc::clone(&queries),
            lanes.port(),
            keyring.clone(),
            channels(&relay, &api),
            Arc::new(SystemClock),
            &NotificationSettings::default(),
        );
        let stopping = CancellationToken::new();
        tasks.push(tokio::spawn(connector.run(stopping.clone())));
        Self {
            port: lanes.port(),
            queries,
            keyring,
            faults,
            url,
            log,
            lanes,
            projectors,
            tasks,
            client: reqwest::Client::new(),
            stopping,
            _keys: keys,
            dir,
        }
    }

    async fn sealed(&self, person: PersonId, who: &Value) -> Sealed {
        self.keyring.seal(person, Purpose::Traveller, &who.to_string()).await.unwrap()
    }

    /// Asks for a message as a booking's saga would.
    async fn ask(&self, channel: Channel, locale: &str, recipient: Option<Sealed>) -> Uuid {
        let id = Uuid::now_v7();
        let total = json!({ "amount": 12_900, "currency": "EUR" });
        let command = domain::Command::Notification(Command::Request {
            notification_id: NotificationId(id),
            booking_id: BookingId(Uuid::from_u128(7)),
            template: "booking-confirmed".to_owned(),
            channel,
            locale: locale.to_owned(),
            recipient,
            facts: json!({ "total": total }).to_string(),
        });
        let cause = Cause {
            tenant: Tenant::default(),
            correlation_id: CorrelationId(id),
            causation_id: id,
            traceparent: None,
        };
        let stream = StreamName::new(Category::Notification, id);
        let said = (&command.clone(), command);
        let request = SystemActor("sagas").request(stream, CommandId(id), said, &cause);
        self.port.send(request).await.unwrap();
        id
    }

    async fn found(&self, id: Uuid) -> Option<NotificationRow> {
        let (tenant, id) = (Tenant::default(), NotificationId(id));
        self.queries.notification(&tenant, Viewer::Operator, id).await.unwrap().value
    }

    /// The message, once it stands there.
    async fn row(&self, id: Uuid, status: &str) -> NotificationRow {
        until(status, || async {
            let row = self.found(id).await?;
            (row.status == status).then_some(row)
        })
        .await
    }

    /// What the sandbox was given.
    async fn messages(&self) -> Vec<Value> {
        let url = format!("{}/admin/messages", self.url);
        let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        answer["data"].as_array().unwrap().clone()
    }

    async fn end(self) {
        self.stopping.cancel();
        self.tasks.iter().for_each(JoinHandle::abort);
        assert!(self.projectors.shutdown(PATIENCE).await);
        self.lanes.shutdown().await;
    }
}

fn channels(smtp_url: &str, url: &str) -> Channels {
    let mail = Mailer::new(MailSettings {
        url: smtp_url.to_owned(),
        from: "Waylog <trips@example.org>".to_owned(),
        timeout: Duration::from_secs(5),
        circuit: CircuitSettings::default(),
    });
    let api = MessageApi::new(ProviderSettings::new(url, SECRET.parse().unwrap()));
    Channels {
        mail: Some(Arc::new(mail.unwrap()) as Arc<dyn Way>),
        api: Some(Arc::new(api.unwrap()) as Arc<dyn Way>),
    }
}

/// A relay that says whom it refuses, as many do; why depends on the address.
async fn echoing_relay(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(echo(stream));
    }
}

async fn echo(stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut to, mut content) = (String::new(), false);
    let mut answer = "220 ready".to_owned();
    while write.write_all(format!("{answer}\r\n").as_bytes()).await.is_ok() {
        let line = loop {
            let Ok(Some(line)) = lines.next_line().await else { return };
            if !content || line == "." {
                break line;
            }
        };
        if let Some(address) = line.strip_prefix("RCPT TO:") {
            address.clone_into(&mut to);
        }
        content = line == "DATA";
        answer = match (line.split([' ', ':']).next().unwrap_or_default(), to.as_str()) {
            ("RCPT", to) if to.contains("unknown") => {
                format!("550-5.1.1 {to}: Recipient address rejected:\r\n550 5.1.1 no {to} here")
            }
            ("RCPT", to) if to.contains("grey") => {
                format!("450 4.2.0 {to}: Recipient address rejected: Greylisted")
            }
            ("RCPT", to) if to.contains("far") => format!("554 5.7.1 {to}: Relay access denied"),
            ("DATA", _) => "354 go on".to_owned(),
            (".", to) => format!("554 {to} may not be written to"),
            _ => "250 OK".to_owned(),
        };
    }
}

/// An API that names everything after whom it was to write to, and refuses some.
fn echoing_api() -> Router {
    let answer = |Json(asked): Json<Value>| async move {
        let to = asked["to"].as_str().unwrap_or_default();
        if to.ends_with('0') {
            return Json(json!({ "id": to.replace('+', "m"), "status": "sent" })).into_response();
        }
        let error = json!({ "code": to, "message": format!("{to} is no number") });
        (http::StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error }))).into_response()
    };
    Router::new().route("/v1/messages", post(answer))
}

/// Whether a file in that directory holds those bytes.
fn holds(directory: &Path, word: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, word);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

fn person(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(number))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_in_the_readers_language_under_the_name_of_its_event() {
    let world = World::new().await;
    let ada = json!({ "name": "Ada Lovelace", "email": "ada@example.org" });
    let ada = world.sealed(person(1), &ada).await;

    let english = world.ask(Channel::Email, "pt-PT", Some(ada.clone())).await;
    let row = world.row(english, "sent").await;
    let german = world.ask(Channel::Email, "de-AT", Some(ada)).await;
    world.row(german, "sent").await;

    let messages = world.messages().await;
    assert_eq!(messages.len(), 2, "{messages:#?}");
    assert_eq!(messages[0]["recipient"], "ada@example.org");
    assert_eq!(messages[0]["subject"], "Your trip is booked");
    assert_eq!(messages[0]["reference"], format!("<{}@example.org>", row.requested_by.0));
    // Long lines are folded on the way.
    let body = messages[0]["body"].as_str().unwrap().replace("=\n", "");
    assert!(body.contains("Ada Lovelace") && body.contains("129.00 EUR"), "{body}");
    assert_eq!(messages[1]["subject"], "Ihre Reise ist gebucht");
    assert!(row.sent_at.is_some() && row.due_at.is_none());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_reached_is_given_up_with_a_reason_and_who_is_busy_tried_again() {
    let world = World::new().await;
    let of = |n: u128, who: Value| {
        let world = &world;
        async move { Some(world.sealed(person(n), &who).await) }
    };
    let nobody = of(1, json!({ "name": "A", "email": "no-such-mailbox@example.org" })).await;
    let busy = of(2, json!({ "name": "B", "email": "busy@example.org" })).await;
    let without = of(3, json!({ "name": "C", "phone": "+49301" })).await;
    let forgotten = of(4, json!({ "name": "D", "email": "d@example.org" })).await;
    world.keyring.forget(person(4)).await.unwrap();

    let refused = world.ask(Channel::Email, "en", nobody).await;
    let later = world.ask(Channel::Email, "en", busy).await;
    let unreachable = world.ask(Channel::Email, "en", without).await;
    let erased = world.ask(Channel::Email, "en", forgotten).await;

    assert_eq!(world.row(refused, "abandoned").await.failure_code.as_deref(), Some("smtp_550"));
    for given_up in [unreachable, erased] {
        assert_eq!(world.row(given_up, "abandoned").await.attempt_failed, 0, "never tried");
    }
    let tried_again = until("a second try", || async {
        let row = world.found(later).await?;
        (row.attempt_failed >= 2).then_some(row)
    })
    .await;
    assert_eq!((tried_again.status.as_str(), tried_again.due_at.is_some()), ("failed", true));
    assert_eq!(world.messages().await, Vec::<Value>::new());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_relay_or_an_api_says_of_somebody_is_recorded_nowhere() {
    process_log::keep();
    let smtp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = |scheme: &str, at: &TcpListener| format!("{scheme}://{}", at.local_addr().unwrap());
    let others = (url("smtp", &smtp), url("http", &http));
    let relay = tokio::spawn(echoing_relay(smtp));
    let api = tokio::spawn(async move { axum::serve(http, echoing_api()).await.unwrap() });
    let world = World::over(Some(others)).await;
    let ask = |channel: Channel, n: u128, who: Value| {
        let world = &world;
        async move {
            let sealed = world.sealed(person(n), &who).await;
            world.ask(channel, "en", Some(sealed)).await
        }
    };
    let mail =
        |local: &str| json!({ "name": "A", "email": format!("ada.lovelace.{local}@example.org") });
    let phone = |number: &str| json!({ "name": "A", "phone": number });

    let unknown = ask(Channel::Email, 1, mail("unknown")).await;
    let grey = ask(Channel::Email, 2, mail("grey")).await;
    let rejected = ask(Channel::Email, 3, mail("advertised")).await;
    ask(Channel::Email, 4, mail("far")).await;
    let refused = ask(Channel::Sms, 5, phone("+351215550101")).await;
    let taken = ask(Channel::Sms, 6, phone("+351215550100")).await;

    let said = |row: NotificationRow| (row.failure_code.unwrap(), row.failure_message.unwrap());
    let (code, message) = said(world.row(unknown, "abandoned").await);
    assert_eq!(code, "smtp_550");
    assert_eq!(message, "the mail relay does not take the recipient: 550 5.1.1");
    assert_eq!(said(world.row(grey, "failed").await).0, "smtp_450");
    assert_eq!(said(world.row(rejected, "failed").await).0, "smtp_554");
    assert_eq!(said(world.row(refused, "abandoned").await).0, "provider_refused");
    world.row(taken, "sent").await;
    until("the relay's refusal of us is told", || async {
        process_log::text().contains("it replied 554 5.7.1").then_some(())
    })
    .await;
    // What is looked through is what was written.
    assert!(holds(&world.dir.path().join("log"), "smtp_550"));
    assert!(holds(world.dir.path(), "the recipient: 550 5.1.1"));
    for word in ["ada.lovelace", "21555010", "is no number", "may not be written to"] {
        assert!(!holds(world.dir.path(), word), "{word} stands in a file");
        let log = process_log::text();
        let told: Vec<_> = log.lines().filter(|line| line.contains(word)).collect();
        assert_eq!(told, Vec::<&str>::new(), "{word} is logged");
    }
    relay.abort();
    api.abort();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_message_whose_answer_is_lost_is_taken_once() {
    let world = World::new().await;
    let fault = sandbox::Fault { kind: FaultKind::DropAfter, delay_ms: 0 };
    let lost = PlannedFault { operation: Operation::Message, fault, calls: 2 };
    world.faults.plan(lost).unwrap();
    let ada = json!({ "name": "Ada", "phone": "+351210000000" });
    let ada = world.sealed(person(1), &ada).await;

    let id = world.ask(Channel::Sms, "en", Some(ada)).await;
    let hook = world.ask(Channel::Webhook, "en", None).await;

    world.row(id, "delivered").await;
    world.row(hook, "delivered").await;
    let messages = world.messages().await;
    let to = |number: &str| messages.iter().filter(|one| one["recipient"] == number).count();
    assert_eq!((messages.len(), to("+351210000000")), (2, 1), "{messages:#?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_nobody_can_be_asked_is_among_the_refusals_below_the_request() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = (format!("smtp://{nobody}"), format!("http://{nobody}"));
    let world = World::over(Some(away)).await;
    let ada = json!({ "name": "Ada", "email": "ada@example.org" });
    let ada = world.sealed(person(1), &ada).await;

    let id = world.ask(Channel::Email, "en", Some(ada)).await;

    let evidence = until("it is among the refusals", || async {
        let page = world.log.refusals(&PositionVector::empty(), 100).unwrap();
        page.refusals.into_iter().map(|(_, record)| record).next()
    })
    .await;
    let row = world.found(id).await.unwrap();
    assert_eq!(evidence.stream, StreamName::new(Category::Notification, id));
    assert_eq!(evidence.causation_id, Some(row.requested_by.0));
    assert_eq!(evidence.correlation_id, row.correlation_id);
    let refusal = evidence.refusal.unwrap();
    assert_eq!(refusal.code, "notification_unanswered");
    assert_eq!(refusal.message, "nobody could be asked to send by `email`: provider_away");
    assert_eq!(row.attempt_failed, 0, "nothing was tried");
    world.end().await;
}
