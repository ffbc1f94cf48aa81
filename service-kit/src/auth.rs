//! Who asks. Everything is refused that nothing allows.
//!
//! [`protect`] goes around the routes of an API; what is left outside (health, metrics, webhooks
//! that verify signatures themselves) is public by being left outside. Handlers take an
//! [`Identity`]; where no middleware put one, that is a 401 too.
//!
//! **Development**: every request comes from [`DEV_ACCOUNT`] in tenant [`DEV_TENANT`] with every
//! role. A request may ask to be somebody else with `Waylog-Dev-Actor: account:<uuid>`,
//! `Waylog-Dev-Tenant: <name>` and `Waylog-Dev-Roles: traveller,support`. **Otherwise** there are
//! no accounts yet: whatever needs an identity is answered 401, and the `Waylog-Dev-…` headers
//! mean nothing.
//!
//! [`protect_internal`] guards the routes that instances of one deployment call on each other:
//! a bearer token, the cluster secret, compared in constant time.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use uuid::Uuid;

use crate::problem::Problem;
use crate::request_context::parse_uuid;
use crate::secret::Secret;

/// The account of every request in development.
pub const DEV_ACCOUNT: Uuid = Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_0000_0d3e);
/// The tenant of every request in development.
pub const DEV_TENANT: &str = "dev";

const DEV_ACTOR_HEADER: &str = "waylog-dev-actor";
const DEV_TENANT_HEADER: &str = "waylog-dev-tenant";
const DEV_ROLES_HEADER: &str = "waylog-dev-roles";

/// The longest name of a tenant, in bytes.
const TENANT_BYTES_MAX: usize = 64;

/// What an account may do, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Plans and buys.
    Traveller = 1,
    /// Sees what travellers see, to help them.
    Support = 2,
    /// Runs offers, sagas and read models.
    Operator = 4,
    /// Everything.
    Admin = 8,
}

impl Role {
    const ALL: [Self; 4] = [Self::Traveller, Self::Support, Self::Operator, Self::Admin];

    /// As it is written in requests and events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traveller => "traveller",
            Self::Support => "support",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Lets pass who has this role among theirs.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn required_of(self, roles: Roles) -> Result<(), Problem> {
        if roles.include(self) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .detail(format!("This takes the role {}.", self.name()))
            .fact("required_role", self.name()))
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// Every role there is.
    #[must_use]
    pub fn all() -> Self {
        Role::ALL.into_iter().collect()
    }

    /// Whether `role` is in it; an admin has every role.
    #[must_use]
    pub fn include(self, role: Role) -> bool {
        self.0 & (role as u8 | Role::Admin as u8) != 0
    }

    fn parse(names: &str) -> Option<Self> {
        let role = |name: &str| Role::ALL.into_iter().find(|role| role.name() == name.trim());
        names.split(',').map(role).collect()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |set, role| set | role as u8))
    }
}

/// Who asks, as established by [`protect`]. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As events name it: `account:<uuid>`.
    pub actor: Arc<str>,
    /// Whose world the actor lives in; nothing crosses it.
    pub tenant: Arc<str>,
    /// What the actor may do.
    pub roles: Roles,
}

impl Identity {
    /// Lets the actor pass who has `role`.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        role.required_of(self.roles)
    }
}

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unauthenticated)
    }
}

/// How identities are established.
#[derive(Debug, Clone)]
pub struct Authentication(Option<Identity>);

impl Authentication {
    /// Development: see the head of this file.
    #[must_use]
    pub fn development() -> Self {
        Self(Some(Identity {
            actor: format!("account:{DEV_ACCOUNT}").into(),
            tenant: DEV_TENANT.into(),
            roles: Roles::all(),
        }))
    }

    /// Accounts; as there are none yet, nobody is anybody.
    #[must_use]
    pub fn accounts() -> Self {
        Self(None)
    }

    /// Whether requests are taken at their word.
    #[must_use]
    pub fn development_mode(&self) -> bool {
        self.0.is_some()
    }

    /// Establishes who sent `headers`.
    ///
    /// # Errors
    /// 401 `unauthenticated`; 400 `invalid_identity` for a development header that cannot be read.
    pub fn identify(&self, headers: &HeaderMap) -> Result<Identity, Problem> {
        let mut identity = self.0.clone().ok_or_else(unauthenticated)?;
        if let Some(actor) = dev_header(headers, DEV_ACTOR_HEADER)? {
            let account = actor.strip_prefix("account:").and_then(|id| parse_uuid(id.as_bytes()));
            let account = account.ok_or_else(|| invalid_identity(DEV_ACTOR_HEADER))?;
            identity.actor = format!("account:{account}").into();
        }
        if let Some(tenant) = dev_header(headers, DEV_TENANT_HEADER)? {
            if !plain_name(tenant) {
                return Err(invalid_identity(DEV_TENANT_HEADER));
            }
            identity.tenant = tenant.into();
        }
        if let Some(roles) = dev_header(headers, DEV_ROLES_HEADER)? {
            let roles = Roles::parse(roles);
            identity.roles = roles.ok_or_else(|| invalid_identity(DEV_ROLES_HEADER))?;
        }
        Ok(identity)
    }
}

