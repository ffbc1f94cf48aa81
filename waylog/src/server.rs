//! Calls to a running server, for the verbs that change something or ask what only it knows.

use clap::Args;
use serde_json::Value;

use crate::api::{Api, Request};

/// Which server.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server's address
    #[arg(long, env = "WAYLOG_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
}

/// A server that is asked one thing after another.
pub(crate) struct Server {
    api: Api,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Prepares to call; nothing is sent yet.
    ///
    /// # Errors
    /// When no client can be made.
    pub(crate) fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { api: Api::new(&args.url)?, runtime })
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Server::call`].
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(http::Method::GET, path, None)
    }

    /// Sends a request and returns its JSON (null for none).
    ///
    /// # Errors
    /// When the server does not answer, or answers with a problem: its detail and code.
    pub(crate) fn call(
        &self,
        method: http::Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.runtime.block_on(self.api.once(&Request::new(method, path, body)))?;
        Ok(answer.body)
    }
}

/// A text as one segment of a path or one value of a query: whatever has a meaning of its own there
/// is escaped.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte);
    let escaped = text.bytes().map(|byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_path_is_escaped() {
        assert_eq!(escaped("audit:itinerary-1"), "audit:itinerary-1");
        assert_eq!(escaped("audit:a/b?c é"), "audit:a%2Fb%3Fc%20%C3%A9");
    }
}
