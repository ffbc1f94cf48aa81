//! A load of commands that remembers what was acknowledged, for tests that break things meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::json;
use uuid::Uuid;

use crate::world::Client;

/// What the clients of the load know.
#[derive(Default)]
pub(crate) struct Known {
    /// Itineraries whose creation was acknowledged.
    pub(crate) created: Vec<Uuid>,
    /// Titles that were acknowledged, by itinerary, with the version after each.
    pub(crate) renamed: BTreeMap<Uuid, Vec<(u64, String)>>,
    /// Answers that were neither an acknowledgement nor an honest 503.
    pub(crate) surprises: Vec<String>,
}

/// Clients that create itineraries and rename them, each request under a key of its own, until they
/// are told to stop. A request without an answer, or with a 503, is sent again under the same key.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    known: Arc<Mutex<Known>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `threads` clients, spread over the given addresses; each moves to the next address
    /// when its own does not answer.
    pub(crate) fn start(clients: &[Client], threads: usize) -> Self {
        let (stop, known) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Known>>::default());
        let threads = (0..threads)
            .map(|index| {
                let mut clients = clients.to_vec();
                let first = index % clients.len();
                clients.rotate_left(first);
                let (stop, known) = (Arc::clone(&stop), Arc::clone(&known));
                std::thread::spawn(move || work(&clients, &stop, &known))
            })
            .collect();
        Self { stop, known, threads }
    }

    /// How many commands have been acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        let known = self.known.lock().unwrap();
        known.created.len() + known.renamed.values().map(Vec::len).sum::<usize>()
    }

    /// The last acknowledged version of every itinerary that was renamed.
    pub(crate) fn heads(&self) -> Vec<(Uuid, u64)> {
        let known = self.known.lock().unwrap();
        let heads = known.renamed.iter();
        heads.filter_map(|(id, titles)| titles.last().map(|(version, _)| (*id, *version))).collect()
    }

    /// Ends the load and returns what its clients know.
    pub(crate) fn finish(self) -> Known {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.known.lock().unwrap())
    }
}

fn work(clients: &[Client], stop: &AtomicBool, known: &Mutex<Known>) {
    while !stop.load(Ordering::Relaxed) {
        let id = Uuid::now_v7();
        let body = json!({
            "id": id, "title": "Under load",
            "period": { "start": "2027-05-01", "end": "2027-05-09", "zone": "Europe/Lisbon" },
        });
        let Some(_) = insist(clients, stop, known, "POST", "/v1/itineraries", &body) else {
            return;
        };
        known.lock().unwrap().created.push(id);
        for step in 0..5 {
            let title = format!("{id} {step}");
            let (path, body) = (format!("/v1/itineraries/{id}"), json!({ "title": title }));
            let Some(version) = insist(clients, stop, known, "PATCH", &path, &body) else { return };
            known.lock().unwrap().renamed.entry(id).or_default().push((version, title));
        }
    }
}

/// Sends one command under one key until it is acknowledged; nothing when the load ends first.
fn insist(
    clients: &[Client],
    stop: &AtomicBool,
    known: &Mutex<Known>,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> Option<u64> {
    let (key, body) = (Uuid::now_v7().to_string(), body.to_string());
    for client in clients.iter().cycle() {
        let headers = [("idempotency-key", key.as_str())];
        match client.send(method, path, &headers, Some(body.as_bytes())) {
            Ok(answer) if matches!(answer.status, 200 | 201) => {
                return answer.at("/version").as_u64();
            }
            Ok(answer) if answer.status == 503 && answer.headers.contains_key("retry-after") => {}
            Ok(answer) => known.lock().unwrap().surprises.push(format!("{path}: {answer:?}")),
            // No answer came: the key will tell.
            Err(_) => {}
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
    }
    None
}
