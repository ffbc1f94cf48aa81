//! Live updates over a real socket: who is told what, coming back, being cut.

use std::time::Duration;

use query_api::{LiveLimits, QuerySettings};
use read_models::testing::samples::{commented, created, invited, joined};
use serde_json::Value;
use service_kit::http_server::{self, Limits};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::world::{
    EDITOR, OWNER, PATIENCE, SHARED_TRIP, STRANGER, TRIP, Who, World, left, renamed, sample,
    settings, token,
};

/// A world behind a real listener.
pub(crate) struct Served {
    pub(crate) world: World,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<Result<http_server::Drained, http_server::ServeError>>,
}

impl Served {
    pub(crate) async fn start(world: World) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving =
            http_server::serve(listener, world.router.clone(), Limits::default(), shutdown.clone());
        Self { world, address, shutdown, server: tokio::spawn(serving) }
    }

    pub(crate) async fn listen(&self, who: Who, query: &str, last: Option<&str>) -> Listener {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut head =
            format!("GET /v1/events?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for (name, value) in who.headers() {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(last) = last {
            head += &format!("last-event-id: {last}\r\n");
        }
        write.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let mut listener = Listener { lines: BufReader::new(read).lines(), _write: write };
        let status = listener.line().await.unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        // The greeting says that the place is taken, and where the client stands.
        while !listener.line().await.unwrap().starts_with(": here you are") {}
        listener
    }

    pub(crate) async fn stop(self) -> http_server::Drained {
        self.world.stopping.cancel();
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.server).await.unwrap().unwrap().unwrap()
    }
}

pub(crate) struct Listener {
    lines: Lines<BufReader<OwnedReadHalf>>,
    _write: OwnedWriteHalf,
}

/// One event as a client gets it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    id: String,
    event: String,
    pub(crate) data: Value,
}

impl Listener {
    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap()
    }

    /// The next event that has a name; heartbeats are passed over.
    pub(crate) async fn event(&mut self) -> Option<Told> {
        let mut told = Told::default();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                if !told.event.is_empty() {
                    return Some(told);
                }
            } else if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut told.id);
            } else if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut told.event);
            } else if let Some(data) = line.strip_prefix("data: ") {
                told.data = serde_json::from_str(data).unwrap();
            }
        }
    }

    async fn types(&mut self, count: usize) -> Vec<String> {
        let mut types = Vec::new();
        for _ in 0..count {
            types.push(self.event().await.unwrap().event);
        }
        types
    }
}

#[tokio::test]
async fn everybody_is_told_what_they_may_see_and_nothing_else() {
    let mut log = sample();
    let known = log.events().len();
    let served = Served::start(World::with(log.events()).await).await;
    let mut owner = served.listen(Who::traveller(OWNER), "", None).await;
    let mut stranger = served.listen(Who::traveller(STRANGER), "", None).await;
    let mut staff = served.listen(Who::staff("support"), "", None).await;
    let mut elsewhere = served.listen(Who::staff("support").of("other"), "", None).await;
    let own = Uuid::from_u128(0x7A9);

    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    log.append(2, own, STRANGER, created(own, STRANGER, "Mine"));
    let other = "other".parse().unwrap();
    let theirs = Uuid::from_u128(0x7AA);
    log.append_for(&other, 3, theirs, OWNER, created(theirs, OWNER, "Theirs"));
    served.world.load(&log.events()[known..]).await;

    let told = owner.event().await.unwrap();
    assert_eq!(told.event, "itinerary-renamed");
    assert_eq!(told.data["data"]["title"], "Eleven days");
    assert_eq!(told.data["stream"], format!("itinerary-{TRIP}"));
    assert_eq!(stranger.event().await.unwrap().data["data"]["title"], "Mine");
    assert_eq!(staff.types(2).await, ["itinerary-renamed", "itinerary-created"]);
    assert_eq!(elsewhere.event().await.unwrap().data["data"]["title"], "Theirs");
    served.stop().await;
}

