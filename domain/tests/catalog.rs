//! The event catalog is complete: every event has an Avro schema that documents each field, and
//! `docs/events.md` names every event and every refusal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::{Event, EventPayload, PayloadVisitor, Refusal};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first version of each event's schema, with the record's name that it must have.
struct FirstSchema;

impl PayloadVisitor for FirstSchema {
    type Output = (String, Value);

    fn visit<E: EventPayload>(&mut self) -> (String, Value) {
        let path = root().join(format!("schemas/{}.v1.avsc", E::NAME));
        (E::RECORD.to_owned(), serde_json::from_str(&read(&path)).expect(E::NAME))
    }
}

/// Every named type inside a schema, itself included, with every field.
fn assert_documented(schema: &Value, place: &str) {
    match schema {
        Value::Object(members) => {
            let named = members.contains_key("name");
            let doc = members.get("doc").and_then(Value::as_str).unwrap_or_default();
            assert!(!named || doc.ends_with('.'), "{place}: {members:?} has no doc");
            if members.get("type").is_some_and(|kind| kind == "enum") {
                let default = &members["default"];
                assert!(
                    members["symbols"].as_array().is_some_and(|all| all.contains(default)),
                    "{place}"
                );
            }
            members.values().for_each(|member| assert_documented(member, place));
        }
        Value::Array(items) => items.iter().for_each(|item| assert_documented(item, place)),
        _ => {}
    }
}

#[test]
fn every_event_has_a_documented_schema_under_its_record_name() {
    for (record, schema) in Event::visit_all_types(&mut FirstSchema) {
        assert_eq!(schema["namespace"], "waylog", "{record}");
        assert_eq!(schema["name"], record);
        assert_documented(&schema, &record);
    }
}

#[test]
fn every_schema_is_of_an_event() {
    let names: BTreeSet<_> = Event::names().collect();

    for entry in std::fs::read_dir(root().join("schemas")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = file.strip_suffix(".avsc") else { continue };
        let (name, version) = stem.rsplit_once(".v").unwrap();
        assert!(names.contains(name), "{file}");
        assert!(version.parse::<u32>().is_ok_and(|version| version > 0), "{file}");
    }
}

#[test]
fn the_catalog_names_every_event_and_every_refusal() {
    let catalog = read(&root().join("docs/events.md"));

    for name in Event::names().chain(Refusal::codes()) {
        assert!(catalog.contains(&format!("`{name}`")), "docs/events.md does not name `{name}`");
    }
}
