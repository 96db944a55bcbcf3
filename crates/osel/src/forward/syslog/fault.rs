//! What goes wrong with a syslog server, and what is to be done about it.

use std::io;

use osel_core::forward::{Refusal, RefusalKind};
use rustls::{AlertDescription, CertificateError};

use crate::telemetry::chain;
use crate::tls::TrustError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum SyslogFault {
    /// Nobody is there.
    #[error("cannot connect to `{place}`")]
    Unreachable { place: String, source: io::Error },
    /// It does not answer in time.
    #[error("`{place}` does not {what} within {seconds} s")]
    Slow { place: String, what: &'static str, seconds: u64 },
    /// It was there.
    #[error("`{place}` closed the connection")]
    Broken { place: String, source: io::Error },
    /// It ended the connection in order.
    #[error("`{0}` closed the connection")]
    Closed(String),
    /// It did so before it was sent anything.
    #[error(
        "`{0}` closed the connection as soon as it stood: it may want a client's certificate that it knows (`cert_file`, `key_file`), or \
         take connections from others only; its own log says which"
    )]
    Unwelcome(String),
    /// We have nothing to connect with.
    #[error("cannot prepare TLS to `{place}`")]
    Trust { place: String, source: TrustError },
    /// TLS was refused, by either side.
    #[error("no trust with `{place}`{}", advice(.source))]
    Untrusted { place: String, source: rustls::Error },
    /// A message is more than the system takes as one datagram.
    #[error(
        "a message of {bytes} bytes is more than `{place}` takes in one piece: set a lower `message_bytes_max`"
    )]
    TooLong { place: String, bytes: usize, item: usize },
}

impl SyslogFault {
    /// From an error of a connection that stood.
    pub(super) fn broken(place: &str, error: io::Error) -> Self {
        match trust(error) {
            Ok(source) => Self::Untrusted { place: place.to_owned(), source },
            Err(source) => Self::Broken { place: place.to_owned(), source },
        }
    }

    /// From an error while connecting.
    pub(super) fn unreachable(place: &str, error: io::Error) -> Self {
        match trust(error) {
            Ok(source) => Self::Untrusted { place: place.to_owned(), source },
            Err(source) => Self::Unreachable { place: place.to_owned(), source },
        }
    }

    fn kind(&self) -> RefusalKind {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Closed(_) => RefusalKind::Unavailable,
            Self::Slow { .. } => RefusalKind::Silent,
            Self::Unwelcome(_) | Self::Trust { .. } | Self::Untrusted { .. } => RefusalKind::Denied,
            Self::TooLong { item, .. } => RefusalKind::Item(*item),
        }
    }
}

impl From<SyslogFault> for Refusal {
    fn from(fault: SyslogFault) -> Self {
        Self { kind: fault.kind(), words: chain(&fault), taken: 0, wait: None }
    }
}

/// What TLS says, if an error is its.
fn trust(error: io::Error) -> Result<rustls::Error, io::Error> {
    error.downcast::<rustls::Error>()
}

/// What somebody may do about it.
fn advice(error: &rustls::Error) -> &'static str {
    match error {
        // An authority that only has the name of one that is trusted is unknown too.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => ": name the authority that signed its certificate with `ca_file`",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => ": name it as its certificate does, in `address` or by `server_name`",
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            // As `BadSignature` above, the other way round.
            | AlertDescription::DecryptError
            | AlertDescription::NoCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure,
        ) => ": give osel a certificate that it knows, with `cert_file` and `key_file`",
        _ => "",
    }
}
