//! A container of Swift as a store of objects.

use std::sync::Arc;
use std::time::SystemTime;

use md5::{Digest, Md5};
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind};
use osel_core::time::Timestamp;

use super::http::refusal;
use super::now::ConfigNow;
use super::objects::{Depot, Object, ObjectReceiver};
use super::receiver::{Handed, Receiver};
use crate::config::{ReceiverConfig, SwiftConfig};
use crate::openstack::clouds::{self, Selection};
use crate::openstack::{Account, NewObject, ObjectError, ObjectStore, ObjectTrouble, REQUESTS_PER_SECOND};
use crate::telemetry::chain;

/// The receiver of that table; `now` gives the table anew, and with it the account, should the cloud refuse us.
pub fn swift(config: SwiftConfig, format: Format, now: ConfigNow) -> impl Receiver {
    let objects = config.objects.clone();
    let before = config.clone();
    let account = move || match now().receiver {
        ReceiverConfig::Swift(config) => account(&config),
        // It has become something else, which the next start makes of it.
        _ => account(&before),
    };
    let store = ObjectStore::new(Arc::new(account), time);
    ObjectReceiver::new(Swift { config, store }, objects, format.is_json())
}

/// A container.
struct Swift {
    config: SwiftConfig,
    store: ObjectStore,
}

impl Swift {
    /// What came of a call; what is refused for who we are is tried with what the clouds file says then.
    fn after<T>(&mut self, result: Result<T, ObjectError>) -> Result<T, Refusal> {
        result.map_err(|ObjectError { trouble, words, wait }| {
            let kind = match trouble {
                ObjectTrouble::Unavailable => RefusalKind::Unavailable,
                ObjectTrouble::Silent => RefusalKind::Silent,
                ObjectTrouble::Denied => RefusalKind::Denied,
                ObjectTrouble::Garbled => RefusalKind::Garbled,
            };
            if kind == RefusalKind::Denied {
                self.store.reset();
            }
            Refusal { wait, ..refusal(kind, &words) }
        })
    }
}

/// The account as the files say it now, or why there is none.
fn account(config: &SwiftConfig) -> Result<Account, String> {
    let selection = Selection {
        cloud: config.cloud.clone(),
        file: config.clouds_file.clone(),
        region: config.region.clone(),
        ..Selection::of_process()
    };
    let cloud = clouds::read(&selection).map_err(|error| chain(&error))?;
    // Whoever answers in Swift's name would get the records: there is no way to allow that.
    Ok(Account { cloud, requests_per_second: REQUESTS_PER_SECOND, insecure: false })
}

/// The system's clock, by which a token is good.
fn time() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Depot for Swift {
    fn target(&self) -> String {
        let SwiftConfig { container, cloud, .. } = &self.config;
        match cloud {
            Some(cloud) => format!("container {container} of cloud {cloud}"),
            None => format!("container {container}"),
        }
    }

    fn put(&mut self, object: Object) -> Handed<'_, ()> {
        Box::pin(async move {
            let Object { name, body, content_type } = object;
            let md5 = Md5::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
            let SwiftConfig { container, delete_after, .. } = &self.config;
            let (container, delete_after) = (container.clone(), *delete_after);
            let object = NewObject { container, name, content_type, md5, delete_after, body };
            let put = self.store.put(object).await;
            self.after(put)
        })
    }

    fn listed<'a>(&'a mut self, beginning: &'a str) -> Handed<'a, Vec<String>> {
        Box::pin(async move {
            let listed = self.store.listed(&self.config.container, beginning).await;
            self.after(listed)
        })
    }

    fn reset(&mut self) {
        self.store.reset();
    }
}
