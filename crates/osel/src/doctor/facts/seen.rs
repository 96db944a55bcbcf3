//! Everything that was seen, together.

use super::{Bus, Management, ServiceFile, Store, TroveFile, Wanted};
use crate::doctor::heard::Heard;

/// What was seen, or why it could not be looked at.
pub type Asked<T> = Result<T, String>;

/// Everything that rules judge.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What osel would listen to.
    pub wanted: Wanted,
    /// The bus, asked by AMQP.
    pub bus: Asked<Bus>,
    /// The broker, asked by its management interface.
    pub management: Asked<Management>,
    /// What was heard on the bus.
    pub heard: Asked<Heard>,
    /// Configurations of services by the names of their files.
    pub services: Vec<(String, Asked<ServiceFile>)>,
    /// Configurations of Trove by the names of their files.
    pub troves: Vec<(String, Asked<TroveFile>)>,
    /// osel's store.
    pub store: Asked<Store>,
}

impl Facts {
    /// What nothing was asked of yet.
    pub fn none(wanted: Wanted) -> Self {
        Self {
            wanted,
            bus: Err("no bus is named: give -c FILE or --transport-url-file FILE, or set OSEL_TRANSPORT_URL"
                .to_owned()),
            management: Err("needs the management interface: give --management URL".to_owned()),
            heard: Err("needs to listen: give --listen SECONDS".to_owned()),
            services: Vec::new(),
            troves: Vec::new(),
            store: Err("needs osel's configuration, which names the store: give -c FILE".to_owned()),
        }
    }
}
