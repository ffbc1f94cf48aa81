//! The header `Idempotency-Key`: the client's name for one intent, and the id of the command.
//!
//! One UUID, sent again with every retry. A request without one gets a UUIDv7; either way the
//! answer carries it (the middleware sees to that, in problems too). Anything else is 400
//! `invalid_idempotency_key`. Nil and max name nothing and are refused.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use uuid::Uuid;

use crate::problem::Problem;
use crate::request_context::{KeySent, RequestContext};

/// The key of a request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key itself.
    pub id: Uuid,
    /// Whether the client sent none: then nobody can have used this one before.
    pub minted: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(context) = RequestContext::from_request_parts(parts, state).await;
        match context.key() {
            KeySent::Sent(id) => Ok(Self { id, minted: false }),
            KeySent::Minted(id) => Ok(Self { id, minted: true }),
            KeySent::Malformed => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_idempotency_key",
                "The idempotency key is not a UUID",
            )
            .detail("Send one UUID in Idempotency-Key, or leave the header out.")),
            // A route that takes a key on a GET is our mistake, not the client's.
            KeySent::NotApplicable => Err(Problem::opaque_defect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use http::{Request, Response};
    use tower::ServiceExt as _;

    use super::*;

    async fn send(keys: &[&str]) -> Response<Body> {
        let echo =
            |key: IdempotencyKey| async move { format!("{} minted: {}", key.id, key.minted) };
        let router = crate::request_layer::wrap(
            Router::new().route("/", post(echo)),
            std::time::Duration::from_secs(10),
        );
        let request = keys
            .iter()
            .fold(Request::post("/"), |request, key| request.header("idempotency-key", *key));
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn text(response: Response<Body>) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_key_that_was_sent_comes_back() {
        let key = "01890A5D-ac96-774b-bcce-b302099a8057";

        let response = send(&[key]).await;

        assert_eq!(response.headers()["idempotency-key"], key.to_lowercase().as_str());
        assert_eq!(text(response).await, format!("{} minted: false", key.to_lowercase()));
    }

    #[tokio::test]
    async fn a_missing_key_is_minted_and_returned() {
        let response = send(&[]).await;

        let returned = response.headers()["idempotency-key"].to_str().unwrap().to_owned();
        assert_eq!(Uuid::parse_str(&returned).unwrap().get_version_num(), 7);
        assert_eq!(text(response).await, format!("{returned} minted: true"));
    }

    #[tokio::test]
    async fn what_is_not_one_uuid_is_refused() {
        let key = "01890a5d-ac96-774b-bcce-b302099a8057";

        for keys in [&["seven"][..], &[""], &[key, key], &["00000000-0000-0000-0000-000000000000"]]
        {
            let response = send(keys).await;

            assert_eq!(response.status(), 400, "{keys:?}");
            assert!(!response.headers().contains_key("idempotency-key"));
            assert!(text(response).await.contains("\"invalid_idempotency_key\""));
        }
    }
}
