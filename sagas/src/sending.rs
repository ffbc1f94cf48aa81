//! One entry of the work list, done: the command sent, or the saga told.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::SagaId;
use domain::saga::{self, Ask, Command as SagaCommand, Outcome, Settings, Todo, record};
use domain::{Command, StreamName};
use lanes::{Accepted, Came, Cause, CommandError, CommandPort};
use read_models::projections::{SagaWorkRow, saga_work};
use service_kit::crash_point;
use tokio::sync::Semaphore;

use crate::ACTOR;
use crate::settings::DispatcherSettings;
use crate::telemetry;

/// How long an errand waits for its turn to tell a saga of another shard.
const TURN: Duration = Duration::from_millis(100);

/// Sends commands for sagas.
pub(crate) struct Sender {
    port: Arc<dyn CommandPort>,
    /// What sagas that start now are allowed.
    settings: Settings,
    /// How many at one time may tell sagas of a shard what another shard did: fewer than have room
    /// there, so that a shard which is away does not take the room of others.
    turns: Vec<Semaphore>,
}

impl Sender {
    pub(crate) fn new(port: Arc<dyn CommandPort>, settings: &DispatcherSettings) -> Self {
        let each = (settings.commands_in_flight_max / 2).max(1);
        let turns = (0..port.shards()).map(|_| Semaphore::new(each)).collect();
        Self { port, settings: settings.sagas.clone(), turns }
    }

    /// The shard that the entry's first command goes to.
    pub(crate) fn shard_of(&self, row: &SagaWorkRow) -> u32 {
        let target = match row.saga_id {
            Some(saga_id) if row.todo.as_deref() == Some(saga_work::RECORD) => {
                Ok(saga::stream(SagaId(saga_id)))
            }
            _ => row.target.parse(),
        };
        target.map_or(0, |target: StreamName| self.port.shard_of(&target))
    }

    pub(crate) async fn run(&self, row: &SagaWorkRow) -> Came {
        let Some(correlation_id) = row.correlation_id else { return Came::Done };
        let work = row.work();
        let (ask, answered) = match work.todo() {
            Todo::Nothing => return Came::Done,
            Todo::Send(ask) => (ask, None),
            Todo::Record(ask, outcome) => (ask, Some(outcome)),
        };
        let event = if answered.is_some() { row.answered_by } else { row.asked_by };
        let cause = Cause {
            tenant: row.tenant.clone(),
            correlation_id,
            causation_id: event.map_or(ask.command_id.0, |event| event.0),
            traceparent: row.traceparent.clone(),
        };
        match answered {
            Some(outcome) => self.tell(ask, outcome.clone(), &cause).await,
            None => self.send(ask, &row.target, &cause).await,
        }
    }

    /// Sends the command; its refusal is an outcome, and so is its acceptance unless it asks for
    /// more.
    async fn send(&self, ask: &Ask, target: &str, cause: &Cause) -> Came {
        let target: StreamName = match target.parse() {
            Ok(target) => target,
            Err(error) => {
                tracing::error!(target, %error, "a saga asks for a stream that cannot be");
                return Came::Failed;
            }
        };
        let command = match &ask.command {
            Command::Saga(command) => self.allowed(command.clone()).into(),
            command => command.clone(),
        };
        let request = ACTOR.request(target, ask.command_id, (&ask.command, command), cause);
        let what = ask.step.as_deref().unwrap_or_else(|| ask.command.name());
        crash_point::reached(|| [format!("dispatcher.before_send {what}")]);
        let answer = self.port.send(request).await;
        crash_point::reached(|| [format!("dispatcher.after_answer {what}")]);
        let outcome = match answer {
            Ok(Accepted { events, replayed, .. }) => {
                telemetry::sent("accepted");
                if ask.awaits_fact {
                    return Came::Waits;
                }
                tracing::debug!(%target, step = ask.step, events, replayed, "a step was accepted");
                Outcome::done()
            }
            Err(CommandError::Refused(refusal)) => {
                telemetry::sent("refused");
                tracing::info!(%target, saga_id = %ask.saga_id, step = ask.step,
                    attempt = ask.attempt, code = refusal.code,
                    correlation_id = %cause.correlation_id, "a step was refused");
                Outcome::refused(refusal)
            }
            Err(error @ (CommandError::TooLarge { .. } | CommandError::Defect { .. })) => {
                tracing::error!(%target, saga_id = %ask.saga_id, step = ask.step, %error,
                    "a step cannot be sent");
                let code = error.code().to_owned();
                let message = "the step's command could not be decided".to_owned();
                Outcome::Failed { code, message, facts: serde_json::Map::new(), retryable: true }
            }
            Err(error) => return self.unknown(ask, &error),
        };
        if ask.step.is_none() {
            // What a saga is told closes by the saga's own event; a no means: not yet.
            return if matches!(outcome, Outcome::Failed { .. }) {
                Came::Failed
            } else {
                Came::Done
            };
        }
        let cause = Cause { causation_id: ask.command_id.0, ..cause.clone() };
        let (here, there) = (target, saga::stream(ask.saga_id));
        let (here, there) = (self.port.shard_of(&here), self.port.shard_of(&there));
        let turn = match self.turns.get(there as usize).filter(|_| here != there) {
            Some(turns) => tokio::time::timeout(TURN, turns.acquire()).await.map(Some),
            None => Ok(None),
        };
        match turn {
            Ok(_turn) => self.tell(ask, outcome, &cause).await,
            // Sent again later: what it did is done once.
            Err(_late) => Came::Failed,
        }
    }

    /// Tells the saga what came of its step.
    async fn tell(&self, ask: &Ask, outcome: Outcome, cause: &Cause) -> Came {
        let Some((saga, command, id)) = record(ask, outcome) else { return Came::Done };
        match self.port.send(ACTOR.request(saga, id, (&command.clone(), command), cause)).await {
            Ok(_) => Came::Done,
            Err(CommandError::Refused(refusal)) => {
                tracing::error!(%saga, step = ask.step, code = refusal.code,
                    "a saga does not take what came of its own step");
                Came::Failed
            }
            Err(error) => self.unknown(ask, &error),
        }
    }

    fn allowed(&self, command: SagaCommand) -> SagaCommand {
        command.with_settings(self.settings.clone())
    }

    fn unknown(&self, ask: &Ask, error: &CommandError) -> Came {
        telemetry::sent("unknown");
        let (code, saga_id, step) = (error.code(), ask.saga_id, ask.step.as_deref());
        match error {
            CommandError::Unavailable { .. } | CommandError::OutcomeUnknown { .. } => {
                tracing::info!(%saga_id, step, code, %error, "sent again later under the same id");
            }
            _ => tracing::error!(%saga_id, step, code, %error, "a command does not get through"),
        }
        Came::Failed
    }
}
