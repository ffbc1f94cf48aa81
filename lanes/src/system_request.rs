//! A command of the system's own, on its way to the lanes: what sagas, timers and connectors send.

use domain::ids::{CommandId, CorrelationId};
use domain::{Actor, Command, Digest, StreamName, Tenant};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::port::CommandRequest;

/// What made the command necessary.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Whose data it is.
    pub tenant: Tenant,
    /// What the first request and everything it caused have in common.
    pub correlation_id: CorrelationId,
    /// The event behind it.
    pub causation_id: Uuid,
    /// W3C trace context of the first request.
    pub traceparent: Option<String>,
}

/// A part of the system, as it signs its commands.
#[derive(Clone, Copy, Debug)]
pub struct SystemActor(pub &'static str);

impl SystemActor {
    /// The request. `asked` is what the fingerprint covers: the command as the log asks for it,
    /// without what the installation adds, so that a repeat under other settings is still the same
    /// request.
    ///
    /// # Panics
    /// Never: commands are JSON.
    #[must_use]
    pub fn request(
        self,
        stream: StreamName,
        command_id: CommandId,
        (asked, command): (&Command, Command),
        cause: &Cause,
    ) -> CommandRequest {
        let text = serde_json::to_vec(asked).expect("commands are JSON");
        CommandRequest {
            stream,
            command,
            command_id,
            fingerprint: Digest(Sha256::digest(text).into()),
            actor: Actor::System(self.0.to_owned()),
            tenant: cause.tenant.clone(),
            correlation_id: cause.correlation_id,
            causation_id: cause.causation_id,
            expected_version: None,
            traceparent: cause.traceparent.clone(),
        }
    }
}
