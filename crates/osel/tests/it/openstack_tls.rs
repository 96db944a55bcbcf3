//! The client of a cloud over HTTPS whose certificates are of an authority of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use osel_core::event::Kind;
use osel_sim::api::{Cloud, Emulated, Options, Start};

use crate::broker::Certificates;
use crate::command::Place;
use crate::openstack::{ADMIN, Driver, Whole, account, ids, recorded};

/// The emulated services with a certificate for 127.0.0.1 and `localhost`, where they may be found.
fn secured(files: &Certificates, listen: [u8; 4], host: Option<&str>) -> Emulated {
    let listen = SocketAddr::from((Ipv4Addr::from(listen), 0));
    let start = Start { listen, host: host.map(str::to_owned), tls: Some(files.server_config()) };
    Emulated::start_at(&start, Cloud::from_inventory(&recorded()), Options::default()).unwrap()
}

async fn read_with(emulated: &Emulated, variables: &[(&str, &str)]) -> Whole {
    Driver::new(account(emulated, &[&ADMIN[..], variables].concat())).read_all().await
}

#[track_caller]
fn is_refused(emulated: &Emulated, whole: &Whole) {
    let (_, words) = whole.failed.as_ref().expect("it is refused");
    assert!(words.contains("no trust with"), "{words}");
    assert!(!words.contains("admin-secret"), "{words}");
    assert_eq!(emulated.asked("/").len(), 0, "nobody heard the password");
}

#[tokio::test]
async fn a_cloud_with_its_own_authority_is_read_by_whoever_names_it() {
    let place = Place::new("own-authority");
    let files = Certificates::make(Path::new(&place.path("tls")), "osel");
    let authority = files.authority.to_str().unwrap();
    for host in [None, Some("localhost")] {
        let emulated = secured(&files, [127, 0, 0, 1], host);
        assert!(emulated.auth_url().starts_with("https://"));
        let whole = read_with(&emulated, &[("OS_CACERT", authority)]).await;
        assert_eq!(whole.failed, None);
        assert_eq!(whole.objects[&Kind::Port], ids(&recorded(), Kind::Port));
    }
}

#[tokio::test]
async fn a_cloud_of_an_unknown_authority_is_not_told_the_password() {
    let place = Place::new("no-authority");
    let files = Certificates::make(Path::new(&place.path("tls")), "osel");
    let other = Certificates::make(Path::new(&place.path("other")), "osel");
    let emulated = secured(&files, [127, 0, 0, 1], None);
    let whole = read_with(&emulated, &[("OS_CACERT", other.authority.to_str().unwrap())]).await;
    is_refused(&emulated, &whole);
    // Nor with the authorities of the system: where there are none, there is no trust either.
    let whole = read_with(&emulated, &[]).await;
    assert!(whole.failed.is_some());
    assert_eq!(emulated.asked("/").len(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let place = Place::new("other-host");
    let files = Certificates::make(Path::new(&place.path("tls")), "osel");
    let emulated = secured(&files, [127, 0, 0, 2], None);
    assert!(emulated.auth_url().starts_with("https://127.0.0.2:"));
    let whole = read_with(&emulated, &[("OS_CACERT", files.authority.to_str().unwrap())]).await;
    is_refused(&emulated, &whole);
}
