//! Nessus and Tenable Vulnerability Management, simulated, and the adapter that asks them.

mod client;
mod hostile;
mod life;
mod once;
mod refused;
mod results;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};

use osel::action::nessus::Nessus;
use osel::action::scanner::{ScanOrder, Scanner, Seen};
use osel::config::{NessusConfig, NessusLogin, NessusProduct, Secret, TlsConfig};
use osel_core::scan::RemoteState;
use osel_sim::scanners::http::Served;
use osel_sim::scanners::nessus::{Host, Item, Nessus as Simulated, Options, Product};

use super::order;
use crate::broker::Certificates;
use crate::command::Place;

const BOTH: [Product; 2] = [Product::Nessus, Product::Cloud];
/// More steps than any scan needs, failures included.
const STEPS_MAX: usize = 400;

/// The hosts that most tests scan: a server with a weakness, one at which nothing is open, one by IPv6.
fn hosts() -> Vec<Host> {
    let host = |address| Host::new(address).unwrap();
    let weakness = Item::new(201_194, "OpenSSH < 9.8 RCE", "tcp", 22, "ssh");
    let output = "Banner : SSH-2.0-OpenSSH_9.2p1 & more";
    vec![
        host("192.0.2.1").open(22, "ssh").open(443, "www").with(weakness.weak(
            3,
            "8.1",
            &["CVE-2024-6387", "CVE-2006-5051"],
            output,
        )),
        host("192.0.2.2"),
        host("2001:db8::1").open(80, "www?"),
    ]
}

/// The order that goes with them; of 192.0.2.9 nothing is known.
fn three() -> ScanOrder {
    order(&[("192.0.2.1", &[22, 80]), ("2001:db8::1", &[80]), ("192.0.2.9", &[22])])
}

/// A simulated scanner, and how it is asked.
struct Pair {
    simulated: Served<Simulated>,
    config: Arc<Mutex<NessusConfig>>,
    _place: Option<Place>,
}

impl Pair {
    fn new(product: Product, change: impl FnOnce(&mut Options)) -> Self {
        Self::made(Self::simulation(product, change), None)
    }

    /// The same over TLS with an authority of its own, which the adapter trusts.
    fn secure(name: &str, product: Product, change: impl FnOnce(&mut Options)) -> Self {
        let place = Place::new(name);
        Self::made(Self::simulation(product, change), Some(place))
    }

    fn simulation(product: Product, change: impl FnOnce(&mut Options)) -> Simulated {
        let mut options = Options::new(product);
        change(&mut options);
        Simulated::new(options, hosts())
    }

    fn made(simulation: Simulated, place: Option<Place>) -> Self {
        let Options { product, access_key, secret_key, .. } = simulation.options.clone();
        let certificates =
            place.as_ref().map(|place| Certificates::make(Path::new(&place.path("tls")), "osel"));
        let simulated =
            Served::start(simulation, certificates.as_ref().map(Certificates::server_config)).unwrap();
        let config = NessusConfig {
            product: match product {
                Product::Nessus => NessusProduct::Nessus,
                Product::Cloud => NessusProduct::Cloud,
            },
            url: simulated.url.clone(),
            login: NessusLogin::Keys {
                access_key: Secret::new(access_key),
                secret_key: Secret::new(secret_key),
            },
            template: "basic".to_owned(),
            policy: None,
            scanner: None,
            folder: None,
            covers: Vec::new(),
            keep: false,
            tls: TlsConfig { ca_file: certificates.map(|made| made.authority), ..TlsConfig::default() },
            // What is slow is to end soon.
            answer_seconds: NonZeroU32::MIN,
        };
        Self { simulated, config: Arc::new(Mutex::new(config)), _place: place }
    }

    fn configure(&self, change: impl FnOnce(&mut NessusConfig)) {
        change(&mut self.config.lock().unwrap());
    }

    /// The adapter as after a start: it remembers nothing.
    fn scanner(&self) -> Nessus {
        let config = Arc::clone(&self.config);
        Nessus::new(Arc::new(move || config.lock().unwrap().clone()))
    }

    /// The scans of the order's title: how often each was launched.
    fn launches(&self, order: &ScanOrder) -> Vec<u32> {
        self.simulated.change(|simulation| {
            let ours = simulation.scans().iter().filter(|scan| scan.name == order.title);
            ours.map(|scan| scan.launches).collect()
        })
    }
}

/// Has an order carried out as the conductor does: what is uncertain is looked for before it is tried again.
async fn carried_out(scanner: &Nessus, order: &ScanOrder) -> Seen {
    let mut reference = None;
    for _ in 0..STEPS_MAX {
        match &reference {
            None => match scanner.find(order).await {
                Ok(Some(found)) => reference = Some(found.reference),
                Ok(None) => reference = scanner.launch(order).await.ok().map(|launched| launched.reference),
                Err(_) => {}
            },
            Some(reference) => {
                if scanner.status(order, reference).await == Ok(RemoteState::Finished)
                    && let Ok(seen) = scanner.fetch(order, reference).await
                {
                    return seen;
                }
            }
        }
    }
    panic!("it was not carried out in {STEPS_MAX} steps");
}