#[tokio::test]
async fn a_client_goes_on_behind_the_last_id_without_gaps_or_repeats() {
    let mut log = sample();
    let known = log.events().len();
    let served = Served::start(World::with(log.events()).await).await;
    let mut first = served.listen(Who::traveller(OWNER), "", None).await;
    for number in 0..3 {
        log.append(0, TRIP, OWNER, renamed(TRIP, &format!("{number}")));
    }
    served.world.load(&log.events()[known..]).await;
    let seen = first.event().await.unwrap();
    drop(first);
    let known = log.events().len();
    // More than one look at the store has to bring.
    for number in 3..300 {
        log.append(0, TRIP, OWNER, renamed(TRIP, &format!("{number}")));
    }
    served.world.load(&log.events()[known..]).await;

    let mut again = served.listen(Who::traveller(OWNER), "", Some(&seen.id)).await;
    let mut titles = vec![seen.data["data"]["title"].clone()];
    while titles.len() < 300 {
        titles.push(again.event().await.unwrap().data["data"]["title"].clone());
    }
    let known = log.events().len();
    log.append(0, TRIP, OWNER, renamed(TRIP, "300"));
    served.world.load(&log.events()[known..]).await;
    let last = again.event().await.unwrap();

    let expected: Vec<_> = (0..300).map(|number| Value::from(number.to_string())).collect();
    assert_eq!(titles, expected);
    assert_eq!((&last.data["data"]["title"], last.id), (&Value::from("300"), token(log.events())));
    served.stop().await;
}

#[tokio::test]
async fn a_client_hears_of_the_streams_and_types_it_names() {
    let mut log = sample();
    let known = log.events().len();
    let served = Served::start(World::with(log.events()).await).await;
    let shared = format!("stream=itinerary-{SHARED_TRIP}");
    let mut link = served.listen(Who::traveller(STRANGER), &shared, None).await;
    let mut talk = served.listen(Who::traveller(OWNER), "type=itinerary-commented", None).await;

    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    log.append(1, SHARED_TRIP, OWNER, renamed(SHARED_TRIP, "Braga"));
    log.append(0, TRIP, OWNER, commented(TRIP, Uuid::from_u128(0xC2), OWNER, "Yes."));
    served.world.load(&log.events()[known..]).await;

    assert_eq!(link.event().await.unwrap().data["data"]["title"], "Braga");
    assert_eq!(talk.event().await.unwrap().data["data"]["text"], "Yes.");
    for query in ["stream=trip-7", "type=itinerary-lost", "colour=red"] {
        let path = format!("/v1/events?{query}");
        let refused = served.world.get(Who::traveller(OWNER), &path).await.expect(400);
        assert_eq!(refused.code(), "invalid_parameter", "{query}");
    }
    served.stop().await;
}

#[tokio::test]
async fn who_leaves_is_told_no_more_and_who_joins_is_told() {
    let mut log = sample();
    let known = log.events().len();
    let served = Served::start(World::with(log.events()).await).await;
    let mut editor = served.listen(Who::traveller(EDITOR), "", None).await;
    let mut stranger = served.listen(Who::traveller(STRANGER), "", None).await;
    let own = Uuid::from_u128(0x7A9);

    // One look each, so that audiences are looked up, remembered and forgotten in between.
    log.append(0, TRIP, OWNER, renamed(TRIP, "a"));
    served.world.load(&log.events()[known..]).await;
    assert_eq!(editor.types(1).await, ["itinerary-renamed"]);
    log.append(0, TRIP, EDITOR, left(TRIP, EDITOR));
    served.world.load(&log.events()[known..]).await;
    assert_eq!(editor.types(1).await, ["itinerary-collaborator-left"]);
    log.append(0, TRIP, OWNER, invited(TRIP, STRANGER, OWNER));
    served.world.load(&log.events()[known..]).await;
    assert_eq!(stranger.types(1).await, ["itinerary-collaborator-invited"]);
    log.append(0, TRIP, STRANGER, joined(TRIP, STRANGER));
    log.append(0, TRIP, OWNER, renamed(TRIP, "b"));
    log.append(2, own, EDITOR, created(own, EDITOR, "Mine"));
    served.world.load(&log.events()[known..]).await;

    let heard = stranger.types(2).await;
    assert_eq!(heard, ["itinerary-collaborator-joined", "itinerary-renamed"]);
    assert_eq!(editor.types(1).await, ["itinerary-created"]);
    served.stop().await;
}

