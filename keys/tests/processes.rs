//! Two processes on one store, killed without warning: each person has one key, and whatever was
//! sealed opens.

#![expect(clippy::unwrap_used, reason = "what a test expects")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use domain::Sealed;
use domain::ids::PersonId;
use keys::testing::{KeyWorld, PostgresKeyWorld, SqliteKeyWorld};
use keys::{
    KeyStore, Keyring, KeyringSettings, Opened, PostgresKeySettings, PostgresKeyStore, Purpose,
    SqliteKeyStore,
};
use uuid::Uuid;

/// Tells a child which store it is to seal with: a path, or a URL.
const CHILD: &str = "WAYLOG_TEST_KEYS_CHILD";
const COMMENT: Purpose = Purpose::ItineraryComment;

/// The child's part: seals for one person after the other, and says so only once it has the text.
async fn seal_until_killed(place: &str) -> ! {
    let store: Arc<dyn KeyStore> = if place.contains("://") {
        Arc::new(PostgresKeyStore::new(&PostgresKeySettings::new(place)).unwrap())
    } else {
        Arc::new(SqliteKeyStore::open(Path::new(place)).unwrap())
    };
    let keyring = Keyring::new(store, KeyringSettings::default());
    let mut output = std::io::stdout().lock();
    for number in 1_u128.. {
        let person = PersonId(Uuid::from_u128(number));
        let sealed = keyring.seal(person, COMMENT, &number.to_string()).await.unwrap();
        writeln!(output, "sealed {number} {}", sealed.ciphertext).unwrap();
        output.flush().unwrap();
    }
    unreachable!("numbers do not end");
}

fn start(test: &str, place: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(CHILD, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child said, killed after so many lines.
fn killed_after(mut child: Child, lines: usize) -> Vec<Sealed> {
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut heard: Vec<String> =
        said.by_ref().filter(|l| l.contains("sealed ")).take(lines).collect();
    child.kill().unwrap();
    // What it still said before the kill counts as well, but for a line that was cut.
    heard.extend(said.filter(|line| line.starts_with("sealed ")));
    child.wait().unwrap();
    let whole = heard.iter().filter_map(|line| {
        let (_, said) = line.split_once("sealed ")?;
        let (number, ciphertext) = said.split_once(' ')?;
        let person = PersonId(Uuid::from_u128(number.parse().ok()?));
        Some(Sealed { person, ciphertext: ciphertext.to_owned() })
    });
    whole.collect()
}

async fn two_processes(test: &str, place: &str, world: &impl KeyWorld) {
    // Given two processes that seal for the same persons at once, each killed at some point.
    let children = [start(test, place), start(test, place)];
    let [one, other] = children.map(|child| std::thread::spawn(move || killed_after(child, 40)));
    let (one, other) = (one.join().unwrap(), other.join().unwrap());
    assert!(one.len() >= 40 && other.len() >= 40, "{} and {}", one.len(), other.len());

    // When a third opens what both have said.
    let keyring = world.keyring(KeyringSettings::default());
    let texts: Vec<_> = one.iter().chain(&other).map(|sealed| (sealed, COMMENT)).collect();
    let opened = keyring.open_all(&texts).await.unwrap();

    // Then each person has one key, which is still there. The last line of each may be cut.
    let mut unreadable = 0;
    for ((sealed, _), opened) in texts.iter().zip(opened) {
        match opened {
            Ok(opened) => assert_eq!(opened, Opened::Plain(sealed.person.0.as_u128().to_string())),
            Err(_) => unreadable += 1,
        }
    }
    assert!(unreadable <= 2, "{unreadable} texts cannot be opened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_share_every_key_and_lose_none_when_killed() {
    if let Ok(place) = std::env::var(CHILD) {
        seal_until_killed(&place).await;
    }
    let world = SqliteKeyWorld::new();

    let test = "two_processes_on_one_file_share_every_key_and_lose_none_when_killed";
    two_processes(test, world.path().to_str().unwrap(), &world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_database_share_every_key_and_lose_none_when_killed() {
    if let Ok(place) = std::env::var(CHILD) {
        seal_until_killed(&place).await;
    }
    let Some(world) = PostgresKeyWorld::new().await else { return };

    let test = "two_processes_on_one_database_share_every_key_and_lose_none_when_killed";
    two_processes(test, &world.settings().url, &world).await;
}
