//! A dispatcher or a connector that stands still with a command in its hands, until long after
//! everything was decided without it: what it does when it wakes up changes nothing. No place, no
//! hold and no charge is left behind.

use domain::Timestamp;

use crate::journey::skipped;
use crate::world::sales::{PATIENCE, now, settled, text, until};
use crate::world::shop::{IMPATIENT, PRICE, Shop};
use crate::world::{World, eventually};

/// What a booking has, which is long enough to come to any place on a busy machine, and by how much
/// its holds outlive that.
const SHORT: [(&str, &str); 2] =
    [("WAYLOG_PAYMENT_DEADLINE_SECONDS", "10"), ("WAYLOG_HOLD_MARGIN_SECONDS", "2")];

#[test]
fn what_a_paused_process_does_when_it_wakes_up_changes_nothing() {
    let Some(mut world) = World::selling_with(&[&IMPATIENT[..], &SHORT].concat()) else {
        return skipped();
    };
    let shop = Shop::of(&world);
    let (sagas, connectors) = (Some(("sagas-2", "sagas")), Some(("connectors-2", "connectors")));

    let mut sold = 0;
    for (place, another, status) in [
        // Another one has undone everything by then: what comes late meets closed doors.
        ("dispatcher.before_send hold:1", sagas, "expired"),
        ("dispatcher.before_send authorize", sagas, "expired"),
        ("connector.before_call authorize", connectors, "expired"),
        // There is no other: it finds out itself that the time is over.
        ("dispatcher.before_send allocate:1", None, "expired"),
        ("connector.before_call capture", None, "expired"),
        // Once the point of no return is asked for, no deadline counts.
        ("dispatcher.before_send confirm", sagas, "confirmed"),
    ] {
        let amount = if status == "confirmed" { PRICE } else { 0 };
        let booking = stands_still(&mut world, &shop, place, another);

        shop.ended(&settled(&shop.client, &booking), status, amount);
        sold += i64::from(status == "confirmed");
        shop.balanced(sold);
    }
    world.verify();
}

/// Whoever gets to that place stands still there until the booking's time is over, and, where there
/// is another, until that one has brought the booking to its end. Where the booking is.
fn stands_still(
    world: &mut World,
    shop: &Shop,
    place: &str,
    another: Option<(&'static str, &'static str)>,
) -> String {
    world.crash_points().arm(&format!("stop {place}"));
    let booking = shop.ask("card_approved");
    let paused = world.standing_still();
    let begun = until(&shop.client, &booking, |read| read["saga"]["deadline_at"].is_string());
    let deadline: Timestamp = text(&begun, "/saga/deadline_at").parse().unwrap();
    let too_late = deadline.plus_seconds(1);
    assert!(eventually(PATIENCE, || now() > too_late), "{place}: it is {} and not later", now());

    if let Some((name, service)) = another {
        world.start(name, &["--only", service]);
        settled(&shop.client, &booking);
    }
    world.process(paused).signal("CONT");
    if let Some((name, _)) = another {
        // What was in the hands of the one that woke up is through before it is alone again.
        assert!(world.take(name).terminate().success());
    }
    booking
}