#[tokio::test]
async fn silence_is_filled_with_heartbeats_that_move_the_id() {
    let mut log = sample();
    let known = log.events().len();
    let live = LiveLimits { heartbeat: Duration::from_millis(20), ..settings().live };
    let world = World::of(log.events(), QuerySettings { live, ..settings() }).await;
    let served = Served::start(world).await;
    let mut quiet = served.listen(Who::traveller(STRANGER), "", None).await;

    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    served.world.load(&log.events()[known..]).await;

    let wanted = format!("id: {}", token(log.events()));
    while quiet.line().await.unwrap() != wanted {}
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_falls_behind_is_cut_and_comes_back_for_the_rest() {
    let mut log = sample();
    let known = log.events().len();
    let live = LiveLimits { backlog_max: 4, ..settings().live };
    let world = World::of(log.events(), QuerySettings { live, ..settings() }).await;
    let served = Served::start(world).await;
    let mut slow = served.listen(Who::traveller(OWNER), "", None).await;
    log.append(0, TRIP, OWNER, renamed(TRIP, "warm"));
    served.world.load(&log.events()[known..]).await;
    assert_eq!(slow.types(1).await, ["itinerary-renamed"]);

    // One look brings more than the channel holds.
    let known = log.events().len();
    for number in 0..100 {
        log.append(0, TRIP, OWNER, renamed(TRIP, &format!("{number}")));
    }
    served.world.load(&log.events()[known..]).await;
    let cut = slow.event().await.unwrap();

    assert_eq!((cut.event.as_str(), &cut.data["code"]), ("cut", &Value::from("too_slow")));
    assert!(slow.event().await.is_none(), "the stream ends");
    let mut again = served.listen(Who::traveller(OWNER), "", Some(&cut.id)).await;
    for number in 0..100 {
        assert_eq!(again.event().await.unwrap().data["data"]["title"], format!("{number}"));
    }
    served.stop().await;
}

#[tokio::test]
async fn an_id_from_the_future_harms_nobody_else() {
    let mut log = sample();
    let known = log.events().len();
    let served = Served::start(World::with(log.events()).await).await;
    let future = format!("{}@0:999999", super::world::LOG);
    let _odd = served.listen(Who::traveller(OWNER), "", Some(&future)).await;
    let mut usual = served.listen(Who::traveller(OWNER), "", None).await;

    log.append(0, TRIP, OWNER, renamed(TRIP, "Eleven days"));
    served.world.load(&log.events()[known..]).await;

    assert_eq!(usual.event().await.unwrap().data["data"]["title"], "Eleven days");
    served.stop().await;
}

#[tokio::test]
async fn clients_are_bounded_and_let_go_when_the_process_stops() {
    let live = LiveLimits { clients_max: 1, ..settings().live };
    let world = World::of(sample().events(), QuerySettings { live, ..settings() }).await;
    let served = Served::start(world).await;
    let mut only = served.listen(Who::traveller(OWNER), "", None).await;

    let refused = served.world.get(Who::traveller(OWNER), "/v1/events").await.expect(503);
    let foreign = format!("/v1/events?after={}@0:1", Uuid::from_u128(1));
    let foreign = served.world.get(Who::traveller(OWNER), &foreign).await.expect(400);
    let drained = served.stop().await;

    assert_eq!((refused.code(), foreign.code()), ("unavailable", "foreign_position"));
    let last = only.event().await.unwrap();
    assert_eq!((last.event.as_str(), &last.data["code"]), ("cut", &Value::from("stopping")));
    assert!(only.event().await.is_none());
    assert_eq!(drained.requests_cut, 0);
}
