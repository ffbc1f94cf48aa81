//! The routes of destinations: for operators.
//!
//! | request | command |
//! |---|---|
//! | `POST /v1/destinations` | Describe |
//! | `POST /v1/destinations/{slug}/retirement` | Retire |
//!
//! A destination's id derives from its slug: describing one that is there describes it anew.

#[cfg(test)]
mod tests;

use axum::extract::State;
use axum::response::Response;
use domain::calendar::Zone;
use domain::destination::{self, Coordinates, Description};
use domain::{Category, Command, StreamName, derive};
use serde::{Deserialize, Deserializer, de::Error as _};
use service_kit::auth::Role;
use service_kit::{Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{self, Changed, Created};
use crate::fields::known_zone;
use crate::head::{Body, Head, NoBody};
use crate::{CommandApi, openapi::Refusals};

pub(crate) fn router() -> OpenApiRouter<CommandApi> {
    OpenApiRouter::new().routes(routes!(describe)).routes(routes!(retire))
}

/// A point on the earth, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CoordinatesBody {
    /// North is positive; kept to a millionth of a degree.
    #[serde(deserialize_with = "microdegrees")]
    #[schema(value_type = f64, example = 41.1496)]
    latitude: i32,
    /// East is positive; kept to a millionth of a degree.
    #[serde(deserialize_with = "microdegrees")]
    #[schema(value_type = f64, example = -8.611)]
    longitude: i32,
}

/// What a destination is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DescribeDestination {
    /// Its name in addresses: 1 to 80 lower-case letters, digits and inner hyphens; never changes.
    #[schema(example = "porto")]
    slug: String,
    /// Its name for people, 1 to 200 characters.
    #[schema(example = "Porto")]
    name: String,
    /// ISO 3166-1 alpha-2 code.
    #[schema(example = "PT")]
    country: String,
    coordinates: CoordinatesBody,
    /// Its IANA zone.
    #[serde(deserialize_with = "known_zone")]
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: Zone,
    /// Free words, at most 50 of at most 50 characters.
    #[serde(default)]
    tags: Vec<String>,
}

impl From<DescribeDestination> for Description {
    fn from(body: DescribeDestination) -> Self {
        let CoordinatesBody { latitude, longitude } = body.coordinates;
        Self {
            slug: body.slug,
            name: body.name,
            country: body.country,
            coordinates: Coordinates {
                latitude_microdegrees: latitude,
                longitude_microdegrees: longitude,
            },
            zone: body.zone,
            tags: body.tags,
        }
    }
}

/// Degrees as millionths of one, to the nearest.
fn microdegrees<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let degrees = f64::deserialize(deserializer)?;
    if !(-180.0..=180.0).contains(&degrees) {
        return Err(D::Error::custom("is not between -180 and 180 degrees"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 180 million, and rounded")]
    Ok((degrees * 1e6).round() as i32)
}

/// Describe a destination, for the first time or anew (operators).
#[utoipa::path(
    post, path = "/v1/destinations", tag = "destinations", operation_id = "describe_destination",
    request_body = DescribeDestination,
    responses((status = 201, description = "It is durable", body = Created), Refusals),
)]
async fn describe(
    State(api): State<CommandApi>,
    head: Head,
    body: Body<DescribeDestination>,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let path = format!("/v1/destinations/{}", body.value.slug);
    let destination_id = derive::destination(head.tenant(), &body.value.slug);
    let description = body.value.into();
    let command = destination::Command::Describe { destination_id, description };
    let stream = StreamName::new(Category::Destination, destination_id.0);
    let accepted = head.send(&api, stream, Command::Destination(command), &body.bytes).await?;
    answer::created(&accepted, destination_id.0, path)
}

/// Take a destination out of the catalogue (operators).
#[utoipa::path(
    post, path = "/v1/destinations/{slug}/retirement", tag = "destinations",
    operation_id = "retire_destination",
    params(("slug" = String, Path, description = "The destination")),
    responses((status = 200, description = "It is retired", body = Changed), Refusals),
)]
async fn retire(
    State(api): State<CommandApi>,
    Path(slug): Path<String>,
    head: Head,
    body: NoBody,
) -> Result<Response, Problem> {
    head.require(Role::Operator)?;
    let stream =
        StreamName::new(Category::Destination, derive::destination(head.tenant(), &slug).0);
    let command = Command::Destination(destination::Command::Retire);
    answer::changed(&head.send(&api, stream, command, &body.bytes).await?)
}
