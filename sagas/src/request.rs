//! A command of the system's own, on its way to the lanes.

use domain::ids::{CommandId, CorrelationId};
use domain::{Actor, Command, Digest, StreamName, Tenant};
use lanes::CommandRequest;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Who asks for what sagas and timers want done.
const ACTOR: &str = "sagas";

/// What made the command necessary.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) tenant: Tenant,
    pub(crate) correlation_id: CorrelationId,
    /// The event behind it.
    pub(crate) causation_id: Uuid,
    pub(crate) traceparent: Option<String>,
}

/// The request. `asked` is what the fingerprint covers: the command as the log asks for it, without
/// what the installation adds, so that a repeat under other settings is still the same request.
pub(crate) fn request(
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
        actor: Actor::System(ACTOR.to_owned()),
        tenant: cause.tenant.clone(),
        correlation_id: cause.correlation_id,
        causation_id: cause.causation_id,
        expected_version: None,
        traceparent: cause.traceparent.clone(),
    }
}
