//! The description of the whole API: one OpenAPI 3.1 document out of those of its routers, and the
//! pages that show it. Nothing is fetched from elsewhere.

use axum::Router;
use axum::routing::get;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use service_kit::problem::{FieldError, ProblemDocument};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_swagger_ui::{Config, SwaggerUi};

const DESCRIPTION: &str = "An event-sourced backend for travel booking. Commands take an \
`Idempotency-Key` and answer with a `Waylog-Position`; a query that is given it as \
`Waylog-Wait-For` sees what the command did. Errors are problems (RFC 9457) with a stable `code`.";

const TAGS: &[(&str, &str)] = &[
    ("itineraries", "Trips: their days, plans, people and talk"),
    ("offers", "What can be bought: terms, prices, and how much is left"),
    ("bookings", "Purchases: their lines, who travels, and what works on them"),
    ("payments", "Money: what was asked for, taken and given back"),
    ("sagas", "The processes that carry out bookings, and an operator's way out"),
    ("audit", "Every event for ever: streams, time travel, what a request caused, who did what"),
    ("live", "Events as they happen"),
    ("projections", "Operating the read models"),
    ("dead letters", "Streams that a read model could not follow"),
];

/// One document out of several routers'. `servers` are the URLs that clients may send requests to;
/// none means the one that the document came from.
#[must_use]
pub fn document(parts: impl IntoIterator<Item = OpenApi>, servers: &[String]) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Waylog")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .contact(Some(ContactBuilder::new().name(Some("Waylog")).build()))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").build()))
        .build();
    let tag = |(name, description): &(&str, &str)| {
        TagBuilder::new().name(*name).description(Some(*description)).build()
    };
    let servers = servers.iter().map(|url| ServerBuilder::new().url(url.clone()).build());
    let servers: Vec<_> = servers.collect();
    let problems = ComponentsBuilder::new()
        .schema(ProblemDocument::name(), ProblemDocument::schema())
        .schema(FieldError::name(), FieldError::schema())
        .build();
    let mut whole = OpenApiBuilder::new()
        .info(info)
        .tags(Some(TAGS.iter().map(tag)))
        .servers((!servers.is_empty()).then_some(servers))
        .components(Some(problems))
        .build();
    for part in parts {
        whole.merge(part);
    }
    whole
}

/// `/openapi.json`, and the pages that show it at `/docs/`.
///
/// # Panics
/// When the document cannot be written as JSON; it is made of strings and numbers.
pub fn router(document: &OpenApi) -> Router {
    let json = bytes::Bytes::from(document.to_json().expect("a description is plain JSON"));
    let described = move || async move {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json)
    };
    let pages = SwaggerUi::new("/docs").config(Config::new(["/openapi.json"]));
    Router::new().route("/openapi.json", get(described)).merge(pages)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;
    use utoipa_axum::router::OpenApiRouter;
    use utoipa_axum::routes;

    use super::*;

    /// Nothing.
    #[utoipa::path(get, path = "/v1/nothing", tag = "live", responses((status = 204)))]
    async fn nothing() {}

    fn whole() -> OpenApi {
        let ours = crate::description();
        let other = OpenApiRouter::<()>::new().routes(routes!(nothing)).to_openapi();
        document([ours, other], &["https://waylog.example".to_owned()])
    }

    async fn asked(path: &str) -> (u16, String, Vec<u8>) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(&whole()).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let place = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let body = answer.into_body().collect().await.unwrap().to_bytes().to_vec();
        (status, place.unwrap_or_default(), body)
    }

    #[test]
    fn the_document_holds_every_routers_paths_and_what_they_refer_to() {
        let document = serde_json::to_value(whole()).unwrap();

        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["servers"][0]["url"], "https://waylog.example");
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(
            paths,
            [
                "/v1/audit/actors/{actor}",
                "/v1/audit/correlations/{id}",
                "/v1/audit/refusals",
                "/v1/audit/streams/{stream}/diff",
                "/v1/audit/streams/{stream}/events",
                "/v1/audit/streams/{stream}/state",
                "/v1/bookings",
                "/v1/bookings/{id}",
                "/v1/destinations",
                "/v1/destinations/popular",
                "/v1/destinations/{slug}",
                "/v1/events",
                "/v1/itineraries",
                "/v1/itineraries/{id}",
                "/v1/itineraries/{id}/activity",
                "/v1/nothing",
                "/v1/notifications",
                "/v1/notifications/{id}",
                "/v1/offers",
                "/v1/offers/{id}",
                "/v1/payments",
                "/v1/payments/{id}",
                "/v1/sagas",
                "/v1/sagas/{id}",
            ]
        );
        let mut dangling = Vec::new();
        collect_dangling(&document, &document, &mut dangling);
        assert_eq!(dangling, Vec::<String>::new());
    }

    fn collect_dangling(document: &Value, at: &Value, dangling: &mut Vec<String>) {
        if let Some(target) = at.get("$ref").and_then(Value::as_str)
            && document.pointer(target.trim_start_matches('#')).is_none()
        {
            dangling.push(target.to_owned());
        }
        match at {
            Value::Object(members) => {
                members.values().for_each(|value| collect_dangling(document, value, dangling));
            }
            Value::Array(items) => {
                items.iter().for_each(|value| collect_dangling(document, value, dangling));
            }
            _ => {}
        }
    }

    #[tokio::test]
    async fn the_pages_are_served_without_help_from_elsewhere() {
        let (status, _, json) = asked("/openapi.json").await;
        let (moved, place, _) = asked("/docs").await;
        let (shown, _, page) = asked("/docs/").await;

        assert_eq!((status, moved, shown), (200, 303, 200));
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap()["info"]["title"], "Waylog");
        assert_eq!(place, "/docs/");
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("swagger-ui") && !page.contains("https://"), "{page}");
    }
}
