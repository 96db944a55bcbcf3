//! Certificates for a broker and its clients, of an authority made for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Files in PEM form.
#[derive(Clone, Debug)]
pub struct Certificates {
    pub authority: PathBuf,
    pub server: PathBuf,
    pub server_key: PathBuf,
    pub client: PathBuf,
    pub client_key: PathBuf,
}

impl Certificates {
    /// Makes an authority, a server's certificate for `127.0.0.1` and `localhost`, and a client's with this common name, over what lies
    /// in the directory.
    pub fn make(directory: &Path, client_name: &str) -> Self {
        fs::create_dir_all(directory).unwrap();
        let path = |name: &str| directory.join(name);
        let files = Self {
            authority: path("authority.pem"),
            server: path("server.pem"),
            server_key: path("server.key"),
            client: path("client.pem"),
            client_key: path("client.key"),
        };
        let mut parameters = parameters("authority of a test", &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(&files.authority, parameters.self_signed(&key).unwrap().pem()).unwrap();
        let authority = Issuer::new(parameters, key);
        leaf(&authority, "broker", &["127.0.0.1", "localhost"], &files.server, &files.server_key);
        leaf(&authority, client_name, &[], &files.client, &files.client_key);
        files
    }

    /// A server of ours with its certificate, which asks nobody for one.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let chain = CertificateDer::pem_file_iter(&self.server).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(&self.server_key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}

fn leaf(authority: &Issuer<'_, KeyPair>, name: &str, hosts: &[&str], file: &Path, key_file: &Path) {
    let key = KeyPair::generate().unwrap();
    fs::write(file, parameters(name, hosts).signed_by(&key, authority).unwrap().pem()).unwrap();
    fs::write(key_file, key.serialize_pem()).unwrap();
}

fn parameters(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(hosts).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}
