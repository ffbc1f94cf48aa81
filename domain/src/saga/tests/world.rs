//! A little world in which sagas run: the real aggregates, a log, a projection of the work, a
//! dispatcher, a connector and a provider with a ledger of its own. Everything that may go wrong on
//! the way goes wrong only when a test says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use uuid::Uuid;

use super::provider::Provider;
use crate::calendar::Period;
use crate::ids::{AccountId, BookingId, CommandId, ItineraryId, OfferId, PaymentId, TravellerId};
use crate::money::Money;
use crate::offer::{CancellationPolicy, CancellationTerm, Claim, Listing, OfferKind};
use crate::payment::Payment;
use crate::saga::{self, Ask, Change, Outcome, Saga, Settings, Todo, Work, WorkKey};
use crate::testing::saga as system;
use crate::{
    Actor, Category, Command, Context, Event, Refusal, Sealed, State, StreamName, Tenant,
    Timestamp, booking, derive, itinerary, offer, payment,
};

/// One aggregate's history and state.
pub(super) struct Stream {
    pub(super) state: State,
    pub(super) events: Vec<Event>,
}

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum No {
    /// The aggregate refused.
    Refused(Refusal),
}

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) streams: BTreeMap<StreamName, Stream>,
    /// Commands whose events are in the log: a repeat under the same id is not decided again.
    decided: BTreeSet<CommandId>,
    /// What the projection has not read yet, in each stream's order.
    pub(super) unread: BTreeMap<StreamName, VecDeque<Event>>,
    /// What the projection made of the rest.
    pub(super) work: BTreeMap<WorkKey, Work>,
    pub(super) provider: Provider,
    /// What the provider said and nobody recorded yet.
    pub(super) mail: Vec<(PaymentId, payment::Command)>,
    /// Commands of dispatchers that fell asleep while they sent them.
    pub(super) late: Vec<(StreamName, Command, CommandId)>,
    /// What happened, for people.
    pub(super) story: Vec<String>,
    fresh: u128,
}

