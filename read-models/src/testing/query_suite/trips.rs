//! What is answered about trips.

use domain::Tenant;
use domain::ids::AccountId;
use uuid::Uuid;

use super::{FRIEND, INVITED, OWNER, STRANGER, Scene, itinerary, other_tenant, page, viewer};
use crate::queries::{ItineraryFilter, ItineraryScope, QueryError, Viewer};
use crate::testing::worlds::StoreWorld;

impl Scene {
    /// Titles of an account's list, without caring for pages.
    async fn titles(&self, account: Uuid, filter: ItineraryFilter) -> Vec<String> {
        let page = page(100, None);
        let list = self.queries.itineraries(&self.tenant, AccountId(account), &filter, &page);
        let items = list.await.unwrap().value.items;
        items.into_iter().map(|item| item.itinerary.title).collect()
    }

    async fn found(&self, query: &str) -> Vec<String> {
        let filter = ItineraryFilter { query: Some(query.to_owned()), ..Default::default() };
        self.titles(OWNER, filter).await
    }

    async fn sees(&self, tenant: &Tenant, viewer: Viewer, n: u32) -> bool {
        let detail = self.queries.itinerary(tenant, viewer, itinerary(n)).await.unwrap();
        let asked = [itinerary(n), itinerary(99)];
        let ids = self.queries.visible_itineraries(tenant, viewer, &asked);
        let visible = !ids.await.unwrap().value.is_empty();
        assert_eq!(detail.value.is_some(), visible, "both questions agree");
        visible
    }
}

/// One answer has everything, and says how far it is true.
pub async fn a_trip_is_shown_whole_to_its_people(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;

    let answer = scene.queries.itinerary(&scene.tenant, viewer(OWNER), itinerary(1)).await.unwrap();

    let trip = answer.value.unwrap();
    assert_eq!(trip.itinerary.title, "São João in Lisbon");
    assert_eq!((trip.itinerary.version, trip.itinerary.status.as_str()), (9, "active"));
    let people: Vec<_> =
        trip.members.iter().map(|m| (m.account_id.0, m.role.as_str(), m.state.as_str())).collect();
    let expected =
        [(OWNER, "owner", "joined"), (FRIEND, "editor", "joined"), (INVITED, "editor", "invited")];
    assert_eq!(people, expected);
    let plan: Vec<_> = trip.activities.iter().map(|a| (a.title.as_str(), a.price_amount)).collect();
    assert_eq!(plan, [("Fado night", Some(2_500))]);
    let comments: Vec<_> =
        trip.comments.iter().map(|comment| comment.text.0.ciphertext.as_str()).collect();
    assert_eq!(comments, ["olá", "oi"]);
    assert_eq!(answer.at.vector, scene.end);
    assert_eq!(answer.at.last_event_at, scene.events.last().map(|e| e.envelope.recorded_at));
}

/// Who takes no part sees nothing, unless it is shared; another tenant sees nothing at all.
pub async fn a_trip_is_hidden_from_everybody_else(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let here = &scene.tenant;

    for account in [OWNER, FRIEND, INVITED] {
        assert!(scene.sees(here, viewer(account), 1).await);
    }
    assert!(!scene.sees(here, viewer(STRANGER), 1).await);
    assert!(scene.sees(here, viewer(STRANGER), 2).await);
    assert!(scene.sees(here, Viewer::Operator, 1).await);
    assert!(!scene.sees(&other_tenant(), Viewer::Operator, 1).await);
    assert!(!scene.sees(here, viewer(OWNER), 6).await);
    assert!(
        scene
            .queries
            .visible_itineraries(here, Viewer::Operator, &[])
            .await
            .unwrap()
            .value
            .is_empty()
    );
}

/// Newest first; a trip that changes meanwhile is neither skipped nor repeated.
pub async fn lists_turn_pages_in_an_order_that_stays(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let (mut cursor, mut pages) = (None, Vec::new());

    loop {
        let (filter, request) = (ItineraryFilter::default(), page(2, cursor));
        let list = scene.queries.itineraries(&scene.tenant, AccountId(OWNER), &filter, &request);
        let list = list.await.unwrap().value;
        pages.push(list.items.into_iter().map(|item| item.itinerary.title).collect::<Vec<_>>());
        cursor = list.next_cursor;
        if cursor.is_none() {
            break;
        }
    }

    assert_eq!(pages, [vec!["Fez", "Rome"], vec!["Oslo", "Tokyo"], vec!["São João in Lisbon"]]);
}

