//! The house rules that a machine can judge: which crate may use which, and how large things get.
//!
//! `docs/style.md` says the same in words; a rule is changed in both places at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::Category;
use keys::Purpose;
use serde_json::Value;

/// Which of our crates each crate may depend on. `waylog` and `tests` may use everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("service-kit", &[]),
    ("event-log", &["domain"]),
    ("lanes", &["domain", "event-log", "service-kit"]),
    ("read-models", &["domain", "service-kit"]),
    ("keys", &["domain"]),
    ("command-api", &["domain", "keys", "lanes", "read-models", "service-kit"]),
    ("projectors", &["domain", "event-log", "read-models", "service-kit"]),
    ("query-api", &["domain", "keys", "read-models", "service-kit"]),
    ("connectors", &["domain", "keys", "lanes", "read-models", "service-kit"]),
    ("sagas", &["domain", "lanes", "read-models", "service-kit"]),
    ("sandbox", &[]),
];

/// Crates of others that must stay where they belong.
const FOREIGN: &[(&str, &[&str])] = &[
    ("rdkafka", &["event-log"]),
    ("apache-avro", &["event-log"]),
    ("tokio-postgres", &["read-models", "keys"]),
    ("deadpool", &["read-models"]),
    ("deadpool-postgres", &["read-models", "keys"]),
    ("mysql_async", &["read-models"]),
    ("redis", &["read-models"]),
    ("rusqlite", &["event-log", "keys", "read-models", "sandbox"]),
    ("chacha20poly1305", &["keys"]),
    ("lettre", &["connectors"]),
    (
        "axum",
        &[
            "service-kit",
            "lanes",
            "command-api",
            "connectors",
            "projectors",
            "query-api",
            "sandbox",
            "waylog",
        ],
    ),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "core", "shared", "utils", "util", "helpers", "manager"];

/// Test code that may sleep: what waits for a condition, with a deadline, and what is slow on
/// purpose.
const SLEEPERS: &[&str] = &[
    "event-log/tests/kafka/world.rs",
    "projectors/tests/it/support/mod.rs",
    "projectors/tests/it/support/poison.rs",
];

const FILE_LINES_MAX: usize = 400;
const LINE_CHARACTERS_MAX: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

fn manifest(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn members() -> Vec<String> {
    let workspace = manifest(&root().join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// The names of a member's dependencies, without those of its tests.
fn dependencies(member: &str) -> Vec<String> {
    let manifest = manifest(&root().join(member).join("Cargo.toml"));
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Every Rust file of the workspace with its text.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders: Vec<PathBuf> = members().iter().map(|member| root().join(member)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.insert(path.strip_prefix(root()).unwrap().to_owned(), text);
            }
        }
    }
    assert!(files.len() > 40, "the walk over the sources found too few files");
    files
}

/// Whether a file holds nothing but tests, by its place.
fn test_file(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "it")))
        || path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

fn assert_none(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

#[test]
fn crates_depend_on_one_another_only_along_the_arrows() {
    let ours = members();

    let mut offences = Vec::new();
    for (member, allowed) in ARROWS {
        for dependency in dependencies(member) {
            if ours.contains(&dependency) && !allowed.contains(&dependency.as_str()) {
                offences.push(format!("{member} -> {dependency}"));
            }
        }
    }

    assert_none(&offences, "arrows that the architecture does not have");
}

#[test]
fn every_crate_has_its_arrows_written_down() {
    let free = ["waylog", "tests"];

    let listed = |member: &str| ARROWS.iter().any(|(known, _)| *known == member);
    let offences: Vec<String> = members()
        .into_iter()
        .filter(|member| !free.contains(&member.as_str()) && !listed(member))
        .collect();

    assert_none(&offences, "crates without a line in ARROWS");
}

#[test]
fn clients_of_the_outside_stay_in_the_crate_that_wraps_them() {
    let mut offences = Vec::new();
    for member in members().iter().filter(|member| *member != "tests") {
        for dependency in dependencies(member) {
            for (foreign, homes) in FOREIGN {
                if dependency == *foreign && !homes.contains(&member.as_str()) {
                    offences.push(format!("{member} -> {foreign}"));
                }
            }
        }
    }

    assert_none(&offences, "foreign crates outside their room");
}

#[test]
fn every_dependency_is_pinned_in_the_workspace() {
    let mut offences = Vec::new();
    for member in members() {
        let manifest = manifest(&root().join(&member).join("Cargo.toml"));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get(section).and_then(toml::Value::as_table);
            for (name, value) in table.into_iter().flatten() {
                // A path names one of ours, whose version is the workspace's.
                if value.get("workspace").is_none() && value.get("path").is_none() {
                    offences.push(format!("{member}: {name}"));
                }
            }
        }
    }

    assert_none(&offences, "dependencies with a version of their own");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let offences: Vec<String> = members()
        .into_iter()
        .filter(|member| {
            let manifest = manifest(&root().join(member).join("Cargo.toml"));
            manifest.get("lints").and_then(|lints| lints.get("workspace")).is_none()
        })
        .collect();

    assert_none(&offences, "crates without the workspace's lints");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let offences: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();

    assert_none(&offences, "files without a head");
}

