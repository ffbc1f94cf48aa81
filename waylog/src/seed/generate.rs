//! Offers made up between the shipped places: the same seed makes the same offers, and more of them
//! begin with the fewer.

use domain::money::Money;
use domain::offer::{CancellationPolicy, CancellationTerm, Listing, OfferKind};
use domain::{Timestamp, derive};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use uuid::Uuid;

use super::item::{Item, Kind, PlaceRow};

/// What is shipped with the binary.
const PLACES: &str = include_str!("places.csv");
/// Days after the first on which offers begin.
const DAYS: u64 = 365;
/// How far trains go, in kilometres.
const TRAIN_KM_MAX: f64 = 1_000.0;

/// The shipped places.
pub(crate) fn places() -> Vec<PlaceRow> {
    let mut rows = csv::Reader::from_reader(PLACES.as_bytes());
    rows.deserialize().map(|row| row.expect("a test reads the shipped places")).collect()
}

/// Makes offers.
pub(crate) struct Generator {
    places: Vec<PlaceRow>,
    /// From where to where trains go.
    railways: Vec<(usize, usize)>,
    seed: u64,
    first_day: Date,
}

impl Generator {
    /// Offers of that seed, from that day on.
    pub(crate) fn new(seed: u64, first_day: Date) -> Self {
        let places = places();
        let railway = |from: &PlaceRow, to: &PlaceRow| {
            let island = |place: &PlaceRow| place.tags().contains(&"island");
            from.slug != to.slug
                && from.country == to.country
                && !island(from)
                && !island(to)
                && kilometres(from, to) <= TRAIN_KM_MAX
        };
        let pairs = (0..places.len()).flat_map(|from| (0..places.len()).map(move |to| (from, to)));
        let railways = pairs.filter(|(from, to)| railway(&places[*from], &places[*to])).collect();
        Self { places, railways, seed, first_day }
    }

    /// The offer of that number, as it is sent.
    pub(crate) fn item(&self, number: u64) -> Item {
        let mut body = json!(self.listing(number));
        body["id"] = json!(self.id(number));
        Item { kind: Kind::Offer, body, named_by_content: true }
    }

    /// The id of the offer of that number, under which nobody else has another.
    pub(crate) fn id(&self, number: u64) -> Uuid {
        let day = self.first_day.to_string();
        let parts = [&self.seed.to_be_bytes(), day.as_bytes(), &number.to_be_bytes()];
        derive::id("seed-offer", None, &parts)
    }

    /// The offer of that number.
    pub(crate) fn listing(&self, number: u64) -> Listing {
        let draw = Draw { seed: self.seed, number };
        match draw.below("kind", 20) {
            0..=7 => self.flight(draw),
            8..=10 => self.train(draw),
            11..=15 => self.hotel(draw),
            16..=17 => self.tour(draw),
            18 => self.transfer(draw),
            _ => self.meal(draw),
        }
    }

    fn flight(&self, draw: Draw) -> Listing {
        let from = draw.index("from", self.places.len());
        // Any but the one it starts from.
        let to = (from + 1 + draw.index("to", self.places.len() - 1)) % self.places.len();
        let (from, to) = (&self.places[from], &self.places[to]);
        let km = kilometres(from, to);
        let minutes = 40 + whole(km / 13.0);
        let title = format!("Flight from {} to {}", from.name, to.name);
        let supplier = draw.one_of("supplier", &["Voa", "Halcyon Air", "Ponente", "Kranich Air"]);
        let mut flight = self.sold(draw, OfferKind::Flight, (supplier, title), &[from, to]);
        let begin = (draw.below("hour", 16) + 6, draw.below("minute", 12) * 5);
        self.at(draw, from, begin, minutes, &mut flight);
        flight.price.amount = draw.price(2_900 + whole(km * 7.0));
        flight.capacity = draw.between("capacity", 60, 220);
        if draw.below("seat map", 5) == 0 {
            let rows = draw.between("rows", 6, 12);
            flight.seats = Some((1..=rows).flat_map(row).collect());
            flight.capacity = rows * 4;
        }
        flight
    }

    fn train(&self, draw: Draw) -> Listing {
        let (from, to) = self.railways[draw.index("railway", self.railways.len())];
        let (from, to) = (&self.places[from], &self.places[to]);
        let km = kilometres(from, to);
        let title = format!("Train from {} to {}", from.name, to.name);
        let supplier = draw.one_of("supplier", &["Ferrovia Uno", "Fast Lines", "Nachtexpress"]);
        let mut train = self.sold(draw, OfferKind::Train, (supplier, title), &[from, to]);
        let begin = (draw.below("hour", 15) + 6, draw.below("minute", 12) * 5);
        self.at(draw, from, begin, 20 + whole(km / 2.5), &mut train);
        train.price.amount = draw.price(900 + whole(km * 11.0));
        train.capacity = draw.between("capacity", 80, 400);
        train
    }

