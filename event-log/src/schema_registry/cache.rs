//! The ids that the registry gave, in a local file: replaced as a whole and checked when it is
//! read, so that it is either right or as good as none.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{RegistryError, RegistryOptions};

/// An id and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CachedSchema {
    pub(super) id: u32,
    #[serde(with = "as_text")]
    pub(super) schema: Arc<str>,
}

mod as_text {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Arc::from)
    }
}

/// What the file holds: ids of another registry or topic mean something else.
#[derive(Serialize, Deserialize)]
struct Contents {
    registry: String,
    topic: String,
    schemas: Vec<CachedSchema>,
}

pub(super) struct Cache {
    path: PathBuf,
    contents: Contents,
}

impl Cache {
    /// Reads the file; empty when there is none, or it is damaged or of another registry.
    pub(super) fn load(options: &RegistryOptions) -> Self {
        let RegistryOptions { url, topic, cache: path, .. } = options;
        let read = read(path).filter(|read| read.registry == *url && read.topic == *topic);
        let contents = read.unwrap_or_else(|| Contents {
            registry: url.clone(),
            topic: topic.clone(),
            schemas: Vec::new(),
        });
        Self { path: path.clone(), contents }
    }

    pub(super) fn id(&self, schema: &str) -> Option<u32> {
        self.contents.schemas.iter().find(|known| *known.schema == *schema).map(|known| known.id)
    }

    pub(super) fn schema(&self, id: u32) -> Option<Arc<str>> {
        let known = self.contents.schemas.iter().find(|known| known.id == id);
        known.map(|known| Arc::clone(&known.schema))
    }

    pub(super) fn put(&mut self, schema: CachedSchema) {
        if !self.contents.schemas.contains(&schema) {
            self.contents.schemas.push(schema);
        }
    }

    /// Replaces the file.
    pub(super) fn store(&self) -> Result<(), RegistryError> {
        let json = serde_json::to_vec(&self.contents).expect("the cache is text and numbers");
        write(&self.path, &json)
            .map_err(|source| RegistryError::Cache { path: self.path.clone(), source })
    }
}

/// The first line is the checksum of the rest.
fn read(path: &Path) -> Option<Contents> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the schema cache cannot be read");
            return None;
        }
    };
    let (line, json) = bytes.split_at_checked(9)?;
    let contents =
        if line == checksum(json).as_bytes() { serde_json::from_slice(json).ok() } else { None };
    if contents.is_none() {
        tracing::warn!(path = %path.display(), "the schema cache is damaged; asking the registry");
    }
    contents
}

fn checksum(json: &[u8]) -> String {
    format!("{:08x}\n", crc32fast::hash(json))
}

fn write(path: &Path, json: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(checksum(json).as_bytes())?;
    file.write_all(json)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
