//! The ways to a manager: sockets and TLS, and what is said where they do not lead there.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use osel::action::gmp::Gmp;
use osel::action::scanner::Scanner;
use osel::config::{GmpAddress, Place as Where, ScannerConfig, ScannerKind, Secret, TlsConfig};
use osel_core::scan::{RemoteState, Trouble};
use osel_sim::scanners::gmp::{Gvmd, Options, Place as At};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::{Ground, await_end, config, gmp, order_of_two, two};
use crate::broker::Certificates;
use crate::command::Place;

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// A server that wants to see its clients' certificates.
fn server(files: &Certificates) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&files.authority)).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate(&files.server)],
            PrivateKeyDer::from_pem_file(&files.server_key).unwrap(),
        );
    Arc::new(config.unwrap())
}

#[tokio::test]
async fn a_scan_goes_its_way_over_tls_and_only_among_those_who_trust_each_other() {
    let place = Place::new("gmp-tls");
    let files = Certificates::make(Path::new(&place.path("ours")), "osel");
    let others = Certificates::make(Path::new(&place.path("others")), "osel");
    let at = At::Tls((Ipv4Addr::LOCALHOST, 0).into(), server(&files));
    let gvmd = Gvmd::start(&at, two(), Options { piece_bytes: Some(7), ..Options::default() }).unwrap();
    let port = gvmd.address.unwrap().port();
    let by = |tls: TlsConfig| gmp(&config(GmpAddress::Tls { host: "localhost".to_owned(), port, tls }));
    let ours = TlsConfig {
        ca_file: Some(files.authority.clone()),
        cert_file: Some(files.client.clone()),
        key_file: Some(files.client_key.clone()),
        ..TlsConfig::default()
    };
    let order = order_of_two();
    let scanner = by(ours.clone());
    let launched = scanner.launch(&order).await.unwrap();
    assert_eq!(await_end(&scanner, &order, &launched).await, RemoteState::Finished);
    assert_eq!(scanner.fetch(&order, &launched.reference).await.unwrap().hosts.len(), 2);
    scanner.forget(&order, &launched.reference).await.unwrap();

    let unknown = by(TlsConfig { ca_file: Some(others.authority), ..ours.clone() }).find(&order).await;
    assert!(matches!(&unknown, Err(Trouble::Unavailable(why)) if why.contains("no trust")), "{unknown:?}");
    let misnamed =
        by(TlsConfig { server_name: Some("other.example".to_owned()), ..ours.clone() }).find(&order).await;
    assert!(matches!(&misnamed, Err(Trouble::Unavailable(why)) if why.contains("no trust")), "{misnamed:?}");
    let nobody = by(TlsConfig { cert_file: None, key_file: None, ..ours.clone() }).find(&order).await;
    assert!(matches!(nobody, Err(Trouble::Unavailable(_))), "{nobody:?}");
    let no_file = by(TlsConfig { ca_file: Some("/nowhere".into()), ..ours }).find(&order).await;
    assert!(matches!(&no_file, Err(Trouble::Unavailable(why)) if why.contains("/nowhere")), "{no_file:?}");
}

#[tokio::test]
async fn a_manager_that_is_away_is_told_with_its_place() {
    let ground = Ground::new(two(), Options::default());
    let away =
        ground.changed(|config| config.address = GmpAddress::Socket(Some("/nowhere/gvmd.sock".into())));
    let answer = away.launch(&order_of_two()).await;
    assert!(
        matches!(&answer, Err(Trouble::Unavailable(why)) if why.contains("/nowhere/gvmd.sock")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_password_that_is_exchanged_is_in_force_with_the_next_call() {
    let ground = Ground::new(two(), Options::default());
    let now = Arc::new(Mutex::new(ground.config.clone()));
    let told = Arc::clone(&now);
    let scanner = Gmp::new(Arc::new(move || ScannerConfig {
        name: "greenbone".to_owned(),
        kind: ScannerKind::Gmp(Box::new(told.lock().unwrap().clone())),
        window_seconds: 1,
        batch_addresses_max: std::num::NonZeroU32::MIN,
        running_max: std::num::NonZeroU32::MIN,
        life_seconds_max: 60,
        place: Where::Nowhere,
    }));
    let order = order_of_two();
    scanner.find(&order).await.unwrap();
    ground.gvmd.adjust(|options| options.password = "another".to_owned());
    assert!(matches!(scanner.find(&order).await, Err(Trouble::Denied(_))));
    now.lock().unwrap().password = Secret::new("another".to_owned());
    scanner.find(&order).await.unwrap();
}

#[tokio::test]
async fn answers_that_come_late_and_byte_by_byte_are_read() {
    let options =
        Options { piece_bytes: Some(1), latency_max: Duration::from_millis(3), ..Options::default() };
    for seed in 1..4 {
        let ground = Ground::new(two(), Options { seed, ..options.clone() });
        let seen = ground.scan(&order_of_two()).await;
        assert!(seen.hosts.iter().all(|host| !host.ports.is_empty()), "{seen:?}");
    }
}
