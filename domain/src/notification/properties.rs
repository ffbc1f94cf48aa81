//! What holds after any commands, judged from the events alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::Timestamp;
use crate::ids::{BookingId, NotificationId};
use crate::testing::{decide, fold, reads_back, restores, saga};

fn commands() -> impl Strategy<Value = Command> {
    let request = Command::Request {
        notification_id: NotificationId(Uuid::from_u128(1)),
        booking_id: BookingId(Uuid::from_u128(2)),
        template: "booking-confirmed".to_owned(),
        channel: Channel::Sms,
        locale: "en".to_owned(),
        recipient: None,
        facts: "{}".to_owned(),
    };
    let references = prop::option::of((0..3_u8).prop_map(|number| format!("msg_{number}")));
    prop_oneof![
        2 => Just(request),
        2 => references.prop_map(|reference| Command::RecordSent { reference }),
        3 => (1..6_u32).prop_map(|attempt| {
            let (code, message) = ("refused".to_owned(), "no".to_owned());
            Command::RecordFailed { attempt, code, message }
        }),
        1 => Just(Command::RecordDelivered {}),
        1 => Just(Command::Abandon { reason: "enough".to_owned() }),
    ]
}

proptest! {
    #[test]
    fn facts_are_never_refused_and_recorded_once(
        story in prop::collection::vec(commands(), 0..40),
    ) {
        let mut events: Vec<Event> = Vec::new();
        for command in &story {
            let state: Notification = fold(&events);
            let decided = decide(&state, &saga(), command, Timestamp::default());
            let asked = matches!(command, Command::Request { .. } | Command::Abandon { .. });
            if !asked && state != Notification::NotRequested {
                prop_assert!(decided.is_ok());
            }
            events.extend(decided.clone().unwrap_or_default());
            if decided.is_ok() && !matches!(command, Command::Request { .. }) {
                let again =
                    decide::<Notification>(&fold(&events), &saga(), command, Timestamp::default());
                prop_assert_eq!(again, Ok(vec![]));
            }
        }

        let count = |name| events.iter().filter(|event| event.name() == name).count();
        prop_assert!(count("notification-requested") <= 1);
        prop_assert!(count("notification-delivered") <= 1);
        let mut tries = BTreeSet::new();
        for event in &events {
            if let Event::Failed(failed) = event {
                prop_assert!(tries.insert(failed.attempt), "{failed:?} twice");
            }
        }
        let ends = |event: &Event| matches!(event, Event::Delivered(_));
        if let Some(end) = events.iter().position(ends) {
            prop_assert_eq!(end, events.len() - 1, "nothing follows a delivery");
        }
    }

    #[test]
    fn a_snapshot_at_any_version_continues_like_the_fold(
        story in prop::collection::vec(commands(), 0..20),
        cut: prop::sample::Index,
    ) {
        let mut events = Vec::new();
        for command in &story {
            let state: Notification = fold(&events);
            let decided = decide(&state, &saga(), command, Timestamp::default());
            events.extend(decided.unwrap_or_default());
        }

        restores::<Notification>(&events, cut)?;
    }

    #[test]
    fn a_command_reads_back_as_itself_on_the_way_to_another_owner(command in commands()) {
        reads_back(crate::Command::Notification(command))?;
    }
}
