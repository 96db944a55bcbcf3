//! TLS to the server, by rustls: libpq's `sslmode` says whether, and what is verified.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, Error, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use crate::config::{PostgresConfig, RootCertificates, SslMode};
use crate::tls::{Verified, Verifier};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("cannot read `{path}`")]
    File { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("there are no certificates of authorities to verify the server's by")]
    NoRoots,
    #[error("certificates or key cannot be used")]
    Unusable(#[from] Error),
    #[error("the system has no authorities' certificates that can be used")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// Makes TLS sessions for one configuration.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// When one cannot be read, or nothing can be trusted.
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verified = match config.ssl_mode {
            SslMode::Disable | SslMode::Prefer | SslMode::Require => Verified::Nothing,
            SslMode::VerifyCa => Verified::Certificate(verifier(config, &provider)?),
            SslMode::VerifyFull => Verified::All(verifier(config, &provider)?),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(verified, provider)));
        let config = match &config.client_certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let private = PrivateKeyDer::from_pem_file(key)
                    .map_err(|source| TlsError::File { path: key.clone(), source })?;
                builder.with_client_auth_cert(certificates(certificate)?, private)?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

fn verifier(
    config: &PostgresConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    match &config.root_certificates {
        Some(RootCertificates::File(path)) => roots.add_parsable_certificates(certificates(path)?),
        // What a system's store has besides is its own affair.
        Some(RootCertificates::System) | None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)
        }
    };
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?)
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Connect> {
        // A socket has no name and no TLS; the name is asked for all the same.
        let name = if domain.is_empty() { "localhost" } else { domain };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Connect { config: Arc::clone(&self.0), name })
    }
}

/// Makes one TLS session.
pub(super) struct Connect {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { config, name } = self;
        Box::pin(async move { TlsConnector::from(config).connect(name, stream).await.map(Stream) })
    }
}

/// A TLS session. Logging in is not bound to it (SCRAM without PLUS): whoever wants certainty verifies the certificate.
pub(super) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
