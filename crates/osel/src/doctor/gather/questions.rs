//! What is to be asked, and the asking of all of it.

use std::path::PathBuf;
use std::time::Duration;

use super::{Access, bus, files, listen, management, store};
use crate::amqp::Address;
use crate::config::StoreConfig;
use crate::doctor::facts::{Facts, Wanted};

/// What is to be asked.
#[derive(Default)]
pub struct Questions {
    /// What osel would listen to.
    pub wanted: Wanted,
    /// The hosts of the bus, each tried in turn; empty where there is no bus to ask.
    pub hosts: Vec<Address>,
    /// The virtual host that the management interface is asked about.
    pub vhost: String,
    /// The management interface.
    pub management: Option<Access>,
    /// Configurations of services.
    pub services: Vec<PathBuf>,
    /// Configurations of Trove.
    pub troves: Vec<PathBuf>,
    /// osel's store.
    pub store: Option<StoreConfig>,
    /// How long to listen.
    pub listen: Option<Duration>,
}

/// Asks everything. `tell` is told what takes a while.
pub async fn gather(questions: Questions, tell: impl Fn(String)) -> Facts {
    let Questions { wanted, hosts, vhost, management, services, troves, store, listen } = questions;
    let mut facts = Facts::none(wanted);
    let name = |path: &PathBuf| path.display().to_string();
    facts.services = services.iter().map(|path| (name(path), files::service(path))).collect();
    facts.troves = troves.iter().map(|path| (name(path), files::trove(path))).collect();
    if let Some(config) = store {
        facts.store = store::look(config).await;
    }
    let mut line = None;
    if !hosts.is_empty() {
        match bus::look(&hosts, &facts.wanted).await {
            Ok((up, seen)) => {
                line = Some(up);
                facts.bus = Ok(seen);
            }
            Err(why) => facts.bus = Err(why),
        }
    }
    if let Some(access) = management {
        facts.management = management::look(access, &vhost).await;
    }
    if let (Some(up), Ok(seen), Some(time)) = (&line, &mut facts.bus, listen) {
        let begun = || tell(format!("listening to {} for {} s", seen.name, time.as_secs()));
        facts.heard = listen::listen(up, &facts.wanted, &seen.exchanges, time, begun).await;
        bus::look_again(up, seen).await;
    } else if listen.is_some() {
        facts.heard = Err("there is no bus to listen to".to_owned());
    }
    if let Some(up) = line {
        up.close().await;
    }
    facts
}
