//! Who works through a read model's rows in the process that folds them need not wait for a
//! look: they are told. Elsewhere looks are all there is.

use std::sync::Arc;

use projectors::Projectors;
use tokio::sync::Notify;

/// So many to be told of the projection; nobody tells them when it is folded elsewhere.
pub(crate) fn of<const N: usize>(
    projectors: Option<&Projectors>,
    projection: &str,
) -> [Arc<Notify>; N] {
    let words: [Arc<Notify>; N] = std::array::from_fn(|_| Arc::default());
    if let Some(mut news) = projectors.and_then(|projectors| projectors.news(projection)) {
        let told = words.clone();
        // Ends with the projection.
        tokio::spawn(async move {
            while news.moved().await {
                told.iter().for_each(|word| word.notify_one());
            }
        });
    }
    words
}
