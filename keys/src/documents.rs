//! Opening what is sealed inside JSON documents: events' fields, feeds, states.
//!
//! A sealed text `{"person": .., "ciphertext": ..}` becomes what was sealed. Of a forgotten person
//! it becomes `null`, and the object around it gets `"forgotten": true`; where it cannot be opened
//! for another reason, `null` and `"damaged": true`. What stands in a field of no known purpose
//! stays as it is.

use domain::{Category, Sealed};
use serde_json::Value;

use crate::error::{Damage, KeyError};
use crate::keyring::{Keyring, Opened};
use crate::purpose::{Form, Purpose};

/// What was found, in the order of the walk.
type Findings = Vec<(Sealed, Purpose)>;

impl Keyring {
    /// Opens what is sealed in documents about streams of these categories; the store is asked at
    /// most once for all of them, and not at all when nothing is sealed.
    ///
    /// # Errors
    /// As the store is; nothing was opened then.
    pub async fn open_documents(
        &self,
        documents: &mut [(Category, &mut Value)],
    ) -> Result<(), KeyError> {
        let mut found = Findings::new();
        for (category, document) in documents.iter() {
            find(*category, "", document, &mut found);
        }
        if found.is_empty() {
            return Ok(());
        }
        let texts: Vec<_> = found.iter().map(|(sealed, purpose)| (sealed, *purpose)).collect();
        let opened = self.open_all(&texts).await?;
        let mut opened = opened.into_iter();
        for (category, document) in documents {
            replace(*category, "", document, &mut opened);
        }
        Ok(())
    }
}

/// The sealed text that this is, in a field of a known purpose.
fn sealed(category: Category, field: &str, value: &Value) -> Option<(Sealed, Purpose)> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    let person = object.get("person")?.as_str()?.parse().ok()?;
    let ciphertext = object.get("ciphertext")?.as_str()?.to_owned();
    Some((Sealed { person, ciphertext }, Purpose::of_field(category, field)?))
}

/// Elements of a list are of its field.
fn find(category: Category, field: &str, value: &Value, found: &mut Findings) {
    if let Some(text) = sealed(category, field, value) {
        return found.push(text);
    }
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| find(category, field, value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find(category, field, item, found)),
        _ => {}
    }
}

/// What the object around a text has to say about it.
#[derive(Clone, Copy, Default)]
struct Marks {
    forgotten: bool,
    damaged: bool,
}

/// Walks as [`find`] does, and puts what was opened where it was found.
fn replace(
    category: Category,
    field: &str,
    value: &mut Value,
    opened: &mut impl Iterator<Item = Result<Opened, Damage>>,
) -> Marks {
    let mut marks = Marks::default();
    if let Some((text, purpose)) = sealed(category, field, value) {
        *value = match opened.next().unwrap_or(Err(Damage::Form)).and_then(|o| shown(o, purpose)) {
            Ok(Some(shown)) => shown,
            Ok(None) => {
                marks.forgotten = true;
                Value::Null
            }
            Err(damage) => {
                tracing::error!(person = %text.person, field, %damage, "sealed data is damaged");
                marks.damaged = true;
                Value::Null
            }
        };
        return marks;
    }
    let mut each = |field: &str, value: &mut Value| {
        let found = replace(category, field, value, opened);
        marks.forgotten |= found.forgotten;
        marks.damaged |= found.damaged;
    };
    match value {
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(field, value)| each(field, value));
            let said = [("forgotten", marks.forgotten), ("damaged", marks.damaged)];
            for (mark, _) in said.into_iter().filter(|(_, said)| *said) {
                fields.insert(mark.to_owned(), Value::Bool(true));
            }
            Marks::default()
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| each(field, item));
            marks
        }
        _ => marks,
    }
}

