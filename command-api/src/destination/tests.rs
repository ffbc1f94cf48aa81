//! What the routes of destinations make of requests.

use domain::destination::{Command as Destination, Coordinates};
use domain::{Command, Tenant, derive};
use http::StatusCode;
use serde_json::{Value, json};

use crate::itinerary::tests::{World, body};

fn porto() -> Value {
    json!({
        "slug": "porto", "name": "Porto", "country": "PT", "zone": "Europe/Lisbon",
        "coordinates": { "latitude": 41.1496, "longitude": -8.61099 }, "tags": ["wine"],
    })
}

#[tokio::test]
async fn a_slug_names_its_destination() {
    let world = World::accepting();

    let answer = world.send("POST", "/v1/destinations", &porto().to_string()).await;

    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["location"], "/v1/destinations/porto");
    let sent = world.only_command();
    let tenant: Tenant = "dev".parse().unwrap();
    assert_eq!(sent.stream.id, derive::destination(&tenant, "porto").0);
    let Command::Destination(Destination::Describe { destination_id, description }) = sent.command
    else {
        panic!("a description")
    };
    assert_eq!(destination_id.0, sent.stream.id);
    let point =
        Coordinates { latitude_microdegrees: 41_149_600, longitude_microdegrees: -8_610_990 };
    assert_eq!(description.coordinates, point);
}

#[tokio::test]
async fn a_destination_is_retired_by_its_slug() {
    let world = World::accepting();

    let answer = world.send("POST", "/v1/destinations/porto/retirement", "").await;

    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(world.only_command().command.name(), "retire");
}

#[tokio::test]
async fn what_is_no_destination_never_reaches_a_lane() {
    let with = |field: &str, value: Value| {
        let mut sent = porto();
        sent[field] = value;
        sent.to_string()
    };
    let cases = [
        (with("slug", json!("Porto")), 422, "destination_slug_invalid"),
        (
            with("coordinates", json!({ "latitude": 91, "longitude": 0 })),
            422,
            "destination_coordinates_out_of_range",
        ),
        (with("coordinates", json!({ "latitude": 1e9, "longitude": 0 })), 400, "invalid_field"),
        (with("zone", json!("Mars/Phobos")), 400, "invalid_field"),
        (with("surprise", json!(1)), 400, "invalid_field"),
    ];

    for (sent, status, code) in cases {
        let world = World::accepting();
        let answer = world.send("POST", "/v1/destinations", &sent).await;
        assert_eq!(answer.status().as_u16(), status, "{code}");
        assert_eq!(body(answer).await["code"], code);
        assert!(world.nothing_sent(), "{code}");
    }
}

#[tokio::test]
async fn operators_alone_keep_the_catalogue() {
    for path in ["/v1/destinations", "/v1/destinations/porto/retirement"] {
        let world = World::accepting();
        let sent = if path == "/v1/destinations" { porto().to_string() } else { String::new() };
        let answer = world.send_as("traveller,support", "POST", path, &sent).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(world.nothing_sent(), "{path}");
    }
}
