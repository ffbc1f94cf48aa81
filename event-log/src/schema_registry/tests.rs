//! The start against a registry: a small server with Confluent's API and real compatibility checks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use apache_avro::Schema;
use domain::Event;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::CodecError;
use crate::codec::check;

#[derive(Default)]
struct Contents {
    /// By subject: id and schema.
    subjects: BTreeMap<String, Vec<(u32, String)>>,
    compatibility: BTreeSet<String>,
    calls: Vec<String>,
    next_id: u32,
    /// Says that a schema is incompatible, but not why.
    silent: bool,
    stopped: bool,
}

impl Contents {
    fn problems(&self, subject: &str, schema: &str) -> Vec<String> {
        let registered = self.subjects.get(subject).into_iter().flatten();
        let schema = Schema::parse_str(schema).unwrap();
        let check = |json: &str| check(&Schema::parse_str(json).unwrap(), &schema);
        registered.filter_map(|(_, json)| check(json).err()).map(|said| said.to_string()).collect()
    }

    fn register(&mut self, subject: &str, schema: &str) -> u32 {
        let known = self.subjects.entry(subject.to_owned()).or_default();
        if let Some((id, _)) = known.iter().find(|(_, json)| json == schema) {
            return *id;
        }
        self.next_id += 1;
        known.push((100 + self.next_id, schema.to_owned()));
        100 + self.next_id
    }

    fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.calls.push(format!("{method} {path}"));
        let schema = body["schema"].as_str().unwrap_or_default();
        let parts: Vec<_> = path.split(['/', '?']).skip(1).collect();
        match (method, &*parts) {
            ("PUT", ["config", subject]) => {
                assert_eq!(body["compatibility"], "FULL_TRANSITIVE");
                self.compatibility.insert((*subject).to_owned());
                (200, body.clone())
            }
            ("POST", ["compatibility", "subjects", subject, "versions", "verbose=true"]) => {
                if !self.subjects.contains_key(*subject) {
                    return (404, json!({ "error_code": 40401, "message": "no such subject" }));
                }
                let said = self.problems(subject, schema);
                if self.silent {
                    return (200, json!({ "is_compatible": said.is_empty() }));
                }
                (200, json!({ "is_compatible": said.is_empty(), "messages": said }))
            }
            ("GET", ["subjects", subject, "versions"]) => {
                (200, (1..=self.subjects[*subject].len()).collect())
            }
            ("GET", ["subjects", subject, "versions", version]) => {
                let (_, json) = &self.subjects[*subject][version.parse::<usize>().unwrap() - 1];
                (200, json!({ "schema": json }))
            }
            ("POST", ["subjects", subject, "versions"]) => {
                (200, json!({ "id": self.register(subject, schema) }))
            }
            ("POST", ["subjects", subject]) => {
                let registered = self.subjects.get(*subject).into_iter().flatten();
                let mut found = registered.filter(|(_, json)| json == schema);
                found.next().map_or((404, json!({})), |(id, _)| (200, json!({ "id": id })))
            }
            ("GET", ["schemas", "ids", id]) => {
                let id: u32 = id.parse().unwrap();
                let found = self.subjects.values().flatten().find(|(known, _)| *known == id);
                found.map_or((404, json!({})), |(_, json)| (200, json!({ "schema": json })))
            }
            _ => (405, json!({ "message": "not a call of the API" })),
        }
    }
}