/// Puts `router` behind `authentication`: no route of it runs without an [`Identity`].
pub fn protect(router: Router, authentication: Authentication) -> Router {
    // A process without routes of its own has nothing to protect, and its router takes no layer.
    if !router.has_routes() {
        return router;
    }
    let authentication = Arc::new(authentication);
    router.route_layer(middleware::from_fn(move |mut request: Request, next: Next| {
        let identity = authentication.identify(request.headers());
        async move {
            match identity {
                Ok(identity) => {
                    request.extensions_mut().insert(identity);
                    next.run(request).await
                }
                Err(problem) => problem.into_response(),
            }
        }
    }))
}

/// Puts `router` behind the cluster secret; without one, no request passes.
pub fn protect_internal(router: Router, secret: Option<Secret>) -> Router {
    let secret = secret.map(Arc::new);
    router.route_layer(middleware::from_fn(move |request: Request, next: Next| {
        let admitted = secret.as_ref().is_some_and(|secret| carries(request.headers(), secret));
        async move { if admitted { next.run(request).await } else { refused(&request) } }
    }))
}

fn refused(request: &Request) -> Response {
    tracing::warn!(path = request.uri().path(), "an internal route was called without the secret");
    unauthenticated().into_response()
}

fn carries(headers: &HeaderMap, secret: &Secret) -> bool {
    headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7)).is_some_and(
        |(scheme, token)| scheme.eq_ignore_ascii_case(b"bearer ") && secret.matches(token),
    )
}

fn dev_header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let value = headers.get(name);
    value.map(|value| value.to_str().map_err(|_| invalid_identity(name))).transpose()
}

fn plain_name(name: &str) -> bool {
    (1..=TENANT_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn unauthenticated() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Who are you?")
        .detail("This needs an identity, and the request carries none that is accepted.")
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn invalid_identity(header: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_identity", "The identity cannot be read")
        .field(header, "cannot be read")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    const ACCOUNT: &str = "account:01890a5d-ac96-774b-bcce-b302099a8057";

    async fn status(router: Router, headers: &[(&str, &str)]) -> u16 {
        let request = headers
            .iter()
            .fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    fn operators_only() -> Router {
        Router::new()
            .route("/", get(|identity: Identity| async move { identity.require(Role::Operator) }))
    }

    fn identify(headers: &[(&'static str, &str)]) -> Result<Identity, Problem> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        Authentication::development().identify(&headers.collect())
    }

    #[test]
    fn in_development_everybody_is_the_same_account_unless_asked_otherwise() {
        let plain = identify(&[]).unwrap();
        let other = identify(&[(DEV_ACTOR_HEADER, ACCOUNT), (DEV_TENANT_HEADER, "acme")]).unwrap();

        assert_eq!(&*plain.actor, "account:00000000-0000-8000-8000-000000000d3e");
        assert_eq!((&*plain.tenant, plain.roles), (DEV_TENANT, Roles::all()));
        assert_eq!((&*other.actor, &*other.tenant), (ACCOUNT, "acme"));
    }

    #[test]
    fn a_development_header_that_cannot_be_read_is_not_ignored() {
        let long = "x".repeat(TENANT_BYTES_MAX + 1);

        for header in [
            (DEV_ACTOR_HEADER, "account:7"),
            (DEV_ACTOR_HEADER, "saga:01890a5d-ac96-774b-bcce-b302099a8057"),
            (DEV_TENANT_HEADER, "a/b"),
            (DEV_TENANT_HEADER, &long),
            (DEV_ROLES_HEADER, "traveller,king"),
        ] {
            assert_eq!(identify(&[header]).unwrap_err().code(), "invalid_identity", "{header:?}");
        }
    }

    #[tokio::test]
    async fn outside_development_nobody_passes() {
        let router = protect(operators_only(), Authentication::accounts());

        let told = [(DEV_ACTOR_HEADER, ACCOUNT), ("authorization", "Bearer anything")];

        assert_eq!(status(router.clone(), &[]).await, 401);
        assert_eq!(status(router, &told).await, 401);
    }

    #[tokio::test]
    async fn a_handler_that_nobody_protected_refuses_by_itself() {
        assert_eq!(status(operators_only(), &[]).await, 401);
    }

    #[tokio::test]
    async fn a_role_opens_what_takes_it() {
        let router = protect(operators_only(), Authentication::development());

        assert_eq!(status(router.clone(), &[]).await, 200);
        assert_eq!(status(router.clone(), &[(DEV_ROLES_HEADER, "traveller,support")]).await, 403);
        assert_eq!(status(router.clone(), &[(DEV_ROLES_HEADER, "operator")]).await, 200);
        assert_eq!(status(router, &[(DEV_ROLES_HEADER, "admin")]).await, 200);
    }

    #[tokio::test]
    async fn internal_routes_open_to_the_cluster_secret_alone() {
        let routes = || Router::new().route("/", get(|| async {}));
        let secret: Secret = "correct horse battery".parse().unwrap();
        let router = protect_internal(routes(), Some(secret));

        for (value, expected) in [
            ("Bearer correct horse battery", 200),
            ("bearer correct horse battery", 200),
            ("Bearer correct horse batterz", 401),
            ("Bearer ", 401),
            ("Basic correct horse battery", 401),
        ] {
            let headers = [("authorization", value)];
            assert_eq!(status(router.clone(), &headers).await, expected, "{value}");
        }
        assert_eq!(status(router, &[]).await, 401);
        assert_eq!(status(protect_internal(routes(), None), &[]).await, 401);
    }
}
