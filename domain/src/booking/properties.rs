//! What holds after any commands by anybody at any time, judged from the events alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::{BookingId, HoldId, ItineraryId, OfferId, PaymentId, PersonId, TravellerId};
use crate::money::Money;
use crate::offer::{CancellationPolicy, CancellationTerm, Claim, OfferKind};
use crate::testing::{account, decide, fold, reads_back, restores, saga};
use crate::{Actor, Sealed, Timestamp};

fn sealed() -> Sealed {
    Sealed { person: PersonId(Uuid::from_u128(1)), ciphertext: "QQ".to_owned() }
}

fn people() -> impl Strategy<Value = Vec<Traveller>> {
    prop::collection::vec(
        (0..4_u128).prop_map(|number| Traveller {
            traveller_id: TravellerId(Uuid::from_u128(number)),
            details: sealed(),
        }),
        0..3,
    )
}

/// Lines as one purchase has them, with prices that do not divide.
fn purchases() -> impl Strategy<Value = (Vec<Line>, Vec<HeldLine>)> {
    let line = (0..4_u32, 0..400_i64, prop::bool::weighted(0.95), 0..50_i64, 0..=100_u8);
    prop::collection::vec(line, 0..4).prop_map(|lines| {
        let numbered =
            (1..).zip(lines).map(|(number, (quantity, amount, euro, hours, percent))| {
                let currency = if euro { "EUR" } else { "USD" }.parse().unwrap();
                let line = Line {
                    line: number,
                    offer_id: OfferId(Uuid::from_u128(number.into())),
                    claim: Claim::Quantity(quantity),
                    unit_price: Money { amount, currency },
                };
                let held = HeldLine {
                    line: number,
                    offer_id: line.offer_id,
                    claim: line.claim.clone(),
                    unit_price: line.unit_price,
                    hold_id: HoldId(Uuid::from_u128(number.into())),
                    cancellation: CancellationPolicy::new(vec![CancellationTerm {
                        hours_before: 24,
                        refund_percent: percent,
                    }]),
                    starts_at: Timestamp::default().plus_seconds(hours * 3_600),
                    kind: OfferKind::Tour,
                    places: vec!["porto".to_owned()],
                    title: "Tram 28".to_owned(),
                };
                (line, held)
            });
        numbered.unzip()
    })
}

/// A story about one purchase: time never goes back.
type Story = Vec<(Timestamp, Actor, Command)>;

fn stories() -> impl Strategy<Value = Story> {
    let step = (0..9_u8, 0..40_000_i64, 0..4_u8, people(), any::<bool>());
    (purchases(), people(), prop::collection::vec(step, 0..16)).prop_map(
        |((lines, held), travellers, steps)| {
            let opening = Command::Request {
                booking_id: BookingId(Uuid::from_u128(7)),
                itinerary_id: ItineraryId(Uuid::from_u128(8)),
                lines,
                travellers,
                payment_method: "card_approved".to_owned(),
            };
            let mut now = Timestamp::default();
            let mut story = vec![(now, Actor::Account(account(1)), opening.clone())];
            for (kind, seconds, who, travellers, as_operator) in steps {
                now = now.plus_seconds(seconds);
                let payment_id = PaymentId(Uuid::from_u128(u128::from(who) / 3));
                let by = if as_operator { CancelledBy::Operator } else { CancelledBy::Traveller };
                let command = match kind {
                    0 => opening.clone(),
                    1 | 2 => Command::MarkHeld { lines: held.clone(), hold_expires_at: now },
                    3 | 4 => Command::Confirm { payment_id },
                    5 => Command::Cancel { by, reason: sealed() },
                    6 => Command::FinishCancellation,
                    7 => Command::ChangeTravellers { travellers },
                    _ if as_operator => Command::Expire,
                    _ => Command::Reject {
                        code: "sold_out".to_owned(),
                        message: "sold out".to_owned(),
                        facts: "{}".to_owned(),
                    },
                };
                // Mostly whoever may ask, sometimes anybody.
                let person = matches!(
                    command,
                    Command::Request { .. }
                        | Command::Cancel { .. }
                        | Command::ChangeTravellers { .. }
                );
                let actor = match (who, person) {
                    (0, _) => Actor::Account(account(2)),
                    (_, true) => Actor::Account(account(1)),
                    (_, false) => saga(),
                };
                story.push((now, actor, command));
            }
            story
        },
    )
}

