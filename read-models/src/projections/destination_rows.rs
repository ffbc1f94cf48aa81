//! The tables of `destinations`.

use domain::calendar::Zone;
use domain::ids::{BookingId, DestinationId, OfferId};
use domain::{Tenant, Timestamp};

use crate::row::{Document, row};
use crate::table::{Index, IndexKind};

row! {
    /// One destination, as the catalogue describes it.
    pub struct DestinationRow in "destinations", keys 1, append_only false {
        /// The destination.
        destination_id: DestinationId,
        /// Whose data it is.
        tenant: Tenant,
        /// Its name in addresses; never changes.
        slug: String,
        /// Its name for people.
        name: String,
        /// ISO 3166-1 alpha-2 code.
        country: String,
        /// Where it is, in millionths of a degree; north is positive.
        latitude_microdegrees: i64,
        /// Where it is, in millionths of a degree; east is positive.
        longitude_microdegrees: i64,
        /// Its IANA zone.
        zone: Zone,
        /// Free words.
        tags: Document<Vec<String>>,
        /// The tags without case and accents, each between bars.
        tag_words: String,
        /// `described` or `retired`.
        status: String,
        /// The words of its slug: what offers may call it.
        slug_place: String,
        /// The words of its name: what offers may call it too.
        name_place: String,
        /// Words of name, slug, country and tags.
        search_words: String,
        /// The stream's version that the row is at.
        version: u64,
        /// When it was first described.
        created_at: Timestamp,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index { name: "slug", kind: IndexKind::Ordered(&["tenant", "status", "slug"]) },
        Index { name: "country", kind: IndexKind::Ordered(&["tenant", "country", "slug"]) },
        // Rankings speak of places.
        Index { name: "slug_place", kind: IndexKind::Ordered(&["tenant", "slug_place"]) },
        Index { name: "name_place", kind: IndexKind::Ordered(&["tenant", "name_place"]) },
        Index { name: "words", kind: IndexKind::FullText("search_words") },
    ]
}

row! {
    /// What is offered and booked at one place, whether or not a destination is described for it.
    pub struct DestinationCountRow in "destination_counts", keys 2, append_only false {
        /// Whose data it is.
        tenant: Tenant,
        /// The place's words, without case and accents.
        place: String,
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
    indexes &[]
}

row! {
    /// What one offer adds to the counts of its places.
    pub struct DestinationOfferRow in "destination_offers", keys 1, append_only false {
        /// The offer.
        offer_id: OfferId,
        /// The words of its places, each once.
        places: Document<Vec<String>>,
        /// Whether it sells nothing new.
        closed: bool,
        /// How many of its places are sold.
        sold: u32,
    }
    indexes &[]
}

row! {
    /// What one confirmed booking adds to the counts of its places.
    pub struct DestinationBookingRow in "destination_bookings", keys 1, append_only false {
        /// The booking.
        booking_id: BookingId,
        /// The words of the places of its lines, each once.
        places: Document<Vec<String>>,
        /// Whether it was cancelled since.
        cancelled: bool,
    }
    indexes &[]
}