pub(super) fn euro(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

pub(super) fn owner() -> Actor {
    Actor::Account(AccountId(Uuid::from_u128(1)))
}

pub(super) fn sealed() -> Sealed {
    Sealed { person: AccountId(Uuid::from_u128(1)).into(), ciphertext: "c2VhbGVk".to_owned() }
}

pub(super) fn offer_stream(number: u8) -> StreamName {
    StreamName::new(Category::Offer, Uuid::from_u128(0x0F0 + u128::from(number)))
}

pub(super) fn booking_stream(number: u8) -> StreamName {
    StreamName::new(Category::Booking, booking_id(number).0)
}

pub(super) fn booking_id(number: u8) -> BookingId {
    BookingId(Uuid::from_u128(0xB00 + u128::from(number)))
}

pub(super) fn itinerary_stream() -> StreamName {
    StreamName::new(Category::Itinerary, Uuid::from_u128(0x170))
}

/// The price of one place of any offer.
pub(super) const PRICE: i64 = 1_000;

impl World {
    /// Three offers of few places, the last with a seat map; one trip.
    pub(super) fn new() -> Self {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let mut world = Self {
            now,
            streams: BTreeMap::new(),
            decided: BTreeSet::new(),
            unread: BTreeMap::new(),
            work: BTreeMap::new(),
            provider: Provider::default(),
            mail: Vec::new(),
            late: Vec::new(),
            story: Vec::new(),
            fresh: 0,
        };
        for number in 0..3 {
            let seats = (number == 2).then(|| vec!["1A".to_owned(), "1B".to_owned()]);
            let terms = Box::new(Listing {
                kind: OfferKind::Tour,
                supplier: "Sample tours".to_owned(),
                title: format!("Tour {number}"),
                places: vec!["Lisbon".to_owned()],
                starts_at: now.plus_seconds(20 * 86_400),
                ends_at: now.plus_seconds(20 * 86_400 + 7_200),
                zone: "Europe/Lisbon".parse().unwrap(),
                capacity: if number == 2 { 2 } else { 3 },
                seats,
                price: euro(PRICE),
                cancellation: CancellationPolicy::new(vec![CancellationTerm {
                    hours_before: 24,
                    refund_percent: 33,
                }]),
            });
            let offer_id = OfferId(offer_stream(number).id);
            let command = Command::Offer(offer::Command::List { offer_id, terms });
            world.ask(offer_stream(number), command, &owner()).unwrap();
        }
        let create = itinerary::Command::Create {
            itinerary_id: ItineraryId(itinerary_stream().id),
            title: "Portugal".to_owned(),
            period: Period {
                start: "2026-01-20".parse().unwrap(),
                end: "2026-01-25".parse().unwrap(),
                zone: "Europe/Lisbon".parse().unwrap(),
            },
            metadata: None,
        };
        world.ask(itinerary_stream(), Command::Itinerary(create), &owner()).unwrap();
        world
    }

    /// An id that no other command has.
    pub(super) fn fresh(&mut self) -> CommandId {
        self.fresh += 1;
        CommandId(Uuid::from_u128(0xF5E5_0000_0000 + self.fresh))
    }

    pub(super) fn ask(
        &mut self,
        stream: StreamName,
        command: Command,
        actor: &Actor,
    ) -> Result<(), No> {
        let id = self.fresh();
        self.send(stream, command, id, actor)
    }

    /// What a lane does: decides once an id, on the newest state, and appends.
    #[expect(clippy::needless_pass_by_value, reason = "who sends hands the command over")]
    pub(super) fn send(
        &mut self,
        stream: StreamName,
        command: Command,
        id: CommandId,
        actor: &Actor,
    ) -> Result<(), No> {
        if self.decided.contains(&id) {
            return Ok(());
        }
        self.now = Timestamp::from_micros(self.now.micros() + 1);
        let context = Context { now: self.now, actor: actor.clone(), tenant: Tenant::default() };
        let known = self.streams.entry(stream).or_insert_with(|| Stream {
            state: State::initial(stream.category),
            events: Vec::new(),
        });
        let checked = command.check();
        let decision = checked.and_then(|()| known.state.decide(&command, &context));
        let events = match decision {
            Ok(events) => events,
            Err(refusal) => {
                self.tell(format!("{} -> {stream}: refused, {}", command.name(), refusal.code));
                return Err(No::Refused(refusal));
            }
        };
        let names: Vec<&str> = events.iter().map(Event::name).collect();
        let told = format!("{} -> {stream}: {}", command.name(), names.join(", "));
        if !events.is_empty() {
            self.decided.insert(id);
        }
        for event in events {
            let state = std::mem::replace(&mut known.state, State::initial(stream.category));
            known.state = state.evolve(&event);
            known.events.push(event.clone());
            self.unread.entry(stream).or_default().push_back(event);
        }
        self.tell(told);
        self.hold_invariants(stream);
        Ok(())
    }

    pub(super) fn tell(&mut self, mut line: String) {
        line.insert_str(0, &format!("{}  ", self.now));
        self.story.push(line);
    }

    /// What must hold at every prefix of the log.
    fn hold_invariants(&self, stream: StreamName) {
        match &self.streams[&stream].state {
            State::Offer(offer) => {
                let (offer::Offer::Open(stock) | offer::Offer::Closed(stock)) = &**offer else {
                    return;
                };
                let held: u32 = stock.holds.values().map(|held| held.claim.quantity()).sum();
                let sold: u32 = stock.allocations.values().map(|sold| sold.claim.quantity()).sum();
                assert!(held + sold <= stock.capacity, "{stream} is oversold{}", self.told());
                let claims = stock.holds.values().map(|held| &held.claim);
                let claims = claims.chain(stock.allocations.values().map(|sold| &sold.claim));
                let seats: Vec<_> = claims.flat_map(Claim::seats).collect();
                let distinct: BTreeSet<_> = seats.iter().collect();
                assert_eq!(seats.len(), distinct.len(), "a seat is taken twice{}", self.told());
            }
            State::Payment(payment) => {
                let Payment::Known(ledger) = &**payment else { return };
                let back = ledger.refunded() + ledger.refund_pending();
                let sound = back <= ledger.captured
                    && ledger.captured <= ledger.authorized
                    && ledger.authorized <= ledger.terms.amount.amount;
                assert!(sound, "{stream} gives back more than it took{}", self.told());
            }
            _ => {}
        }
    }

    /// Whether a command of that id has its events in the log.
    pub(super) fn knows(&self, id: CommandId) -> bool {
        self.decided.contains(&id)
    }

    /// Every saga whose time is over is told so before anything else happens.
    pub(super) fn pass_deadlines(&mut self) {
        self.read_all();
        let over = self.due().into_iter().filter(|key| key.effect == "deadline");
        let over: Vec<WorkKey> = over.collect();
        over.iter().for_each(|key| self.work_on(key));
    }

    /// The story, for a failure's message.
    pub(super) fn told(&self) -> String {
        format!("\n\nThe story:\n  {}\n", self.story.join("\n  "))
    }

    pub(super) fn book(&mut self, number: u8, wanted: &[(u8, Claim)]) {
        let lines = wanted.iter().zip(1..).map(|((offer, claim), line)| booking::Line {
            line,
            offer_id: OfferId(offer_stream(*offer).id),
            claim: claim.clone(),
            unit_price: euro(PRICE),
        });
        let request = booking::Command::Request {
            booking_id: booking_id(number),
            itinerary_id: ItineraryId(itinerary_stream().id),
            lines: lines.collect(),
            travellers: vec![booking::Traveller {
                traveller_id: TravellerId(Uuid::from_u128(7)),
                details: sealed(),
            }],
            payment_method: "card".to_owned(),
        };
        let _asked_before = self.ask(booking_stream(number), Command::Booking(request), &owner());
    }

    pub(super) fn cancel(&mut self, number: u8) {
        let (by, reason) = (booking::CancelledBy::Traveller, sealed());
        let cancel = Command::Booking(booking::Command::Cancel { by, reason });
        let _too_late_perhaps = self.ask(booking_stream(number), cancel, &owner());
    }

    /// The projection reads the next event of that stream.
    pub(super) fn read(&mut self, stream: StreamName) {
        let Some(event) = self.unread.get_mut(&stream).and_then(VecDeque::pop_front) else {
            return;
        };
        for (key, change) in saga::changes_of(stream, &event) {
            self.work.entry(key).or_default().apply(change);
        }
    }

    pub(super) fn read_all(&mut self) {
        let streams: Vec<StreamName> = self.unread.keys().copied().collect();
        for stream in streams {
            while self.unread.get(&stream).is_some_and(|unread| !unread.is_empty()) {
                self.read(stream);
            }
        }
    }

    /// The rows that a dispatcher would work on now.
    pub(super) fn due(&self) -> Vec<WorkKey> {
        let due = |work: &Work| match work.todo() {
            Todo::Nothing => false,
            Todo::Send(ask) => ask.not_before <= self.now,
            Todo::Record(..) => true,
        };
        self.work.iter().filter(|(_, work)| due(work)).map(|(key, _)| key.clone()).collect()
    }

    /// A dispatcher works on the row, and hears the answer.
    pub(super) fn work_on(&mut self, key: &WorkKey) {
        match self.work[key].todo() {
            Todo::Nothing => {}
            Todo::Record(ask, outcome) => {
                let (ask, outcome) = (ask.clone(), outcome.clone());
                self.record(&ask, outcome);
            }
            Todo::Send(ask) => {
                let ask = ask.clone();
                let answer = self.deliver(key.target, &ask);
                self.answered(&ask, answer);
            }
        }
    }

    pub(super) fn deliver(&mut self, target: StreamName, ask: &Ask) -> Result<(), No> {
        let command = with_settings(ask.command.clone());
        self.send(target, command, ask.command_id, &system())
    }

    /// What a dispatcher makes of a lane's answer.
    pub(super) fn answered(&mut self, ask: &Ask, answer: Result<(), No>) {
        match answer {
            Ok(()) if ask.awaits_fact => {}
            Ok(()) => self.record(ask, Outcome::done()),
            Err(No::Refused(refusal)) => self.record(ask, Outcome::refused(refusal)),
        }
    }

    /// Nothing for a row that only tells a saga something: it is sent until the saga has heard.
    pub(super) fn record(&mut self, ask: &Ask, outcome: Outcome) {
        let Some((stream, command, id)) = saga::record(ask, outcome) else { return };
        let _heard_before = self.send(stream, command, id, &system());
    }

    /// The payments that wait for their provider.
    pub(super) fn payments(&self) -> Vec<PaymentId> {
        let payments = self.streams.iter().filter_map(|(name, stream)| {
            let State::Payment(payment) = &stream.state else { return None };
            let Payment::Known(ledger) = &**payment else { return None };
            Provider::asked(ledger).is_some().then_some(PaymentId(name.id))
        });
        payments.collect()
    }

    pub(super) fn ledger(&self, payment_id: PaymentId) -> Option<&payment::Ledger> {
        let name = StreamName::new(Category::Payment, payment_id.0);
        match &self.streams.get(&name)?.state {
            State::Payment(payment) => match &**payment {
                Payment::Known(ledger) => Some(ledger),
                Payment::NotRequested => None,
            },
            _ => None,
        }
    }

    /// A connector makes the payment's next call; what the provider says goes to the mail.
    pub(super) fn call(&mut self, payment_id: PaymentId, lucky: bool) {
        let Some(ledger) = self.ledger(payment_id).cloned() else { return };
        let Some(call) = Provider::asked(&ledger) else { return };
        let said = self.provider.called(&ledger, call, lucky);
        let words: Vec<&str> = said.iter().map(payment::Command::name).collect();
        self.tell(format!("provider, {call:?}: {}", words.join(", ")));
        self.mail.extend(said.into_iter().map(|fact| (payment_id, fact)));
    }

    /// Somebody records what the provider said.
    pub(super) fn receive(&mut self, index: usize, keep: bool) {
        if index >= self.mail.len() {
            return;
        }
        let (payment_id, fact) = self.mail[index].clone();
        if !keep {
            self.mail.remove(index);
        }
        let stream = StreamName::new(Category::Payment, payment_id.0);
        let _facts_come_late = self.ask(stream, Command::Payment(fact), &system());
    }

    /// Holds whose time has passed are freed.
    pub(super) fn expire_holds(&mut self) {
        let mut expired = Vec::new();
        for (name, stream) in &self.streams {
            let State::Offer(offer) = &stream.state else { continue };
            let (offer::Offer::Open(stock) | offer::Offer::Closed(stock)) = &**offer else {
                continue;
            };
            let over = stock.holds.iter().filter(|(_, held)| held.expires_at <= self.now);
            expired.extend(over.map(|(hold_id, _)| (*name, *hold_id)));
        }
        for (name, hold_id) in expired {
            let command = Command::Offer(offer::Command::ExpireHold { hold_id });
            let _freed_before = self.ask(name, command, &system());
        }
    }

    pub(super) fn saga(&self, id: crate::ids::SagaId) -> Option<&Saga> {
        match &self.streams.get(&saga::stream(id))?.state {
            State::Saga(saga) => Some(saga),
            _ => None,
        }
    }

    pub(super) fn trip(&self, number: u8) -> Option<&Saga> {
        self.saga(derive::trip_saga(booking_id(number)))
    }

    /// Folds the work anew from the log, one stream after the other.
    pub(super) fn work_anew(&self) -> BTreeMap<WorkKey, Work> {
        let mut work: BTreeMap<WorkKey, Work> = BTreeMap::new();
        for (name, stream) in self.streams.iter().rev() {
            for event in &stream.events {
                let changes: Vec<(WorkKey, Change)> = saga::changes_of(*name, event);
                changes.into_iter().for_each(|(key, change)| {
                    work.entry(key).or_default().apply(change);
                });
            }
        }
        work
    }
}

fn with_settings(command: Command) -> Command {
    match command {
        Command::Saga(command) => {
            let settings = Settings { seller: "Sample tours".to_owned(), ..Settings::default() };
            Command::Saga(command.with_settings(settings))
        }
        other => other,
    }
}
