//! Group commit: decide what has arrived, append it at once, answer.
//!
//! A batch that fails is decided again; one that keeps failing is taken apart, so that a command
//! that cannot be appended fails alone. No command is answered from a state that was not confirmed
//! by a commit, and none is lost: whatever is not answered stands in the queue again.

use std::collections::VecDeque;
use std::time::Instant;

use domain::StreamName;
use event_log::{AppendError, CommitState, ShardWriter, StreamStoreError};
use service_kit::crash_point;

use crate::CommandError;
use crate::book::Book;
use crate::control::{Control, Stop};
use crate::decide::Trouble;
use crate::draft::Draft;
use crate::telemetry::LaneMetrics;
use crate::waiting::Waiting;

/// Why an ownership cannot go on; the queue holds every command that has no answer yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The writer was fenced or broke.
    #[error("the writer is lost")]
    Writer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The stream store does not equal the log any more.
    #[error("the stream store failed")]
    Store(#[source] StreamStoreError),
}

/// One ownership of a shard, while it lasts.
pub(crate) struct Tenure {
    pub(crate) book: Book,
    pub(crate) writer: Box<dyn ShardWriter>,
}

enum Attempt {
    Committed,
    /// Nothing was written and the writer lives; the commands stand in the queue again.
    Aborted(Box<dyn std::error::Error + Send + Sync>),
    /// As aborted, and one command is marked to fail alone.
    Reduced,
    /// The lane is to stop before the commit.
    Stopped,
}

impl Tenure {
    /// Decides and commits what stands in the queue: one batch, or the pieces of one that failed.
    ///
    /// # Errors
    /// [`Broken`]; the ownership has to end.
    pub(crate) fn commit(
        &mut self,
        queue: &mut VecDeque<Waiting>,
        control: &Control,
        metrics: &LaneMetrics,
    ) -> Result<(), Broken> {
        let batch_max = self.book.gear.settings.batch_commands_max;
        let mut aborted = false;
        loop {
            let before = queue.len();
            match self.attempt(queue, batch_max, control, metrics)? {
                Attempt::Committed | Attempt::Stopped => return Ok(()),
                Attempt::Reduced => {}
                Attempt::Aborted(error) => {
                    tracing::warn!(shard = %self.book.shard, epoch = self.book.epoch,
                        error = &*error, again = !aborted, "a batch was aborted");
                    if aborted {
                        return self.commit_apart(before.min(batch_max), queue, control, metrics);
                    }
                    aborted = true;
                }
            }
        }
    }

    /// One by one: whoever fails alone, although the log takes the evidence of it, is the culprit.
    fn commit_apart(
        &mut self,
        commands: usize,
        queue: &mut VecDeque<Waiting>,
        control: &Control,
        metrics: &LaneMetrics,
    ) -> Result<(), Broken> {
        let later = queue.split_off(commands.min(queue.len()));
        let mut apart = std::mem::replace(queue, later);
        while let Some(waiting) = apart.pop_front() {
            let mut alone = VecDeque::from([waiting]);
            let outcome = self.commit_alone(&mut alone, control, metrics);
            if matches!(outcome, Ok(None)) && alone.is_empty() {
                continue;
            }
            alone.append(&mut apart);
            if let Ok(Some(reason)) = &outcome {
                tracing::warn!(shard = %self.book.shard, epoch = self.book.epoch, reason,
                    commands = alone.len(), "the log takes nothing; the batch is given up");
                alone.drain(..).for_each(|waiting| waiting.answer(Err(away(reason))));
            }
            alone.append(queue);
            *queue = alone;
            return outcome.map(|_| ());
        }
        Ok(())
    }

    /// The reason, when the log does not even take evidence.
    fn commit_alone(
        &mut self,
        alone: &mut VecDeque<Waiting>,
        control: &Control,
        metrics: &LaneMetrics,
    ) -> Result<Option<String>, Broken> {
        let mut condemned = false;
        loop {
            match self.attempt(alone, 1, control, metrics)? {
                Attempt::Committed | Attempt::Stopped => return Ok(None),
                Attempt::Reduced => condemned = true,
                Attempt::Aborted(error) if condemned => return Ok(Some(error.to_string())),
                Attempt::Aborted(error) => {
                    condemned = true;
                    if let Some(waiting) = alone.front_mut() {
                        let request = waiting.request();
                        tracing::error!(shard = %self.book.shard, stream = %request.stream,
                            command_id = %request.command_id,
                            correlation_id = %request.correlation_id, error = &*error,
                            "a command fails alone; it is refused as a defect");
                        let reason = format!("its events cannot be appended: {error}");
                        waiting.condemn(CommandError::Defect { reason });
                    }
                }
            }
        }
    }

