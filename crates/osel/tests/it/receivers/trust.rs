//! Who is not trusted is not sent anything, and it is said what to do.

use std::path::Path;

use osel::config::TlsConfig;
use osel::forward::receiver::Receiver;
use osel::forward::syslog::SyslogReceiver;
use osel_core::forward::{RefusalKind, Taken};

use super::servers::{Product, Server};
use super::{batch, item};
use crate::broker::Certificates;
use crate::command::Place;

async fn refused(server: &Server, tls: TlsConfig) -> String {
    let mut receiver = SyslogReceiver::new(&server.over_tls(tls));
    let refusal = receiver.send(&batch(1, &[item(1, "secret".to_owned())])).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.taken), (RefusalKind::Denied, 0), "{}", refusal.words);
    refusal.words
}

#[tokio::test]
async fn a_wrong_authority_name_or_certificate_is_refused_with_what_to_do() {
    let place = Place::new("syslog-others");
    let others = Certificates::make(Path::new(&place.path("tls")), "osel");
    for product in Product::ALL {
        let server = Server::start(product);
        let good = server.tls();
        let words =
            refused(&server, TlsConfig { ca_file: Some(others.authority.clone()), ..good.clone() }).await;
        assert!(words.contains("name the authority that signed its certificate with `ca_file`"), "{words}");
        let words =
            refused(&server, TlsConfig { server_name: Some("logs.example".to_owned()), ..good.clone() })
                .await;
        assert!(words.contains("by `server_name`"), "{words}");
        let words = refused(&server, TlsConfig { cert_file: None, key_file: None, ..good.clone() }).await;
        assert!(words.contains("`cert_file`"), "{words}");
        let strange = (Some(others.client.clone()), Some(others.client_key.clone()));
        let words =
            refused(&server, TlsConfig { cert_file: strange.0, key_file: strange.1, ..good.clone() }).await;
        assert!(words.contains("`cert_file`"), "{words}");
        let missing = TlsConfig { ca_file: Some("/nowhere/ca.pem".into()), ..good.clone() };
        assert!(refused(&server, missing).await.contains("cannot read `/nowhere/ca.pem`"));
        assert_eq!(server.received().len(), 0, "{product:?}");
        // A certificate is read for each connection: the right one, put in the place of the wrong one, is enough.
        let path = place.path("client.pem");
        std::fs::copy(&others.client, &path).unwrap();
        let key = place.path("client.key");
        std::fs::copy(&others.client_key, &key).unwrap();
        let tls =
            TlsConfig { cert_file: Some(path.clone().into()), key_file: Some(key.clone().into()), ..good };
        let mut receiver = SyslogReceiver::new(&server.over_tls(tls));
        let first = batch(1, &[item(1, "one".to_owned())]);
        assert!(receiver.send(&first).await.is_err());
        std::fs::copy(&server.certificates.client, &path).unwrap();
        std::fs::copy(&server.certificates.client_key, &key).unwrap();
        assert_eq!(receiver.send(&first).await, Ok(Taken::Awaited));
        assert_eq!(server.await_received(1)[0]["message"], "one");
    }
}
