//! What differs between two JSON documents, path by path.
//!
//! Objects are compared member by member. Lists are compared as wholes: where an element stands in
//! one says nothing about which one it is.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One place where two states differ.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Difference {
    /// JSON pointer to it.
    #[schema(example = "/title")]
    path: String,
    /// What stands there in the earlier state; missing when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = "Nine days in Lisbon")]
    from: Option<Value>,
    /// What stands there in the later one; missing when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = "Ten days in Lisbon")]
    to: Option<Value>,
}

/// All differences, in the order of their paths.
pub(super) fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(from), Some(to), &mut found);
    found
}

/// Goes as deep as the documents do: states are a few levels.
fn compare(path: String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    match (from, to) {
        (Some(from), Some(to)) if from == to => {}
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            for name in names(from, to) {
                let path = format!("{path}/{}", escaped(name));
                compare(path, from.get(name), to.get(name), found);
            }
        }
        (from, to) => found.push(Difference { path, from: from.cloned(), to: to.cloned() }),
    }
}

/// The members of either, sorted, each once.
fn names<'a>(from: &'a Map<String, Value>, to: &'a Map<String, Value>) -> Vec<&'a str> {
    let mut names: Vec<&str> = from.keys().chain(to.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A member's name as a pointer's token (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(from: &Value, to: &Value) -> Value {
        serde_json::to_value(differences(from, to)).unwrap()
    }

    #[test]
    fn members_differ_by_path_and_lists_as_wholes() {
        let from = json!({ "title": "a", "gone": 1, "plan": { "x": { "at": 1 } }, "ids": [1, 2] });
        let to = json!({ "title": "b", "plan": { "x": { "at": 2 }, "y": null }, "ids": [2] });

        assert_eq!(
            found(&from, &to),
            json!([
                { "path": "/gone", "from": 1 },
                { "path": "/ids", "from": [1, 2], "to": [2] },
                { "path": "/plan/x/at", "from": 1, "to": 2 },
                { "path": "/plan/y", "to": null },
                { "path": "/title", "from": "a", "to": "b" },
            ])
        );
    }

    #[test]
    fn equal_documents_do_not_differ_and_names_are_escaped() {
        assert_eq!(found(&json!({ "a": [1] }), &json!({ "a": [1] })), json!([]));
        assert_eq!(
            found(&json!({ "a/b": { "~": 1 } }), &json!({ "a/b": {} })),
            json!([{ "path": "/a~1b/~0", "from": 1 }])
        );
        assert_eq!(found(&json!(1), &json!({})), json!([{ "path": "", "from": 1, "to": {} }]));
    }
}
