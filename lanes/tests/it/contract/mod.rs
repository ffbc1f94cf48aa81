//! What lanes promise on every log: each case runs on the log in memory, on the embedded log, both
//! with its own stream store and with a restored one, and on Kafka.
//!
//! The faults are put around the real log, never instead of it ([`faulty_log`]). Fencing, aborts
//! and restores are the log's own.

mod ambiguity;
mod cluster;
mod faulty_log;
mod ownership;
mod restoring;

use ambiguity::*;
use ownership::*;
use restoring::*;

/// Makes a `#[test]` of every case, each on a cluster of its own.
macro_rules! lane_contract_tests {
    ($cluster:expr) => {
        lane_contract_tests! { @each $cluster;
            a_fenced_owner_appends_nothing
            a_paused_owner_refuses_nothing_from_a_stale_state
            an_owner_paused_after_its_commit_says_what_it_committed
            an_idle_owner_that_was_fenced_takes_over_anew_without_being_asked
            an_ambiguous_commit_that_happened_is_a_success
            an_ambiguous_commit_that_did_not_happen_is_decided_again_once
            an_ambiguous_commit_is_resolved_by_the_next_owner
            aborted_events_are_invisible_and_their_command_fails_alone
            nothing_is_served_before_the_own_beginning_was_read
            a_restore_equals_the_log
            a_repeat_after_a_restart_gets_the_stored_outcome
            many_callers_at_once_lose_nothing
        }
    };
    (@each $cluster:expr; $($case:ident)+) => {$(
        #[test]
        fn $case() {
            super::$case(&mut $cluster);
        }
    )+};
}

mod in_memory {
    use super::cluster::{Cluster, MemoryWorld};

    lane_contract_tests!(Cluster::on(MemoryWorld::new(4, 1)));
}

mod embedded {
    use event_log::contract_suite::EmbeddedWorld;

    use super::cluster::Cluster;

    lane_contract_tests!(Cluster::on(EmbeddedWorld::new(4, 1)));
}

mod embedded_with_restored_stores {
    use event_log::contract_suite::EmbeddedWorld;

    use super::cluster::Cluster;

    lane_contract_tests!(Cluster::on(EmbeddedWorld::new(4, 1)).without_the_logs_own_store());
}

mod kafka {
    use event_log::contract_suite::KafkaWorld;

    use super::cluster::Cluster;

    lane_contract_tests!(match KafkaWorld::new(4, 1) {
        Some(world) => Cluster::on(world),
        None => return,
    });
}
