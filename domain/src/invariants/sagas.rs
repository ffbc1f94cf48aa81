//! Which sagas work on a booking: at most one at a time, none after its end, and the stuck ones by
//! name.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Check, Finding, Kind};
use crate::ids::{BookingId, SagaId};
use crate::saga::{self, Action, Event, Standing};

/// Every saga, as far as others are judged by it.
#[derive(Debug, Default)]
pub(super) struct Sagas {
    sagas: BTreeMap<SagaId, Seen>,
    of_booking: BTreeMap<BookingId, BTreeSet<SagaId>>,
}

/// One saga.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) kind: saga::Kind,
    pub(super) version: u64,
    pub(super) state: State,
    /// Whether it has seen a cancellation.
    pub(super) noted: bool,
    /// Whether its booking is confirmed.
    past: bool,
    /// What the steps are about that an operator settled by hand.
    by_hand: BTreeSet<About>,
}

/// What a step of a saga does something to; so is what can be wrong with a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Places,
    Money,
    Trip,
    /// The booking's own end.
    Ending,
}

impl About {
    /// Nothing for what no booking is judged by.
    fn of(step: &str) -> Option<Self> {
        Some(match step.split(':').next().unwrap_or_default() {
            "hold" | "release" | "allocate" | "return" => Self::Places,
            "authorize" | "void" | "capture" | "refund" => Self::Money,
            "attach" | "detach" => Self::Trip,
            "mark-held" | "confirm" | "reject" | "expire" | "finish-cancellation" => Self::Ending,
            _ => return None,
        })
    }
}

/// How far a saga is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Which step was given up, and why.
    Stuck(String),
    /// How it ended.
    Ended(&'static str),
}

/// How a saga ended that an operator ended as a whole.
const RESOLVED: &str = "resolved by an operator";
/// How one ended that came through.
const COMPLETED: &str = "completed";

impl Seen {
    /// Whether an operator said that this is settled: a step of the kind, or, if nobody made the
    /// saga run again, all that it was to do.
    pub(super) fn excuses(&self, about: About) -> bool {
        let whole = match self.kind {
            saga::Kind::TripBooking => !self.past,
            saga::Kind::Cancellation => true,
            saga::Kind::PaymentWatch => about == About::Money,
        };
        let whole = whole && self.state == State::Ended(RESOLVED);
        whole || self.by_hand.contains(&about)
    }

    pub(super) const fn ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }
}

impl Sagas {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.sagas.len() as u64
    }

    pub(super) fn of_booking(
        &self,
        booking_id: BookingId,
    ) -> impl Iterator<Item = (SagaId, &Seen)> + '_ {
        let ids = self.of_booking.get(&booking_id).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.sagas.get(id)?)))
    }

    /// What is wrong with the event.
    pub(super) fn read(&mut self, saga_id: SagaId, version: u64, event: &Event) -> Option<String> {
        if let Event::Started(started) = event {
            let (kind, booking_id) = (started.kind, started.booking_id);
            let (state, by_hand) = (State::Running, BTreeSet::new());
            let fresh = Seen { kind, version, state, noted: false, past: false, by_hand };
            if self.sagas.contains_key(&saga_id) {
                return Some("it starts a second time".to_owned());
            }
            self.sagas.insert(saga_id, fresh);
            self.of_booking.entry(booking_id).or_default().insert(saga_id);
            return None;
        }
        let Some(saga) = self.sagas.get_mut(&saga_id) else {
            return Some(format!("{} stands before its start", event.name()));
        };
        saga.version = version;
        let after_end = match (&saga.state, event) {
            (State::Ended(COMPLETED), Event::CancellationNoted(noted))
                if noted.standing == Standing::Running =>
            {
                Some(format!("it runs again after its end ({COMPLETED})"))
            }
            (State::Ended(_), Event::CancellationNoted(_)) => None,
            (State::Ended(how), other) => {
                Some(format!("{} stands after its end ({how})", other.name()))
            }
            _ => None,
        };
        match event {
            Event::StepSucceeded(done) => saga.past |= done.step == "confirm",
            Event::Completed(_) => saga.state = State::Ended(COMPLETED),
            Event::Compensated(_) => saga.state = State::Ended("compensated"),
            Event::Stuck(stuck) => {
                let (step, attempt, code) = (&stuck.step, stuck.attempt, &stuck.code);
                let why = format!("`{step}` was given up after attempt {attempt} ({code})");
                saga.state = State::Stuck(why);
            }
            Event::ResolvedByOperator(resolved) => {
                let step = resolved.step.as_deref().filter(|_| resolved.action == Action::Resolve);
                saga.by_hand.extend(step.and_then(About::of));
                saga.state = if resolved.ends { State::Ended(RESOLVED) } else { State::Running };
            }
            Event::CancellationNoted(noted) => {
                saga.noted = true;
                if noted.standing == Standing::Running {
                    saga.state = State::Running;
                }
            }
            _ => {}
        }
        after_end
    }

    /// The sagas that are stuck, and bookings that more than one works on.
    pub(super) fn judge(&self, found: &mut Vec<Finding>) {
        for (saga_id, saga) in &self.sagas {
            if let State::Stuck(why) = &saga.state {
                let (check, stream) = (Check::Sagas, saga::stream(*saga_id));
                let what = format!("stuck: {why}; see `waylog saga show {saga_id}`");
                let (kind, version) = (Kind::Stuck, saga.version);
                found.push(Finding { kind, check, stream, version, position: None, what });
            }
        }
        for (booking_id, ids) in &self.of_booking {
            let active = self.of_booking(*booking_id).filter(|(_, saga)| !saga.ended());
            let active: Vec<_> = active.collect();
            if ids.len() > 1 && active.len() > 1 {
                let told = active.iter().map(|(id, saga)| format!("saga-{id} v{}", saga.version));
                let told: Vec<String> = told.collect();
                let stream = saga::stream(active[1].0);
                let what = format!("booking-{booking_id} has {} at once", told.join(" and "));
                let version = active[1].1.version;
                found.push(Finding::violation(Check::Sagas, stream, version, what));
            }
        }
    }
}
