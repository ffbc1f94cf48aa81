//! One look at the store for everybody: the task that finds what became visible, and the channels
//! from which clients take it.
//!
//! The task runs while anybody listens. Each tenant that somebody listens for has a channel, which
//! holds the newest events; a client that is further behind than that was cut off by its own pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{LogId, PositionVector, Tenant};
use keys::Keyring;
use read_models::ReadQueries;
use read_models::queries::QueryError;
use service_kit::Problem;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::moment::{Audiences, Seen, horizon, look};
use super::subscription::Subscription;
use crate::{AUDIT, BOOKINGS, ITINERARIES, OFFERS, PAYMENTS, SAGAS, failure};

/// What must have read an event before clients are told: the events themselves, and the read model
/// that knows who may see them and that clients ask next.
pub(super) const READ_MODELS: &[&str] = &[ITINERARIES, OFFERS, BOOKINGS, PAYMENTS, SAGAS, AUDIT];
/// How long to leave a store alone that did not answer.
const AWAY_PAUSE: Duration = Duration::from_secs(1);
/// Looks at one tenant before the next tenant has its turn.
const LOOKS_MAX: usize = 8;

/// What live updates may cost.
#[derive(Clone, Debug)]
pub struct LiveLimits {
    /// Clients at the same time; one more is answered 503.
    pub clients_max: usize,
    /// Between two looks at the store while anybody listens.
    pub poll_interval: Duration,
    /// Of silence, before a heartbeat is sent.
    pub heartbeat: Duration,
    /// Events that a client may be behind before it is cut.
    pub backlog_max: usize,
    /// How long a client is served before it has to come back: its rights are looked at then.
    pub age_max: Duration,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            clients_max: 1000,
            poll_interval: Duration::from_millis(100),
            heartbeat: Duration::from_secs(15),
            backlog_max: 1024,
            age_max: Duration::from_secs(3600),
        }
    }
}

/// What a channel carries.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// Something happened.
    Event(Seen),
    /// Everything up to here was said.
    Reached(Arc<PositionVector>),
}

/// A tenant's channel, and how far it has carried everything.
struct Channel {
    messages: broadcast::Sender<Message>,
    vector: PositionVector,
}

#[derive(Default)]
struct Channels {
    by_tenant: HashMap<Tenant, Channel>,
    polling: bool,
}

/// Where clients come for live updates.
pub(crate) struct Hub(Arc<Shared>);

/// What clients and the task that looks share.
pub(super) struct Shared {
    pub(super) queries: Arc<ReadQueries>,
    pub(super) keyring: Keyring,
    pub(super) limits: LiveLimits,
    pub(super) stopping: CancellationToken,
    places: Arc<Semaphore>,
    channels: Mutex<Channels>,
}

impl Hub {
    pub(crate) fn new(
        queries: Arc<ReadQueries>,
        keyring: Keyring,
        limits: LiveLimits,
        stopping: CancellationToken,
    ) -> Self {
        let places = Arc::new(Semaphore::new(limits.clients_max));
        let channels = Mutex::default();
        Self(Arc::new(Shared { queries, keyring, limits, stopping, places, channels }))
    }

    /// A place for one more client, which has seen everything up to `from`, or begins now.
    ///
    /// # Errors
    /// 503 `unavailable` when there is no place, or the process is stopping; as every query.
    pub(super) async fn subscribe(
        &self,
        filter: Filter,
        log: LogId,
        from: Option<PositionVector>,
    ) -> Result<Subscription, Problem> {
        if self.0.stopping.is_cancelled() {
            return Err(Problem::unavailable("This process is stopping."));
        }
        let place = Arc::clone(&self.0.places).try_acquire_owned();
        let place = place.map_err(|_| {
            Problem::unavailable("Too many clients listen already.")
                .retry_after(Duration::from_secs(10))
        })?;
        let seen = match from {
            Some(seen) => seen,
            None => self.0.horizon().await.map_err(failure::of_query)?,
        };
        Ok(Subscription::new(Arc::clone(&self.0), place, filter, log, seen))
    }
}