/// Every filter narrows, and they go together.
pub async fn lists_are_narrowed_by_scope_status_and_days(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let scope = |scope| ItineraryFilter { scope, ..Default::default() };
    let lisbon = "São João in Lisbon";

    assert_eq!(scene.titles(FRIEND, scope(ItineraryScope::All)).await, ["Rome", lisbon]);
    assert_eq!(scene.titles(FRIEND, scope(ItineraryScope::Collaborating)).await, ["Rome", lisbon]);
    assert_eq!(scene.titles(FRIEND, scope(ItineraryScope::Owned)).await.len(), 0);
    assert_eq!(scene.titles(OWNER, scope(ItineraryScope::Owned)).await.len(), 5);
    assert_eq!(scene.titles(INVITED, scope(ItineraryScope::All)).await.len(), 0);
    assert_eq!(scene.titles(INVITED, scope(ItineraryScope::Invited)).await, [lisbon]);
    let archived = ItineraryFilter { status: Some("archived".to_owned()), ..Default::default() };
    assert_eq!(scene.titles(OWNER, archived).await, ["Oslo"]);
    let day = |text: &str| Some(text.parse().unwrap());
    let later = ItineraryFilter { from: day("2026-05-10"), ..Default::default() };
    assert_eq!(scene.titles(OWNER, later).await, ["Oslo"]);
    let earlier =
        ItineraryFilter { to: day("2026-06-30"), from: day("2026-05-09"), ..Default::default() };
    assert_eq!(scene.titles(OWNER, earlier).await, ["Fez", "Rome", "Tokyo", lisbon]);
    let together = ItineraryFilter {
        query: Some("rome".to_owned()),
        status: Some("archived".to_owned()),
        ..Default::default()
    };
    assert_eq!(scene.titles(OWNER, together).await.len(), 0);
}

/// Title, activities and places are searched, as they are now.
pub async fn search_finds_words_by_their_beginning_whatever_the_accents(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let lisbon = ["São João in Lisbon"];

    assert_eq!(scene.found("sao jo").await, lisbon);
    assert_eq!(scene.found("FADO lisb").await, lisbon);
    assert_eq!(scene.found("alfáma").await, lisbon);
    assert_eq!(scene.found("fado tokyo").await.len(), 0);
    assert_eq!(scene.found("tram").await.len(), 0, "it was removed");
    assert_eq!(scene.found("ado").await.len(), 0, "not in the middle of a word");
    for strange in ["", "!?", "' OR 1=1 --", "\"", "NEAR(a b)", "a & !b", "*"] {
        assert_eq!(scene.found(strange).await.len(), 0, "{strange}");
    }
}

/// Newest first, page by page, for members alone.
pub async fn a_feed_is_for_the_people_of_the_trip(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let feed = async |viewer, n, request| {
        let feed = scene.queries.activity_feed(&scene.tenant, viewer, itinerary(n), &request);
        feed.await.unwrap().value
    };

    let first = feed(viewer(FRIEND), 1, page(7, None)).await.unwrap();
    let second = feed(viewer(FRIEND), 1, page(7, first.next_cursor.clone())).await.unwrap();

    let lines: Vec<_> = first.items.iter().chain(&second.items).collect();
    assert_eq!((first.items.len(), second.items.len()), (7, 2));
    assert_eq!(second.next_cursor, None);
    assert!(lines.windows(2).all(|pair| pair[0].version == pair[1].version + 1));
    assert_eq!(lines[0].event_type, "itinerary-commented");
    assert_eq!(lines[0].details.0["text"]["ciphertext"], "oi");
    assert_eq!(
        (lines[1].account_id, lines[1].subject_id),
        (Some(AccountId(FRIEND)), Some(Uuid::from_u128(3)))
    );
    assert_eq!(feed(viewer(STRANGER), 1, page(7, None)).await, None);
    assert_eq!(
        feed(viewer(STRANGER), 2, page(7, None)).await,
        None,
        "sharing shows the trip alone"
    );
    assert_eq!(feed(Viewer::Operator, 2, page(7, None)).await.unwrap().items.len(), 2);
}

/// A cursor is good for its own list, and text that was never one for none.
pub async fn cursors_of_other_lists_are_refused(world: &impl StoreWorld) {
    let scene = Scene::of(world).await;
    let request = page(1, None);
    let feed = scene.queries.activity_feed(&scene.tenant, viewer(OWNER), itinerary(1), &request);
    let of_feed = feed.await.unwrap().value.unwrap().next_cursor;

    for cursor in [of_feed, Some("nonsense".to_owned())] {
        let (filter, request) = (ItineraryFilter::default(), page(1, cursor));
        let list = scene.queries.itineraries(&scene.tenant, AccountId(OWNER), &filter, &request);
        let refused = list.await.unwrap_err();
        assert!(matches!(refused, QueryError::InvalidCursor(_)), "{refused:?}");
        assert_eq!(refused.code(), "invalid_cursor");
    }
}
