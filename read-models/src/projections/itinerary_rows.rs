//! The rows of the itineraries projection: the trip, its people, its plan and its comments.

use std::collections::BTreeMap;

use domain::calendar::{Date, Zone};
use domain::ids::{AccountId, BookingId, CommentId, ItineraryId};
use domain::{Sealed, Tenant, Timestamp};
use uuid::Uuid;

use crate::row::{Document, row};
use crate::search::search_words;
use crate::table::{Index, IndexKind};

row! {
    /// One trip: title, days, status and what is known about it. People, plan and comments are in
    /// the tables beside it.
    pub struct ItineraryRow in "itineraries", keys 1, append_only false {
        /// The trip.
        itinerary_id: ItineraryId,
        /// Whose data it is.
        tenant: Tenant,
        /// The account that owns it.
        owner_id: AccountId,
        /// What the traveller calls it.
        title: String,
        /// `active` or `archived`.
        status: String,
        /// Whether everybody with the link may read it.
        shared: bool,
        /// The first day.
        start_date: Date,
        /// The last day.
        end_date: Date,
        /// IANA zone in which the days are counted.
        zone: Zone,
        /// What may be spent, in minor units of the currency.
        budget_amount: Option<i64>,
        /// ISO 4217 code of the budget.
        budget_currency: Option<String>,
        /// How many people travel.
        travellers: Option<u32>,
        /// Free words such as `vegetarian`: an array of text.
        preferences: Document<Vec<String>>,
        /// The bookings attached now, in order of attachment: an array of ids.
        booking_ids: Document<Vec<BookingId>>,
        /// Title and place of each planned activity, by its id: what `search_words` is made from.
        activity_texts: Document<BTreeMap<Uuid, String>>,
        /// Normalized words of title, activities and places, for full-text search.
        search_words: String,
        /// The stream's version that the row is at.
        version: u64,
        /// When the trip was created.
        created_at: Timestamp,
        /// When its last event was recorded.
        updated_at: Timestamp,
    }
    indexes &[
        Index { name: "words", kind: IndexKind::FullText("search_words") },
        Index { name: "preferences", kind: IndexKind::Json("preferences") },
        Index { name: "days", kind: IndexKind::Ordered(&["tenant", "start_date"]) },
    ]
}

impl ItineraryRow {
    /// Makes the search words anew from title and activities.
    pub(super) fn reindex(&mut self) {
        let activities = self.activity_texts.0.values().map(String::as_str);
        self.search_words = search_words(activities.chain([self.title.as_str()]));
    }
}

row! {
    /// One account's part in one trip: the owner, a collaborator, or an open invitation.
    pub struct MemberRow in "itinerary_members", keys 2, append_only false {
        /// Who.
        account_id: AccountId,
        /// In which trip.
        itinerary_id: ItineraryId,
        /// Whose data it is.
        tenant: Tenant,
        /// `owner`, `editor` or `viewer`.
        role: String,
        /// `joined`, or `invited` until the account accepts.
        state: String,
        /// When the trip was created: lists are ordered by it.
        itinerary_created_at: Timestamp,
    }
    indexes &[
        Index {
            name: "trips",
            kind: IndexKind::Ordered(&[
                "tenant", "account_id", "itinerary_created_at", "itinerary_id",
            ]),
        },
        Index { name: "people", kind: IndexKind::Ordered(&["itinerary_id"]) },
    ]
}

row! {
    /// One planned activity of a trip.
    pub struct ActivityRow in "itinerary_activities", keys 2, append_only false {
        /// In which trip.
        itinerary_id: ItineraryId,
        /// Which activity.
        activity_id: Uuid,
        /// Whose data it is.
        tenant: Tenant,
        /// `flight`, `hotel`, `tour`, `transfer`, `meal` or `free`.
        kind: String,
        /// What it is called.
        title: String,
        /// Where it is.
        place: String,
        /// When it begins.
        starts_at: Timestamp,
        /// When it ends.
        ends_at: Timestamp,
        /// IANA zone of the place.
        zone: Zone,
        /// Anything else worth knowing.
        details: Option<String>,
        /// What it may cost, in minor units of the currency.
        price_amount: Option<i64>,
        /// ISO 4217 code of the price.
        price_currency: Option<String>,
        /// Who added it.
        added_by: AccountId,
        /// When it was added.
        added_at: Timestamp,
    }
    indexes &[Index { name: "times", kind: IndexKind::Ordered(&["tenant", "starts_at"]) }]
}

row! {
    /// One comment on a trip.
    pub struct CommentRow in "itinerary_comments", keys 2, append_only true {
        /// On which trip.
        itinerary_id: ItineraryId,
        /// The stream's version of the comment's event: comments rise with it.
        version: u64,
        /// Which comment.
        comment_id: CommentId,
        /// Whose data it is.
        tenant: Tenant,
        /// Who wrote it.
        author_id: AccountId,
        /// What was written, sealed under its author's key: unreadable here.
        text: Document<Sealed>,
        /// When.
        written_at: Timestamp,
    }
    indexes &[]
}
