//! How a saga says no.

use crate::refusal::refusals;
use crate::time::Timestamp;

refusals! {
    /// A refusal of a saga.
    pub enum Refusal {
        /// No such saga.
        #[error("there is no such saga")]
        SagaNotFound = NotFound, "saga_not_found";
        /// The step was never requested.
        #[error("the saga has not requested step {step}")]
        StepNotFound {
            /// Which one was named.
            step: String,
        } = NotFound, "saga_step_not_found";
        /// The attempt was never requested.
        #[error("step {step} is at attempt {attempt}")]
        AttemptNotFound {
            /// Which step.
            step: String,
            /// Its last attempt.
            attempt: u32,
        } = NotFound, "saga_attempt_not_found";
        /// Sagas are driven by the system.
        #[error("only the system starts sagas and records what came of their steps")]
        SystemRequired = Forbidden, "saga_system_required";
        /// Only a person may interfere.
        #[error("only an operator interferes with a saga")]
        OperatorRequired = Forbidden, "saga_operator_required";
        /// It is over.
        #[error("the saga has ended")]
        Ended = Rule, "saga_ended";
        /// It is not stuck.
        #[error("the saga is not stuck")]
        NotStuck = Rule, "saga_not_stuck";
        /// The step is done, or no longer wanted.
        #[error("step {step} is settled")]
        StepSettled {
            /// Which one was named.
            step: String,
        } = Rule, "saga_step_settled";
        /// The step can still be undone: failing it compensates, nothing has to be settled by hand.
        #[error("step {step} can be undone and is not settled by hand")]
        StepUndoable {
            /// Which one was named.
            step: String,
        } = Rule, "saga_step_undoable";
        /// It has no deadline.
        #[error("the saga has no deadline")]
        WithoutDeadline = Rule, "saga_without_deadline";
        /// It is too early.
        #[error("the deadline is {deadline_at}")]
        DeadlineNotReached {
            /// When it is over.
            deadline_at: Timestamp,
        } = Rule, "saga_deadline_not_reached";
        /// Nobody cancels such a process.
        #[error("a {kind} is not cancelled")]
        NotCancellable {
            /// The saga's kind.
            kind: &'static str,
        } = Rule, "saga_not_cancellable";
        /// A saga's settings make no sense.
        #[error("`{field}` is not between {seconds_min} and {seconds_max} seconds")]
        SettingOutOfRange {
            /// The setting's name.
            field: &'static str,
            /// The least.
            seconds_min: u32,
            /// The most.
            seconds_max: u32,
        } = Rule, "saga_setting_out_of_range";
        /// A text that must say something says nothing.
        #[error("`{field}` is blank")]
        TextBlank {
            /// The command's field: `reason`.
            field: &'static str,
        } = Rule, "saga_text_blank";
        /// A text is too long.
        #[error("`{field}` has {characters} characters, more than {characters_max}")]
        TextTooLong {
            /// The command's field.
            field: &'static str,
            /// Characters asked for.
            characters: usize,
            /// Characters allowed.
            characters_max: usize,
        } = Rule, "saga_text_too_long";
        /// A text holds control characters.
        #[error("`{field}` holds control characters")]
        TextUnprintable {
            /// The command's field.
            field: &'static str,
        } = Rule, "saga_text_unprintable";
    }
}

crate::text::faults_refuse!(Refusal);
