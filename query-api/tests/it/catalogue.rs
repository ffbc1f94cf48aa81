//! Destinations and rankings for everybody, messages for whom they are about.

use domain::destination::DestinationDescribed;
use domain::ids::{AccountId, PersonId};
use domain::{Event, RecordedEvent, Tenant, derive, notification};
use keys::{Keyring, Purpose};
use read_models::testing::payment_samples::notification_requested;
use read_models::testing::sales::{any_sale, listed, requested};
use read_models::testing::samples::SampleLog;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{OWNER, STRANGER, Who, World, token};

const OFFER: Uuid = Uuid::from_u128(0xF001);
const BOOKING: Uuid = Uuid::from_u128(0xB001);
const MESSAGE: Uuid = Uuid::from_u128(0x7001);
const STAFF: Who = Who::staff("support");

/// Lisbon and Porto, an offer between them, a booking of it, and a message about that.
fn history() -> SampleLog {
    let mut log = SampleLog::new();
    log.append(0, OFFER, OWNER, listed(OFFER, "Night train"));
    log.append(1, BOOKING, OWNER, requested(BOOKING, OWNER, OFFER));
    log.append(1, BOOKING, OWNER, any_sale(13, 0, BOOKING));
    log.append(2, MESSAGE, OWNER, notification_requested(MESSAGE, BOOKING));
    for (slug, name, tag) in [("lisbon", "Lisboa", "fado"), ("porto", "Porto", "wine")] {
        let destination_id = derive::destination(&Tenant::default(), slug);
        let Event::Destination(domain::destination::Event::Described(said)) =
            any_sale(0, 0, destination_id.0)
        else {
            panic!("a description")
        };
        let (slug, name, tags) = (slug.to_owned(), name.to_owned(), vec![tag.to_owned()]);
        let described = DestinationDescribed { destination_id, slug, name, tags, ..said };
        log.append(0, destination_id.0, OWNER, described);
    }
    log
}

/// The events, with the recipient sealed as the edge seals who travels.
async fn sealed(keyring: &Keyring, events: &[RecordedEvent]) -> Vec<RecordedEvent> {
    let person = PersonId::from(AccountId(OWNER));
    let mut events = events.to_vec();
    for recorded in &mut events {
        if let Event::Notification(notification::Event::Requested(asked)) = &mut recorded.event {
            let document = r#"{"name":"Ada","email":"ada@example.org"}"#;
            let sealing = keyring.seal(person, Purpose::Traveller, document);
            asked.recipient = Some(sealing.await.unwrap());
        }
    }
    events
}

async fn world() -> World {
    let world = World::with(&[]).await;
    world.load_as_it_is(&sealed(&world.keyring, history().events()).await).await;
    world
}

#[tokio::test]
async fn a_destination_shows_what_is_offered_and_booked_there() {
    let world = world().await;
    let wait = token(history().events());

    let path = "/v1/destinations/lisbon";
    let read = world.get_with(Who::traveller(STRANGER), path, &[("waylog-wait-for", &wait)]).await;

    let read = read.expect(200);
    assert_eq!((read.header("etag"), read.header("waylog-position")), ("\"1\"", wait.as_str()));
    assert_eq!((&read.body["slug"], &read.body["name"]), (&json!("lisbon"), &json!("Lisboa")));
    assert_eq!(read.body["coordinates"], json!({ "latitude": 41.1496, "longitude": -8.61099 }));
    let counted = json!({
        "offers_listed": 1, "offers_open": 1, "places_sold": 0, "bookings_confirmed": 1,
        "bookings_cancelled": 0,
    });
    assert_eq!(read.body["statistics"], counted);
    let nowhere = world.get(STAFF, "/v1/destinations/nowhere").await.expect(404);
    assert_eq!(nowhere.code(), "destination_not_found");
    let elsewhere = world.get(STAFF.of("other"), path).await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn destinations_are_listed_and_ranked_for_everybody() {
    let world = world().await;
    let anybody = Who::traveller(STRANGER);
    let slugs = async |path: &str| {
        let read = world.get(anybody, path).await.expect(200);
        let slugs = read.data().iter().map(|row| row["slug"].as_str().unwrap().to_owned());
        (slugs.collect::<Vec<_>>(), read.body["next_cursor"].clone())
    };

    let (first, cursor) = slugs("/v1/destinations?limit=1").await;
    let cursor = cursor.as_str().unwrap().to_owned();
    let (second, end) = slugs(&format!("/v1/destinations?limit=1&cursor={cursor}")).await;

    assert_eq!((first, second, end), (vec!["lisbon".into()], vec!["porto".into()], Value::Null));
    assert_eq!(slugs("/v1/destinations?tag=WINE&country=pt&q=por").await.0, ["porto"]);
    // The sample's booking was confirmed on the first of May.
    let ranked = "/v1/destinations/popular?period=month&date=2026-05-31&by=places&limit=1";
    let ranking = world.get(anybody, ranked).await.expect(200);
    assert_eq!(ranking.body["begins_on"], "2026-05-01");
    assert_eq!(ranking.data().len(), 1);
    assert_eq!(ranking.data()[0]["destination"]["slug"], "lisbon");
    assert_eq!((&ranking.data()[0]["rank"], &ranking.data()[0]["places"]), (&json!(1), &json!(2)));
    let today = world.get(anybody, "/v1/destinations/popular").await.expect(200);
    assert_eq!((&today.body["period"], today.data().len()), (&json!("week"), 0));
    for bad in ["popular?period=year", "popular?limit=0", "popular?date=soon", "?limit=101"] {
        let slash = if bad.starts_with('?') { "" } else { "/" };
        let refused = world.get(anybody, &format!("/v1/destinations{slash}{bad}")).await;
        assert_eq!((refused.status, refused.code()), (400, "invalid_parameter"), "{bad}");
    }
}

#[tokio::test]
async fn a_message_names_its_recipient_until_that_person_is_forgotten() {
    let world = world().await;
    let one = format!("/v1/notifications/{MESSAGE}");
    let list = format!("/v1/notifications?booking_id={BOOKING}&status=requested");

    let read = world.get(Who::traveller(OWNER), &one).await.expect(200);
    let listed = world.get(STAFF, &list).await.expect(200);
    let hidden = world.get(Who::traveller(STRANGER), &one).await.expect(404);

    assert_eq!(read.body["recipient"]["email"], "ada@example.org");
    assert_eq!((read.body.get("forgotten"), &read.body["channel"]), (None, &json!("email")));
    assert_eq!(listed.data()[0]["recipient"]["name"], "Ada");
    assert_eq!(hidden.code(), "notification_not_found");
    world.keyring.forget(PersonId::from(AccountId(OWNER))).await.unwrap();
    for read in [
        world.get(STAFF, &one).await.expect(200).body,
        world.get(STAFF, &list).await.expect(200).data()[0].clone(),
    ] {
        assert_eq!((&read["recipient"], &read["forgotten"]), (&Value::Null, &json!(true)));
        assert_eq!(read["template"], "booking-confirmed");
    }
}
