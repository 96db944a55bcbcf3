//! What is wrong with the files of a TLS connection before anybody connects: what a connection would say, by the key that names the file.

use std::path::Path;

use osel_core::time::Timestamp;
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;

use super::{TrustError, Validity, certificates, private_key};
use crate::config::{Flaw, TlsConfig};

/// All flaws of the files. What is only over its time may be renewed before it is used, and is no reason to refuse a configuration.
pub fn flaws(files: &TlsConfig, now: Timestamp) -> Vec<Flaw> {
    let of_authorities = files.ca_file.as_deref().and_then(flaw_of_authorities);
    let of_own = match (&files.cert_file, &files.key_file) {
        (Some(certificate), Some(key)) => flaw_of_own(certificate, key, now),
        _ => None,
    };
    of_authorities.into_iter().chain(of_own).collect()
}

fn flaw_of_authorities(path: &Path) -> Option<Flaw> {
    let name = path.display();
    let what = match certificates(path) {
        Ok(found) => {
            let (usable, _) = RootCertStore::empty().add_parsable_certificates(found);
            if usable > 0 {
                return None;
            }
            format!(
                "`{name}` has no certificate that can be used: name a file with those of authorities, as PEM"
            )
        }
        Err(error) => {
            format!("{}: name a file with the certificates of authorities, as PEM", words(path, error))
        }
    };
    Some(Flaw { key: "ca_file", what, is_fatal: true })
}

fn flaw_of_own(cert_file: &Path, key_file: &Path, now: Timestamp) -> Option<Flaw> {
    let fatal = |key, what| Some(Flaw { key, what, is_fatal: true });
    let (name, key_name) = (cert_file.display(), key_file.display());
    let chain = match certificates(cert_file) {
        Ok(chain) => chain,
        Err(error) => {
            let what = format!(
                "{}: name a file with the client's certificate and the chain above it, as PEM",
                words(cert_file, error)
            );
            return fatal("cert_file", what);
        }
    };
    let key = match private_key(key_file) {
        Ok(key) => key,
        Err(error) => {
            let what = format!(
                "{}: name the file with the key of `{name}`, as PEM and without a passphrase",
                words(key_file, error)
            );
            return fatal("key_file", what);
        }
    };
    let validity = chain.first().and_then(|certificate| Validity::of(certificate));
    let provider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain, key, &provider) {
        Ok(_) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            let what = format!(
                "`{key_name}` is not the key of the certificate in `{name}`: name the one it was made with"
            );
            return fatal("key_file", what);
        }
        Err(error) => {
            let what = format!(
                "`{name}` and `{key_name}` cannot be used ({error}): name a certificate and its key, as PEM"
            );
            return fatal("cert_file", what);
        }
    }
    let what = match validity? {
        Validity { until, .. } if until < now => {
            format!(
                "`{name}` has expired at {}: have it renewed, or whoever asks for it refuses us",
                until.in_seconds()
            )
        }
        Validity { from, .. } if from > now => {
            format!(
                "`{name}` is valid from {} on: until then whoever asks for it refuses us",
                from.in_seconds()
            )
        }
        Validity { .. } => return None,
    };
    Some(Flaw { key: "cert_file", what, is_fatal: false })
}

/// Why a file cannot be used.
fn words(path: &Path, error: TrustError) -> String {
    use rustls::pki_types::pem::Error;
    let name = path.display();
    match error {
        TrustError::File { source: Error::Io(error), .. } => format!("`{name}` cannot be read ({error})"),
        TrustError::File { source: Error::NoItemsFound, .. } => format!("`{name}` has none"),
        TrustError::File { source, .. } => format!("`{name}` is not PEM ({source})"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_a_connection_would_trip_over_is_told_by_its_key() {
        let folder = Folder(std::env::temp_dir().join(format!("osel-flaws-{}", std::process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2030, 1, 1);
        let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = folder.write("client.pem", &parameters.self_signed(&own).unwrap().pem());
        let key = folder.write("client.key", &own.serialize_pem());
        let other = folder.write("other.key", &other.serialize_pem());
        let garbage = folder.write("garbage.pem", "nothing");
        let broken =
            folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n#\n-----END CERTIFICATE-----\n");
        let hollow =
            folder.write("hollow.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let check = |ca: Option<&PathBuf>,
                     own: Option<(&PathBuf, &PathBuf)>,
                     now: &str,
                     wanted: &[(&str, bool, &str)]| {
            let (cert_file, key_file) = own.map(|(cert, key)| (cert.clone(), key.clone())).unzip();
            let files = TlsConfig { ca_file: ca.cloned(), cert_file, key_file, ..TlsConfig::default() };
            let flaws = flaws(&files, Timestamp::parse(now).unwrap());
            assert_eq!(flaws.len(), wanted.len(), "{flaws:?}");
            for (flaw, (key, is_fatal, part)) in flaws.iter().zip(wanted) {
                assert!(
                    flaw.key == *key && flaw.is_fatal == *is_fatal && flaw.what.contains(part),
                    "{flaw:?}"
                );
            }
        };
        let now = "2026-01-01T00:00:00Z";
        check(Some(&certificate), Some((&certificate, &key)), now, &[]);
        check(None, None, now, &[]);
        check(Some(&garbage), None, now, &[("ca_file", true, "has no certificate: name")]);
        check(Some(&broken), None, now, &[("ca_file", true, "is not PEM")]);
        check(Some(&hollow), None, now, &[("ca_file", true, "no certificate that can be used")]);
        check(None, Some((&garbage, &key)), now, &[("cert_file", true, "has no certificate: name")]);
        check(
            None,
            Some((&certificate, &certificate)),
            now,
            &[("key_file", true, "has none: name the file with the key of")],
        );
        check(
            None,
            Some((&certificate, &folder.0.join("none"))),
            now,
            &[("key_file", true, "cannot be read")],
        );
        check(
            None,
            Some((&certificate, &other)),
            now,
            &[("key_file", true, "is not the key of the certificate")],
        );
        check(None, Some((&hollow, &key)), now, &[("cert_file", true, "cannot be used")]);
        let own = Some((&certificate, &key));
        check(
            None,
            own,
            "2031-01-01T00:00:00Z",
            &[("cert_file", false, "has expired at 2030-01-01T00:00:00Z")],
        );
        check(
            None,
            own,
            "2019-01-01T00:00:00Z",
            &[("cert_file", false, "is valid from 2020-01-01T00:00:00Z on")],
        );
    }
}
