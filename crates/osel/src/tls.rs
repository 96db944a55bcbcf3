//! Whom a TLS connection trusts, and who we say we are: to the broker, its management interface, and the APIs of a cloud.
//!
//! Everything is read anew for each connection: a certificate that was exchanged on disk is in force after the next reconnect, without
//! a restart. Certificate and name are verified, by [`client`] always; who may ask for less, as for a database, does it by [`Verifier`].

mod flaws;
mod validity;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

pub use self::flaws::flaws;
pub use self::validity::Validity;
pub use self::verifier::{Verified, Verifier};
use crate::config::TlsConfig;

/// Why no TLS connection can be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A PEM file cannot be read.
    #[error("cannot read `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A file has no certificate.
    #[error("`{0}` has no certificate")]
    Empty(PathBuf),
    /// The system has no certificates of authorities.
    #[error(
        "the system has no certificates of authorities: name a file with the one that signed the server's"
    )]
    NoRoots,
    /// Certificate and key do not fit, or are of no use.
    #[error("certificate or key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// A host is no name that a certificate can have.
    #[error("`{name}` is not a name that a certificate can have")]
    Name {
        /// The name.
        name: String,
        /// Why.
        source: InvalidDnsNameError,
    },
    /// Only one of certificate and key is given.
    #[error("certificate and key are given together, or neither")]
    Half,
}

/// The name to verify.
///
/// # Errors
/// When no certificate can have it.
pub fn server_name(files: &TlsConfig, host: &str) -> Result<ServerName<'static>, TrustError> {
    let name = files.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|source| TrustError::Name { name: name.to_owned(), source })
}

/// What a connection is made with.
///
/// # Errors
/// When a file cannot be read, or nothing can be trusted.
pub fn client(files: &TlsConfig) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    match &files.ca_file {
        Some(path) => roots.add_parsable_certificates(certificates(path)?),
        // What a system's store has besides is its own affair.
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    if roots.is_empty() {
        return Err(files.ca_file.clone().map_or(TrustError::NoRoots, TrustError::Empty));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    introduced(builder, files)
}

/// What a connection is made with when somebody decided that nobody is to be verified: whoever answers has the key of the certificate
/// that it shows, and no more is known of it.
///
/// # Errors
/// When a file cannot be read.
pub fn blind_client(files: &TlsConfig) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(Verified::Nothing, provider)));
    introduced(builder, files)
}

/// With the client's own certificate, where it has one.
fn introduced(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    files: &TlsConfig,
) -> Result<Arc<ClientConfig>, TrustError> {
    let config = match (&files.cert_file, &files.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert_file), Some(key_file)) => {
            let key = private_key(key_file)?;
            builder.with_client_auth_cert(certificates(cert_file)?, key)?
        }
        _ => return Err(TrustError::Half),
    };
    Ok(Arc::new(config))
}

/// As whom we introduce ourselves, for whoever has to find out why that was not taken.
pub fn own_certificate(files: &TlsConfig) -> String {
    let Some(path) = &files.cert_file else { return "no certificate".to_owned() };
    let first = certificates(path).ok().and_then(|chain| Validity::of(chain.first()?));
    let validity = first.map(|validity| format!(", {validity}")).unwrap_or_default();
    format!("the certificate in `{}`{validity}", path.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let failed = |source| TrustError::File { path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(TrustError::Empty(path.to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| TrustError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_missing_or_empty_are_named() {
        let files = TlsConfig { ca_file: Some("/nowhere/ca.pem".into()), ..TlsConfig::default() };
        assert_eq!(client(&files).expect_err("there is none").to_string(), "cannot read `/nowhere/ca.pem`");
        let files = TlsConfig { ca_file: Some("/dev/null".into()), ..TlsConfig::default() };
        assert_eq!(client(&files).expect_err("it is empty").to_string(), "`/dev/null` has no certificate");
    }

    #[test]
    fn the_name_is_the_hosts_unless_another_is_given() {
        let name = |files: &TlsConfig, host| server_name(files, host).map(|name| name.to_str().into_owned());
        let other = TlsConfig { server_name: Some("rabbit.example".into()), ..TlsConfig::default() };
        assert_eq!(name(&TlsConfig::default(), "ctl1").expect("a name"), "ctl1");
        assert_eq!(name(&TlsConfig::default(), "::1").expect("an address"), "::1");
        assert_eq!(name(&other, "10.0.0.1").expect("a name"), "rabbit.example");
        assert!(name(&TlsConfig::default(), "no name").is_err());
    }
}
