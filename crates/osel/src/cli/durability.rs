//! What a store is set up to lose, as remarks on its configuration: advice, and never a reason to refuse it.

use std::path::Path;

use crate::config::{Place, Remark, StoreConfig};
use crate::store::inspect;
use crate::telemetry::chain;

/// Looks at the database of a store, read-only and for seconds at most, and says what of it loses messages that were acknowledged.
pub(super) fn remarks(store: &StoreConfig, file: Option<&Path>) -> Vec<Remark> {
    let StoreConfig::Postgres(config) = store else { return Vec::new() };
    let told = match inspect(config) {
        Ok(durability) => durability.losses(),
        Err(error) => {
            vec![format!("cannot be looked at, so that what it would lose is not known: {}", chain(&error))]
        }
    };
    let place = file.map_or(Place::Nowhere, |file| Place::File { path: file.to_owned(), line: None });
    let remark = |what| Remark { place: place.clone(), key: "store.url".to_owned(), what };
    told.into_iter().map(remark).collect()
}
