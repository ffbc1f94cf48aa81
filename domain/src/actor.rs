//! Who asked: the account or the part of the system behind a command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::ids::AccountId;

/// Who issued a command: `account:<uuid>`, or `system:<name>` for sagas and the operator's tools.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person, by account.
    Account(AccountId),
    /// A part of the system, by its name (lower-case letters, digits and hyphens).
    System(String),
}

/// The text names no actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an actor such as account:<uuid> or system:<name>")]
pub struct InvalidActor(pub String);

impl Actor {
    /// The account, when a person asked.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(*id),
            Self::System(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::System(name) => write!(f, "system:{name}"),
        }
    }
}

impl FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || InvalidActor(text.to_owned());
        match text.split_once(':').ok_or_else(refused)? {
            ("account", id) => id.parse().map(Self::Account).map_err(|_| refused()),
            ("system", name) if plain_name(name, 64) => Ok(Self::System(name.to_owned())),
            _ => Err(refused()),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Whose data it is: a short name, 1 to 64 lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Tenant(String);

/// The text is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a tenant: 1 to 64 lower-case letters, digits and hyphens")]
pub struct InvalidTenant(pub String);

impl Tenant {
    /// The tenant's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// The tenant of an installation that serves only one.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if plain_name(text, 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTenant(text.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

fn plain_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_actor_reads_back_as_itself(number: u128, name in "[a-z0-9-]{1,64}") {
            let person = Actor::Account(AccountId(uuid::Uuid::from_u128(number)));
            let system = Actor::System(name);

            for actor in [person, system] {
                prop_assert_eq!(actor.to_string().parse::<Actor>(), Ok(actor.clone()));
                let json = serde_json::to_string(&actor).unwrap();
                prop_assert_eq!(serde_json::from_str::<Actor>(&json).unwrap(), actor);
            }
        }

        #[test]
        fn a_tenant_reads_back_as_itself(name in "[a-z0-9-]{1,64}") {
            let tenant: Tenant = name.parse().unwrap();

            prop_assert_eq!(tenant.as_str(), name.as_str());
            let json = serde_json::to_string(&tenant).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tenant>(&json).unwrap(), tenant);
        }

        #[test]
        fn a_system_has_a_plain_name(name in "[a-zA-Z0-9_. -]{0,70}") {
            let plain = (1..=64).contains(&name.len())
                && name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));

            let actor = format!("system:{name}").parse::<Actor>();

            prop_assert_eq!(actor.is_ok(), plain);
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        let long = format!("system:{}", "a".repeat(65));
        let id = "018f4e2a-7c3b-7def-8123-456789abcdef";
        let bare = format!("account:{}", id.replace('-', ""));
        let braced = format!("account:{{{id}}}");

        for text in ["", "system:", "system:Saga", "account:me", "robot:x", &long, &bare, &braced] {
            assert_eq!(text.parse::<Actor>(), Err(InvalidActor(text.to_owned())));
        }
    }

    #[test]
    fn only_an_account_is_somebody() {
        let id = AccountId(uuid::Uuid::from_u128(7));

        assert_eq!(Actor::Account(id).account(), Some(id));
        assert_eq!(Actor::System("saga".to_owned()).account(), None);
    }

    #[test]
    fn what_is_no_plain_name_is_no_tenant() {
        for text in ["", "Acme", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(text.parse::<Tenant>(), Err(InvalidTenant(text.to_owned())));
            assert!(serde_json::from_value::<Tenant>(text.into()).is_err());
        }
        assert_eq!(Tenant::default().as_str().parse(), Ok(Tenant::default()));
    }
}
