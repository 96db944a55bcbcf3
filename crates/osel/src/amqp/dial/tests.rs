//! Brokers that end TLS: what is told of it.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::telemetry::chain;

/// A broker that asks for a client's certificate, and the files that a client has, in a folder that goes with the test.
struct Side {
    folder: PathBuf,
    files: TlsConfig,
    acceptor: TlsAcceptor,
}

impl Side {
    /// The client's certificate is valid until this year's first day.
    fn new(version: &'static SupportedProtocolVersion, until: i32) -> Self {
        let name = format!("osel-dial-{version:?}-{until}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        fs::create_dir_all(&folder).unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = parameters.self_signed(&key).unwrap();
        let issuer = Issuer::new(parameters, key);
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            Some(path)
        };
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        let files = TlsConfig {
            ca_file: write("ca.pem", authority.pem()),
            cert_file: write("client.pem", parameters.signed_by(&key, &issuer).unwrap().pem()),
            key_file: write("client.key", key.serialize_pem()),
            ..TlsConfig::default()
        };
        let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Self { folder, files, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// What comes of a connection, with this of the client's files.
    async fn refusal(&self, files: TlsConfig) -> DialError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            user: "osel".to_owned(),
            password: "secret".to_owned(),
            vhost: "/".to_owned(),
            tls: Some(files),
            heartbeat: 0,
        };
        let acceptor = self.acceptor.clone();
        let broker = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // It says why, and then reads on until the client has gone.
            if let Err((_, mut stream)) = acceptor.accept(stream).into_fallible().await {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            }
        });
        let refusal = dial(&address, Duration::from_secs(60)).await.map(drop).unwrap_err();
        broker.await.unwrap();
        refusal
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The words, without the port of this time.
fn without_port(error: &DialError) -> String {
    let said = chain(error);
    let Some((host, rest)) = said.split_once(':') else { return said };
    format!("{host}:PORT{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

#[tokio::test]
async fn that_our_certificate_is_refused_is_told_with_what_it_is() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let side = Side::new(version, 2021);
        let refusal = side.refusal(side.files.clone()).await;
        assert_eq!(refusal.trouble(), BrokerTrouble::Untrusted);
        let file = side.folder.join("client.pem");
        let wanted = format!(
            "`127.0.0.1:PORT` refuses TLS with the certificate in `{}`, valid from 2020-01-01T00:00:00Z until 2021-01-01T00:00:00Z: received \
             fatal alert: ",
            file.display()
        );
        let said = without_port(&refusal);
        assert!(said.starts_with(&wanted) && said.to_lowercase().contains("expired"), "{said}");
        // Without one.
        let bare = TlsConfig { cert_file: None, key_file: None, ..side.files.clone() };
        let said = without_port(&side.refusal(bare).await);
        assert!(
            said.starts_with("`127.0.0.1:PORT` refuses TLS with no certificate: received fatal alert: "),
            "{said}"
        );
    }
}

/// What is said of a port that takes what it is sent first and answers so.
async fn said_of(answer: &'static [u8], tls: bool) -> (String, BrokerTrouble) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 8];
        stream.read_exact(&mut first).await.unwrap();
        stream.write_all(answer).await.unwrap();
        // What is left is read, so that the answer is not lost with a reset.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    let tls = tls.then(TlsConfig::default);
    let (user, password) = ("osel".to_owned(), "secret".to_owned());
    let (host, vhost) = ("127.0.0.1".to_owned(), "/".to_owned());
    let address = Address { host, port, user, password, vhost, tls, heartbeat: 30 };
    let error = dial(&address, Duration::from_secs(60)).await.err().unwrap();
    server.abort();
    (chain(&error).replace(&port.to_string(), "PORT"), error.trouble())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_tls_is_told_from_one_that_does_not() {
    // The alert `unexpected_message`.
    let (said, trouble) = said_of(&[21, 3, 3, 0, 2, 2, 10], false).await;
    assert!(said.starts_with("`127.0.0.1:PORT` speaks TLS"), "{said}");
    assert_eq!(trouble, BrokerTrouble::Untrusted);
    let (said, trouble) = said_of(b"AMQP\x00\x00\x09\x01", true).await;
    assert!(said.starts_with("`127.0.0.1:PORT` does not speak TLS"), "{said}");
    assert_eq!(trouble, BrokerTrouble::Untrusted);
}

#[test]
fn what_others_say_is_the_cause_and_stands_once() {
    let check = |error: DialError, own: &str, cause: &str| {
        assert_eq!(error.to_string(), own);
        assert_eq!(chain(&error), format!("{own}: {cause}"));
    };
    let place = || "mq.example:5671".to_owned();
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    check(
        DialError::Untrusted(place(), io::Error::other(unknown)),
        "no trust with `mq.example:5671`: name the authority that signed its certificate with `ca_file`",
        "invalid peer certificate: UnknownIssuer",
    );
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    check(
        DialError::Broker(place(), reset.into()),
        "no AMQP with `mq.example:5671`",
        "IO error: connection reset",
    );
}
