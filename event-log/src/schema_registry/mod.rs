//! The schema registry: gives the ids in values' framing their meaning, for us and for any other
//! reader of the topic. Speaks Confluent's REST API, as Confluent's, Apicurio's and Karapace's do.
//!
//! Four small calls are needed, two of which the usual client crates do not have (setting a
//! subject's compatibility, and asking why a schema does not fit); so they are made directly.
//!
//! [`prepare`] is called once at start, before anything is written to the topic. It sets every
//! subject to `FULL_TRANSITIVE`, asks about every schema, and only when all fit registers them. A
//! local file keeps the ids, so that a restart does not need the registry. [`consult`] is for those
//! who only read: it asks for ids, and changes neither the registry nor the file. All calls have
//! deadlines and block; they run on threads of their own, so that any thread may ask.

mod cache;
mod client;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cache::{Cache, CachedSchema};
use client::Client;

use crate::codec::schemas::{CarriedSchema, KNOWN};
use crate::codec::{Codec, WriterSchemas};

/// How long the whole of [`prepare`] may take.
const PREPARE_WAIT: Duration = Duration::from_secs(60);

/// Where the registry is, and what for.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The base URL of its API: `http://registry:8081`, or `…/apis/ccompat/v7`.
    pub url: String,
    /// The event topic: the first part of each subject.
    pub topic: String,
    /// The file that keeps the ids; its directory exists.
    pub cache: PathBuf,
    /// The longest wait for one answer.
    pub call_wait: Duration,
}

/// The registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It is away or slow; asking again may help.
    #[error("the schema registry is unavailable: {reason}")]
    Unavailable {
        /// What did not answer.
        reason: String,
        /// The client library's error, if any.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Schemas do not fit those that are registered: nothing was registered.
    #[error("schemas do not fit the registered ones: {}", .0.join("; "))]
    Incompatible(Vec<String>),
    /// It answered with something that is not its API, or refused.
    #[error("the schema registry refused {call}: {reason}")]
    Refused {
        /// What was asked.
        call: String,
        /// What it said.
        reason: String,
    },
    /// The file with the ids cannot be written.
    #[error("the schema cache {path} failed")]
    Cache {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl RegistryError {
    /// Stable code for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "registry_unavailable",
            Self::Incompatible(_) => "schema_incompatible",
            Self::Refused { .. } => "registry_refused",
            Self::Cache { .. } => "schema_cache_failed",
        }
    }
}

/// The subject under which a record's schemas are registered.
#[must_use]
pub fn subject(topic: &str, record: &str) -> String {
    format!("{topic}-{record}")
}

/// Makes sure that every schema that this program carries is registered, and gives the codec for
/// the topic. Asks nobody when the local file knows all of them.
///
/// # Errors
/// [`RegistryError`]; when it is [`RegistryError::Incompatible`], nothing was registered.
pub fn prepare(options: &RegistryOptions) -> Result<Codec, RegistryError> {
    let mut cache = Cache::load(options);
    if KNOWN.iter().any(|known| cache.id(known.json).is_none()) {
        let client = Client::new(options);
        register(options, &client, &mut cache)?;
        cache.store()?;
    }
    Ok(codec(options, cache, true))
}

/// A codec for reading the topic: finds the ids of the schemas that this program carries, as far as
/// they are registered. Registers nothing and writes no file.
///
/// # Errors
/// [`RegistryError`], when an id is not in the local file and the registry does not answer.
pub fn consult(options: &RegistryOptions) -> Result<Codec, RegistryError> {
    let mut cache = Cache::load(options);
    let client = Client::new(options);
    for known in KNOWN.iter().filter(|known| cache.id(known.json).is_none()).collect::<Vec<_>>() {
        if let Some(id) = client.find(&subject(&options.topic, &known.record), known.json)? {
            cache.put(CachedSchema { id, schema: Arc::from(known.json) });
        }
    }
    Ok(codec(options, cache, false))
}

fn codec(options: &RegistryOptions, cache: Cache, keeps: bool) -> Codec {
    let ids = KNOWN.iter().map(|known| cache.id(known.json)).collect();
    let registry = Registry { client: Client::new(options), cache: Mutex::new(cache), keeps };
    Codec::new(ids, Box::new(registry))
}

fn register(
    options: &RegistryOptions,
    client: &Client,
    cache: &mut Cache,
) -> Result<(), RegistryError> {
    let deadline = Instant::now() + PREPARE_WAIT;
    let in_time = || {
        if Instant::now() < deadline {
            return Ok(());
        }
        let reason = format!("registering took longer than {} s", PREPARE_WAIT.as_secs());
        Err(RegistryError::Unavailable { reason, source: None })
    };
    let subject = |known: &CarriedSchema| subject(&options.topic, &known.record);
    let mut problems = Vec::new();
    for known in KNOWN.iter() {
        in_time()?;
        let subject = subject(known);
        client.require_full_transitive(&subject)?;
        let said = client.problems(&subject, known.json)?;
        problems.extend(said.into_iter().map(|reason| {
            format!("{subject}, version {} of {}: {reason}", known.version, known.event)
        }));
    }
    if !problems.is_empty() {
        return Err(RegistryError::Incompatible(problems));
    }
    for known in KNOWN.iter() {
        in_time()?;
        let id = client.register(&subject(known), known.json)?;
        cache.put(CachedSchema { id, schema: Arc::from(known.json) });
    }
    Ok(())
}

/// Knows every schema that was ever asked for, and whom to ask for the others.
struct Registry {
    client: Client,
    cache: Mutex<Cache>,
    /// Whether the local file learns what was fetched.
    keeps: bool,
}

impl WriterSchemas for Registry {
    fn writer_schema(
        &self,
        id: u32,
    ) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
        let cached = self.cache.lock().unwrap_or_else(PoisonError::into_inner).schema(id);
        if let Some(schema) = cached {
            return Ok(Some(schema.to_string()));
        }
        let Some(schema) = self.client.schema(id)? else { return Ok(None) };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put(CachedSchema { id, schema: Arc::from(schema.as_str()) });
        if self.keeps
            && let Err(error) = cache.store()
        {
            // The answer is good without the file; the next start asks again.
            tracing::warn!(code = error.code(), ?error, "a schema was fetched but not kept");
        }
        Ok(Some(schema))
    }
}

#[cfg(test)]
mod tests;
