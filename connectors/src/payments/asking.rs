//! One open request, worked on: the provider asked, its answer recorded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::CommandId;
use domain::money::Money;
use domain::payment::Command as Payment;
use domain::{Category, Command, StreamName, Timestamp, derive};
use lanes::{Came, CommandError, CommandPort, WallClock};
use read_models::projections::ProviderRequestRow;
use service_kit::crash_point;

use super::answers::Asked;
use super::settings::ConnectorSettings;
use super::{ACTOR, cause, telemetry};
use crate::payment_provider::{
    Authorize, Capture, KnownPayment, Outcome, PaymentProvider, Receipt, RefundPayment, Void,
};
use crate::unanswered::{Ending, Request, Unanswered};

/// One request while it is worked on.
struct Errand<'a> {
    row: &'a ProviderRequestRow,
    /// Whether it was told that the provider leaves something to be desired: once is enough.
    told: AtomicBool,
}

/// Asks the provider for what payments request.
pub(super) struct Asker {
    pub(super) port: Arc<dyn CommandPort>,
    pub(super) provider: Arc<dyn PaymentProvider>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) settings: ConnectorSettings,
    /// What the provider's last answer left to be desired.
    pub(super) standing: Arc<Mutex<Option<&'static str>>>,
    /// Where calls without a certain answer are noted.
    pub(super) unanswered: Arc<Unanswered>,
}

impl Asker {
    pub(super) async fn run(&self, row: &ProviderRequestRow) -> Came {
        let (Some(asked), Ok(currency)) = (Asked::of(row), row.currency.parse()) else {
            tracing::error!(payment_id = %row.payment_id.0, kind = row.kind,
                "the provider is to do something that nobody knows");
            return Came::Failed;
        };
        let errand = Errand { row, told: AtomicBool::new(false) };
        let now = self.clock.now();
        if asked == Asked::Authorize && now >= row.due_at {
            return self.overdue(&errand, now).await;
        }
        if now >= later(row.asked_at, self.settings.look_up_after) {
            // The provider may have forgotten the key.
            match self.look_up(&errand).await {
                Some(known) => {
                    let told = known.map_or_else(Vec::new, |known| asked.told(&known));
                    if !told.is_empty() {
                        return self.record(row, told).await;
                    }
                }
                None => return Came::Failed,
            }
        }
        let amount = Money { amount: row.amount, currency };
        match self.call(&errand, asked, amount).await {
            Outcome::Done(receipt) => self.record(row, asked.done(receipt)).await,
            // A bank's no to an authorization is what it is; the other refusals may mean that
            // something else has happened meanwhile.
            Outcome::Refused(refusal) if asked == Asked::Authorize => {
                self.record(row, asked.refused(refusal)).await
            }
            Outcome::Refused(refusal) => match self.look_up(&errand).await {
                Some(known) => {
                    let told = known.map_or_else(Vec::new, |known| asked.told(&known));
                    let said = if told.is_empty() { asked.refused(refusal) } else { told };
                    self.record(row, said).await
                }
                None => Came::Failed,
            },
            // Asked again under the same key, unless the provider knows it by now.
            Outcome::Unknown(_) => match self.look_up(&errand).await {
                Some(Some(known)) => {
                    let told = asked.told(&known);
                    if told.is_empty() { Came::Failed } else { self.record(row, told).await }
                }
                Some(None) | None => Came::Failed,
            },
            Outcome::NotTried(_) => Came::Failed,
        }
    }

    async fn call(&self, errand: &Errand<'_>, asked: Asked, amount: Money) -> Outcome<Receipt> {
        let row = errand.row;
        let (key, payment) = (row.asked_by.0, row.payment_id.0);
        crash_point::reached(|| [format!("connector.before_call {}", row.kind)]);
        let outcome = match asked {
            Asked::Authorize => {
                let method = row.method.clone();
                self.provider.authorize(&Authorize { key, payment, amount, method }).await
            }
            Asked::Capture { .. } => self.provider.capture(&Capture { key, payment, amount }).await,
            Asked::Void { .. } => self.provider.void(&Void { key, payment, amount }).await,
            Asked::Refund { refund } => {
                self.provider.refund(&RefundPayment { key, payment, refund, amount }).await
            }
        };
        crash_point::reached(|| [format!("connector.after_call {}", row.kind)]);
        self.note(errand, &row.kind, &outcome);
        outcome
    }

