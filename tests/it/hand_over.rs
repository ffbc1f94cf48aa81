//! An instance that is told to stop hands its shards over at once, and answers what it took in.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::crashes::write_once;
use crate::journey::skipped;
use crate::world::{Client, World};

/// Far below the time that HTTP may take to drain, and below the owners' session time-out.
const HAND_OVER: Duration = Duration::from_secs(5);

/// A request that a process has taken in, and whose body it still waits for.
pub(crate) struct HalfSent {
    connection: BufReader<TcpStream>,
    rest: Vec<u8>,
}

impl HalfSent {
    /// Sends a head, and waits until the server asks for the body.
    pub(crate) fn new(url: &str, method: &str, path: &str, key: Uuid, body: &str) -> Self {
        let mut connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            connection,
            "{method} {path} HTTP/1.1\r\nhost: waylog\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             idempotency-key: {key}\r\nexpect: 100-continue\r\n\r\n",
            body.len()
        )
        .unwrap();
        let mut connection = BufReader::new(connection);
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        assert!(line.contains("100"), "{line}");
        connection.read_line(&mut line).unwrap();
        Self { connection, rest: body.as_bytes().to_vec() }
    }

    /// Sends the body; the system has it for the process, even for one that does not run.
    pub(crate) fn send_rest(&mut self) {
        self.connection.get_mut().write_all(&self.rest).unwrap();
    }

    /// The status, and the whole answer.
    pub(crate) fn read(mut self) -> (u16, String) {
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), answer)
    }
}

#[test]
fn an_owner_that_stops_hands_over_before_it_has_drained() {
    let Some(mut world) = World::distributed() else { return skipped() };
    let body = json!({
        "title": "From hand to hand",
        "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
    });
    let client = world.client();
    // Enough for every shard to have some.
    let trips: Vec<String> = (0..16)
        .map(|_| client.post("/v1/itineraries", &body).expect(201).header("location").to_owned())
        .collect();
    let (url, key) = (world.url("command-1"), Uuid::now_v7());
    let mut slow = HalfSent::new(url, "POST", "/v1/itineraries", key, &body.to_string());
    let survivor = Client::to(world.url("command-2"));

    let stopping = Instant::now();
    world.process("command-1").signal("TERM");
    for trip in &trips {
        write_once(&survivor, trip, 1);
    }
    let taken_over = stopping.elapsed();
    slow.send_rest();
    let (status, answer) = slow.read();
    let ended = world.take("command-1").wait();

    assert!(taken_over < HAND_OVER, "{taken_over:?}");
    assert_eq!(status, 201, "{answer}");
    assert!(ended.success(), "{ended}");
}
