//! From `[[witness]]` to tasks that show the log to its witnesses: a first look before anything is taken, and then for as long as we run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use osel_core::trail::log::VerifierKey;
use tokio::runtime::Handle;

use super::super::config::ConfigArg;
use super::super::open::{StoreAccess, now, reader_by};
use crate::config::{Config, WitnessConfig};
use crate::runtime::service::{ServiceError, ServiceHandle};
use crate::runtime::witnessing::{self, Shared, Tell, Watch, WitnessEvent, WitnessSettings};
use crate::store::Journal;

/// How long witnesses are waited for at the start: one that is there answers in a tenth of it, and no bus waits longer for one that is not. What our own store
/// takes to be held against their answers comes on top.
const FIRST_LOOK_TIME: Duration = Duration::from_secs(3);

/// Witnesses that were asked once, with what they told.
pub(super) struct Looked {
    watches: Vec<Watch>,
    told: Vec<WitnessEvent>,
}

/// Asks the witnesses what they have seen of the log, before anything new is taken.
///
/// # Errors
/// When one has seen another log, or what is remembered of them cannot be read.
pub(super) async fn first_look(
    config: &Config,
    file: &ConfigArg,
    store: &StoreAccess,
    journal: &dyn Journal,
) -> anyhow::Result<Looked> {
    if config.witnesses.is_empty() {
        return Ok(Looked { watches: Vec::new(), told: Vec::new() });
    }
    let (remembered, common) = (journal.reader()?.witnessed()?, Shared::default());
    let watches = config.witnesses.iter().map(|witness| {
        let (file, key) = (file.clone(), witness.key.clone());
        let settings = WitnessSettings {
            config: witness.clone(),
            now: Arc::new(move || {
                file.load_quietly()?.witnesses.into_iter().find(|witness| witness.key == key)
            }),
            open: reader_by(store),
            clock: now,
        };
        Watch::new(settings, &remembered, Arc::clone(&common))
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let tell: Tell = Arc::new(move |event| heard.lock().unwrap_or_else(PoisonError::into_inner).push(event));
    let (watches, alarm) = witnessing::first_look(watches.collect(), FIRST_LOOK_TIME, &tell).await;
    if let Some(WitnessEvent::Alarm(key, alarm)) = alarm {
        return Err(ServiceError::Witnessed { witness: key.name().clone(), alarm }.into());
    }
    let told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Looked { watches, told })
}

/// Goes on asking, and tells the service.
pub(super) fn go_on(looked: Looked, service: &ServiceHandle, tokio: &Handle) {
    for event in looked.told {
        service.witness(event);
    }
    for watch in looked.watches {
        let service = service.clone();
        tokio.spawn(watch.run(Arc::new(move |event| service.witness(event))));
    }
}

/// What of the tables holds until a restart.
pub(super) fn fixed(config: &Config) -> Vec<&VerifierKey> {
    config.witnesses.iter().map(|WitnessConfig { key, .. }| key).collect()
}
