//! What every key store does, and what a keyring makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::PersonId;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::worlds::KeyWorld;
use crate::{
    Damage, Holding, Key, KeyErrorKind, KeyStore, Keyring, KeyringSettings, Opened, Purpose,
};

/// The longest that anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);
const COMMENT: Purpose = Purpose::ItineraryComment;

/// Makes a test of each case.
#[macro_export]
macro_rules! key_store_contract {
    ($world:path) => {
        $crate::key_store_contract!(@cases $world:
            a_key_is_minted_once_and_stays,
            many_at_once_mint_one_key,
            loading_mints_nothing_and_leaves_out_strangers,
            a_destroyed_key_never_comes_back,
            minting_and_destroying_at_once_leaves_no_key,
            the_forgotten_are_listed_page_by_page,
            everybody_is_counted,
            what_is_sealed_opens_until_its_person_is_forgotten,
            another_process_stops_within_a_keys_life,
            many_texts_are_opened_at_once,
        );
    };
    (@cases $world:path: $($case:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            if let Some(world) = $world().await {
                $crate::testing::suite::$case(&world).await;
            }
        }
    )+};
}

fn person(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(number))
}

async fn minted(store: &dyn KeyStore, person: PersonId) -> Key {
    match store.load_or_mint(person).await.unwrap() {
        Holding::Key(key) => key,
        Holding::Forgotten => panic!("{person} is forgotten"),
    }
}

async fn forgotten_by(store: &dyn KeyStore, person: PersonId) -> bool {
    let loaded = store.load(&[person]).await.unwrap();
    let minted = store.load_or_mint(person).await.unwrap();
    matches!(loaded[..], [(_, Holding::Forgotten)]) && matches!(minted, Holding::Forgotten)
}

/// A key survives its store being opened anew.
pub async fn a_key_is_minted_once_and_stays(world: &impl KeyWorld) {
    let first = minted(&*world.open(), person(1)).await;

    let again = world.open();

    assert!(minted(&*again, person(1)).await.same_as(&first));
    assert!(!minted(&*again, person(2)).await.same_as(&first), "each has a key of their own");
}

/// Stores that mint for one person at once agree.
pub async fn many_at_once_mint_one_key(world: &impl KeyWorld) {
    let stores: Vec<_> = (0..4).map(|_| world.open()).collect();

    for number in 1..=10 {
        let mut minting = JoinSet::new();
        for store in stores.iter().flat_map(|store| [Arc::clone(store), Arc::clone(store)]) {
            minting.spawn(async move { minted(&*store, person(number)).await });
        }
        let keys = minting.join_all().await;

        assert_eq!(keys.len(), 8);
        assert!(keys.iter().all(|key| key.same_as(&keys[0])), "person {number}");
    }
}

/// A look changes nothing.
pub async fn loading_mints_nothing_and_leaves_out_strangers(world: &impl KeyWorld) {
    let store = world.open();
    let ours = minted(&*store, person(1)).await;
    store.destroy(person(3)).await.unwrap();

    let mut loaded = store.load(&[person(3), person(2), person(1)]).await.unwrap();

    loaded.sort_by_key(|(person, _)| *person);
    let [(one, Holding::Key(key)), (three, Holding::Forgotten)] = &loaded[..] else {
        panic!("{loaded:?}")
    };
    assert!((*one, *three) == (person(1), person(3)) && key.same_as(&ours));
    assert!(store.load(&[]).await.unwrap().is_empty());
    assert!(store.load(&[person(2)]).await.unwrap().is_empty());
}

/// A tombstone is for ever, and says when.
pub async fn a_destroyed_key_never_comes_back(world: &impl KeyWorld) {
    let store = world.open();
    minted(&*store, person(1)).await;

    let first = store.destroy(person(1)).await.unwrap();
    let never_had_one = store.destroy(person(2)).await.unwrap();

    for store in [&*store, &*world.open()] {
        assert!(forgotten_by(store, person(1)).await && forgotten_by(store, person(2)).await);
        assert_eq!(store.destroy(person(1)).await.unwrap(), first, "the first time counts");
        assert_eq!(store.destroy(person(2)).await.unwrap(), never_had_one);
    }
}

/// Whoever comes first, the tombstone wins.
pub async fn minting_and_destroying_at_once_leaves_no_key(world: &impl KeyWorld) {
    let (one, other) = (world.open(), world.open());

    for number in 1..=20 {
        let (minting, destroying) =
            tokio::join!(one.load_or_mint(person(number)), other.destroy(person(number)));

        minting.unwrap();
        destroying.unwrap();
        assert!(forgotten_by(&*one, person(number)).await, "person {number}");
    }
}

