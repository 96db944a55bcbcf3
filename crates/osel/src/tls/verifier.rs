//! How much of a server's certificate is verified, where somebody may ask for less than all of it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// What of the server's certificate is verified; that it has the key is in any case.
#[derive(Debug)]
pub enum Verified {
    /// Any certificate is good.
    Nothing,
    /// That an authority signed it, whatever its name.
    Certificate(Arc<WebPkiServerVerifier>),
    /// That, and the name.
    All(Arc<WebPkiServerVerifier>),
}

/// Verifies so much of a server's certificate.
#[derive(Debug)]
pub struct Verifier {
    verified: Verified,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// One that verifies so much, with the algorithms of a provider.
    pub fn new(verified: Verified, provider: Arc<CryptoProvider>) -> Self {
        Self { verified, provider }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.verified {
            Verified::Nothing => Ok(ServerCertVerified::assertion()),
            Verified::All(inner) => inner.verify_server_cert(certificate, chain, name, ocsp, now),
            Verified::Certificate(inner) => {
                // The name is looked at last: that it does not fit says that all else does.
                match inner.verify_server_cert(certificate, chain, name, ocsp, now) {
                    Err(Error::InvalidCertificate(
                        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                    )) => Ok(ServerCertVerified::assertion()),
                    other => other,
                }
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