/// What is shown; nothing of a forgotten person.
fn shown(opened: Opened, purpose: Purpose) -> Result<Option<Value>, Damage> {
    match (opened, purpose.form()) {
        (Opened::Forgotten, _) => Ok(None),
        (Opened::Plain(text), Form::Text) => Ok(Some(Value::String(text))),
        (Opened::Plain(text), Form::Json) => {
            serde_json::from_str(&text).map(Some).map_err(|_| Damage::Form)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain::ids::PersonId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{Census, Forgotten, Holding, Key, KeyStore, KeyringSettings};

    /// Knows two persons and a forgotten one, and counts how often it is asked.
    struct Store {
        keys: [Key; 2],
        asked: AtomicUsize,
    }

    fn person(number: u128) -> PersonId {
        PersonId(Uuid::from_u128(number))
    }

    #[async_trait::async_trait]
    impl KeyStore for Store {
        async fn load_or_mint(&self, asked: PersonId) -> Result<Holding, KeyError> {
            Ok(Holding::Key(self.keys[usize::from(asked == person(2))].clone()))
        }

        async fn load(&self, persons: &[PersonId]) -> Result<Vec<(PersonId, Holding)>, KeyError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let known = |asked: &PersonId| match asked.0.as_u128() {
                number @ (1 | 2) => {
                    Some((*asked, Holding::Key(self.keys[usize::from(number == 2)].clone())))
                }
                3 => Some((*asked, Holding::Forgotten)),
                _ => None,
            };
            Ok(persons.iter().filter_map(known).collect())
        }

        async fn destroy(&self, _: PersonId) -> Result<Forgotten, KeyError> {
            Err(KeyError::Refused("not in this test".to_owned()))
        }

        async fn forgotten(&self, _: Option<PersonId>, _: u32) -> Result<Vec<Forgotten>, KeyError> {
            Ok(Vec::new())
        }

        async fn check(&self) -> Result<(), KeyError> {
            Ok(())
        }

        async fn census(&self) -> Result<Census, KeyError> {
            Ok(Census::default())
        }
    }

    fn world() -> (Arc<Store>, Keyring) {
        let keys = [Key::random().unwrap(), Key::random().unwrap()];
        let store = Arc::new(Store { keys, asked: AtomicUsize::new(0) });
        // Nothing is remembered: every question is counted.
        let settings = KeyringSettings { keys_max: 0, ..KeyringSettings::default() };
        (Arc::clone(&store), Keyring::new(store, settings))
    }

    async fn sealed(keyring: &Keyring, of: u128, text: &str) -> Value {
        let sealed = keyring.seal(person(of), Purpose::ItineraryComment, text).await.unwrap();
        json!({ "person": sealed.person, "ciphertext": sealed.ciphertext })
    }

    #[tokio::test]
    async fn everything_sealed_is_opened_where_it_stands_with_one_question() {
        let (store, keyring) = world();
        let (one, two) = (sealed(&keyring, 1, "Early?").await, sealed(&keyring, 2, "Late!").await);
        let mut first =
            json!({ "text": one, "n": 1, "list": [{ "text": two }, { "text": "said" }] });
        let mut second = json!([{ "deep": { "text": [one, two] } }]);

        let mut documents = [(Category::Itinerary, &mut first), (Category::Itinerary, &mut second)];
        keyring.open_documents(&mut documents).await.unwrap();

        let list = json!([{ "text": "Late!" }, { "text": "said" }]);
        assert_eq!(first, json!({ "text": "Early?", "n": 1, "list": list }));
        assert_eq!(second, json!([{ "deep": { "text": ["Early?", "Late!"] } }]));
        assert_eq!(store.asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_is_forgotten_or_damaged_is_null_and_says_why() {
        let (_, keyring) = world();
        let theirs = sealed(&keyring, 1, "Early?").await["ciphertext"].clone();
        let of = |number| json!({ "person": person(number), "ciphertext": theirs });
        let mut document = json!({
            "gone": { "text": of(3) }, "moved": { "text": of(2) }, "lost": { "text": of(4) },
            "list": { "text": [of(3), of(1)] },
        });

        keyring.open_documents(&mut [(Category::Itinerary, &mut document)]).await.unwrap();

        let forgotten = json!({ "text": null, "forgotten": true });
        let damaged = json!({ "text": null, "damaged": true });
        assert_eq!(
            document,
            json!({
                "gone": forgotten, "moved": damaged, "lost": damaged,
                "list": { "text": [null, "Early?"], "forgotten": true },
            })
        );
    }

    #[tokio::test]
    async fn what_is_not_sealed_or_of_no_known_purpose_stays_and_asks_nobody() {
        let (store, keyring) = world();
        let text = sealed(&keyring, 1, "Early?").await;
        let mut document = json!({
            "title": text, "text": { "person": person(1), "ciphertext": "x", "more": 1 },
            "n": [1, null, { "text": "x" }],
        });
        let before = document.clone();

        keyring.open_documents(&mut [(Category::Itinerary, &mut document)]).await.unwrap();

        assert_eq!(document, before);
        assert_eq!(store.asked.load(Ordering::Relaxed), 0);
    }
}
