//! Refusals: what the domain says when the answer is no.
//!
//! An aggregate declares its own with `refusals!`: one line names the broken rule, its kind, its
//! stable code and the facts behind it, so that none of them can be forgotten.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What kind of no it is; the edge turns it into a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The aggregate, or a part of it that the command names, is not there (404).
    NotFound,
    /// The actor may not do this here (403).
    Forbidden,
    /// What the command would create is there already (409).
    AlreadyExists,
    /// A rule is broken by what is asked, in the state things are in (422).
    Rule,
}

/// A refusal of any aggregate, erased for the journey to the client: the code is stable, the facts
/// are what a client needs to act on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable, `snake_case`, unique over all aggregates.
    pub code: String,
    /// What kind of no.
    pub kind: RefusalKind,
    /// One sentence for people.
    pub message: String,
    /// The numbers and names behind the sentence, by field name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Value>,
}

/// Declares an aggregate's refusals: a `thiserror` enum whose variants are `Rule { facts } = Kind,
/// "code"`. Every field is a fact, handed to the client under its own name.
macro_rules! refusals {
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $(
                $(#[$variant_doc:meta])*
                $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })?
                    = $kind:ident, $code:literal;
            )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $($(#[$variant_doc])* $variant $({ $($(#[$field_doc])* $field: $type,)+ })?,)+
        }

        $($($(const _: () = assert!(
            !$crate::refusal::taken(stringify!($field)),
            "a problem has a member of this name already"
        );)+)?)+

        impl $name {
            /// The codes of all refusals of this aggregate.
            pub const CODES: &'static [&'static str] = &[$($code,)+];

            /// The stable code, unique over all aggregates.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $code,)+ }
            }

            /// What kind of no it is.
            #[must_use]
            pub const fn kind(&self) -> $crate::RefusalKind {
                match self { $(Self::$variant { .. } => $crate::RefusalKind::$kind,)+ }
            }
        }

        impl From<$name> for $crate::Refusal {
            fn from(refusal: $name) -> Self {
                let (code, kind, message) = (refusal.code(), refusal.kind(), refusal.to_string());
                let facts: Vec<(&str, serde_json::Value)> = match refusal {
                    $($name::$variant $({ $($field),+ })? => {
                        vec![$($((stringify!($field), $crate::refusal::fact($field))),+)?]
                    })+
                };
                Self {
                    code: code.to_owned(),
                    kind,
                    message,
                    facts: facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect(),
                }
            }
        }
    };
}
pub(crate) use refusals;

/// Whether an answer has a member of that name beside the refusal's facts (RFC 9457, and ours).
pub(crate) const fn taken(name: &str) -> bool {
    matches!(
        name.as_bytes(),
        b"type"
            | b"title"
            | b"status"
            | b"code"
            | b"detail"
            | b"instance"
            | b"correlation_id"
            | b"errors"
    )
}

/// A fact as a client reads it.
pub(crate) fn fact(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("ids, numbers and texts are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    refusals! {
        /// A refusal with and one without facts.
        pub enum Sample {
            /// With facts.
            #[error("{left} left")]
            SoldOut {
                /// How many.
                left: u32,
                /// Since when.
                since: crate::Timestamp,
            } = Rule, "sample_sold_out";
            /// Without.
            #[error("closed")]
            Closed = Forbidden, "sample_closed";
        }
    }

    #[test]
    fn a_refusal_tells_code_kind_and_every_field() {
        let since = crate::Timestamp::from_micros(7);

        let with: Refusal = Sample::SoldOut { left: 2, since }.into();
        let without: Refusal = Sample::Closed.into();

        assert_eq!((with.code.as_str(), with.kind), ("sample_sold_out", RefusalKind::Rule));
        assert_eq!(with.message, "2 left");
        assert_eq!(
            Value::Object(with.facts),
            serde_json::json!({ "left": 2, "since": "1970-01-01T00:00:00.000007Z" })
        );
        assert_eq!(
            (without.code.as_str(), without.kind),
            ("sample_closed", RefusalKind::Forbidden)
        );
        assert_eq!(serde_json::to_value(without).unwrap().get("facts"), None);
        assert_eq!(Sample::CODES, ["sample_sold_out", "sample_closed"]);
    }

    #[test]
    fn a_code_means_one_thing_over_all_aggregates() {
        let mut seen = BTreeSet::new();

        for code in Refusal::codes() {
            assert!(seen.insert(code), "{code} is used twice");
            let snake = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(snake && !code.starts_with('_') && !code.ends_with('_'), "{code}");
        }

        assert!(seen.contains("itinerary_not_found"));
    }
}