    /// What the provider knows of the payment; nothing when it does not say.
    async fn look_up(&self, errand: &Errand<'_>) -> Option<Option<KnownPayment>> {
        let outcome = self.provider.look_up(errand.row.payment_id.0).await;
        self.note(errand, "look_up", &outcome);
        match outcome {
            Outcome::Done(known) => Some(known),
            Outcome::Refused(_) | Outcome::Unknown(_) | Outcome::NotTried(_) => None,
        }
    }

    /// An authorization whose time is over: whatever the provider knows of it, or that it is timed
    /// out. Never asked for again.
    async fn overdue(&self, errand: &Errand<'_>, now: Timestamp) -> Came {
        let row = errand.row;
        let told = match self.look_up(errand).await {
            Some(known) => known.map_or_else(Vec::new, |known| Asked::Authorize.told(&known)),
            None if now < later(row.due_at, self.settings.time_out_grace) => return Came::Failed,
            // What comes later still is recorded, and undone.
            None => Vec::new(),
        };
        let said = if told.is_empty() { vec![Payment::TimeOut {}] } else { told };
        self.record(row, said).await
    }

    /// Records what was said. What is not known to be recorded is asked and recorded again.
    async fn record(&self, row: &ProviderRequestRow, said: Vec<Payment>) -> Came {
        let stream = StreamName::new(Category::Payment, row.payment_id.0);
        let asked_by = row.asked_by.0;
        let cause = cause(row);
        for command in said {
            let name = command.name();
            let command = Command::Payment(command);
            let text = serde_json::to_vec(&command).expect("commands are JSON");
            let parts = [asked_by.as_bytes().as_slice(), &text];
            let id = CommandId(derive::id("provider-answer", Some(asked_by), &parts));
            let request = ACTOR.request(stream, id, (&command.clone(), command), &cause);
            crash_point::reached(|| [format!("connector.before_record {name}")]);
            match self.port.send(request).await {
                Ok(_) => telemetry::answer(name, "recorded"),
                Err(CommandError::Refused(refusal)) => {
                    telemetry::answer(name, "refused");
                    tracing::warn!(%stream, name, code = refusal.code,
                        correlation_id = %row.correlation_id,
                        "a payment does not take what was said about it");
                    return Came::Failed;
                }
                Err(error) => {
                    telemetry::answer(name, "unknown");
                    tracing::warn!(%stream, name, code = error.code(), %error,
                        correlation_id = %row.correlation_id,
                        "what the provider said is recorded again later, under the same id");
                    return Came::Failed;
                }
            }
        }
        Came::Done
    }

    /// Notes how the provider stands, and tells of what payment the outcome is not certain.
    fn note<T>(&self, errand: &Errand<'_>, operation: &str, outcome: &Outcome<T>) {
        let ending = match outcome {
            Outcome::Done(_) | Outcome::Refused(_) => None,
            Outcome::Unknown(doubt) => Some(Ending::Unknown(*doubt)),
            Outcome::NotTried(obstacle) => Some(Ending::NotTried(*obstacle)),
        };
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = ending.map(Ending::code);
        let Some(ending) = ending else { return };
        let code = ending.code();
        let row = errand.row;
        let stream = StreamName::new(Category::Payment, row.payment_id.0);
        let request = Request { id: row.asked_by, stream, cause: cause(row) };
        self.unanswered.note(request, operation, ending);
        if !errand.told.swap(true, Ordering::Relaxed) {
            let ProviderRequestRow { payment_id, correlation_id, .. } = errand.row;
            tracing::warn!(payment_id = %payment_id.0, %correlation_id, operation,
                outcome = outcome.name(), code,
                "a payment's call ended without a certain answer");
        }
    }
}

fn later(instant: Timestamp, by: Duration) -> Timestamp {
    instant.plus_seconds(i64::try_from(by.as_secs()).unwrap_or(i64::MAX))
}
