//! Faults planned at run time: the next N calls of an operation, or the next N webhooks, go wrong.
//!
//! Plans are kept in memory: a restarted sandbox behaves.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Plans that may wait at the same time.
const PLANS_MAX: usize = 100;
/// The longest planned delay, in milliseconds.
const DELAY_MS_MAX: u64 = 600_000;

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// An intent is created without being confirmed.
    Create,
    /// An intent is confirmed, also while it is created.
    Confirm,
    /// An authorized amount is captured.
    Capture,
    /// An intent is canceled.
    Cancel,
    /// A captured amount is refunded.
    Refund,
    /// A message to somebody is taken.
    Message,
    /// Something is read.
    LookUp,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection is dropped, nothing was done.
    DropBefore,
    /// The work is done, then the connection is dropped.
    DropAfter,
    /// 500, nothing was done.
    ErrorBefore,
    /// The work is done, then 500.
    ErrorAfter,
    /// The work is done, the answer comes late.
    Delay,
    /// The work is done, the answer is 200 with something that is no JSON.
    Garbage,
}

/// A fault as it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// How the call goes wrong.
    pub kind: FaultKind,
    /// How late the answer of [`FaultKind::Delay`] is, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

/// The next `calls` calls of `operation` meet a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Which calls.
    pub operation: Operation,
    /// What they meet.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many of them are left.
    pub calls: u32,
}

/// How a webhook goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFaultKind {
    /// It comes late.
    Late,
    /// It comes twice.
    Twice,
    /// It comes after the next one.
    OutOfOrder,
    /// Before it comes another that says something else and is signed with an unknown secret.
    Forged,
}

/// The next `webhooks` webhooks go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFault {
    /// How.
    pub kind: WebhookFaultKind,
    /// How late [`WebhookFaultKind::Late`] is, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// How many are left.
    pub webhooks: u32,
}

/// The plans of a sandbox.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Plans>);

/// Everything that is planned.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Plans {
    calls: Vec<PlannedFault>,
    webhooks: Vec<WebhookFault>,
}

/// There are too many plans, or one waits too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {PLANS_MAX} plans wait, and none delays for more than {DELAY_MS_MAX} ms")]
pub struct PlanRefused;

impl Faults {
    /// The next calls of an operation go wrong, after those planned before.
    ///
    /// # Errors
    /// [`PlanRefused`].
    pub fn plan(&self, plan: PlannedFault) -> Result<(), PlanRefused> {
        let mut plans = self.plans();
        if plans.calls.len() >= PLANS_MAX || plan.fault.delay_ms > DELAY_MS_MAX {
            return Err(PlanRefused);
        }
        plans.calls.push(plan);
        Ok(())
    }

    /// The next webhooks go wrong, after those planned before.
    ///
    /// # Errors
    /// [`PlanRefused`].
    pub fn plan_webhooks(&self, plan: WebhookFault) -> Result<(), PlanRefused> {
        let mut plans = self.plans();
        if plans.webhooks.len() >= PLANS_MAX || plan.delay_ms > DELAY_MS_MAX {
            return Err(PlanRefused);
        }
        plans.webhooks.push(plan);
        Ok(())
    }

    /// Forgets every plan.
    pub fn clear(&self) {
        *self.plans() = Plans::default();
    }

    pub(crate) fn planned(&self) -> Plans {
        self.plans().clone()
    }

    /// What a call of `operation` meets now; used up by asking.
    pub(crate) fn meet(&self, operation: Operation) -> Option<Fault> {
        let mut plans = self.plans();
        plans.calls.retain(|plan| plan.calls > 0);
        let plan = plans.calls.iter_mut().find(|plan| plan.operation == operation)?;
        plan.calls -= 1;
        Some(plan.fault)
    }

    /// What a webhook meets now; used up by asking.
    pub(crate) fn meet_webhook(&self) -> Option<WebhookFault> {
        let mut plans = self.plans();
        plans.webhooks.retain(|plan| plan.webhooks > 0);
        let plan = plans.webhooks.first_mut()?;
        plan.webhooks -= 1;
        Some(*plan)
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_met_as_often_as_planned_and_by_its_operation_alone() {
        let faults = Faults::default();
        let fault = Fault { kind: FaultKind::DropAfter, delay_ms: 0 };
        faults.plan(PlannedFault { operation: Operation::Capture, fault, calls: 2 }).unwrap();

        let confirm = faults.meet(Operation::Confirm);
        let captures = [(); 3].map(|()| faults.meet(Operation::Capture));

        assert_eq!(confirm, None);
        assert_eq!(captures, [Some(fault), Some(fault), None]);
    }

    #[test]
    fn plans_are_bounded() {
        let faults = Faults::default();
        let fault = Fault { kind: FaultKind::Delay, delay_ms: DELAY_MS_MAX };
        let plan = PlannedFault { operation: Operation::Create, fault, calls: 1 };
        for _ in 0..PLANS_MAX {
            faults.plan(plan).unwrap();
        }

        assert_eq!(faults.plan(plan), Err(PlanRefused));
        faults.clear();
        assert_eq!(faults.plan(plan), Ok(()));
        let late = Fault { delay_ms: DELAY_MS_MAX + 1, ..fault };
        assert_eq!(faults.plan(PlannedFault { fault: late, ..plan }), Err(PlanRefused));
    }
}
