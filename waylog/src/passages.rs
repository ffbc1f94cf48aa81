//! The ways on from the one origin to what other processes of the deployment serve.

use axum::Router;
use query_api::proxy::{Methods, Passage, Proxy, ProxyError, ProxyLimits};

use crate::settings::{Service, ServicesSection};

/// For callers with an identity.
///
/// # Errors
/// When an address is none.
pub(crate) fn of_callers(services: &ServicesSection) -> Result<Proxy, ProxyError> {
    let mut passages = Vec::new();
    let mut pass = |prefix, methods, urls: &[String]| {
        if !urls.is_empty() {
            passages.push(Passage { prefix, methods, urls: urls.to_vec() });
        }
    };
    if !services.runs(Service::CommandApi) {
        pass("/v1", Methods::Writes, &services.command_api_url);
    }
    if !services.runs(Service::Projectors) {
        pass("/v1/projections", Methods::All, &services.projectors_url);
        pass("/v1/dead-letters", Methods::All, &services.projectors_url);
    }
    if !services.runs(Service::Connectors) {
        pass("/v1/circuits", Methods::All, &services.connectors_url);
    }
    Proxy::new(passages, ProxyLimits::default())
}

/// For webhooks: their signature is their identity, and judged where they go.
///
/// # Errors
/// When an address is none.
pub(crate) fn of_webhooks(services: &ServicesSection) -> Result<Router, ProxyError> {
    if services.runs(Service::Connectors) || services.connectors_url.is_empty() {
        return Ok(Router::new());
    }
    let (prefix, methods) = ("/v1/webhooks", Methods::Writes);
    let passage = Passage { prefix, methods, urls: services.connectors_url.clone() };
    Ok(Proxy::new(vec![passage], ProxyLimits::default())?.complete(Router::new()))
}
