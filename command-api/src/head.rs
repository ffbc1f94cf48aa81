//! What every command's request says beside its body, and sending it.

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use domain::ids::{CommandId, CorrelationId};
use domain::{Actor, Command, Digest, StreamName, Tenant};
use http::Method;
use http::request::Parts;
use lanes::{Accepted, CommandRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service_kit::auth::{Identity, Role, Roles};
use service_kit::idempotency_key::IdempotencyKey;
use service_kit::if_match::IfMatch;
use service_kit::{Problem, Query, RequestContext, json};

use crate::CommandApi;
use crate::refused;

/// The caller, the key, the precondition and the trace of a command's request.
pub(crate) struct Head {
    method: Method,
    context: RequestContext,
    actor: Actor,
    tenant: Tenant,
    roles: Roles,
    key: IdempotencyKey,
    if_match: IfMatch,
}

impl<S: Send + Sync> FromRequestParts<S> for Head {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let identity = Identity::from_request_parts(parts, state).await?;
        let Ok(context) = RequestContext::from_request_parts(parts, state).await;
        // No command reads a parameter, and no fingerprint covers one.
        let Query(Nothing {}) = Query::from_request_parts(parts, state).await?;
        Ok(Self {
            method: parts.method.clone(),
            context,
            // Who established the identity promises both forms.
            actor: defect(identity.actor.parse())?,
            tenant: defect(identity.tenant.parse())?,
            roles: identity.roles,
            key: IdempotencyKey::from_request_parts(parts, state).await?,
            if_match: IfMatch::from_request_parts(parts, state).await?,
        })
    }
}

fn defect<T, E: std::error::Error + 'static>(result: Result<T, E>) -> Result<T, Problem> {
    result.map_err(|error| Problem::defect(&error))
}

/// A JSON body, parsed, and as it was sent: the fingerprint covers all of it.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) bytes: Bytes,
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        json::require_json(&parts.headers)?;
        let bytes = json::read_body(body).await?;
        Ok(Self { value: json::parse(&bytes)?, bytes })
    }
}

/// The body of a command that says all in its path: empty, or `{}`, which says no more. Anything
/// else is refused as it is for every other command.
pub(crate) struct NoBody {
    /// Empty: both ways of saying nothing are one request to the fingerprint.
    pub(crate) bytes: Bytes,
}

impl<S: Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = json::read_body(body).await?;
        if !bytes.is_empty() {
            json::require_json(&parts.headers)?;
            let Nothing {} = json::parse(&bytes)?;
        }
        Ok(Self { bytes: Bytes::new() })
    }
}

/// No members, and no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Head {
    /// The command's id.
    pub(crate) const fn command_id(&self) -> CommandId {
        CommandId(self.key.id)
    }

    /// Who asks.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose data it is.
    pub(crate) const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether the caller has the role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.roles.include(role)
    }

    /// Lets callers pass who have the role.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub(crate) fn require(&self, role: Role) -> Result<(), Problem> {
        role.required_of(self.roles)
    }

    /// Checks the command against what no state accepts, then sends it to the owner of its stream
    /// and waits for its outcome. `body` is that of the request's [`Body`] or [`NoBody`].
    pub(crate) async fn send(
        self,
        api: &CommandApi,
        stream: StreamName,
        command: Command,
        body: &Bytes,
    ) -> Result<Accepted, Problem> {
        command.check().map_err(refused::by_domain)?;
        // The actor belongs to the request: nobody learns another's outcome by a key.
        let place = format!("{}\n{}", self.context.path(), self.actor);
        let print = api.fingerprinter.fingerprint(&self.method, &place, body)?;
        let request = CommandRequest {
            stream,
            command,
            command_id: self.command_id(),
            fingerprint: Digest(print.0),
            actor: self.actor,
            tenant: self.tenant,
            correlation_id: CorrelationId(self.context.correlation_id()),
            causation_id: self.key.id,
            expected_version: match self.if_match {
                IfMatch::Version(version) => Some(version),
                // A command to what does not exist is refused in any case.
                IfMatch::AnyExisting | IfMatch::Unconditional => None,
            },
            traceparent: Some(self.context.trace().to_string()),
        };
        api.port.send(request).await.map_err(refused::by_port)
    }
}

#[cfg(test)]
mod tests;
