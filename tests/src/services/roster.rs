//! Which processes a set has, and on which ports.

use anyhow::Result;

use super::{
    kind::Kind,
    ports,
    state::{Entry, State},
};

/// The ports that a process listens on, or keeps for itself.
pub(super) fn own_ports(entry: &Entry) -> impl Iterator<Item = u16> {
    [entry.port, entry.controller_port].into_iter()
}

/// Adds the processes of a service to a set, with ports of their own.
///
/// # Errors
/// When there are no free ports.
pub(super) fn enlist(state: &mut State, kind: Kind) -> Result<()> {
    let count = if kind == Kind::Kafka { state.brokers } else { 1 };
    for node in 1..=count {
        let name = if kind == Kind::Kafka { format!("{kind}-{node}") } else { kind.to_string() };
        if !state.processes.contains_key(&name) {
            let found = ports::free(2, &state.ports())?;
            let (port, controller_port) = (found[0], found[1]);
            let entry = Entry { kind, node, port, controller_port, process: None };
            state.processes.insert(name, entry);
        }
    }
    Ok(())
}

/// Gives processes that do not run other ports.
///
/// # Errors
/// When there are no free ports.
pub(super) fn move_ports(state: &mut State, names: &[String]) -> Result<()> {
    for name in names {
        let found = ports::free(2, &state.ports())?;
        state.processes.entry(name.clone()).and_modify(|entry| {
            (entry.port, entry.controller_port) = (found[0], found[1]);
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_ports_of_its_own_and_keeps_them_until_they_are_moved() {
        let mut state = State::new("/data".into(), 3).unwrap();

        Kind::ALL.into_iter().try_for_each(|kind| enlist(&mut state, kind)).unwrap();
        let first = state.clone();
        enlist(&mut state, Kind::Kafka).unwrap();
        move_ports(&mut state, &["redis".to_owned()]).unwrap();

        let names: Vec<&String> = state.processes.keys().collect();
        let expected =
            ["kafka-1", "kafka-2", "kafka-3", "mariadb", "postgres", "redis", "registry"];
        assert_eq!(names, expected);
        assert_eq!(first.ports().len(), 2 * expected.len());
        assert_eq!(state.processes["kafka-2"].port, first.processes["kafka-2"].port);
        assert!(!first.ports().contains(&state.processes["redis"].port));
    }
}
