//! Ports that nobody listens on, as the operating system hands them out.
//!
//! A port is free when it was chosen; somebody may take it before the service binds it. The engine
//! notices that and chooses again.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
};

use anyhow::{Context, Result, bail};

/// Chooses `count` different free loopback ports outside `taken`.
///
/// # Errors
/// When the machine has no free ports left.
pub(super) fn free(count: usize, taken: &BTreeSet<u16>) -> Result<Vec<u16>> {
    // The listeners stay open until all are chosen: no port comes up twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..count + taken.len() + 1 {
        if ports.len() == count {
            return Ok(ports);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let port = listener.local_addr().context("no free port")?.port();
        held.push(listener);
        if !taken.contains(&port) {
            ports.push(port);
        }
    }
    bail!("no {count} free ports on the loopback")
}

/// Whether nobody listens on this loopback port.
pub(super) fn available(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_ports_are_free_distinct_and_not_among_the_taken() {
        let first = free(8, &BTreeSet::new()).unwrap();
        let taken: BTreeSet<u16> = first.iter().copied().collect();

        let second = free(8, &taken).unwrap();

        assert_eq!(taken.len(), 8);
        assert!(second.iter().all(|port| !taken.contains(port) && available(*port)));
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_available() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();

        let while_held = available(port);
        drop(listener);

        assert!(!while_held);
        assert!(available(port));
    }
}
