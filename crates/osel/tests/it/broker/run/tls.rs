//! TLS to the broker: whom osel trusts, who it says it is, and certificates that are exchanged while it runs.

use std::path::Path;

use super::super::{Broker, Certificates, Client, Options, Tls, until};
use super::{LIMIT, Osel, USER, add_user, publish, source, url};

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_broker_is_verified_and_certificates_are_those_on_disk() {
    let broker = Broker::start_with(&Options { tls: Tls::ClientMayShow, ..Options::default() });
    add_user(&broker);
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("neutron", false).unwrap();
    let files = broker.certificates();
    let mut osel = Osel::new("run-tls", &format!("{}?ssl=true", url(broker.tls_port())), "");
    let stranger = Certificates::make(Path::new(&osel.place.path("stranger")), "osel");
    let trusting = |authority: &Path, further: &str| {
        source("one", "url", &format!("[source.tls]\nca_file = '{}'\n{further}", path(authority)))
    };

    let shown = |own: &Certificates| {
        let external = format!(
            "cert_file = '{}'\nkey_file = '{}'\nexternal = true",
            path(&own.client),
            path(&own.client_key)
        );
        trusting(&files.authority, &external)
    };
    // A certificate of ours by an authority that the broker does not know is told with what the broker says.
    let mut refused = Osel::new("run-tls-refused", &format!("{}?ssl=true", url(broker.tls_port())), "");
    refused.configure(&shown(&stranger));
    refused.start();
    let own = path(&stranger.client);
    refused.await_log(&["broker not trusted", "refuses TLS with the certificate in", &own, "UnknownCA"]);
    assert!(refused.stop().success());

    // An authority that did not sign the broker's certificate; then the right one and a name that it does not have.
    osel.configure(&trusting(&stranger.authority, ""));
    osel.start();
    osel.await_log(&["trouble began", "broker not trusted", ": name the authority", "`ca_file`"]);
    osel.configure(&trusting(&files.authority, "server_name = 'elsewhere.example'"));
    let attempts =
        |osel: &Osel| broker.log().matches("TLS server").count() + osel.lines(&["elsewhere"]).len();
    let before = attempts(&osel);
    until("another attempt", LIMIT, || attempts(&osel) > before + 1);
    assert_eq!(osel.lines(&["trouble ended"]), [""; 0]);
    osel.configure(&trusting(&files.authority, ""));
    osel.await_log(&["trouble ended"]);
    let mut ids = publish(&client, "password", 5);
    osel.await_log(&["exchange bound", "neutron"]);
    ids.extend(publish(&client, "trusted", 5));
    until("messages are recorded", LIMIT, || osel.recorded_ids().contains(&ids[9]));

    // By its certificate, without a password.
    broker.change_password(USER, "of-no-use-to-osel");
    osel.configure(&shown(files));
    broker.close_all_connections("for a test");
    let client = Client::connect(&broker.url()).unwrap();
    until("by certificate", LIMIT, || client.queue(&osel.queue()).is_ok_and(|(_, consumers)| consumers == 1));
    let external = publish(&client, "external", 5);
    until("messages are recorded", LIMIT, || osel.recorded_ids().contains(&external[4]));

    // Other certificates of another authority in the same files: in force with the next connection.
    Certificates::make(files.authority.parent().unwrap(), "osel");
    broker.reload_certificates();
    broker.close_all_connections("for a test");
    let client = Client::connect(&broker.url()).unwrap();
    until("by a new certificate", LIMIT, || {
        client.queue(&osel.queue()).is_ok_and(|(_, consumers)| consumers == 1)
    });
    let exchanged = publish(&client, "exchanged", 5);
    until("messages are recorded", LIMIT, || osel.recorded_ids().contains(&exchanged[4]));
    assert!(osel.stop().success());
    assert_eq!(osel.gaps(), [[""; 3]; 0]);

    // The wrong one of the two ports, either way.
    let mut wrong = Osel::new("run-tls-ports", &url(broker.tls_port()), "");
    wrong.start();
    wrong.await_log(&["trouble began", "speaks TLS", "ssl=true"]);
    assert!(wrong.stop().success());
    wrong.set_url("url", &format!("{}?ssl=true", url(broker.port())));
    wrong.start();
    wrong.await_log(&["trouble began", "does not speak TLS", "5671"]);
    assert!(wrong.stop().success());
}
