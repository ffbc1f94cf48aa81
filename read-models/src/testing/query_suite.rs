//! What queries answer, as tests: both dialects pass all of them.
//!
//! `read_queries_contract!(world)` makes one test of each case, and `hot_queries_contract!(world)`
//! of those that Redis answers too.

mod audit;
mod catalogue;
mod payments;
mod sales;
mod trips;

use std::sync::Arc;

use domain::ids::{AccountId, ItineraryId};
use domain::itinerary as trip;
use domain::{PositionVector, RecordedEvent, Tenant};
use uuid::Uuid;

pub use audit::*;
pub use catalogue::*;
pub use payments::*;
pub use sales::*;
pub use trips::*;

use super::loader::load_all;
use super::samples::{SampleLog, activity_added, commented, created, invited, joined};
use super::worlds::StoreWorld;
use crate::queries::{PageRequest, ReadQueries, Viewer};
use crate::store::ReadStore;

/// Makes a test of every case.
#[macro_export]
macro_rules! read_queries_contract {
    ($world:path) => {
        $crate::read_queries_contract!(@cases $world:
            a_trip_is_shown_whole_to_its_people,
            a_trip_is_hidden_from_everybody_else,
            lists_turn_pages_in_an_order_that_stays,
            lists_are_narrowed_by_scope_status_and_days,
            search_finds_words_by_their_beginning_whatever_the_accents,
            a_feed_is_for_the_people_of_the_trip,
            a_payment_is_for_the_account_of_its_booking,
            payments_are_listed_by_booking_and_page,
            a_booking_is_for_its_owner_and_comes_with_its_saga,
            bookings_are_listed_by_trip_status_and_page,
            an_offer_says_how_much_of_it_is_left,
            offers_are_found_by_what_travellers_ask,
            an_offer_shows_the_newest_numbers_that_are_known,
            destinations_are_found_by_country_tag_and_words,
            a_destination_knows_what_is_offered_and_booked_there,
            destinations_are_ranked_by_what_was_booked,
            messages_are_for_the_account_of_their_booking,
            sagas_are_listed_by_state_and_tell_their_story,
            cursors_of_other_lists_are_refused,
            audit_lists_streams_requests_and_actors,
            events_after_a_position_come_once_and_in_order,
            a_position_is_waited_for_no_longer_than_asked,
            a_parked_stream_says_why,
            answers_follow_the_live_pointer,
        );
        $crate::hot_queries_contract!($world);
    };
    (@cases $world:path: $($case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            if let Some(world) = $world().await {
                $crate::testing::query_suite::$case(&world).await;
            }
        }
    )+};
}

/// Makes a test of every case that Redis answers.
#[macro_export]
macro_rules! hot_queries_contract {
    ($world:path) => {
        $crate::read_queries_contract!(@cases $world:
            what_is_left_is_looked_up_by_offer,
            places_are_ranked_by_period_and_measure,
        );
    };
}

const OWNER: Uuid = Uuid::from_u128(0xA1);
const FRIEND: Uuid = Uuid::from_u128(0xA2);
const INVITED: Uuid = Uuid::from_u128(0xA3);
const STRANGER: Uuid = Uuid::from_u128(0xA4);

/// Trip `n` of the sample; they are spread over three partitions.
fn trip_id(n: u32) -> Uuid {
    Uuid::from_u128(0x1000 + u128::from(n))
}

fn itinerary(n: u32) -> ItineraryId {
    ItineraryId(trip_id(n))
}

fn viewer(account: Uuid) -> Viewer {
    Viewer::Account(AccountId(account))
}

fn other_tenant() -> Tenant {
    "other".parse().unwrap()
}

fn page(limit: u32, cursor: Option<String>) -> PageRequest {
    PageRequest { limit, cursor }
}

/// Trips of one owner: 1 with everything in it, 2 shared, 3 archived, 4 and 5 plain; 6 is of
/// another
/// tenant. The friend collaborates on 1 and 4.
fn history() -> Vec<RecordedEvent> {
    let mut log = SampleLog::new();
    let mut append = |n: u32, actor, event| log.append(n % 3, trip_id(n), actor, event);
    for (n, title) in
        [(1, "São João in Lisbon"), (2, "Tokyo"), (3, "Oslo"), (4, "Rome"), (5, "Fez")]
    {
        append(n, OWNER, domain::Event::from(created(trip_id(n), OWNER, title)));
    }
    let id = trip_id(1);
    append(1, OWNER, activity_added(id, Uuid::from_u128(1), OWNER, "Fado night", "Alfama").into());
    append(1, OWNER, activity_added(id, Uuid::from_u128(2), OWNER, "Tram", "Graça").into());
    let (itinerary_id, activity_id) =
        (ItineraryId(id), domain::ids::ActivityId(Uuid::from_u128(2)));
    append(1, OWNER, trip::ItineraryActivityRemoved { itinerary_id, activity_id }.into());
    append(1, OWNER, invited(id, FRIEND, OWNER).into());
    append(1, FRIEND, joined(id, FRIEND).into());
    append(1, OWNER, invited(id, INVITED, OWNER).into());
    append(1, FRIEND, commented(id, Uuid::from_u128(3), FRIEND, "olá").into());
    append(1, OWNER, commented(id, Uuid::from_u128(4), OWNER, "oi").into());
    append(4, OWNER, invited(trip_id(4), FRIEND, OWNER).into());
    append(4, FRIEND, joined(trip_id(4), FRIEND).into());
    append(2, OWNER, trip::ItineraryShared { itinerary_id: itinerary(2) }.into());
    let period = super::samples::period("2026-07-01", "2026-07-05");
    append(3, OWNER, trip::ItineraryPeriodChanged { itinerary_id: itinerary(3), period }.into());
    append(3, OWNER, trip::ItineraryArchived { itinerary_id: itinerary(3) }.into());
    log.append_for(&other_tenant(), 0, trip_id(6), OWNER, created(trip_id(6), OWNER, "Lisbon"));
    log.into_events()
}

struct Scene {
    store: Arc<dyn ReadStore>,
    queries: ReadQueries,
    events: Vec<RecordedEvent>,
    end: PositionVector,
    tenant: Tenant,
}

impl Scene {
    async fn of(world: &impl StoreWorld) -> Self {
        let store = world.open();
        store.prepare().await.unwrap();
        let events = history();
        load_all(&*store, &events, 4).await.unwrap();
        Self {
            queries: world.queries(),
            store,
            end: events.iter().map(|event| event.position).collect(),
            events,
            tenant: Tenant::default(),
        }
    }
}
