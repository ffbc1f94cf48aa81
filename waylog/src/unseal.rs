//! Opening personal data for the verbs that look at the log, where the key store is at hand.

use domain::StreamName;
use keys::Keyring;
use serde_json::Value;

use crate::settings::Places;
use crate::stores;

/// Opens what can be opened; without a key store, ciphertext is shown as it is.
pub(crate) struct Unsealer {
    keyring: Option<Keyring>,
    runtime: tokio::runtime::Runtime,
}

impl Unsealer {
    /// The keys of these places, if they can be had. Why not is said in the log.
    ///
    /// # Errors
    /// When no runtime can be started.
    pub(crate) fn of(places: &Places) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let opened = stores::keyring_to_read(places)
            .and_then(|keyring| Ok(runtime.block_on(keyring.check()).map(|()| keyring)?));
        let keyring = match opened {
            Ok(keyring) => Some(keyring),
            Err(error) => {
                tracing::debug!("no keys ({error:#}): personal data is shown sealed");
                None
            }
        };
        Ok(Self { keyring, runtime })
    }

    /// Opens what is sealed in a document about the stream.
    ///
    /// # Errors
    /// When the key store went away meanwhile.
    pub(crate) fn open(&self, stream: &StreamName, document: &mut Value) -> anyhow::Result<()> {
        let Some(keyring) = &self.keyring else { return Ok(()) };
        let mut documents = [(stream.category, document)];
        Ok(self.runtime.block_on(keyring.open_documents(&mut documents))?)
    }
}
