//! `docker-compose.yml` offers what `scripts/services` does: the same services at the same
//! versions, on their usual ports, with health checks and the variables that Waylog reads.
//!
//! The file is read with a YAML parser, anchors and merge keys resolved; no container runs here.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;

/// Service, its image's name, its published and its inner port.
const SERVICES: [(&str, &str, u16, u16); 6] = [
    ("kafka", "apache/kafka", 9092, 9092),
    ("schema-registry", "apicurio/apicurio-registry", 8081, 8080),
    ("postgres", "postgres", 5432, 5432),
    ("mariadb", "mariadb", 3306, 3306),
    ("redis", "redis", 6379, 6379),
    ("waylog", "rust", 8080, 8080),
];

#[derive(Debug, Deserialize)]
struct Compose {
    services: BTreeMap<String, Container>,
    volumes: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Deserialize)]
struct Container {
    image: String,
    ports: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
    healthcheck: HealthCheck,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    condition: String,
}

#[derive(Debug, Deserialize)]
struct HealthCheck {
    test: Vec<String>,
    interval: String,
    timeout: String,
    retries: u32,
}

fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn compose() -> Compose {
    let text = fs::read_to_string(checkout().join("docker-compose.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The value of a string variable.
fn variable<'a>(container: &'a Container, name: &str) -> &'a str {
    container.environment[name].as_str().unwrap()
}

/// Host and port of `scheme://user:password@host:port/path`, or of the bare pair.
fn authority(url: &str) -> (&str, u16) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let (host, port) = rest.split('/').next().unwrap().split_once(':').unwrap();
    (host, port.parse().unwrap())
}

#[test]
fn every_service_is_there_on_its_usual_port_of_the_loopback_alone() {
    let compose = compose();

    let found: Vec<(&str, &[String])> = compose
        .services
        .iter()
        .map(|(name, container)| (name.as_str(), container.ports.as_slice()))
        .collect();

    assert_eq!(found.len(), SERVICES.len());
    for (name, _, outer, inner) in SERVICES {
        let published = [format!("127.0.0.1:{outer}:{inner}")];
        assert!(found.contains(&(name, &published[..])), "{name}: {found:?}");
    }
}

#[test]
fn every_image_is_official_and_pinned_to_a_full_version() {
    let compose = compose();

    for (name, image, ..) in SERVICES {
        let (found, tag) = compose.services[name].image.split_once(':').unwrap();
        let version = tag.split('-').next().unwrap();
        let numbers: Vec<Result<u32, _>> = version.split('.').map(str::parse).collect();

        assert_eq!(found, image);
        assert!(numbers.len() >= 2 && numbers.iter().all(Result::is_ok), "{name}: {tag}");
    }
    // PostgreSQL alone counts in two numbers.
    assert!(compose.services["postgres"].image.starts_with("postgres:15."));
}

#[test]
fn kafka_and_the_registry_have_the_versions_that_scripts_services_runs() {
    let compose = compose();
    let pom = fs::read_to_string(checkout().join("scripts/services.pom.xml")).unwrap();

    for (service, property) in [("kafka", "kafka.version"), ("schema-registry", "registry.version")]
    {
        let (_, tag) = compose.services[service].image.split_once(':').unwrap();
        assert!(pom.contains(&format!("<{property}>{tag}</{property}>")), "{service}: {tag}");
    }
}

#[test]
fn every_service_says_when_it_works_and_waylog_waits_for_all_of_them() {
    let compose = compose();

    for (name, container) in &compose.services {
        let check = &container.healthcheck;
        assert!(check.test.len() >= 2 && check.test[0].starts_with("CMD"), "{name}: {check:?}");
        assert!(check.retries > 0 && check.interval.ends_with('s'), "{name}: {check:?}");
        assert!(check.timeout.ends_with('s'), "{name}: {check:?}");
    }
    let waited_for = &compose.services["waylog"].depends_on;
    assert_eq!(waited_for.len(), compose.services.len() - 1);
    assert!(waited_for.values().all(|dependency| dependency.condition == "service_healthy"));
}

#[test]
fn waylog_is_given_every_address_by_the_names_and_ports_inside() {
    let compose = compose();
    let waylog = &compose.services["waylog"];
    let expected = [
        ("WAYLOG_KAFKA_BROKERS", "kafka", 29092),
        ("WAYLOG_SCHEMA_REGISTRY_URL", "schema-registry", 8080),
        ("WAYLOG_POSTGRES_URL", "postgres", 5432),
        ("WAYLOG_MYSQL_URL", "mariadb", 3306),
        ("WAYLOG_REDIS_URL", "redis", 6379),
    ];

    for (name, host, port) in expected {
        assert_eq!(authority(variable(waylog, name)), (host, port), "{name}");
    }
    let listeners = variable(&compose.services["kafka"], "KAFKA_ADVERTISED_LISTENERS");
    assert!(listeners.contains("://kafka:29092") && listeners.contains("://127.0.0.1:9092"));
}

/// The addresses of the services inside are those of the same services from outside.
#[test]
fn waylog_beside_the_containers_is_told_all_that_the_container_is_told() {
    let text = fs::read_to_string(checkout().join("docker-compose.yml")).unwrap();
    let words =
        text.lines().map_while(|line| line.strip_prefix('#')).flat_map(str::split_whitespace);
    let said: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    let compose = compose();
    let port = |host: &str| {
        let service = SERVICES.iter().find(|(name, ..)| *name == host).unwrap();
        format!("127.0.0.1:{}", service.2)
    };
    let outside = |url: &str| {
        let (host, inner) = authority(url);
        url.replace(&format!("{host}:{inner}"), &port(host))
    };

    for name in ["KAFKA_BROKERS", "SCHEMA_REGISTRY_URL", "POSTGRES_URL", "MYSQL_URL", "REDIS_URL"] {
        let name = format!("WAYLOG_{name}");
        let inside = variable(&compose.services["waylog"], &name);
        assert_eq!(said.get(name.as_str()), Some(&outside(inside).as_str()), "{name}");
    }
}

#[test]
fn waylog_has_the_passwords_that_the_services_were_given() {
    let compose = compose();
    let of = |service: &str, name: &str| variable(&compose.services[service], name);
    let user = |password: &str| format!("//waylog:{password}@");

    let postgres = user(of("postgres", "POSTGRES_PASSWORD"));
    let mariadb = user(of("mariadb", "MARIADB_PASSWORD"));
    let redis = format!("//default:{}@", of("redis", "REDISCLI_AUTH"));

    assert!(of("waylog", "WAYLOG_POSTGRES_URL").contains(&postgres));
    assert!(of("waylog", "WAYLOG_MYSQL_URL").contains(&mariadb));
    assert!(of("waylog", "WAYLOG_REDIS_URL").contains(&redis));
    assert_eq!(of("postgres", "POSTGRES_DB"), of("mariadb", "MARIADB_DATABASE"));
}

#[test]
fn topics_are_waylogs_to_make_and_data_outlive_the_containers() {
    let compose = compose();

    let kafka = &compose.services["kafka"];
    assert_eq!(variable(kafka, "KAFKA_AUTO_CREATE_TOPICS_ENABLE"), "false");
    for (name, container) in &compose.services {
        for volume in container.volumes.iter().filter(|volume| !volume.starts_with('.')) {
            let (volume, _) = volume.split_once(':').unwrap();
            assert!(compose.volumes.contains_key(volume), "{name}: {volume}");
        }
    }
    let kept = ["kafka", "postgres", "mariadb", "redis"];
    assert!(kept.iter().all(|name| !compose.services[*name].volumes.is_empty()));
}
