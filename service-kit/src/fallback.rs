//! The answers to requests that no route takes, as problems.

use http::{Method, StatusCode};

use crate::problem::Problem;

/// 404 `route_not_found`.
pub(crate) async fn route_not_found() -> Problem {
    Problem::not_found("route_not_found", "No such route. /openapi.json lists them all.")
}

/// 405 `method_not_allowed`; axum adds `Allow`.
pub(crate) async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
        .detail(format!("This route does not take {method}; the header Allow names what it takes."))
}
