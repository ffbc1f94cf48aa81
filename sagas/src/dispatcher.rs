//! Three lists and the rounds over them: outcomes that sagas have not heard of, commands that they
//! ask for, and holds whose time is over. Each has room of its own, shard by shard.

use std::sync::Arc;

use lanes::{CommandPort, RoundSettings, Rounds, Standing, WallClock};
use read_models::ReadQueries;
use read_models::projections::saga_work;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::holds::ExpiredHolds;
use crate::sending::Sender;
use crate::settings::DispatcherSettings;
use crate::stuck::StuckSagas;
use crate::work::OpenWork;

/// Works through what sagas want done, until it is stopped.
pub struct Dispatcher {
    outcomes: Rounds<OpenWork>,
    commands: Rounds<OpenWork>,
    holds: Rounds<ExpiredHolds>,
    expired: Arc<ExpiredHolds>,
    stuck: StuckSagas,
}

/// How the expiry of holds stands, for the health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldsStanding {
    /// What keeps it from working, if anything does.
    pub trouble: Option<String>,
    /// Seconds by which the oldest hold that is still open is over; 0 if none is.
    pub overdue_seconds: u64,
}

impl Dispatcher {
    /// A dispatcher that reads there and sends there. It does nothing before [`Dispatcher::run`].
    #[must_use]
    pub fn new(
        queries: Arc<ReadQueries>,
        port: Arc<dyn CommandPort>,
        clock: Arc<dyn WallClock>,
        settings: &DispatcherSettings,
    ) -> Self {
        let groups = port.shards();
        let sender = Arc::new(Sender::new(Arc::clone(&port), settings));
        let list = |todo| {
            let (queries, clock) = (Arc::clone(&queries), Arc::clone(&clock));
            let list = OpenWork { todo, queries, clock, sender: Arc::clone(&sender) };
            Rounds::new(Arc::new(list), settings.rounds(groups))
        };
        let (outcomes, commands) = (list(saga_work::RECORD), list(saga_work::SEND));
        let stuck = StuckSagas::new(Arc::clone(&queries));
        let expired = Arc::new(ExpiredHolds::new(queries, port, clock));
        let mut rounds = RoundSettings {
            look_busy: settings.look_for_expired / 10,
            look_idle: settings.look_for_expired,
            ..settings.rounds(groups)
        };
        rounds.errands.in_flight_max = settings.expiries_in_flight_max;
        let holds = Rounds::new(Arc::clone(&expired), rounds);
        Self { outcomes, commands, holds, expired, stuck }
    }

    /// Looks for commands and for outcomes soon after word, of one for each, that the work list may
    /// have changed.
    #[must_use]
    pub fn woken_by(self, [commands, outcomes]: [Arc<Notify>; 2]) -> Self {
        let (commands, outcomes) =
            (self.commands.woken_by(commands), self.outcomes.woken_by(outcomes));
        Self { commands, outcomes, ..self }
    }

    /// How the work of sagas stands, whenever it is asked.
    pub fn watch(&self) -> impl Fn() -> Standing + Send + Sync + 'static {
        let (outcomes, commands) = (self.outcomes.watch(), self.commands.watch());
        move || {
            let (outcomes, commands) = (outcomes(), commands());
            Standing {
                trouble: outcomes.trouble.or(commands.trouble),
                running: outcomes.running + commands.running,
            }
        }
    }

    /// How the expiry of holds stands, whenever it is asked.
    pub fn watch_holds(&self) -> impl Fn() -> HoldsStanding + Send + Sync + 'static {
        let (rounds, expired) = (self.holds.watch(), Arc::clone(&self.expired));
        move || HoldsStanding {
            trouble: rounds().trouble,
            overdue_seconds: expired.overdue_seconds(),
        }
    }

    /// How many sagas wait for an operator, whenever it is asked.
    pub fn watch_stuck(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        self.stuck.watch()
    }

    /// Runs until it is told to stop, and waits then for what is on its way: each command's own
    /// deadline bounds that.
    pub async fn run(self, stopping: CancellationToken) {
        tokio::join!(
            self.outcomes.run(stopping.clone()),
            self.commands.run(stopping.clone()),
            self.holds.run(stopping.clone()),
            self.stuck.run(stopping),
        );
    }
}
