//! The receiving side of the internal hop: decides for shards owned here, and for no others.
//!
//! A command is never forwarded a second time from here: the sender is told the owner and goes
//! there itself, so that no ring of stale directories passes a command around.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::CommandRequest;
use crate::hop_client::HopReply;
use crate::router::{Here, Router};

/// Where forwarded commands are taken.
pub(crate) const PATH: &str = "/internal/v1/commands";
/// A command's body is limited at the edge; its JSON here is somewhat longer.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What the processes of one deployment know and nobody else. At least 16 bytes.
#[derive(Clone)]
pub struct ClusterSecret(Arc<str>);

/// The cluster secret is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cluster secret has at least 16 printable ASCII characters")]
pub struct WeakSecret;

impl ClusterSecret {
    /// Takes a secret in.
    ///
    /// # Errors
    /// [`WeakSecret`] for fewer than 16 characters, or characters that no header carries.
    pub fn new(secret: &str) -> Result<Self, WeakSecret> {
        let printable = secret.bytes().all(|byte| byte.is_ascii_graphic());
        if secret.len() >= 16 && printable { Ok(Self(secret.into())) } else { Err(WeakSecret) }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Takes the same time for every guess: digests are compared, not the texts.
    fn admits(&self, presented: &str) -> bool {
        let [ours, theirs] = [&*self.0, presented].map(|text| Sha256::digest(text.as_bytes()));
        ours.as_slice().ct_eq(theirs.as_slice()).into()
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(…)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HopBody {
    request: Box<CommandRequest>,
    wait_ms: u64,
}

/// The routes of the internal hop.
pub(crate) fn routes(router: Arc<Router>, secret: ClusterSecret) -> axum::Router {
    axum::Router::new()
        .route(PATH, post(decide))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(secret, authenticate))
        .with_state(router)
}

async fn authenticate(
    State(secret): State<ClusterSecret>,
    request: Request,
    next: Next,
) -> Response {
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if presented.is_some_and(|presented| secret.admits(presented)) {
        next.run(request).await
    } else {
        tracing::warn!("a command was forwarded without the cluster secret");
        StatusCode::UNAUTHORIZED.into_response()
    }
}

async fn decide(State(router): State<Arc<Router>>, Json(body): Json<HopBody>) -> Response {
    let wait = Duration::from_millis(body.wait_ms).min(router.gear.settings.deadline);
    let shard = router.shard(&body.request);
    let reply = match router.try_here(shard, body.request, Instant::now() + wait).await {
        Here::Outcome(Ok(accepted)) => HopReply::Accepted(accepted),
        Here::Outcome(Err(error)) => HopReply::Failed(error),
        // Without a reply the sender has to assume that it may have happened.
        Here::Elsewhere { tried: true, .. } => {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Here::Elsewhere { tried: false, .. } => {
            let owner = router.owner_address(shard);
            let reply = Json(HopReply::NotHere { owner });
            return (StatusCode::MISDIRECTED_REQUEST, reply).into_response();
        }
    };
    Json(reply).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_is_admitted() {
        let secret = ClusterSecret::new("correct-horse-battery").unwrap();

        assert!(secret.admits("correct-horse-battery"));
        assert!(!secret.admits("correct-horse-batter"));
        assert!(!secret.admits(""));
        assert!(!format!("{secret:?}").contains("horse"));
    }

    #[test]
    fn a_secret_that_can_be_guessed_or_not_be_sent_is_refused() {
        assert!(ClusterSecret::new("short").is_err());
        assert!(ClusterSecret::new("a secret with spaces").is_err());
    }
}