impl Shared {
    /// How far clients may be told.
    pub(super) async fn horizon(&self) -> Result<PositionVector, QueryError> {
        horizon(&self.queries, READ_MODELS).await
    }

    /// Listens to a tenant's channel: what it carries from now on lies behind the vector that comes
    /// with it. The first listener makes the channel, at `horizon`.
    pub(super) fn listen(
        self: &Arc<Self>,
        tenant: &Tenant,
        horizon: PositionVector,
    ) -> (broadcast::Receiver<Message>, PositionVector) {
        let mut channels = self.channels();
        let made = || Channel {
            messages: broadcast::channel(self.limits.backlog_max.max(1)).0,
            vector: horizon,
        };
        let channel = channels.by_tenant.entry(tenant.clone()).or_insert_with(made);
        let listening = (channel.messages.subscribe(), channel.vector.clone());
        if !channels.polling {
            channels.polling = true;
            tokio::spawn(poll(Arc::clone(self)));
        }
        listening
    }

    /// How far the tenant's channel has carried everything, if nothing of it waits in `messages`.
    pub(super) fn reached(
        &self,
        tenant: &Tenant,
        messages: &broadcast::Receiver<Message>,
    ) -> Option<PositionVector> {
        let channels = self.channels();
        let channel = channels.by_tenant.get(tenant)?;
        messages.is_empty().then(|| channel.vector.clone())
    }

    /// The tenants that somebody listens for, with how far their channels are. Nothing when nobody
    /// listens: the task that asked has to end.
    fn turns(&self) -> Option<Vec<(Tenant, PositionVector)>> {
        let mut channels = self.channels();
        channels.by_tenant.retain(|_, channel| channel.messages.receiver_count() > 0);
        if channels.by_tenant.is_empty() || self.stopping.is_cancelled() {
            channels.polling = false;
            return None;
        }
        let turn =
            |(tenant, channel): (&Tenant, &Channel)| (tenant.clone(), channel.vector.clone());
        Some(channels.by_tenant.iter().map(turn).collect())
    }

    fn publish(&self, tenant: &Tenant, events: Vec<Seen>, next: PositionVector) {
        let mut channels = self.channels();
        let Some(channel) = channels.by_tenant.get_mut(tenant) else { return };
        let silent = events.is_empty();
        let reached = Message::Reached(Arc::new(next.clone()));
        let messages = events.into_iter().map(Message::Event).chain((!silent).then_some(reached));
        for message in messages {
            // Nobody listens any longer: the next turn takes the channel away.
            if channel.messages.send(message).is_err() {
                break;
            }
        }
        channel.vector = next;
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for everybody until nobody listens.
async fn poll(shared: Arc<Shared>) {
    let mut audiences: HashMap<Tenant, Audiences> = HashMap::new();
    while let Some(turns) = shared.turns() {
        audiences.retain(|tenant, _| turns.iter().any(|(turn, _)| turn == tenant));
        let pause = match turn(&shared, turns, &mut audiences).await {
            Ok(()) => shared.limits.poll_interval,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "live updates have to wait");
                AWAY_PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.stopping.cancelled() => {}
        }
    }
}

async fn turn(
    shared: &Shared,
    turns: Vec<(Tenant, PositionVector)>,
    audiences: &mut HashMap<Tenant, Audiences>,
) -> Result<(), QueryError> {
    let horizon = shared.horizon().await?;
    for (tenant, mut vector) in turns {
        let audiences = audiences.entry(tenant.clone()).or_default();
        for _ in 0..LOOKS_MAX {
            if vector.covers(&horizon) {
                break;
            }
            let found = look(&shared.queries, &tenant, &vector, &horizon, audiences).await?;
            vector = found.next.clone();
            shared.publish(&tenant, found.events, found.next);
            if !found.more {
                break;
            }
        }
    }
    Ok(())
}