    fn hotel(&self, draw: Draw) -> Listing {
        let place = &self.places[draw.index("place", self.places.len())];
        let nights = draw.below("nights", 7) + 1;
        let names =
            ["Hotel Central", "The Harbour House", "Pension Linde", "Casa Azul", "Old Mill"];
        let name = draw.one_of("name", &names);
        let plural = if nights == 1 { "night" } else { "nights" };
        let title = format!("{nights} {plural} at {name} in {}", place.name);
        let mut hotel = self.sold(draw, OfferKind::Hotel, (name, title), &[place]);
        self.at(draw, place, (15, 0), (nights * 24 - 4) * 60, &mut hotel);
        hotel.price.amount = draw.price(nights * (4_500 + draw.below("class", 4) * 4_000));
        hotel.capacity = draw.between("capacity", 4, 40);
        hotel
    }

    fn tour(&self, draw: Draw) -> Listing {
        let place = &self.places[draw.index("place", self.places.len())];
        let what = match draw.one_of("subject", &place.tags()) {
            "food" | "markets" => "Food walk through",
            "wine" => "Wine tasting in",
            "museums" | "art" | "architecture" | "design" => "Art and architecture of",
            "mountains" | "hiking" | "trekking" | "nature" => "Guided hike around",
            "northern-lights" => "Northern lights from",
            "safari" | "desert" => "Day in the wild near",
            "coast" | "beach" | "island" | "islands" | "harbour" | "fjord" => "Boat trip off",
            _ => "Guided walk through",
        };
        let title = format!("{what} {}", place.name);
        let mut tour = self.sold(draw, OfferKind::Tour, ("Local Guides", title), &[place]);
        let begin = (9 + draw.below("hour", 8), 0);
        self.at(draw, place, begin, 120 + draw.below("length", 5) * 30, &mut tour);
        tour.price.amount = draw.price(3_500);
        tour.capacity = draw.between("capacity", 6, 20);
        tour
    }

    fn transfer(&self, draw: Draw) -> Listing {
        let place = &self.places[draw.index("place", self.places.len())];
        let title = format!("Airport transfer in {}", place.name);
        let mut transfer = self.sold(draw, OfferKind::Transfer, ("Door to Door", title), &[place]);
        let begin = (6 + draw.below("hour", 17), 0);
        self.at(draw, place, begin, 30 + draw.below("length", 4) * 10, &mut transfer);
        transfer.price.amount = draw.price(2_500);
        transfer.capacity = draw.between("capacity", 4, 16);
        transfer
    }

    fn meal(&self, draw: Draw) -> Listing {
        let place = &self.places[draw.index("place", self.places.len())];
        let title = format!("Dinner in {}", place.name);
        let mut meal = self.sold(draw, OfferKind::Meal, ("Table for Two", title), &[place]);
        self.at(draw, place, (19, 30), 120, &mut meal);
        meal.price.amount = draw.price(4_000);
        meal.capacity = draw.between("capacity", 10, 30);
        meal
    }

    /// Something without its time, price and capacity.
    fn sold(
        &self,
        draw: Draw,
        kind: OfferKind,
        (supplier, title): (&str, String),
        places: &[&PlaceRow],
    ) -> Listing {
        let zone = places[0].zone.parse().expect("a test reads the shipped zones");
        Listing {
            kind,
            supplier: supplier.to_owned(),
            title,
            places: places.iter().map(|place| place.slug.clone()).collect(),
            starts_at: Timestamp::default(),
            ends_at: Timestamp::default(),
            zone,
            capacity: 0,
            seats: None,
            price: Money { amount: 0, currency: "EUR".parse().expect("a currency") },
            cancellation: draw.policy(),
        }
    }

    /// Sets when it begins, by the clocks of the place, and ends.
    fn at(
        &self,
        draw: Draw,
        place: &PlaceRow,
        (hour, minute): (u64, u64),
        minutes: u64,
        listing: &mut Listing,
    ) {
        let day = jiff::Span::new().days(draw.below("day", DAYS).cast_signed());
        let time = jiff::Span::new().hours(hour.cast_signed()).minutes(minute.cast_signed());
        let zone = TimeZone::get(&place.zone).expect("a test reads the shipped zones");
        let local = self.first_day.saturating_add(day).at(0, 0, 0, 0).saturating_add(time);
        let begin = zone.to_ambiguous_zoned(local).compatible().expect("years from now");
        let seconds = begin.timestamp().as_second();
        listing.starts_at = Timestamp::from_micros(seconds * 1_000_000);
        listing.ends_at = listing.starts_at.plus_seconds(minutes.cast_signed() * 60);
    }
}

/// The seats of one row.
fn row(row: u32) -> impl Iterator<Item = String> {
    ["A", "B", "C", "D"].into_iter().map(move |seat| format!("{row}{seat}"))
}

/// Chance without state: what is drawn depends on the seed, the offer, and what it is drawn for.
#[derive(Clone, Copy)]
struct Draw {
    seed: u64,
    number: u64,
}

impl Draw {
    fn below(self, purpose: &str, end: u64) -> u64 {
        let parts: [&[u8]; 3] =
            [&self.seed.to_be_bytes(), &self.number.to_be_bytes(), purpose.as_bytes()];
        let (_, low) = derive::id("seed-draw", None, &parts).as_u64_pair();
        // The two highest bits of it say what kind of UUID it is.
        (low & (u64::MAX >> 2)) % end
    }

