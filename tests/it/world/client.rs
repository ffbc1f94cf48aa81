//! An HTTP client that remembers nothing and hides nothing.

use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

/// The longest any answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest a process may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Talks to one address as one account.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    account: Option<Uuid>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// A header that must be there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().unwrap()
    }

    /// A member of the body, by JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {:#}", self.body))
    }

    /// The stable code of a problem.
    pub(crate) fn code(&self) -> &str {
        self.at("/code").as_str().unwrap()
    }

    /// Itself, if it has that status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }
}

impl Client {
    pub(crate) fn to(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(ANSWER_TIMEOUT));
        Self { agent: config.build().into(), base: base.to_owned(), account: None }
    }

    /// The same, as another account of the development identity: a mere traveller.
    pub(crate) fn as_account(&self, account: Uuid) -> Self {
        Self { account: Some(account), ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).unwrap()
    }

    /// Reads, once the read model holds that position.
    pub(crate) fn get_at(&self, path: &str, position: &str) -> Answer {
        self.send("GET", path, &[("waylog-wait-for", position)], None).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body.to_string().as_bytes())).unwrap()
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &[], Some(body.to_string().as_bytes())).unwrap()
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None).unwrap()
    }

    /// Sends anything at all; an error means that no answer came.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(account) = self.account {
            request = request
                .header("waylog-dev-actor", format!("account:{account}"))
                .header("waylog-dev-roles", "traveller");
        }
        let typed = headers.iter().any(|(name, _)| *name == "content-type");
        if body.is_some_and(|body| !body.is_empty()) && !typed {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// Waits until the process says that it is ready.
    pub(crate) fn await_ready(&self) {
        let ready = || self.send("GET", "/health/ready", &[], None).is_ok_and(|a| a.status == 200);
        let last = || self.send("GET", "/health/ready", &[], None);
        assert!(eventually(READY_TIMEOUT, ready), "never ready: {:?}", last());
    }
}

/// Whether a condition comes true before the deadline.
pub(crate) fn eventually(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        // Leaves the processors to what is being waited for.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
