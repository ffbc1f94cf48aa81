//! What the routes make of requests, against a port that records what it is sent.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use domain::ids::{AccountId, PersonId};
use domain::itinerary::Command as Itinerary;
use domain::{Command, Refusal, RefusalKind, Sealed};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use keys::testing::{KeyWorld as _, SqliteKeyWorld};
use keys::{Keyring, KeyringSettings, Opened, PostgresKeySettings, PostgresKeyStore, Purpose};
use lanes::{Accepted, CommandError, CommandPort, CommandRequest, TokenText};
use serde_json::{Value, json};
use service_kit::auth::{self, Authentication, DEV_ACCOUNT};
use service_kit::fingerprint::Fingerprinter;
use tower::ServiceExt as _;

use crate::CommandApi;

const KEY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const TRIP: &str = "0190b3a0-0000-7000-8000-000000000001";

/// Records every request and answers all of them alike.
struct Port {
    sent: Mutex<Vec<CommandRequest>>,
    answer: Result<Accepted, CommandError>,
}

#[async_trait::async_trait]
impl CommandPort for Port {
    async fn send(&self, request: CommandRequest) -> Result<Accepted, CommandError> {
        self.sent.lock().unwrap().push(request);
        self.answer.clone()
    }

    fn shards(&self) -> u32 {
        1
    }

    fn shard_of(&self, _: &domain::StreamName) -> u32 {
        0
    }
}

pub(crate) struct World {
    port: Arc<Port>,
    keyring: Keyring,
    _files: SqliteKeyWorld,
}

impl World {
    pub(crate) fn answering(answer: Result<Accepted, CommandError>) -> Self {
        let files = SqliteKeyWorld::new();
        let keyring = files.keyring(KeyringSettings::default());
        let port = Arc::new(Port { sent: Mutex::default(), answer });
        Self { port, keyring, _files: files }
    }

    pub(crate) fn accepting() -> Self {
        let position = TokenText("0190b3a0-0000-7000-8000-000000000009@0:17".to_owned());
        Self::answering(Ok(Accepted { version: 3, position, replayed: false, events: 1 }))
    }

