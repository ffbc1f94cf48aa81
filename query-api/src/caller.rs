//! Who asks, in the domain's words.

use axum::extract::FromRequestParts;
use domain::ids::AccountId;
use domain::{Actor, Tenant};
use http::StatusCode;
use http::request::Parts;
use service_kit::Problem;
use service_kit::auth::{Identity, Role};

/// The caller of a query.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// As events name it.
    pub(crate) actor: Actor,
    /// Whose world the caller lives in; nothing crosses it.
    pub(crate) tenant: Tenant,
    /// Whether the caller helps travellers or runs the platform, and so sees all of the tenant.
    pub(crate) staff: bool,
}

impl Caller {
    /// The caller's account, when a person asks.
    pub(crate) const fn account(&self) -> Option<AccountId> {
        self.actor.account()
    }

    /// Lets staff pass.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub(crate) fn require_staff(&self) -> Result<(), Problem> {
        if self.staff {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .detail("This takes the role support or operator.")
            .fact("required_role", Role::Support.name()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let identity = Identity::from_request_parts(parts, state).await?;
        let roles = identity.roles;
        Ok(Self {
            actor: identity.actor.parse().map_err(|_| unreadable("actor"))?,
            tenant: identity.tenant.parse().map_err(|_| unreadable("tenant"))?,
            staff: roles.include(Role::Support) || roles.include(Role::Operator),
        })
    }
}

/// An identity of another form than events carry owns nothing that could be read.
fn unreadable(field: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_identity", "The identity cannot be read")
        .field(field, "is of no form that events carry")
}