#[test]
fn files_and_lines_stay_under_their_ceilings() {
    let mut offences = Vec::new();
    for (path, text) in sources() {
        let own = without_tests(&text);
        if own > FILE_LINES_MAX && !test_file(&path) {
            offences.push(format!("{}: {own} lines", path.display()));
        }
        for (index, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_CHARACTERS_MAX {
                offences.push(format!("{}:{}: too long", path.display(), index + 1));
            }
        }
    }

    assert_none(&offences, "ceilings of the house");
}

/// How many lines a file has without its tests: a module of them inside ends it, one in a file of
/// its own does not.
fn without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let inside = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
    lines.windows(2).position(inside).unwrap_or(lines.len())
}

#[test]
fn nothing_is_called_by_an_empty_name() {
    let mut offences: Vec<String> =
        members().into_iter().filter(|member| EMPTY_NAMES.contains(&member.as_str())).collect();
    for path in sources().into_keys() {
        let named = |part: &std::ffi::OsStr| {
            Path::new(part).file_stem().is_some_and(|s| EMPTY_NAMES.iter().any(|n| s == *n))
        };
        if path.iter().any(named) {
            offences.push(path.display().to_string());
        }
    }

    assert_none(&offences, "names that say nothing");
}

#[test]
fn no_test_is_ignored_and_no_lint_is_silenced() {
    // Put together here, so that this file does not find itself.
    let ignored = ["#[", "ignore"].concat();
    let allowed = ["#[", "allow("].concat();

    let mut offences = Vec::new();
    for (path, text) in sources() {
        for (index, line) in text.lines().enumerate() {
            if line.contains(&ignored) || line.contains(&allowed) {
                offences.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }

    assert_none(&offences, "attributes that hide something");
}

#[test]
fn no_test_sleeps() {
    // Put together here, so that this file does not find itself.
    let asleep = ["sleep", "("].concat();

    let mut offences = Vec::new();
    for (path, text) in sources() {
        let excused = SLEEPERS.iter().any(|sleeper| path == Path::new(sleeper));
        // The services that tests start live under `tests/` too, and are programs.
        let program = path.starts_with("tests/src");
        if excused || program {
            continue;
        }
        let tests_from = text.lines().position(|line| line.starts_with("#[cfg(test)]"));
        let from = if test_file(&path) { Some(0) } else { tests_from };
        for (index, line) in text.lines().enumerate().skip(from.unwrap_or(usize::MAX)) {
            if line.contains(&asleep) {
                offences.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }

    assert_none(&offences, "tests that sleep instead of waiting for a condition");
}

#[test]
fn functions_stay_under_their_ceiling() {
    let clippy: toml::Table = manifest(&root().join("clippy.toml"));
    let workspace = manifest(&root().join("Cargo.toml"));

    // Counted by the compiler's own reading of a function; `scripts/test` denies warnings.
    assert_eq!(clippy["too-many-lines-threshold"].as_integer(), Some(70));
    assert_eq!(workspace["workspace"]["lints"]["clippy"]["too_many_lines"].as_str(), Some("warn"));
}

#[test]
fn every_event_is_in_the_catalog_and_has_a_schema() {
    let catalog = fs::read_to_string(root().join("docs/events.md")).unwrap();

    let mut offences = Vec::new();
    for name in domain::Event::names() {
        if !catalog.contains(&format!("`{name}`")) {
            offences.push(format!("docs/events.md lacks `{name}`"));
        }
        if !root().join(format!("schemas/{name}.v1.avsc")).exists() {
            offences.push(format!("schemas/{name}.v1.avsc is missing"));
        }
    }

    assert_none(&offences, "events that are not documented");
}

/// The names of the fields of a record, and of the records in it, that hold something sealed.
fn sealed_fields(schema: &Value, field: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) if object.get("name").is_some_and(|name| name == "Sealed") => {
            found.push(field.to_owned());
        }
        // Behind its first use, a record is only named.
        Value::String(name) if name == "Sealed" || name == "waylog.Sealed" => {
            found.push(field.to_owned());
        }
        Value::Object(object) => {
            let fields = object.get("fields").and_then(Value::as_array);
            for each in fields.into_iter().flatten() {
                sealed_fields(&each["type"], each["name"].as_str().unwrap_or_default(), found);
            }
            for inner in ["type", "items", "values"].into_iter().filter_map(|i| object.get(i)) {
                sealed_fields(inner, field, found);
            }
        }
        Value::Array(branches) => {
            branches.iter().for_each(|branch| sealed_fields(branch, field, found));
        }
        _ => {}
    }
}

#[test]
fn every_sealed_field_is_opened_for_its_purpose() {
    let mut found = Vec::new();
    let mut offences = Vec::new();
    for name in domain::Event::names() {
        let schema = fs::read_to_string(root().join(format!("schemas/{name}.v1.avsc"))).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let mut fields = Vec::new();
        sealed_fields(&schema, "", &mut fields);
        // The first word tells: an invoice series has events such as `invoice-issued`.
        let first = |text: &str| text.split('-').next().map(str::to_owned);
        let mut categories = Category::ALL.iter().copied();
        let category = categories.find(|c| first(c.name()) == first(name)).unwrap();
        for field in fields {
            if Purpose::of_field(category, &field).is_none() {
                offences.push(format!("{name}: {field}"));
            }
            found.push(field);
        }
    }

    assert!(found.contains(&"text".to_owned()), "the walk over the schemas found nothing");
    assert_none(&offences, "sealed fields without a purpose in keys/src/purpose.rs");
}
