//! Upcasters: how events of a record that was replaced become events of the one that replaced it.
//!
//! Only for changes that Avro's own resolution cannot bridge. Such a change makes a new record
//! (`ItineraryCreatedV2`) with a schema of its own, and an entry here: from the old record's name
//! to the new one's, with a function that turns a value of the old record's newest schema, or of
//! any compatible one, into a value of the new record. Several replacements are gone through in
//! turn.

use apache_avro::types::Value;

/// One replacement.
pub(super) struct Upcaster {
    /// The full name of the record that was written.
    pub(super) from: &'static str,
    /// The full name of the record that replaced it.
    pub(super) to: &'static str,
    /// Makes a value of the latter; fields that it leaves out take the schema's defaults.
    pub(super) upcast: fn(Value) -> Value,
}

/// All replacements. There has been none yet.
pub(super) const UPCASTERS: &[Upcaster] = &[];

/// Leads a value of record `from` to record `to`; says what is missing when there is no way.
pub(super) fn upcast(
    upcasters: &[Upcaster],
    from: &str,
    to: &str,
    mut value: Value,
) -> Result<Value, String> {
    let mut record = from;
    // No way is longer than the list: more steps would be a circle.
    for _ in 0..=upcasters.len() {
        if record == to {
            return Ok(value);
        }
        let Some(step) = upcasters.iter().find(|upcaster| upcaster.from == record) else { break };
        value = (step.upcast)(value);
        record = step.to;
    }
    Err(format!("it is of record `{from}`, and nothing leads from there to `{to}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Upcaster] = &[
        Upcaster { from: "a", to: "b", upcast: |value| Value::Array(vec![value]) },
        Upcaster { from: "b", to: "c", upcast: |value| Value::Array(vec![value, Value::Null]) },
        Upcaster { from: "x", to: "y", upcast: |value| value },
        Upcaster { from: "y", to: "x", upcast: |value| value },
    ];

    #[test]
    fn a_value_goes_through_every_replacement_in_turn() {
        let upcasted = upcast(STEPS, "a", "c", Value::Int(1)).unwrap();

        let once = Value::Array(vec![Value::Int(1)]);
        assert_eq!(upcasted, Value::Array(vec![once, Value::Null]));
    }

    #[test]
    fn the_current_record_stays_as_it_is() {
        assert_eq!(upcast(STEPS, "c", "c", Value::Int(1)), Ok(Value::Int(1)));
    }

    #[test]
    fn a_record_without_a_way_is_refused() {
        for from in ["c", "x", "unheard-of"] {
            let refused = upcast(STEPS, from, "b", Value::Null).unwrap_err();

            assert!(refused.contains(from), "{refused}");
        }
    }
}
