//! What a line of a seed stands for: the body of one request, and the key under which it is sent
//! for ever.

use domain::calendar::Zone;
use domain::destination::{Coordinates, Description};
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service_kit::fingerprint::Fingerprinter;
use uuid::Uuid;

/// What keys derive under: public, because they only have to be the same each time.
const KEYS: &[u8] = b"waylog seed";
/// What separates the parts of a list in one column.
const BETWEEN: char = '|';

/// What a line describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A place of the catalogue.
    Destination,
    /// Something to sell.
    Offer,
}

impl Kind {
    /// Where it is sent.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Destination => "/v1/destinations",
            Self::Offer => "/v1/offers",
        }
    }
}

/// One thing to load.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) body: Value,
    /// Its id stands for its content, so that whatever has the id already is the same.
    pub(crate) named_by_content: bool,
}

impl Item {
    /// A destination or an offer, whichever body the JSON is: only destinations have a slug.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(text).map_err(|error| {
            // The line is known better where the file is read.
            let error = error.to_string();
            error.split(" at line ").next().unwrap_or(&error).to_owned()
        })?;
        let object = body.as_object().ok_or("is no JSON object")?;
        let kind = if object.contains_key("slug") { Kind::Destination } else { Kind::Offer };
        Ok(Self { kind, body, named_by_content: false })
    }

    /// The key of its command: the same content has the same, however it is spelled.
    ///
    /// # Errors
    /// When the body holds what JSON cannot.
    pub(crate) fn key(&self) -> Result<Uuid, String> {
        let prints = Fingerprinter::new(KEYS);
        let text = self.body.to_string();
        let print = prints.fingerprint(&Method::POST, self.kind.path(), text.as_bytes());
        let print = print.map_err(|_| "cannot be told from other lines")?;
        let (key, _) = print.0.split_first_chunk::<16>().expect("a fingerprint has 32 bytes");
        Ok(Uuid::new_v8(*key))
    }
}

/// A destination as a row of CSV.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PlaceRow {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) zone: String,
    #[serde(default)]
    tags: Option<String>,
}

/// An offer as a row of CSV.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OfferRow {
    #[serde(default)]
    id: Option<String>,
    kind: String,
    supplier: String,
    title: String,
    places: String,
    starts_at: String,
    ends_at: String,
    zone: String,
    capacity: u32,
    #[serde(default)]
    seats: Option<String>,
    price_amount: i64,
    price_currency: String,
    #[serde(default)]
    cancellation: Option<String>,
}

/// The columns of destinations; the first tells what a file holds.
pub(crate) const PLACE_COLUMNS: &[&str] =
    &["slug", "name", "country", "latitude", "longitude", "zone", "tags"];
/// The columns of offers.
pub(crate) const OFFER_COLUMNS: &[&str] = &[
    "id",
    "kind",
    "supplier",
    "title",
    "places",
    "starts_at",
    "ends_at",
    "zone",
    "capacity",
    "seats",
    "price_amount",
    "price_currency",
    "cancellation",
];

impl PlaceRow {
    /// Its tags.
    pub(crate) fn tags(&self) -> Vec<&str> {
        parts(self.tags.as_deref())
    }

    /// As it is sent.
    pub(crate) fn item(&self) -> Item {
        let body = json!({
            "slug": self.slug, "name": self.name, "country": self.country, "zone": self.zone,
            "coordinates": { "latitude": self.latitude, "longitude": self.longitude },
            "tags": self.tags(),
        });
        Item { kind: Kind::Destination, body, named_by_content: false }
    }

    /// As the domain knows it.
    ///
    /// # Errors
    /// When there is no such zone.
    pub(crate) fn description(&self) -> anyhow::Result<Description> {
        #[expect(clippy::cast_possible_truncation, reason = "at most 180 million, and rounded")]
        let microdegrees = |degrees: f64| (degrees * 1e6).round() as i32;
        Ok(Description {
            slug: self.slug.clone(),
            name: self.name.clone(),
            country: self.country.clone(),
            coordinates: Coordinates {
                latitude_microdegrees: microdegrees(self.latitude),
                longitude_microdegrees: microdegrees(self.longitude),
            },
            zone: self.zone.parse::<Zone>()?,
            tags: self.tags().into_iter().map(str::to_owned).collect(),
        })
    }
}

impl OfferRow {
    /// As it is sent.
    ///
    /// # Errors
    /// What is wrong with its cancellation policy.
    pub(crate) fn item(&self) -> Result<Item, String> {
        let terms: Result<Vec<Value>, String> =
            parts(self.cancellation.as_deref()).into_iter().map(term).collect();
        let price = json!({ "amount": self.price_amount, "currency": self.price_currency });
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        if let Some(id) = &self.id {
            set("id", json!(id));
        }
        set("kind", json!(self.kind));
        set("supplier", json!(self.supplier));
        set("title", json!(self.title));
        set("places", json!(parts(Some(&self.places))));
        set("starts_at", json!(self.starts_at));
        set("ends_at", json!(self.ends_at));
        set("zone", json!(self.zone));
        set("capacity", json!(self.capacity));
        if self.seats.is_some() {
            set("seats", json!(parts(self.seats.as_deref())));
        }
        set("price", price);
        set("cancellation", Value::Array(terms?));
        Ok(Item { kind: Kind::Offer, body: Value::Object(body), named_by_content: false })
    }
}

/// The parts of a list in one column.
fn parts(list: Option<&str>) -> Vec<&str> {
    let parts = list.unwrap_or_default().split(BETWEEN).map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

/// `48:50` is half, while at least 48 hours are left.
fn term(text: &str) -> Result<Value, String> {
    let wrong = || format!("cancellation: `{text}` is no `hours_before:refund_percent`");
    let (hours, percent) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
    Ok(json!({ "hours_before": number(hours)?, "refund_percent": number(percent)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Item {
        Item::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_same_content_has_the_same_key_however_it_is_spelled() {
        let one = json(r#"{"slug": "porto", "name": "Porto", "tags": ["a"]}"#);
        let same = json(r#"{"name":"P\u006frto","tags":["a"],"slug":"porto"}"#);
        let other = json(r#"{"slug": "porto", "name": "Porto", "tags": ["b"]}"#);

        assert_eq!(one.key(), same.key());
        assert_ne!(one.key(), other.key());
    }

    /// These keys are in logs already: others would load everything twice.
    #[test]
    fn keys_stay_what_they_are() {
        let item = json(r#"{"slug":"porto"}"#);

        assert_eq!(item.key().unwrap().to_string(), "9bdad6c8-7075-8a07-ae2e-1bf0c7b89ea1");
    }

    #[test]
    fn a_slug_makes_a_destination() {
        assert_eq!(json(r#"{"slug":"porto"}"#).kind, Kind::Destination);
        assert_eq!(json(r#"{"kind":"flight"}"#).kind, Kind::Offer);
        assert_eq!(Item::from_json(b"[1]").unwrap_err(), "is no JSON object");
        assert_eq!(Item::from_json(b"{").unwrap_err(), "EOF while parsing an object");
    }

    #[test]
    fn a_term_is_hours_and_percent() {
        assert_eq!(term("48:50").unwrap(), json!({ "hours_before": 48, "refund_percent": 50 }));
        assert!(term("48").unwrap_err().contains("`48`"));
        assert!(term("x:1").is_err());
    }
}
