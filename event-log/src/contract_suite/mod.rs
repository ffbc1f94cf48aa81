//! What every log must do, as test cases: each takes a [`TestWorld`] with an empty log.
//!
//! [`contract_tests!`](crate::contract_tests) makes a test of each. A world gives a case what it
//! cannot do itself: restart, kill, a second process, a fault in the log, and a look at refusals.
//! The worlds of both logs are here, so that other crates run cases of their own on them.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "a case that fails panics; it is a test, though it is compiled into the library"
)]

mod appending;
mod embedded_world;
mod kafka_corner;
mod kafka_world;
mod owning;
mod reading;
mod session;

use std::sync::Arc;

pub use appending::*;
pub use embedded_world::EmbeddedWorld;
pub use kafka_corner::{KafkaCorner, eventually};
pub use kafka_world::KafkaWorld;
pub use owning::*;
pub use reading::*;

use crate::{EventLog, RefusalRecord, ShardId};

/// A world that was told to refuse large events refuses one with a value of more bytes than this,
/// compressed or not.
pub const REFUSED_BYTES: usize = 2_500;

/// A log under test, empty at first, and the means to end its process.
pub trait TestWorld {
    /// The log as this process has it open: the same one until a restart.
    fn log(&mut self) -> Arc<dyn EventLog>;

    /// The log as another process has it open, while this one goes on.
    fn beside(&mut self) -> Arc<dyn EventLog>;

    /// Closes the log and opens it again. The case has dropped everything it had of it.
    fn restart(&mut self) -> Arc<dyn EventLog>;

    /// Opens the log as it stands when its process is killed at this moment.
    fn kill(&mut self) -> Arc<dyn EventLog>;

    /// The refusals that were committed for a shard, oldest first.
    fn refusals(&mut self, shard: ShardId) -> Vec<RefusalRecord>;

    /// From now on, or no longer, an append fails inside the log when it comes to an event of more
    /// than [`REFUSED_BYTES`], after it has written those before it.
    fn refuse_large_events(&mut self, refuse: bool);
}

/// Makes a `#[test]` of every case: `contract_tests!(World::new())`, with an expression that makes
/// a new world for each.
#[macro_export]
macro_rules! contract_tests {
    ($world:expr) => {
        $crate::contract_tests! { @each $world;
            a_fenced_writer_cannot_append
            opening_again_raises_the_epoch
            a_shard_is_opened_without_fencing_another
            opened_records_stand_in_every_partition_of_the_shard
            a_restore_is_complete_when_it_has_read_the_opened_records
            the_directory_names_the_newest_owner
            a_member_is_assigned_every_shard_and_proves_it
            who_has_left_proves_nothing
            events_come_back_as_they_were_appended
            a_batch_with_an_event_that_is_too_large_writes_nothing
            an_aborted_batch_is_invisible_and_its_writer_lives_on
            offsets_rise_in_the_order_of_the_batch
            refusals_are_committed_with_the_events
            refusals_are_told_newest_first_in_steps_of_any_length
            a_restart_keeps_everything
            a_kill_keeps_everything_that_was_acknowledged
            a_reader_from_any_place_yields_exactly_the_rest
            reading_in_steps_equals_reading_at_once
            a_reader_of_some_partitions_reads_only_those
            a_waiting_reader_is_given_what_is_appended
            a_start_beyond_the_end_is_refused
            the_end_covers_what_was_appended
            a_restored_stream_store_equals_the_log
        }
    };
    (@each $world:expr; $($case:ident)+) => {$(
        #[test]
        fn $case() {
            $crate::contract_suite::$case(&mut $world);
        }
    )+};
}
