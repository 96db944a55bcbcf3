//! The store's database: its settings and replication, read as osel's role sees them.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::StoreConfig;
use crate::doctor::facts::{Asked, Store};
use crate::store::inspect;
use crate::telemetry::chain;

/// How long looking may take in all: each server has the connecting time of the URL, which may be long and several servers'.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Looks at a store. One in a directory is not touched: nothing of it is a matter of settings.
pub(super) async fn look(config: StoreConfig) -> Asked<Store> {
    let name = format!("store {}", config.name());
    let StoreConfig::Postgres(config) = config else { return Ok(Store { name, database: None }) };
    let why = |why: String| format!("the store cannot be looked at: {why}");
    // Whoever still waits after the time is left behind: nothing was begun that would have to be ended.
    let durability = match timeout(TIME_MAX, spawn_blocking(move || inspect(&config))).await {
        Ok(Ok(Ok(durability))) => durability,
        Ok(Ok(Err(error))) => return Err(why(chain(&error))),
        Ok(Err(error)) => return Err(why(error.to_string())),
        Err(_) => return Err(why(format!("no answer within {} s", TIME_MAX.as_secs()))),
    };
    if durability.is_standby {
        // Settings are each server's own: those of this one say nothing of the one that takes commits.
        return Err(why("no server that can be written answers, only one that follows it".to_owned()));
    }
    Ok(Store { name, database: Some(durability) })
}
