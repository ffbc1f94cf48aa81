//! Closed doors: the ids of holds that must not be held (again).
//!
//! A door stays closed until the hold could no longer be asked for at all; then time refuses, and
//! the id is forgotten. So the memory is bounded by time. It is bounded in number too: when there
//! are too many doors, the rest are closed by one: no hold at all, until the last of them could no
//! longer come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::ENDED_HOLDS_MAX;
use crate::ids::HoldId;
use crate::time::Timestamp;

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was given up, or will never be.
    Released,
    /// Its time passed.
    Expired,
    /// It was sold and came back, or will never be sold.
    Returned,
}

/// One closed door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// How the hold ended.
    pub ending: Ending,
    /// The last instant at which it is closed.
    pub until: Timestamp,
}

/// All closed doors of an offer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Doors {
    by_hold: BTreeMap<HoldId, Door>,
    /// Until when every door is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all_until: Option<Timestamp>,
}

impl Doors {
    /// The door of that hold, if it is closed at `now`.
    pub(super) fn closed(&self, hold_id: HoldId, now: Timestamp) -> Option<Door> {
        self.by_hold.get(&hold_id).filter(|door| now <= door.until).copied()
    }

    /// Until when no hold is taken at all.
    pub(super) fn all_closed(&self, now: Timestamp) -> Option<Timestamp> {
        self.all_until.filter(|until| now <= *until)
    }

    /// Until when that hold cannot come; nothing when it can.
    pub(super) fn closed_until(&self, hold_id: HoldId, now: Timestamp) -> Option<Timestamp> {
        let own = self.closed(hold_id, now).map(|door| door.until);
        own.max(self.all_closed(now))
    }

    /// Closes a door, and forgets those that time has closed for good.
    pub(super) fn close(&mut self, hold_id: HoldId, door: Door, now: Timestamp) {
        self.by_hold.retain(|_, door| now <= door.until);
        self.all_until = self.all_closed(now);
        if now > door.until {
            return;
        }
        let room = self.by_hold.len() < ENDED_HOLDS_MAX;
        match self.by_hold.get_mut(&hold_id) {
            Some(known) => known.until = known.until.max(door.until),
            None if room => drop(self.by_hold.insert(hold_id, door)),
            None => self.all_until = self.all_until.max(Some(door.until)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn hold(number: usize) -> HoldId {
        HoldId(Uuid::from_u128(number as u128))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::default().plus_seconds(second)
    }

    fn door(until: i64) -> Door {
        Door { ending: Ending::Released, until: at(until) }
    }

    #[test]
    fn a_door_is_closed_until_its_last_instant_and_then_forgotten() {
        let mut doors = Doors::default();

        doors.close(hold(1), door(10), at(0));
        assert_eq!(doors.closed(hold(1), at(10)), Some(door(10)));
        assert_eq!(doors.closed(hold(1), at(11)), None);
        doors.close(hold(2), door(20), at(11));

        assert_eq!(doors.by_hold.len(), 1);
    }

    #[test]
    fn a_door_that_is_closed_again_stays_closed_for_the_longer_time() {
        let mut doors = Doors::default();

        doors.close(hold(1), door(20), at(0));
        doors.close(hold(1), door(10), at(0));

        assert_eq!(doors.closed_until(hold(1), at(0)), Some(at(20)));
    }

    #[test]
    fn a_door_that_time_has_closed_is_not_remembered() {
        let mut doors = Doors::default();

        doors.close(hold(1), door(10), at(11));

        assert_eq!(doors, Doors::default());
    }

    #[test]
    fn one_door_too_many_closes_all_until_it_could_no_longer_come() {
        let mut doors = Doors::default();
        for number in 0..ENDED_HOLDS_MAX {
            doors.close(hold(number), door(10), at(0));
        }

        doors.close(hold(ENDED_HOLDS_MAX), door(7), at(0));

        assert_eq!(doors.closed_until(hold(ENDED_HOLDS_MAX + 1), at(7)), Some(at(7)));
        assert_eq!(doors.closed_until(hold(ENDED_HOLDS_MAX + 1), at(8)), None);
        assert_eq!(doors.closed_until(hold(0), at(8)), Some(at(10)));
    }
}
