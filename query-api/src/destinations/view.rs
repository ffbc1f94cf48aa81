//! Destinations as clients see them.

use domain::calendar::Date;
use read_models::projections::{DestinationRow, Period};
use read_models::queries::{DestinationCounts, ListedDestination, PopularDestination};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A point on the earth, in degrees (WGS 84).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DestinationCoordinates)]
struct CoordinatesView {
    /// North is positive.
    #[schema(example = 41.1496)]
    latitude: f64,
    /// East is positive.
    #[schema(example = -8.611)]
    longitude: f64,
}

/// What is offered and booked at a destination, by its slug and by its name.
#[derive(Debug, Serialize, ToSchema)]
struct StatisticsView {
    /// Offers ever listed.
    offers_listed: i64,
    /// Offers that are not closed.
    offers_open: i64,
    /// Places of offers that are sold now.
    places_sold: i64,
    /// Bookings ever confirmed.
    bookings_confirmed: i64,
    /// Confirmed bookings that were cancelled since.
    bookings_cancelled: i64,
}

/// What is said of a destination.
#[derive(Debug, Serialize, ToSchema)]
struct PlaceView {
    /// The destination.
    id: Uuid,
    /// Its name in addresses.
    #[schema(example = "porto")]
    slug: String,
    /// Its name for people.
    #[schema(example = "Porto")]
    name: String,
    /// ISO 3166-1 alpha-2 code.
    #[schema(example = "PT")]
    country: String,
    /// Where it is.
    coordinates: CoordinatesView,
    /// Its IANA zone.
    #[schema(example = "Europe/Lisbon")]
    zone: String,
    /// Free words.
    tags: Vec<String>,
    /// `described`, or `retired`: no longer in the catalogue.
    #[schema(example = "described")]
    status: String,
    /// The version that this is; send it as `If-Match` with a command.
    version: u64,
    /// When it was first described.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// One destination of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DestinationView {
    #[serde(flatten)]
    place: PlaceView,
    /// What is offered and booked there.
    statistics: StatisticsView,
}

/// A destination in a ranking.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PopularView {
    /// Its place in the ranking, from 1.
    rank: u32,
    /// Bookings that were confirmed in the period.
    bookings: i64,
    /// Places that they sold.
    places: i64,
    /// What is said of it.
    destination: PlaceView,
}

/// The destinations that were booked most in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RankingView {
    /// `day`, `week` or `month`.
    #[schema(example = "week")]
    period: &'static str,
    /// The first day of the period, in UTC.
    #[schema(format = Date, example = "2027-05-03")]
    begins_on: String,
    /// Most booked first.
    data: Vec<PopularView>,
}

impl RankingView {
    /// The ranking of the period that the day is in.
    pub(super) fn of(period: Period, day: Date, mut data: Vec<PopularView>) -> Self {
        for (rank, view) in (1..).zip(&mut data) {
            view.rank = rank;
        }
        Self { period: period.name(), begins_on: period.begins_on(day).to_string(), data }
    }
}

impl From<ListedDestination> for DestinationView {
    fn from(listed: ListedDestination) -> Self {
        Self { place: listed.destination.into(), statistics: listed.counts.into() }
    }
}

impl From<PopularDestination> for PopularView {
    fn from(popular: PopularDestination) -> Self {
        let PopularDestination { destination, bookings, places } = popular;
        Self { rank: 0, bookings, places, destination: destination.into() }
    }
}

impl From<DestinationCounts> for StatisticsView {
    fn from(counts: DestinationCounts) -> Self {
        let DestinationCounts {
            offers_listed,
            offers_open,
            places_sold,
            bookings_confirmed,
            bookings_cancelled,
        } = counts;
        Self { offers_listed, offers_open, places_sold, bookings_confirmed, bookings_cancelled }
    }
}

impl From<DestinationRow> for PlaceView {
    fn from(row: DestinationRow) -> Self {
        let coordinates = CoordinatesView {
            latitude: degrees(row.latitude_microdegrees),
            longitude: degrees(row.longitude_microdegrees),
        };
        Self {
            id: row.destination_id.0,
            slug: row.slug,
            name: row.name,
            country: row.country,
            coordinates,
            zone: row.zone.to_string(),
            tags: row.tags.0,
            status: row.status,
            version: row.version,
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        }
    }
}

/// Millionths of a degree as degrees.
fn degrees(microdegrees: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 180 million: exact")]
    let exact = microdegrees as f64;
    exact / 1e6
}
