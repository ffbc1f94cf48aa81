//! How a world comes to rest, and what must be true of it then.

use super::world::{World, booking_stream, itinerary_stream, owner};
use crate::booking::{Booking, Status};
use crate::ids::BookingId;
use crate::offer::Offer;
use crate::saga::{self, Saga, Todo};
use crate::{Category, Command, State, StreamName, derive};

/// Turns of a world that should have come to rest long before.
const TURNS_MAX: usize = 2_000;

impl World {
    /// Everything works from here on: whatever can be done is done, in turn, until nothing is left;
    /// time passes when nothing else does, and an operator looks after what is stuck.
    pub(super) fn come_to_rest(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn(true) && !self.step_time() {
                return;
            }
        }
        panic!("the world does not come to rest{}", self.told());
    }

    /// One turn of everybody; whether anybody did anything.
    pub(super) fn turn(&mut self, lucky: bool) -> bool {
        self.read_all();
        let late = std::mem::take(&mut self.late);
        let mut busy = !late.is_empty();
        for (stream, command, id) in late {
            let _refused_perhaps = self.send(stream, command, id, &crate::testing::saga());
        }
        while !self.mail.is_empty() {
            busy = true;
            self.receive(0, false);
        }
        self.read_all();
        let before = self.story.len();
        for key in self.due() {
            self.work_on(&key);
        }
        for payment_id in self.payments() {
            self.call(payment_id, lucky);
        }
        self.look_after_the_stuck();
        busy || self.unread.values().any(|unread| !unread.is_empty()) || {
            // Sending again what waits for a fact is no progress.
            let said: Vec<&String> = self.story[before..].iter().collect();
            said.iter().any(|line| !line.contains("refused") && !line.ends_with(": "))
        }
    }

    fn look_after_the_stuck(&mut self) {
        let stuck = |stream: &super::world::Stream| match &stream.state {
            State::Saga(saga) => matches!(**saga, Saga::Stuck(_)),
            _ => false,
        };
        let names = self.streams.iter().filter(|(_, stream)| stuck(stream));
        let names: Vec<StreamName> = names.map(|(name, _)| *name).collect();
        for name in names {
            let retry = saga::Command::Retry { reason: String::new() };
            self.ask(name, retry.into(), &owner()).expect("a stuck saga is tried again");
        }
    }

    /// To the next instant at which something is due; whether there is one.
    pub(super) fn step_time(&mut self) -> bool {
        let asked = self.work.values().filter_map(|work| match work.todo() {
            Todo::Send(ask) => Some(ask.not_before),
            Todo::Nothing | Todo::Record(..) => None,
        });
        let held = self.streams.values().flat_map(|stream| match &stream.state {
            State::Offer(offer) => match &**offer {
                Offer::Open(stock) | Offer::Closed(stock) => {
                    stock.holds.values().map(|held| held.expires_at).collect()
                }
                Offer::NotListed => Vec::new(),
            },
            _ => Vec::new(),
        });
        let Some(next) = asked.chain(held).filter(|at| *at > self.now).min() else { return false };
        self.now = next;
        self.tell("time passes".to_owned());
        self.expire_holds();
        true
    }

    /// What must be true of every booking once no saga is active: confirmed and paid, or nothing.
    pub(super) fn assert_settled(&self) {
        let told = self.told();
        for (name, stream) in &self.streams {
            match &stream.state {
                State::Saga(saga) => {
                    assert!(!saga.active(), "{name} is still active{told}");
                }
                State::Booking(_) => self.assert_booking_settled(BookingId(name.id)),
                _ => {}
            }
        }
        for (key, work) in &self.work {
            assert_eq!(work.todo(), Todo::Nothing, "{key:?} is open{told}");
        }
        assert_eq!(self.work, self.work_anew(), "the order of streams matters{told}");
    }

    fn assert_booking_settled(&self, booking_id: BookingId) {
        let told = self.told();
        let name = StreamName::new(Category::Booking, booking_id.0);
        let State::Booking(booking) = &self.streams[&name].state else { return };
        let Some(purchase) = booking.purchase() else { return };
        let saga_id = derive::trip_saga(booking_id);
        let payment_id = derive::payment(saga_id);

        let held = self.claimed(booking_id, false);
        let sold = self.claimed(booking_id, true);
        let ledger = self.ledger(payment_id);
        let (captured, refunded) =
            ledger.map_or((0, 0), |ledger| (ledger.captured, ledger.refunded()));
        let (balance, authorized) = self.provider.balance(payment_id, purchase.total.amount);
        assert_eq!(balance, captured - refunded, "{booking_id}: not what the provider has{told}");
        assert_eq!(held, 0, "{booking_id}: places are still held{told}");
        let waits = ledger.is_some_and(|ledger| super::provider::Provider::asked(ledger).is_some());
        assert!(!waits, "{booking_id}: its payment still waits for the provider{told}");
        match &**booking {
            Booking::Confirmed(_) => {
                let places: u32 = purchase.lines.iter().map(|line| line.claim.quantity()).sum();
                assert_eq!((captured, refunded), (purchase.total.amount, 0), "{booking_id}{told}");
                assert_eq!(sold, places, "{booking_id}: not everything is sold{told}");
                assert!(self.attached(booking_id), "{booking_id}: not attached{told}");
            }
            Booking::Cancelled(_) | Booking::Rejected(_) | Booking::Expired(_) => {
                let fee = match &**booking {
                    Booking::Cancelled(cancelled)
                        if cancelled.cancellation.previous == Status::Confirmed =>
                    {
                        cancelled.cancellation.fee.amount
                    }
                    _ => 0,
                };
                assert_eq!(captured - refunded, fee, "{booking_id}: money is kept{told}");
                assert!(!authorized, "{booking_id}: an authorization is open{told}");
                assert_eq!(sold, 0, "{booking_id}: places are still sold{told}");
                assert!(!self.attached(booking_id), "{booking_id}: still attached{told}");
            }
            other => panic!("{booking_id} never ended: {:?}{told}", other.status()),
        }
    }

    fn claimed(&self, booking_id: BookingId, sold: bool) -> u32 {
        let offers = self.streams.values().filter_map(|stream| match &stream.state {
            State::Offer(offer) => match &**offer {
                Offer::Open(stock) | Offer::Closed(stock) => Some(stock),
                Offer::NotListed => None,
            },
            _ => None,
        });
        let of = |line: Option<crate::offer::LineRef>| {
            line.is_some_and(|line| line.booking_id == booking_id)
        };
        let places = offers.map(|stock| {
            if sold {
                let all = stock.allocations.values().filter(|sold| of(sold.line));
                all.map(|sold| sold.claim.quantity()).sum::<u32>()
            } else {
                let all = stock.holds.values().filter(|held| of(held.line));
                all.map(|held| held.claim.quantity()).sum::<u32>()
            }
        });
        places.sum()
    }

    fn attached(&self, booking_id: BookingId) -> bool {
        let State::Itinerary(trip) = &self.streams[&itinerary_stream()].state else {
            return false;
        };
        match &**trip {
            crate::itinerary::Itinerary::NotCreated => false,
            crate::itinerary::Itinerary::Active(trip)
            | crate::itinerary::Itinerary::Archived(trip) => trip.bookings.contains(&booking_id),
        }
    }

    /// The wire names of what happened to the booking.
    pub(super) fn history(&self, number: u8) -> Vec<&'static str> {
        let stream = self.streams.get(&booking_stream(number));
        stream.map(|s| s.events.iter().map(crate::Event::name).collect()).unwrap_or_default()
    }

    /// A command by an account, for a test's story.
    pub(super) fn person_asks(&mut self, stream: StreamName, command: Command) {
        let _refused_perhaps = self.ask(stream, command, &owner());
    }
}
