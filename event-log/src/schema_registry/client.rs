//! The calls of the registry's REST API that we need.

use std::time::Duration;

use apache_avro::Schema;
use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{RegistryError, RegistryOptions};
use crate::codec::check;

const CONNECT_WAIT: Duration = Duration::from_secs(3);
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

pub(super) struct Client {
    url: String,
    call_wait: Duration,
}

/// A status and the JSON that came with it.
struct Answer {
    call: String,
    status: StatusCode,
    body: Value,
}

impl Client {
    pub(super) fn new(options: &RegistryOptions) -> Self {
        Self { url: options.url.trim_end_matches('/').to_owned(), call_wait: options.call_wait }
    }

    /// Sets a subject's compatibility.
    pub(super) fn require_full_transitive(&self, subject: &str) -> Result<(), RegistryError> {
        let body = json!({ "compatibility": "FULL_TRANSITIVE" });
        let path = format!("/config/{subject}");
        let answer = self.call("PUT", &path, Some(&body))?;
        if answer.status == StatusCode::CONFLICT {
            // Another process that starts now was first (Apicurio makes a rule only once): asked
            // again, the registry changes the rule that is there.
            return self.call("PUT", &path, Some(&body))?.succeeded().map(|_| ());
        }
        answer.succeeded().map(|_| ())
    }

    /// Why a schema does not fit the subject's registered ones; empty when it does.
    pub(super) fn problems(
        &self,
        subject: &str,
        schema: &str,
    ) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Verdict {
            is_compatible: bool,
            #[serde(default)]
            messages: Vec<String>,
        }

        let path = format!("/compatibility/subjects/{subject}/versions?verbose=true");
        let answer = self.call("POST", &path, Some(&json!({ "schema": schema })))?;
        if answer.status == StatusCode::NOT_FOUND {
            // A subject without schemas: anything fits.
            return Ok(Vec::new());
        }
        let verdict: Verdict = answer.parsed()?;
        if verdict.is_compatible {
            return Ok(Vec::new());
        }
        // Not every registry says why (Apicurio only does when it refuses a registration).
        if verdict.messages.is_empty() {
            self.explain(subject, schema)
        } else {
            Ok(verdict.messages)
        }
    }

    /// Why a schema that the registry finds incompatible is so, as far as we can tell.
    fn explain(&self, subject: &str, schema: &str) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Version {
            schema: String,
        }

        let path = format!("/subjects/{subject}/versions");
        let versions: Vec<u32> = self.call("GET", &path, None)?.parsed()?;
        let newer = Schema::parse_str(schema);
        let mut reasons = Vec::new();
        for version in versions {
            let found: Version = self.call("GET", &format!("{path}/{version}"), None)?.parsed()?;
            if let (Ok(older), Ok(newer)) = (Schema::parse_str(&found.schema), &newer)
                && let Err(reason) = check(&older, newer)
            {
                reasons.push(format!("it does not fit version {version}: {reason}"));
            }
        }
        if reasons.is_empty() {
            reasons.push("it is incompatible; the registry does not say why".to_owned());
        }
        Ok(reasons)
    }

    /// Registers a schema, or finds it registered; gives its id.
    pub(super) fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }

        let path = format!("/subjects/{subject}/versions");
        let answer = self.call("POST", &path, Some(&json!({ "schema": schema })))?;
        if answer.status == StatusCode::CONFLICT {
            // Somebody registered another schema since we asked.
            return Err(RegistryError::Incompatible(vec![format!("{subject}: {}", answer.said())]));
        }
        answer.parsed().map(|Registered { id }| id)
    }

    /// The id of a schema that is registered under the subject; nothing when it is not.
    pub(super) fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
        #[derive(Deserialize)]
        struct Found {
            id: u32,
        }

        let path = format!("/subjects/{subject}");
        let answer = self.call("POST", &path, Some(&json!({ "schema": schema })))?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.parsed().map(|Found { id }| Some(id))
    }

    /// The schema of an id; nothing when there is none.
    pub(super) fn schema(&self, id: u32) -> Result<Option<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Found {
            schema: String,
        }

        let answer = self.call("GET", &format!("/schemas/ids/{id}"), None)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.parsed().map(|Found { schema }| Some(schema))
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, RegistryError> {
        let call = format!("{method} {path}");
        let send = || -> Result<Answer, RegistryError> {
            let away = |source: reqwest::Error| RegistryError::Unavailable {
                reason: format!("{call} at {}", self.url),
                source: Some(Box::new(source.without_url())),
            };
            let client = reqwest::blocking::Client::builder()
                .connect_timeout(CONNECT_WAIT)
                .timeout(self.call_wait)
                .build()
                .map_err(away)?;
            let url = format!("{}{path}", self.url);
            let request = match method {
                "PUT" => client.put(url),
                "POST" => client.post(url),
                _ => client.get(url),
            };
            let answer = with_body(request, body).send().map_err(away)?;
            answered(call.clone(), answer)
        };
        // The blocking client must neither run nor be dropped on a thread of an async runtime.
        std::thread::scope(|scope| scope.spawn(send).join()).unwrap_or_else(|_| {
            Err(RegistryError::Unavailable { reason: format!("{call} panicked"), source: None })
        })
    }
}

fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    let request = request.header("Accept", format!("{MEDIA_TYPE}, application/json"));
    match body {
        Some(body) => request.header("Content-Type", MEDIA_TYPE).body(body.to_string()),
        None => request,
    }
}

fn answered(call: String, response: Response) -> Result<Answer, RegistryError> {
    use std::io::Read as _;

    let status = response.status();
    let mut bytes = Vec::new();
    let read = response.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let reason = format!("{call} was answered with {status}");
        return Err(RegistryError::Unavailable { reason, source: None });
    }
    read.map_err(|source| RegistryError::Unavailable {
        reason: format!("the answer to {call} broke off"),
        source: Some(Box::new(source)),
    })?;
    Ok(Answer { call, status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
}

impl Answer {
    /// What the registry said about a failure.
    fn said(&self) -> String {
        let message = self.body.get("message").and_then(Value::as_str);
        message.map_or_else(|| self.status.to_string(), |said| format!("{} {said}", self.status))
    }

    fn succeeded(self) -> Result<Value, RegistryError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(RegistryError::Refused { reason: self.said(), call: self.call })
    }

    fn parsed<T: serde::de::DeserializeOwned>(self) -> Result<T, RegistryError> {
        let call = self.call.clone();
        let body = self.succeeded()?;
        serde_json::from_value(body)
            .map_err(|error| RegistryError::Refused { call, reason: error.to_string() })
    }
}
