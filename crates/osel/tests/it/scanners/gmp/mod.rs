//! Greenbone's adapter against a simulated manager.

mod client;
mod hostile;
mod life;
mod lines;
mod results;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use osel::action::gmp::Gmp;
use osel::action::scanner::{Launched, ScanOrder, Scanner, Seen};
use osel::config::{GmpAddress, GmpConfig, Place as Where, ScannerConfig, ScannerKind, Secret};
use osel_core::scan::RemoteState;
use osel_sim::scanners::gmp::{Gvmd, Host, Options, Place as At};

use crate::command::Place;
use crate::scanners::order;

/// No scan of a test needs to be asked after more often.
const POLLS_MAX: usize = 20;
/// The title of every order.
const TITLE: &str = "osel-0123456789ab-scan-1";

/// How a manager at a socket is reached.
fn config(address: GmpAddress) -> GmpConfig {
    GmpConfig {
        address,
        username: "osel".to_owned(),
        password: Secret::new("osel-secret".to_owned()),
        scan_config: "Full and fast".to_owned(),
        engine: "OpenVAS Default".to_owned(),
        min_qod: 30,
        hosts_at_once: Some(5),
        tests_at_once: None,
        answer_time: Duration::from_secs(30),
        keep: false,
    }
}

fn gmp(config: &GmpConfig) -> Gmp {
    let config = ScannerConfig {
        name: "greenbone".to_owned(),
        kind: ScannerKind::Gmp(Box::new(config.clone())),
        window_seconds: 1,
        batch_addresses_max: NonZeroU32::MIN,
        running_max: NonZeroU32::MIN,
        life_seconds_max: 60,
        place: Where::Nowhere,
    };
    Gmp::new(Arc::new(move || config.clone()))
}

/// A manager at a socket of its own, and the adapter that asks it.
struct Ground {
    gvmd: Gvmd,
    gmp: Gmp,
    config: GmpConfig,
    _place: Place,
}

impl Ground {
    fn new(hosts: Vec<Host>, options: Options) -> Self {
        let place = Place::new("gmp");
        let socket = PathBuf::from(place.path("gvmd.sock"));
        let gvmd = Gvmd::start(&At::Socket(socket.clone()), hosts, options).unwrap();
        let config = config(GmpAddress::Socket(Some(socket)));
        Self { gvmd, gmp: gmp(&config), config, _place: place }
    }

    /// The path of its socket.
    fn socket(&self) -> &str {
        match &self.config.address {
            GmpAddress::Socket(Some(path)) => path.to_str().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The adapter with another configuration.
    fn changed(&self, change: impl FnOnce(&mut GmpConfig)) -> Gmp {
        let mut config = self.config.clone();
        change(&mut config);
        gmp(&config)
    }

    /// A whole scan: launched, polled, fetched.
    async fn scan(&self, order: &ScanOrder) -> Seen {
        let launched = self.gmp.launch(order).await.unwrap();
        assert_eq!(await_end(&self.gmp, order, &launched).await, RemoteState::Finished);
        self.gmp.fetch(order, &launched.reference).await.unwrap()
    }
}

/// Asks until the scan is over; how it is then.
async fn await_end(gmp: &Gmp, order: &ScanOrder, launched: &Launched) -> RemoteState {
    for _ in 0..POLLS_MAX {
        let state = gmp.status(order, &launched.reference).await.unwrap();
        if !matches!(state, RemoteState::Waiting | RemoteState::Running) {
            return state;
        }
    }
    panic!("it never ends");
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Two hosts with one port each.
fn two() -> Vec<Host> {
    vec![Host::new(address("192.0.2.1"), &["22/tcp"]), Host::new(address("2001:db8::1"), &["443/tcp"])]
}

fn order_of_two() -> ScanOrder {
    order(&[("192.0.2.1", &[22, 80]), ("2001:db8::1", &[443])])
}
