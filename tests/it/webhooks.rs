//! What the payment provider tells on its own: enough where its answers are lost, harmless when it
//! comes late, twice or in any order, and not believed from anybody else.

use serde_json::{Value, json};

use crate::world::provider::{WEBHOOK_SECRET, signature};
use crate::world::sales::{PATIENCE, settled, text, until};
use crate::world::shop::{IMPATIENT, PRICE, Shop};
use crate::world::{World, eventually};

/// A shop that the provider tells of what it does.
fn told(world: &World) -> Shop {
    let shop = Shop::of(world);
    shop.provider.deliver_to(world.url("origin"));
    shop
}

fn refused(shop: &Shop, why: &str) -> f64 {
    let counted = shop.metric("waylog_payment", &format!("outcome=\"webhook_signature_{why}\""));
    counted.expect("a refusal is counted from the first one on")
}

#[test]
fn a_booking_goes_on_with_what_the_provider_tells_where_no_answer_comes() {
    let world = World::selling_alone(&IMPATIENT);
    let shop = told(&world);

    // The work is done, and nobody can be asked about it.
    shop.provider.misbehave("confirm", "drop_after", 1, 0);
    shop.provider.misbehave("look_up", "error_before", 1_000, 0);
    let booking = shop.ask("card_approved");

    let requested = until(&shop.client, &booking, |_| true);
    until(&shop.client, &Shop::payments(&requested), |payments| {
        payments.pointer("/data/0/authorized/amount") == Some(&json!(PRICE))
    });
    shop.provider.behave();
    shop.ended(&settled(&shop.client, &booking), "confirmed", PRICE);
    shop.balanced(1);
    world.verify();
}

#[test]
fn webhooks_that_come_late_twice_in_another_order_or_forged_change_nothing() {
    let world = World::selling_alone(&IMPATIENT);
    let shop = told(&world);

    for kind in ["late", "twice", "out_of_order", "forged"] {
        shop.provider.misdeliver(kind, 2, 1_500);
        shop.buy("card_approved");
    }

    let mut all = Vec::new();
    let done = eventually(PATIENCE, || {
        all = shop.provider.deliveries();
        all.iter().all(|one| {
            one["state"] == if one["forged"] == true { "abandoned" } else { "delivered" }
        })
    });
    assert!(done, "{all:#?}");
    assert_eq!(all.iter().filter(|one| one["forged"] == true).count(), 2);
    // Authorized and captured four times, and two of these told twice.
    assert_eq!(all.len(), 8 + 2 + 2, "{all:#?}");
    assert_eq!(refused(&shop, "forged"), 2.0, "a refusal is counted");
    shop.balanced(4);
    world.verify();
}

#[test]
fn a_webhook_is_believed_from_the_provider_alone_and_only_for_a_while() {
    let world = World::selling_alone(&IMPATIENT);
    let shop = told(&world);
    let booking = shop.buy("card_approved");
    let payments = shop.client.get(&Shop::payments(&booking));
    let (payment, version) =
        (text(&payments, "/data/0/id"), payments.at("/data/0/version").clone());
    // Something that it did say, and the same with another id, of a thing that never happened.
    let said = shop.provider.events(&payment)[0].clone();
    let mut made_up = said.clone();
    made_up["id"] = json!("evt_made_up");
    made_up["type"] = json!("payment_intent.canceled");
    let send = |event: &Value, signature: &str| {
        let body = event.to_string();
        let headers = [("sandbox-signature", signature)];
        let path = "/v1/webhooks/sandbox";
        shop.client.send("POST", path, &headers, Some(body.as_bytes())).unwrap()
    };

    send(&said, &signature(WEBHOOK_SECRET, &said, 0)).expect(204);
    let strange = signature("a secret of somebody else", &made_up, 0);
    let stale = signature(WEBHOOK_SECRET, &made_up, 3_600);
    let refusals = ["nonsense", "t=1", &strange, &stale].map(|signature| {
        let refused = send(&made_up, signature).expect(400);
        refused.code().trim_start_matches("webhook_signature_").to_owned()
    });

    assert_eq!(refusals, ["malformed", "malformed", "forged", "stale"]);
    assert_eq!(["malformed", "forged", "stale"].map(|why| refused(&shop, why)), [2.0, 1.0, 1.0]);
    let after = shop.client.get(&format!("/v1/payments/{payment}")).expect(200);
    assert_eq!(after.at("/version"), &version, "nothing was recorded");
    shop.ended(&booking, "confirmed", PRICE);
    shop.balanced(1);
    world.verify();
}