/// The state machine and the sums, kept from events alone.
#[derive(Default)]
struct Witness {
    status: Option<Status>,
    total: Option<Money>,
}

impl Witness {
    fn see(&mut self, actor: &Actor, event: &Event) {
        use Status::{Cancelled, Cancelling, Confirmed, Expired, Held, Rejected, Requested};
        let from = self.status;
        let to = match event {
            Event::Requested(event) => {
                assert_eq!(from, None);
                assert_eq!(actor.account(), Some(event.account));
                let sum: i64 = event.lines.iter().map(|line| line.price().amount).sum();
                assert_eq!(event.total.amount, sum);
                let same = |line: &Line| line.unit_price.currency == event.total.currency;
                assert!(event.lines.iter().all(same), "two currencies");
                self.total = Some(event.total);
                Requested
            }
            Event::Held(_) => {
                assert_eq!(from, Some(Requested));
                Held
            }
            Event::Confirmed(event) => {
                assert_eq!((from, Some(event.total)), (Some(Held), self.total));
                let sum: i64 = event.lines.iter().map(|line| line.total.amount).sum();
                assert_eq!(event.total.amount, sum);
                Confirmed
            }
            Event::Rejected(_) | Event::Expired(_) => {
                assert!(matches!(from, Some(Requested | Held)), "{from:?}");
                if matches!(event, Event::Rejected(_)) { Rejected } else { Expired }
            }
            Event::CancellationRequested(event) => {
                assert_eq!(Some(event.previous), from);
                assert!(matches!(from, Some(Requested | Held | Confirmed)), "{from:?}");
                let refunded: i64 = event.refunds.iter().map(|refund| refund.amount.amount).sum();
                assert_eq!(event.refund_total.amount, refunded);
                assert!(event.fee.amount >= 0 && refunded >= 0);
                let total = Money { amount: event.fee.amount + refunded, ..event.fee };
                assert_eq!(Some(total), self.total, "refunds and fee are the total");
                assert!(from == Some(Confirmed) || event.fee.amount == 0);
                Cancelling
            }
            Event::Cancelled(_) => {
                assert_eq!(from, Some(Cancelling));
                Cancelled
            }
            Event::TravellersChanged(event) => {
                assert!(matches!(from, Some(Requested | Held | Confirmed)), "{from:?}");
                assert!(!event.travellers.is_empty());
                return;
            }
        };
        self.status = Some(to);
    }
}

proptest! {
    #[test]
    fn the_invariants_hold_at_every_version(story in stories()) {
        let (mut state, mut witness) = (Booking::default(), Witness::default());

        for (now, actor, command) in &story {
            for event in decide(&state, actor, command, *now).unwrap_or_default() {
                witness.see(actor, &event);
                state = state.evolve(&event);
            }
            prop_assert_eq!(state.status(), witness.status);
        }
    }

    #[test]
    fn asking_again_for_what_was_granted_appends_nothing(story in stories()) {
        let mut state = Booking::default();

        for (now, actor, command) in &story {
            let Ok(events) = decide(&state, actor, command, *now) else { continue };
            state = events.iter().fold(state, Booking::evolve);
            let again = decide(&state, actor, command, *now);

            if matches!(command, Command::Request { .. } | Command::Cancel { .. }) {
                prop_assert!(again.is_err(), "{:?} is granted twice", command);
            } else {
                prop_assert_eq!(again, Ok(vec![]), "{:?}", command);
            }
        }
    }

    #[test]
    fn a_snapshot_at_any_version_continues_like_the_fold(
        story in stories(),
        cut: prop::sample::Index,
    ) {
        let mut events = Vec::new();
        for (now, actor, command) in &story {
            let state: Booking = fold(&events);
            events.extend(decide(&state, actor, command, *now).unwrap_or_default());
        }

        restores::<Booking>(&events, cut)?;
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(story in stories()) {
        for (_, _, command) in story {
            reads_back(crate::Command::Booking(command))?;
        }
    }
}

/// The generator must reach what the properties speak of, or they prove nothing.
#[test]
fn the_stories_reach_every_event() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();

    for _ in 0..600 {
        let mut state = Booking::default();
        for (now, actor, command) in stories().new_tree(&mut runner).unwrap().current() {
            for event in decide(&state, &actor, &command, now).unwrap_or_default() {
                seen.insert(event.name());
                state = state.evolve(&event);
            }
        }
    }

    let mut names = Event::NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), names);
}