    fn attempt(
        &mut self,
        queue: &mut VecDeque<Waiting>,
        commands_max: usize,
        control: &Control,
        metrics: &LaneMetrics,
    ) -> Result<Attempt, Broken> {
        let draft = self.draft(queue, commands_max)?;
        if draft.is_empty() {
            return Ok(Attempt::Committed);
        }
        if control.stopping() == Stop::AtOnce {
            self.book.roll_back(draft, queue, CommitState::NotWritten);
            return Ok(Attempt::Stopped);
        }
        reached("lane.before_append", &draft);
        let begun = Instant::now();
        let result = self.writer.append(&draft.batch);
        metrics.commit_seconds.record(begun.elapsed().as_secs_f64());
        match result {
            Ok(appended) if appended.offsets.len() == draft.batch.events.len() => {
                reached("lane.after_append", &draft);
                count(&draft, metrics);
                let touched: Vec<StreamName> = draft.touched.clone();
                self.book.confirm(draft, &appended).map_err(Broken::Store)?;
                self.book.tidy(&touched).map_err(Broken::Store)?;
                Ok(Attempt::Committed)
            }
            Ok(_) => {
                self.book.roll_back(draft, queue, CommitState::Unknown);
                Err(Broken::Writer("the writer did not say where every event is".into()))
            }
            Err(error) => {
                metrics.failed_commits.increment(1);
                self.failed(error, draft, queue)
            }
        }
    }

    fn failed(
        &mut self,
        error: AppendError,
        draft: Draft,
        queue: &mut VecDeque<Waiting>,
    ) -> Result<Attempt, Broken> {
        match error {
            AppendError::Aborted(source) => {
                self.book.roll_back(draft, queue, CommitState::NotWritten);
                Ok(Attempt::Aborted(source))
            }
            AppendError::TooLarge { index } => {
                let author = draft.author_of(index);
                self.book.roll_back(draft, queue, CommitState::NotWritten);
                let Some(waiting) = author.and_then(|author| queue.get_mut(author)) else {
                    let reason = format!("event {index} is too large, but nobody's");
                    return Ok(Attempt::Aborted(reason.into()));
                };
                let bytes_max = self.book.gear.log.record_bytes_max();
                waiting.condemn(CommandError::TooLarge { bytes_max });
                Ok(Attempt::Reduced)
            }
            AppendError::Lost { committed, source } => {
                self.book.roll_back(draft, queue, committed);
                Err(Broken::Writer(source))
            }
        }
    }

    /// Decides from the front of the queue, as much as fits into one commit.
    fn draft(
        &mut self,
        queue: &mut VecDeque<Waiting>,
        commands_max: usize,
    ) -> Result<Draft, Broken> {
        let bytes_max = self.book.gear.settings.batch_bytes_max;
        'anew: loop {
            let mut draft = Draft::new(self.book.ledger.clone());
            while draft.decided.len() < commands_max
                && draft.value_bytes < bytes_max
                && let Some(waiting) = queue.pop_front()
            {
                if !waiting.claim() {
                    continue;
                }
                match self.book.decide(waiting, &mut draft) {
                    Ok(()) => {}
                    Err(Trouble::Store(error)) => {
                        self.book.roll_back(draft, queue, CommitState::NotWritten);
                        return Err(Broken::Store(error));
                    }
                    Err(Trouble::Poisoned(panic)) => {
                        let culprit = draft.decided.len() - 1;
                        self.book.roll_back(draft, queue, CommitState::NotWritten);
                        if let Some(waiting) = queue.get_mut(culprit) {
                            let request = waiting.request();
                            tracing::error!(shard = %self.book.shard, stream = %request.stream,
                                command_id = %request.command_id,
                                correlation_id = %request.correlation_id, panic = panic.0,
                                "a fold panicked; its command is refused as a defect");
                            let reason = format!("a fold panicked: {}", panic.0);
                            waiting.condemn(CommandError::Defect { reason });
                        }
                        continue 'anew;
                    }
                }
            }
            return Ok(draft);
        }
    }
}

/// Each command of the batch is at that place.
fn reached(place: &str, draft: &Draft) {
    crash_point::reached(|| {
        draft.decided.iter().map(move |decided| {
            let command = &decided.waiting.request().command;
            format!("{place} {}/{}", command.category().name(), command.name())
        })
    });
}

fn count(draft: &Draft, metrics: &LaneMetrics) {
    // Batches are bounded far below what a double holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand commands")]
    metrics.batch_commands.record(draft.decided.len() as f64);
    metrics.events.increment(draft.batch.events.len() as u64);
    metrics.refused.increment(draft.batch.refusals.len() as u64);
}

fn away(reason: &str) -> CommandError {
    CommandError::Unavailable {
        reason: format!("the log takes nothing: {reason}"),
        retry_after_seconds: 1,
    }
}