    pub(crate) async fn open(&self, sealed: &Sealed, purpose: Purpose) -> Opened {
        self.keyring.open(sealed, purpose).await.unwrap()
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Response<Body> {
        self.send_as("admin", method, path, body).await
    }

    /// Sends as the development account with those roles.
    pub(crate) async fn send_as(
        &self,
        roles: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("idempotency-key", KEY)
            .header("waylog-dev-roles", roles)
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.take(request).await
    }

    /// Answers any request at all.
    pub(crate) async fn take(&self, request: Request<Body>) -> Response<Body> {
        let api = CommandApi::new(
            Arc::clone(&self.port) as _,
            Fingerprinter::new(b"key"),
            self.keyring.clone(),
        );
        let (router, _) = crate::router(api).split_for_parts();
        let router = auth::protect(router, Authentication::development());
        let wait = std::time::Duration::from_secs(10);
        service_kit::request_layer::wrap(router, wait).oneshot(request).await.unwrap()
    }

    pub(crate) fn only_command(&self) -> CommandRequest {
        let sent = self.port.sent.lock().unwrap();
        assert_eq!(sent.len(), 1, "exactly one command is sent");
        sent[0].clone()
    }

    pub(crate) fn nothing_sent(&self) -> bool {
        self.port.sent.lock().unwrap().is_empty()
    }
}

pub(crate) async fn body(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

fn creation(start: &str, end: &str) -> String {
    let period = json!({ "start": start, "end": end, "zone": "Europe/Lisbon" });
    json!({ "title": "Lisbon", "period": period }).to_string()
}

#[tokio::test]
async fn a_creation_names_its_itinerary_by_the_key() {
    let world = World::accepting();
    let sent = creation("2027-05-01", "2027-05-09");

    let first = world.send("POST", "/v1/itineraries", &sent).await;

    let request = world.only_command();
    let id = request.stream.id.to_string();
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(first.headers()["location"], format!("/v1/itineraries/{id}").as_str());
    assert_eq!(first.headers()["etag"], "\"3\"");
    assert_eq!(first.headers()["idempotency-key"], KEY);
    assert!(first.headers()["waylog-position"].to_str().unwrap().ends_with("@0:17"));
    assert_eq!(body(first).await, json!({ "id": id, "version": 3 }));
    assert_eq!(request.stream.id.get_version_num(), 8);
    assert_eq!(request.command_id.to_string(), KEY);
}

#[tokio::test]
async fn a_clients_own_id_is_taken() {
    let world = World::accepting();
    let mut sent: Value = serde_json::from_str(&creation("2027-05-01", "2027-05-09")).unwrap();
    sent["id"] = json!(TRIP);

    world.send("POST", "/v1/itineraries", &sent.to_string()).await;

    assert_eq!(world.only_command().stream.to_string(), format!("itinerary-{TRIP}"));
}

#[tokio::test]
async fn what_no_state_accepts_never_reaches_a_lane() {
    let cases = [
        (creation("2027-05-09", "2027-05-01"), 422, "itinerary_period_reversed"),
        (creation("2027-02-30", "2027-05-01"), 400, "invalid_field"),
        (creation("2027-05-01", "2027-05-09").replace("Europe", "Mars"), 400, "invalid_field"),
        (r#"{"title":"x","period":null,"surprise":1}"#.to_owned(), 400, "invalid_field"),
        ("[".repeat(10_000), 400, "malformed_json"),
    ];

    for (sent, status, code) in cases {
        let world = World::accepting();
        let answer = world.send("POST", "/v1/itineraries", &sent).await;
        assert_eq!(answer.status().as_u16(), status, "{code}");
        assert_eq!(body(answer).await["code"], code);
        assert!(world.nothing_sent(), "{code}");
    }
}

#[tokio::test]
async fn an_id_of_another_kind_is_a_problem() {
    let world = World::accepting();

    let answer = world.send("PATCH", "/v1/itineraries/17", r#"{"title":"x"}"#).await;

    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body(answer).await["code"], "invalid_parameter");
    assert!(world.nothing_sent());
}

#[tokio::test]
async fn each_route_sends_its_command() {
    let activity = json!({
        "kind": "tour", "title": "Tram 28", "place": "Lisbon", "zone": "Europe/Lisbon",
        "starts_at": "2027-05-02T09:00:00Z", "ends_at": "2027-05-02T11:00:00Z",
    });
    let times = json!({
        "zone": "Europe/Lisbon",
        "starts_at": "2027-05-02T09:00:00Z", "ends_at": "2027-05-02T11:00:00Z",
    });
    let dev = DEV_ACCOUNT;
    let guest = "0190b3a0-0000-7000-8000-000000000005";
    let cases = [
        ("PATCH", String::new(), json!({ "title": "Porto" }), "revise", 200),
        ("POST", "/activities".to_owned(), activity, "add-activity", 201),
        ("PATCH", format!("/activities/{guest}"), times, "reschedule-activity", 200),
        ("DELETE", format!("/activities/{guest}"), json!(null), "remove-activity", 200),
        (
            "POST",
            "/collaborators".to_owned(),
            json!({ "account_id": guest, "role": "editor" }),
            "invite",
            201,
        ),
        ("POST", format!("/collaborators/{dev}/acceptance"), json!(null), "join", 200),
        ("DELETE", format!("/collaborators/{dev}"), json!(null), "leave", 200),
        ("DELETE", format!("/collaborators/{guest}"), json!(null), "remove-collaborator", 200),
        ("POST", "/comments".to_owned(), json!({ "text": "Nice." }), "comment", 201),
        ("POST", "/share".to_owned(), json!(null), "share", 200),
        ("DELETE", "/share".to_owned(), json!(null), "unshare", 200),
        ("POST", "/archival".to_owned(), json!(null), "archive", 200),
    ];

    for (method, path, sent, command, status) in cases {
        let world = World::accepting();
        let sent = if sent.is_null() { String::new() } else { sent.to_string() };
        let answer = world.send(method, &format!("/v1/itineraries/{TRIP}{path}"), &sent).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(world.only_command().command.name(), command);
    }
}

#[tokio::test]
async fn a_replay_names_the_same_activity() {
    let sent = json!({
        "kind": "meal", "title": "Dinner", "place": "", "zone": "Europe/Lisbon",
        "starts_at": "2027-05-02T19:00:00Z", "ends_at": "2027-05-02T21:00:00Z",
    });
    let path = format!("/v1/itineraries/{TRIP}/activities");
    let world = World::accepting();

    let first = world.send("POST", &path, &sent.to_string()).await;
    let second = world.send("POST", &path, &sent.to_string()).await;

    assert_eq!(first.headers()["location"], second.headers()["location"]);
    let sent = world.port.sent.lock().unwrap();
    assert_eq!(sent[0].fingerprint, sent[1].fingerprint);
    assert_eq!(sent[0].command, sent[1].command);
    assert!(matches!(&sent[0].command, Command::Itinerary(Itinerary::AddActivity { .. })));
}

#[tokio::test]
async fn nobody_accepts_for_somebody_else() {
    let world = World::accepting();
    let path = format!("/v1/itineraries/{TRIP}/collaborators/{TRIP}/acceptance");

    let answer = world.send("POST", &path, "").await;

    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(world.nothing_sent());
}

#[tokio::test]
async fn a_refusal_shows_its_code_and_facts() {
    let refusal = Refusal {
        code: "activity_not_found".to_owned(),
        kind: RefusalKind::NotFound,
        message: "the itinerary has no such activity".to_owned(),
        facts: json!({ "activity_id": TRIP }).as_object().unwrap().clone(),
    };
    let world = World::answering(Err(CommandError::Refused(refusal)));

    let answer = world.send("POST", &format!("/v1/itineraries/{TRIP}/archival"), "").await;

    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let problem = body(answer).await;
    assert_eq!(problem["code"], "activity_not_found");
    assert_eq!(problem["activity_id"], TRIP);
}

const COMMENTS: &str = "/v1/itineraries/0190b3a0-0000-7000-8000-000000000001/comments";

fn comment(text: &str) -> String {
    json!({ "text": text }).to_string()
}

fn sealed(command: &Command) -> &Sealed {
    match command {
        Command::Itinerary(Itinerary::Comment { text, .. }) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_comments_text_leaves_sealed_under_its_authors_key() {
    let world = World::accepting();

    let answer = world.send("POST", COMMENTS, &comment(" Early?\n")).await;
    let again = world.send("POST", COMMENTS, &comment(" Early?\n")).await;

    assert_eq!((answer.status(), again.status()), (StatusCode::CREATED, StatusCode::CREATED));
    let sent = world.port.sent.lock().unwrap().clone();
    assert!(!serde_json::to_string(&sent[0].command).unwrap().contains("Early"));
    assert_eq!(sealed(&sent[0].command).person, PersonId::from(AccountId(DEV_ACCOUNT)));
    for request in &sent {
        let text = sealed(&request.command);
        let opened = world.keyring.open(text, Purpose::ItineraryComment).await.unwrap();
        assert_eq!(opened, Opened::Plain("Early?".to_owned()));
    }
    assert_eq!(sent[0].fingerprint, sent[1].fingerprint, "a repeat is a repeat");
}

#[tokio::test]
async fn a_comment_is_judged_before_it_is_sealed() {
    let world = World::accepting();
    let cases = [
        (" \t".to_owned(), "itinerary_text_blank"),
        ("ü".repeat(4_001), "itinerary_text_too_long"),
        ("nul \0 here".to_owned(), "itinerary_text_unprintable"),
    ];

    for (text, code) in cases {
        let answer = world.send("POST", COMMENTS, &comment(&text)).await;

        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let problem = body(answer).await;
        assert_eq!((&problem["code"], &problem["field"]), (&json!(code), &json!("text")));
    }
    assert!(world.nothing_sent());
    assert_eq!(world.keyring.census().await.unwrap().keys, 0, "nobody got a key for it");
    let longest = world.send("POST", COMMENTS, &comment(&"\u{1F98A}".repeat(4_000))).await;
    assert_eq!(longest.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn who_was_forgotten_writes_nothing_about_themselves() {
    let world = World::accepting();
    world.keyring.forget(AccountId(DEV_ACCOUNT).into()).await.unwrap();

    let answer = world.send("POST", COMMENTS, &comment("Early?")).await;

    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(body(answer).await["code"], "person_forgotten");
    assert!(world.nothing_sent());
}

#[tokio::test]
async fn without_keys_only_what_is_sealed_has_to_wait() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = PostgresKeySettings::new(format!("postgresql://nobody@{closed}/none"));
    let store = PostgresKeyStore::new(&away).unwrap();
    let keyring = Keyring::new(Arc::new(store), KeyringSettings::default());
    let world = World { keyring, ..World::accepting() };

    let comment = world.send("POST", COMMENTS, &comment("Early?")).await;
    let share = world.send("POST", &format!("/v1/itineraries/{TRIP}/share"), "").await;

    assert_eq!(comment.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(comment.headers().contains_key("retry-after"));
    assert_eq!(body(comment).await["code"], "unavailable");
    assert_eq!(share.status(), StatusCode::OK);
    assert_eq!(world.only_command().command.name(), "share");
}