/// A registry on a free port; gone when dropped.
struct FakeRegistry {
    url: String,
    contents: Arc<Mutex<Contents>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeRegistry {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let contents = Arc::new(Mutex::new(Contents::default()));
        let served = Arc::clone(&contents);
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut contents = served.lock().unwrap();
                if contents.stopped {
                    return;
                }
                serve(&connection.unwrap(), &mut contents);
            }
        });
        Self { url, contents, thread: Some(thread) }
    }

    fn contents(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    fn options(&self, directory: &TempDir) -> RegistryOptions {
        RegistryOptions {
            url: self.url.clone(),
            topic: "waylog.events".to_owned(),
            cache: directory.path().join("schemas.json"),
            call_wait: Duration::from_secs(20),
        }
    }

    fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.contents().stopped = true;
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
        thread.join().unwrap();
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(stream: &TcpStream, contents: &mut Contents) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (mut length, mut header) = (0, String::new());
    while reader.read_line(&mut header).unwrap() > 2 {
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let parts: Vec<_> = line.split(' ').collect();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer) = contents.answer(parts[0], parts[1], &body);
    let answer = answer.to_string();
    let mut writer = stream;
    write!(
        writer,
        "HTTP/1.1 {status} .\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )
    .unwrap();
}

fn shared() -> Event {
    let itinerary_id = domain::ids::ItineraryId(uuid::Uuid::from_u128(1));
    domain::itinerary::ItineraryShared { itinerary_id }.into()
}

#[test]
fn every_schema_is_registered_under_its_topic_and_record() {
    let (registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());

    let codec = prepare(&registry.options(&directory)).unwrap();

    let contents = registry.contents();
    let expected: BTreeSet<_> =
        KNOWN.iter().map(|known| format!("waylog.events-{}", known.record)).collect();
    assert!(expected.contains("waylog.events-waylog.ItineraryCreated"));
    assert_eq!(contents.subjects.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(contents.compatibility, expected);
    let mut value = Vec::new();
    codec.encode(&shared(), &mut value).unwrap();
    let (id, _) = contents.subjects["waylog.events-waylog.ItineraryShared"][0];
    assert_eq!(value[..5], [&[0][..], &id.to_be_bytes()].concat());
}

#[test]
fn a_restart_needs_no_registry() {
    let (mut registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
    let options = registry.options(&directory);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    prepare(&options).unwrap().encode(&shared(), &mut before).unwrap();
    registry.stop();

    prepare(&options).unwrap().encode(&shared(), &mut after).unwrap();

    assert_eq!(after, before);
}

#[test]
fn without_registry_and_file_the_start_waits() {
    let (mut registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
    let options = registry.options(&directory);
    registry.stop();

    let refused = prepare(&options).map(|_| ()).unwrap_err();

    assert!(matches!(refused, RegistryError::Unavailable { .. }), "{refused}");
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    let (registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
    let options = registry.options(&directory);
    prepare(&options).unwrap();
    let mut bytes = std::fs::read(&options.cache).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&options.cache, bytes).unwrap();
    let calls = registry.contents().calls.len();

    prepare(&options).unwrap();

    assert!(registry.contents().calls.len() > calls, "the registry was asked again");
}

#[test]
fn the_ids_of_another_topic_are_not_taken() {
    let (registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
    let options = registry.options(&directory);
    prepare(&options).unwrap();

    prepare(&RegistryOptions { topic: "other.events".to_owned(), ..options }).unwrap();

    let subjects = registry.contents().subjects.len();
    assert_eq!(
        subjects,
        KNOWN.iter().map(|known| &known.record).collect::<BTreeSet<_>>().len() * 2
    );
}

#[test]
fn an_incompatible_schema_stops_the_start_before_anything_is_registered() {
    for silent in [false, true] {
        let (registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
        let subject = "waylog.events-waylog.ItineraryRenamed";
        let other = r#"{"type": "record", "name": "ItineraryRenamed", "namespace": "waylog",
            "fields": [{"name": "itinerary_id", "type": "string"},
            {"name": "title", "type": "long"}]}"#;
        registry.contents().register(subject, other);
        registry.contents().silent = silent;

        let refused = prepare(&registry.options(&directory)).map(|_| ()).unwrap_err();

        let text = refused.to_string();
        assert!(matches!(refused, RegistryError::Incompatible(_)), "{text}");
        assert!(text.contains(subject) && text.contains("'title'"), "{text}");
        assert_eq!(registry.contents().subjects.len(), 1, "nothing else was registered");
    }
}

#[test]
fn the_schema_of_an_unknown_id_is_fetched_once_and_waited_for() {
    let (mut registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
    let options = registry.options(&directory);
    let codec = prepare(&options).unwrap();
    let json = r#"{"type": "record", "name": "ItineraryShared", "namespace": "waylog", "fields": [
        {"name": "note", "type": "string", "default": ""},
        {"name": "itinerary_id", "type": "string"}]}"#;
    let id = registry.contents().register("waylog.events-waylog.ItineraryShared", json);
    let mut newer = Vec::new();
    codec.encode(&shared(), &mut newer).unwrap();
    newer.splice(1..5, id.to_be_bytes());
    newer.insert(5, 0);
    let unheard = [&[0][..], &9_999u32.to_be_bytes(), &newer[5..]].concat();

    assert_eq!(codec.decode("itinerary-shared", &newer).unwrap(), shared());
    let unknown = codec.decode("itinerary-shared", &unheard).unwrap_err();
    assert!(matches!(unknown, CodecError::UnknownSchema { id: 9_999, .. }), "{unknown}");
    registry.stop();

    // The next process knows it from the file; what it does not know, it waits for.
    let codec = prepare(&options).unwrap();
    assert_eq!(codec.decode("itinerary-shared", &newer).unwrap(), shared());
    let away = codec.decode("itinerary-shared", &unheard).unwrap_err();
    assert!(matches!(away, CodecError::Unavailable { id: 9_999, .. }), "{away}");
}

#[test]
fn a_registry_that_answers_nonsense_is_refused() {
    let (registry, directory) = (FakeRegistry::start(), TempDir::new().unwrap());
    let options = RegistryOptions {
        url: format!("{}/not/the/api", registry.url),
        ..registry.options(&directory)
    };

    let refused = prepare(&options).map(|_| ()).unwrap_err();

    assert!(matches!(&refused, RegistryError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("not a call of the API"), "{refused}");
}
