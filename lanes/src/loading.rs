//! Loading one stream from the store: its snapshot, and the events after it.
//!
//! A snapshot is only a shortcut: it is used when its fold is the present one and its head is the
//! stream's own at that version; otherwise the stream is folded from its first event.

use domain::{Digest, State, StreamName};
use event_log::{Codec, CodecError, LogEvent, Snapshot, StreamHead, StreamStore, StreamStoreError};

use crate::rules::Rules;
use crate::state_cache::{Cached, Live, Place};

/// Events read from the store at once.
const PAGE: usize = 512;

/// Why a stream is not in memory.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The store failed: the whole shard cannot go on.
    Store(StreamStoreError),
    /// Something that is needed to read the stream is away; asking again may help.
    Away(String),
}

impl From<StreamStoreError> for LoadError {
    fn from(error: StreamStoreError) -> Self {
        Self::Store(error)
    }
}

/// Loads the stream; an empty one has the initial state.
pub(crate) fn load(
    store: &mut dyn StreamStore,
    codec: &Codec,
    rules: Rules,
    stream: StreamName,
) -> Result<Cached, LoadError> {
    let mut live = match from_snapshot(store, stream)? {
        Some(live) => live,
        None => nothing(stream),
    };
    loop {
        let page = store.events(&stream, live.head.version, PAGE)?;
        let count = page.len();
        for event in page {
            match fold(&mut live, &event, codec, rules)? {
                Folded::Taken => {}
                Folded::Not(reason) => return Ok(Cached::Refused(reason)),
            }
        }
        if count < PAGE {
            return Ok(Cached::Live(Box::new(live)));
        }
    }
}

fn nothing(stream: StreamName) -> Live {
    Live {
        state: Some(State::initial(stream.category)),
        head: StreamHead { version: 0, hash: Digest::default() },
        tenant: None,
        last: Place::Nowhere,
        bytes: 0,
        events_since_snapshot: 0,
    }
}

fn from_snapshot(
    store: &mut dyn StreamStore,
    stream: StreamName,
) -> Result<Option<Live>, StreamStoreError> {
    let Some(snapshot) = store.snapshot(&stream)? else { return Ok(None) };
    let Snapshot { head, fold_version, state_json, .. } = snapshot;
    if fold_version != State::fold_version(stream.category) || head.version == 0 {
        return Ok(None);
    }
    let last = store.events(&stream, head.version - 1, 1)?.into_iter().next();
    let fits =
        |last: &LogEvent| last.envelope.version == head.version && last.envelope.hash == head.hash;
    let Some(last) = last.filter(fits) else {
        tracing::warn!(%stream, version = head.version, "a snapshot does not fit its stream");
        return Ok(None);
    };
    match State::from_json(stream.category, &state_json) {
        Ok(state) => Ok(Some(Live {
            state: Some(state),
            head,
            tenant: Some(last.envelope.tenant),
            last: Place::Log(last.position),
            bytes: state_json.len(),
            events_since_snapshot: 0,
        })),
        Err(error) => {
            tracing::warn!(%stream, version = head.version, %error, "a snapshot is not readable");
            Ok(None)
        }
    }
}

enum Folded {
    Taken,
    Not(String),
}

fn fold(
    live: &mut Live,
    event: &LogEvent,
    codec: &Codec,
    rules: Rules,
) -> Result<Folded, LoadError> {
    let envelope = &event.envelope;
    if envelope.version != live.head.version + 1 {
        return Err(LoadError::Store(StreamStoreError::Corrupt(format!(
            "{} has version {} after version {}",
            envelope.stream, envelope.version, live.head.version
        ))));
    }
    let decoded = match codec.decode(&envelope.event_type, &event.value) {
        Ok(decoded) => decoded,
        Err(error @ CodecError::Unavailable { .. }) => {
            return Err(LoadError::Away(error.to_string()));
        }
        Err(error) => {
            return Ok(Folded::Not(format!(
                "version {} of {} cannot be read here, upgrade this process: {error}",
                envelope.version, envelope.stream
            )));
        }
    };
    let state = live.state.take().expect("a state is absent only while it is folded");
    match rules.evolve(state, [&decoded]) {
        Ok(state) => live.state = Some(state),
        Err(panic) => {
            return Ok(Folded::Not(format!(
                "version {} of {} cannot be folded: {}",
                envelope.version, envelope.stream, panic.0
            )));
        }
    }
    live.head = StreamHead { version: envelope.version, hash: envelope.hash };
    live.last = Place::Log(event.position);
    live.bytes += event.value.len();
    live.events_since_snapshot += 1;
    if live.tenant.is_none() {
        live.tenant = Some(envelope.tenant.clone());
    }
    Ok(Folded::Taken)
}