/// Pages neither repeat nor leave out.
pub async fn the_forgotten_are_listed_page_by_page(world: &impl KeyWorld) {
    let store = world.open();
    minted(&*store, person(3)).await;
    let mut expected = Vec::new();
    for number in [5, 1, 4, 2] {
        expected.push(store.destroy(person(number)).await.unwrap());
    }
    expected.sort_by_key(|forgotten| forgotten.person);

    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.forgotten(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.person);
        listed.extend(page);
    }

    assert_eq!(listed, expected);
}

/// Keys and tombstones are counted apart.
pub async fn everybody_is_counted(world: &impl KeyWorld) {
    let store = world.open();
    store.check().await.unwrap();
    for number in 1..=3 {
        minted(&*store, person(number)).await;
    }
    store.destroy(person(3)).await.unwrap();

    let census = store.census().await.unwrap();

    assert_eq!((census.keys, census.forgotten), (2, 1));
}

/// Here at once, and for whoever asks the store.
pub async fn what_is_sealed_opens_until_its_person_is_forgotten(world: &impl KeyWorld) {
    let keyring = world.keyring(KeyringSettings::default());
    let sealed = keyring.seal(person(1), COMMENT, "Early?").await.unwrap();
    let theirs = keyring.seal(person(2), COMMENT, "Late!").await.unwrap();
    let plain = |text: &str| Opened::Plain(text.to_owned());
    assert_eq!(keyring.open(&sealed, COMMENT).await.unwrap(), plain("Early?"));

    keyring.forget(person(1)).await.unwrap();

    // At once: no life of a cached key is waited for.
    assert_eq!(keyring.open(&sealed, COMMENT).await.unwrap(), Opened::Forgotten);
    let clone = keyring.clone();
    assert_eq!(clone.open(&sealed, COMMENT).await.unwrap(), Opened::Forgotten);
    let refused = keyring.seal(person(1), COMMENT, "Again").await.unwrap_err();
    assert_eq!((refused.code(), refused.kind()), ("person_forgotten", KeyErrorKind::Rejected));
    assert_eq!(keyring.open(&theirs, COMMENT).await.unwrap(), plain("Late!"));
    let elsewhere = world.keyring(KeyringSettings::default());
    assert_eq!(elsewhere.open(&sealed, COMMENT).await.unwrap(), Opened::Forgotten);
}

/// What is remembered elsewhere ends with its life.
pub async fn another_process_stops_within_a_keys_life(world: &impl KeyWorld) {
    let key_life = Duration::from_millis(200);
    let (here, elsewhere) =
        (world.keyring(KeyringSettings::default()), keyring_of_life(world, key_life));
    let sealed = here.seal(person(1), COMMENT, "Early?").await.unwrap();
    elsewhere.open(&sealed, COMMENT).await.unwrap();

    here.forget(person(1)).await.unwrap();
    let destroyed_at = Instant::now();

    loop {
        let asked_at = Instant::now();
        let opened = elsewhere.open(&sealed, COMMENT).await.unwrap();
        if opened == Opened::Forgotten {
            break;
        }
        assert!(asked_at - destroyed_at < key_life, "a dead key still opens");
        assert!(destroyed_at.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

fn keyring_of_life(world: &impl KeyWorld, key_life: Duration) -> Keyring {
    world.keyring(KeyringSettings { key_life, ..KeyringSettings::default() })
}

/// Many persons, more than are remembered; one bad text spoils no other.
pub async fn many_texts_are_opened_at_once(world: &impl KeyWorld) {
    let keyring = world.keyring(KeyringSettings { keys_max: 7, ..KeyringSettings::default() });
    let mut sealed = Vec::new();
    for number in 1..=50 {
        sealed.push(keyring.seal(person(number), COMMENT, &format!("{number}")).await.unwrap());
    }
    keyring.forget(person(2)).await.unwrap();
    sealed[2].ciphertext = sealed[3].ciphertext.clone();
    sealed[4].person = person(99);

    let texts: Vec<_> = sealed.iter().map(|sealed| (sealed, COMMENT)).collect();
    let opened = keyring.open_all(&texts).await.unwrap();

    for (index, opened) in opened.iter().enumerate() {
        let expected = match index {
            1 => Ok(Opened::Forgotten),
            2 => Err(Damage::Seal),
            4 => Err(Damage::KeyMissing),
            _ => Ok(Opened::Plain(format!("{}", index + 1))),
        };
        assert_eq!(*opened, expected, "text {index}");
    }
}
