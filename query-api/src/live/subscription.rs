//! One client: first what it missed, from the store; then what happens, from its tenant's channel.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse;
use domain::{LogId, PositionVector};
use futures::Stream;
use read_models::projections::AuditRow;
use read_models::queries::QueryError;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::filter::Filter;
use super::hub::{Message, Shared};
use super::moment::{Audiences, Seen, look};
use crate::audit::event::EventView;
use crate::consistency::token;
use crate::unseal::open_events;

/// What a client is told to wait before it comes back.
const RETRY: Duration = Duration::from_secs(2);

/// One client's way through what happens.
pub(super) struct Subscription {
    shared: Arc<Shared>,
    filter: Filter,
    log: LogId,
    /// Everything up to here was said, or is not for this client.
    seen: PositionVector,
    stage: Stage,
    /// Said, but not yet taken.
    waiting: VecDeque<Said>,
    /// The id of the last event that was taken.
    told: String,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

/// What a client is told next.
enum Said {
    /// As it is sent.
    Frame(sse::Event),
    /// An event under its id. It is opened when it is taken, and so never waits in the clear: who
    /// is forgotten meanwhile is forgotten here too.
    Event { id: String, event: Arc<AuditRow> },
}

enum Stage {
    /// Reads from the store what was missed.
    Behind(Audiences),
    /// Reads from the store what lies between there and where its channel begins.
    Joining { audiences: Audiences, messages: Receiver<Message>, begins: PositionVector },
    /// Listens.
    Live(Receiver<Message>),
    /// Has nothing to say any longer.
    Ended,
}

impl Subscription {
    pub(super) fn new(
        shared: Arc<Shared>,
        place: OwnedSemaphorePermit,
        filter: Filter,
        log: LogId,
        seen: PositionVector,
    ) -> Self {
        metrics::gauge!("waylog_query_live_clients").increment(1);
        let until = Instant::now() + shared.limits.age_max;
        let hello = sse::Event::default().comment("here you are").retry(RETRY);
        let told = token(log, &seen);
        let hello = hello.id(&told);
        let stage = Stage::Behind(Audiences::default());
        let waiting = VecDeque::from([Said::Frame(hello)]);
        Self { shared, filter, log, seen, stage, waiting, told, until, _place: place }
    }