    fn index(self, purpose: &str, length: usize) -> usize {
        usize::try_from(self.below(purpose, length as u64)).expect("below a length")
    }

    fn one_of<'a>(self, purpose: &str, choices: &[&'a str]) -> &'a str {
        choices[self.index(purpose, choices.len())]
    }

    fn between(self, purpose: &str, least: u32, most: u32) -> u32 {
        let span = u64::from(most - least) + 1;
        least + u32::try_from(self.below(purpose, span)).expect("below a u32")
    }

    /// About that many cents, between four fifths and six fifths, in whole euros.
    fn price(self, about: u64) -> i64 {
        let percent = 80 + self.below("price", 41);
        (about * percent / 10_000 * 100).max(100).cast_signed()
    }

    fn policy(self) -> CancellationPolicy {
        let terms: &[(u32, u8)] = match self.below("policy", 8) {
            0 => &[],
            1..=3 => &[(24, 50)],
            4..=6 => &[(72, 100), (24, 50)],
            _ => &[(168, 100), (48, 60), (6, 20)],
        };
        let term = |(hours_before, refund_percent): &(u32, u8)| CancellationTerm {
            hours_before: *hours_before,
            refund_percent: *refund_percent,
        };
        CancellationPolicy::new(terms.iter().map(term).collect())
    }
}

/// As the crow flies.
fn kilometres(from: &PlaceRow, to: &PlaceRow) -> f64 {
    let (a, b) = (from.latitude.to_radians(), to.latitude.to_radians());
    let (north, east) = (b - a, (to.longitude - from.longitude).to_radians());
    let half = (north / 2.0).sin().powi(2) + a.cos() * b.cos() * (east / 2.0).sin().powi(2);
    2.0 * 6_371.0 * half.sqrt().asin()
}

/// Rounded to the nearest whole.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "kilometres on this earth, times some"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::ids::{DestinationId, OfferId};
    use domain::{Command, destination, offer};
    use jiff::civil::date;

    use super::*;

    fn generator(seed: u64) -> Generator {
        Generator::new(seed, date(2027, 5, 1))
    }

    #[test]
    fn the_shipped_places_are_a_hundred_and_can_be_true() {
        let places = places();

        let slugs: BTreeSet<&str> = places.iter().map(|place| place.slug.as_str()).collect();
        assert_eq!((places.len(), slugs.len()), (100, 100));
        for place in &places {
            let description = place.description().unwrap();
            let command = destination::Command::Describe {
                destination_id: DestinationId(Uuid::from_u128(1)),
                description,
            };
            Command::Destination(command).check().unwrap();
            // Clocks follow the sun, some further than others.
            let zone = TimeZone::get(&place.zone).unwrap();
            let winter = date(2027, 1, 15).at(12, 0, 0, 0).to_zoned(zone).unwrap();
            let behind = f64::from(winter.offset().seconds()) / 3600.0 - place.longitude / 15.0;
            assert!(behind.abs() < 2.6, "{} is {behind} hours behind the sun", place.slug);
            assert!(!place.tags().is_empty(), "{}", place.slug);
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_offers_and_another_makes_others() {
        let made = |seed| -> Vec<Item> { (0..50).map(|n| generator(seed).item(n)).collect() };

        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }

    #[test]
    fn every_offer_can_be_listed_under_an_id_of_its_own() {
        let generator = generator(7);

        let made: Vec<(Uuid, Listing)> =
            (0..2_000).map(|n| (generator.id(n), generator.listing(n))).collect();

        let ids: BTreeSet<Uuid> = made.iter().map(|(id, _)| *id).collect();
        let kinds: BTreeSet<&str> = made.iter().map(|(_, terms)| terms.kind.name()).collect();
        assert_eq!((ids.len(), kinds.len()), (2_000, 6));
        assert!(made.iter().any(|(_, terms)| terms.seats.is_some()));
        for (id, terms) in made {
            let command = offer::Command::List { offer_id: OfferId(id), terms: Box::new(terms) };
            Command::Offer(command).check().unwrap();
        }
    }

    /// These offers are in logs already: others under their ids would be refused.
    #[test]
    fn offers_stay_what_they_are() {
        let first = generator(1).item(0).body;

        assert_eq!(first["id"], "bce17718-e4ac-828f-bc31-1e640505b8c9");
        assert_eq!(first["title"], "Train from Madrid to Barcelona");
    }

    #[test]
    fn distances_are_those_of_the_earth() {
        let places = places();
        let of = |slug: &str| places.iter().find(|place| place.slug == slug).unwrap();

        let lisbon_porto = kilometres(of("lisbon"), of("porto"));
        let around = kilometres(of("queenstown"), of("madrid"));

        assert!((270.0..280.0).contains(&lisbon_porto), "{lisbon_porto}");
        assert!((19_000.0..20_020.0).contains(&around), "{around}");
    }
}
