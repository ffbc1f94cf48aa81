//! Folding audit rows back into an aggregate's state.

use domain::{Category, Event, EventPayload, PayloadVisitor, State};
use http::StatusCode;
use read_models::projections::AuditRow;
use serde_json::Value;
use service_kit::Problem;

/// An aggregate on its way through its history.
pub(super) struct Fold {
    state: State,
    /// The last event that is included.
    pub(super) last: Option<Place>,
}

/// Which event a state is after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) version: u64,
    pub(super) time: domain::Timestamp,
    pub(super) position: domain::Position,
}

impl Fold {
    /// Before the first event.
    pub(super) fn new(category: Category) -> Self {
        Self { state: State::initial(category), last: None }
    }

    /// Includes one more event.
    ///
    /// # Errors
    /// 503 `event_unknown` for an event of a newer program; a defect for one that is not as it was
    /// written.
    pub(super) fn include(&mut self, row: AuditRow) -> Result<(), Problem> {
        let place = Place { version: row.version, time: row.recorded_at, position: row.position() };
        let event = event(&row.event_type, row.payload.0)?;
        let category = self.state.category();
        let state = std::mem::replace(&mut self.state, State::initial(category));
        self.state = state.evolve(&event);
        self.last = Some(place);
        Ok(())
    }

    /// The version of the last event that is included.
    pub(super) fn version(&self) -> u64 {
        self.last.map_or(0, |place| place.version)
    }

    /// The state as JSON.
    ///
    /// # Errors
    /// A defect: every state has a JSON form.
    pub(super) fn json(&self) -> Result<Value, Problem> {
        serde_json::to_value(&self.state).map_err(|error| Problem::defect(&error))
    }
}

/// An event of that type from its fields.
fn event(name: &str, fields: Value) -> Result<Event, Problem> {
    let mut reader = Reader(Some(fields));
    match Event::visit_type(name, &mut reader) {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) => Err(Problem::defect(&error)),
        None => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "event_unknown",
            "The history holds an event that this process does not know",
        )
        .detail("A newer release wrote it. Ask again when this process was upgraded.")
        .fact("event_type", name)),
    }
}

struct Reader(Option<Value>);

impl PayloadVisitor for Reader {
    type Output = Result<Event, serde_json::Error>;

    fn visit<E: EventPayload>(&mut self) -> Self::Output {
        let fields = self.0.take().unwrap_or_default();
        serde_json::from_value::<E>(fields).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use read_models::projections::Audit;
    use read_models::testing::harness::rows_after;
    use read_models::testing::samples::{SampleLog, any_event};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_state_from_audit_rows_is_the_state_from_the_events() {
        let id = Uuid::from_u128(7);
        let mut log = SampleLog::new();
        for kind in 0..16 {
            log.append(0, id, Uuid::from_u128(9), any_event(kind, kind / 2, id));
        }
        let mut expected = State::initial(Category::Itinerary);
        for recorded in log.events() {
            expected = expected.evolve(&recorded.event);
        }

        let mut fold = Fold::new(Category::Itinerary);
        for row in rows_after::<AuditRow>(&Audit, log.events()) {
            fold.include(row).unwrap();
        }

        assert_eq!(fold.version(), 16);
        assert_eq!(fold.json().unwrap(), serde_json::to_value(expected).unwrap());
    }

    #[test]
    fn an_event_of_a_newer_program_is_not_skipped() {
        let unknown = event("itinerary-teleported", Value::Null).unwrap_err();
        let broken = event("itinerary-renamed", Value::Null).unwrap_err();

        assert_eq!((unknown.status().as_u16(), unknown.code()), (503, "event_unknown"));
        assert_eq!((broken.status().as_u16(), broken.code()), (500, "defect"));
    }
}