    /// What the client is told, until it leaves, is cut, or the process stops.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        futures::stream::unfold(self, |mut client| async move {
            client.next().await.map(|said| (Ok(said), client))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            match self.waiting.pop_front() {
                Some(Said::Frame(said)) => return Some(said),
                Some(Said::Event { id, event }) => return Some(self.tell(id, &event).await),
                None => {}
            }
            if matches!(self.stage, Stage::Ended) {
                return None;
            }
            let stopping = self.shared.stopping.clone();
            let until = self.until;
            tokio::select! {
                biased;
                () = stopping.cancelled() => self.cut("stopping"),
                () = tokio::time::sleep_until(until) => self.cut("renew"),
                () = self.step() => {}
            }
        }
    }

    /// Goes on in whatever stage it is. Dropped half-way, it has said nothing.
    async fn step(&mut self) {
        match &self.stage {
            Stage::Behind(_) => self.catch_up().await,
            Stage::Joining { .. } => self.join().await,
            Stage::Live(_) => self.listen().await,
            Stage::Ended => {}
        }
    }

    async fn catch_up(&mut self) {
        let Stage::Behind(audiences) = &mut self.stage else { return };
        let tenant = &self.filter.caller.tenant;
        let shared = &self.shared;
        let found = match shared.horizon().await {
            Ok(horizon) if self.seen.covers(&horizon) => Ok((Vec::new(), None, false, horizon)),
            Ok(horizon) => look(&shared.queries, tenant, &self.seen, &horizon, audiences)
                .await
                .map(|found| (found.events, Some(found.next), found.more, horizon)),
            Err(error) => Err(error),
        };
        let (events, next, more, horizon) = match found {
            Ok(found) => found,
            Err(error) => return self.away(&error),
        };
        events.into_iter().for_each(|seen| self.say(&seen));
        if let Some(next) = next {
            self.seen = next;
        }
        if !more {
            let (messages, begins) = self.shared.listen(&self.filter.caller.tenant, horizon);
            let audiences = Audiences::default();
            self.stage = Stage::Joining { audiences, messages, begins };
        }
    }

    async fn join(&mut self) {
        let Stage::Joining { audiences, begins, .. } = &mut self.stage else { return };
        if !self.seen.covers(begins) {
            let tenant = &self.filter.caller.tenant;
            let found = look(&self.shared.queries, tenant, &self.seen, begins, audiences).await;
            let found = match found {
                Ok(found) => found,
                Err(error) => return self.away(&error),
            };
            let further = found.next != self.seen;
            found.events.iter().for_each(|seen| self.say(seen));
            self.seen = found.next;
            if further {
                return;
            }
        }
        if let Stage::Joining { messages, .. } = std::mem::replace(&mut self.stage, Stage::Ended) {
            self.stage = Stage::Live(messages);
        }
    }

    async fn listen(&mut self) {
        let Stage::Live(messages) = &mut self.stage else { return };
        match tokio::time::timeout(self.shared.limits.heartbeat, messages.recv()).await {
            Ok(Ok(Message::Event(seen))) => self.say(&seen),
            Ok(Ok(Message::Reached(vector))) => self.seen.merge(&vector),
            Ok(Err(RecvError::Lagged(_))) => self.cut("too_slow"),
            Ok(Err(RecvError::Closed)) => self.cut("stopping"),
            Err(_) => {
                let reached = self.shared.reached(&self.filter.caller.tenant, messages);
                reached.iter().for_each(|vector| self.seen.merge(vector));
                let id = token(self.log, &self.seen);
                let said = sse::Event::default().comment("still here").id(id);
                self.waiting.push_back(Said::Frame(said));
            }
        }
    }

    /// Says what happened, if it is new to the client and for it.
    fn say(&mut self, seen: &Seen) {
        let event = &seen.event;
        if self.seen.includes(event.position()) {
            return;
        }
        self.seen.advance(event.position());
        if !self.filter.wants(event) || !self.filter.admits(event, &seen.audience) {
            return;
        }
        let (id, event) = (token(self.log, &self.seen), Arc::clone(event));
        self.waiting.push_back(Said::Event { id, event });
    }

    /// An event as the client gets it, opened. When that cannot be done, the client is cut in front
    /// of it.
    async fn tell(&mut self, id: String, event: &AuditRow) -> sse::Event {
        let mut views = [EventView::from(event.clone())];
        if let Err(error) = open_events(&self.shared.keyring, &mut views).await {
            tracing::warn!(code = error.code(), %error, "live updates cannot be opened");
            return self.end(error.code());
        }
        let said = sse::Event::default().id(&id).event(&event.event_type);
        match said.json_data(&views[0]) {
            Ok(said) => {
                self.told = id;
                said
            }
            Err(error) => {
                tracing::error!(%error, "an event cannot be written as JSON");
                self.end("defect")
            }
        }
    }

    /// Takes everything back that was not taken yet, and says why there is no more.
    fn end(&mut self, code: &str) -> sse::Event {
        self.waiting.clear();
        self.stage = Stage::Ended;
        cut(code, self.told.clone())
    }

    fn away(&mut self, error: &QueryError) {
        tracing::warn!(code = error.code(), %error, "live updates cannot be read");
        self.cut(error.code());
    }

    /// Says why there is no more. The client comes back with the id of the last thing it was told.
    fn cut(&mut self, code: &str) {
        self.stage = Stage::Ended;
        let said = cut(code, token(self.log, &self.seen));
        self.waiting.push_back(Said::Frame(said));
    }
}

fn cut(code: &str, id: String) -> sse::Event {
    metrics::counter!("waylog_query_live_cuts_total", "code" => code.to_owned()).increment(1);
    let data = json!({ "code": code }).to_string();
    sse::Event::default().event("cut").id(id).data(data)
}

impl Drop for Subscription {
    fn drop(&mut self) {
        metrics::gauge!("waylog_query_live_clients").decrement(1);
    }
}
