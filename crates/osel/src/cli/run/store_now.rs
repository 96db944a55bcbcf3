//! The store as the configuration names it now: its password may be exchanged while we run.
//!
//! Only the table of the store is read, so that a mistake elsewhere keeps no new password from us.

use std::mem::replace;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::open::StoreAccess;
use crate::config::StoreConfig;

/// An access to the store that `read` gives at each time; while it gives none, the last one holds, which is said once.
pub(super) fn access(
    read: impl Fn() -> Option<StoreConfig> + Send + Sync + 'static,
    started_with: StoreConfig,
) -> StoreAccess {
    let last = Mutex::new((started_with, true));
    Arc::new(move || {
        let now = read();
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, was_good) = &mut *last;
        let is_good = now.is_some();
        if replace(was_good, is_good) && !is_good {
            tracing::error!(
                "the store of the configuration has problems: the last good one holds; see `osel config check`"
            );
        }
        if let Some(now) = now {
            *store = now;
        }
        store.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_one_holds() {
        let directory = |name: &str| StoreConfig::Directory(name.into());
        let now = Arc::new(Mutex::new(None));
        let told = Arc::clone(&now);
        let access = access(move || told.lock().unwrap().clone(), directory("first"));
        assert_eq!(access(), directory("first"));
        *now.lock().unwrap() = Some(directory("second"));
        assert_eq!(access(), directory("second"));
        *now.lock().unwrap() = None;
        assert_eq!(access(), directory("second"));
    }
}
