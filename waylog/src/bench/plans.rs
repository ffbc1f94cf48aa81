//! The requests that the benchmarks send.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use uuid::Uuid;

use super::load::{self, MakeRequest};

const ZONE: &str = r#""zone":"Europe/Lisbon""#;
const DAYS: &str = r#""start":"2027-05-01","end":"2027-05-09""#;

/// Which way the period of a new itinerary runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Days {
    /// A valid period.
    Forward,
    /// The end before the start: refused before any lane.
    Backward,
}

/// Creates of new itineraries.
pub(super) fn create(address: &str, days: Days) -> Arc<MakeRequest> {
    let address = address.to_owned();
    let days = match days {
        Days::Forward => DAYS,
        Days::Backward => r#""start":"2027-05-09","end":"2027-05-01""#,
    };
    Arc::new(move |index| {
        post(
            &address,
            "/v1/itineraries",
            format!(r#"{{"title":"Trip number {index}","period":{{{days},{ZONE}}}}}"#),
        )
    })
}

/// New titles, for the given itineraries in turn.
pub(super) fn rename(address: &str, ids: Arc<Vec<Uuid>>) -> Arc<MakeRequest> {
    let address = address.to_owned();
    Arc::new(move |index| {
        let id = pick(&ids, index);
        let text = format!(r#"{{"title":"Title number {index}"}}"#);
        send(&address, Method::PATCH, &format!("/v1/itineraries/{id}"), text)
    })
}

/// Reads of the given itineraries in turn.
pub(super) fn read(address: &str, ids: Arc<Vec<Uuid>>) -> Arc<MakeRequest> {
    let address = address.to_owned();
    Arc::new(move |index| {
        let id = pick(&ids, index);
        Request::get(format!("/v1/itineraries/{id}"))
            .header(header::HOST, &address)
            .body(Full::default())
            .expect("a plain request is valid")
    })
}

/// Creates that many itineraries with ids of our own, each once.
pub(super) async fn created(address: &str, count: usize) -> anyhow::Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
    let (bodies, host) = (Arc::new(ids.clone()), address.to_owned());
    let make: Arc<MakeRequest> = Arc::new(move |index| {
        let id = pick(&bodies, index);
        post(
            &host,
            "/v1/itineraries",
            format!(r#"{{"id":"{id}","title":"Benchmark","period":{{{DAYS},{ZONE}}}}}"#),
        )
    });
    let count = u64::try_from(count).context("a count fits")?;
    let answered = load::each(address, count, StatusCode::CREATED, make).await?;
    ensure!(answered == count, "the server created {answered} of {count} itineraries");
    Ok(ids)
}

fn pick(ids: &[Uuid], index: u64) -> Uuid {
    let index = usize::try_from(index).expect("an index of requests fits");
    ids[index % ids.len()]
}

fn post(address: &str, path: &str, body: String) -> Request<Full<Bytes>> {
    send(address, Method::POST, path, body)
}

fn send(address: &str, method: Method, path: &str, body: String) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", Uuid::now_v7().to_string())
        .body(Full::new(Bytes::from(body)))
        .expect("a plain request is valid")
}
