//! What `/health/ready` says of the read models: those that everything is asked of have to answer;
//! the catalogue's database and the copies in Redis are worth a warning, as all else goes on.

use std::sync::Arc;

use projectors::Readiness;
use read_models::ReadQueries;
use service_kit::health::{Finding, Health};

use crate::settings::Mode;

/// Has the read models looked at with every health check.
pub(crate) fn register(health: &Health, queries: &Arc<ReadQueries>, mode: &Mode) {
    let asked = Arc::clone(queries);
    health.register("read models", move || {
        let asked = Arc::clone(&asked);
        async move {
            match asked.position("itineraries").await {
                Ok(_) => Finding::Passing,
                Err(error) => Finding::Failing(error.to_string()),
            }
        }
    });
    let Mode::Distributed { redis, .. } = mode else { return };
    let asked = Arc::clone(queries);
    health.register("mysql", move || {
        let asked = Arc::clone(&asked);
        async move {
            match asked.position("destinations").await {
                Ok(_) => Finding::Passing,
                Err(error) => Finding::Warning(format!(
                    "{error}; questions about destinations are answered 503"
                )),
            }
        }
    });
    if redis.is_some() {
        let asked = Arc::clone(queries);
        health.register("redis", move || {
            let asked = Arc::clone(&asked);
            async move {
                match asked.check_copies().await {
                    Ok(()) => Finding::Passing,
                    Err(error) => Finding::Warning(format!("{error}; PostgreSQL answers instead")),
                }
            }
        });
    }
}

/// What projections say of themselves. Those that nobody depends on take nobody out of service.
pub(crate) fn of_projections(readiness: &Readiness) -> Finding {
    match (readiness.reasons.as_slice(), readiness.warnings.as_slice()) {
        ([], []) => Finding::Passing,
        ([], warnings) => Finding::Warning(warnings.join("; ")),
        (reasons, _) => Finding::Failing(reasons.join("; ")),
    }
}
