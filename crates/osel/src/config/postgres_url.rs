//! `postgresql://` URLs as libpq reads them, as far as they concern a store.
//!
//! Several hosts are tried in their order. A password may stand in the URL, in `PGPASSWORD`, or in the file of passwords
//! (`PGPASSFILE`, else `~/.pgpass`); options that osel does not know are refused, since one of them might ask for security. Nothing that is
//! said about a URL quotes it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::passfile::{self, Wanted};
use super::section::Environment;
use super::{HOSTS_MAX, Secret, files};

/// PostgreSQL's port.
const PORT: u16 = 5432;
/// How long connecting to one host may take where the URL says nothing; the next host is tried after this time.
const CONNECT_TIMEOUT_SECONDS: u16 = 5;
/// What need not be encoded when a URL is shown.
const SHOWN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// How a shared store is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresConfig {
    /// The servers, at least one, in the order in which they are tried. Whichever of them can be written is the one.
    pub hosts: Vec<PostgresHost>,
    /// The role that logs in.
    pub user: String,
    /// With what, where the server asks for it and the host has no password of its own.
    pub password: Option<Secret>,
    /// A file of passwords that is not believed, since others than its owner may read it.
    pub ignored_password_file: Option<PathBuf>,
    /// The database.
    pub database: String,
    /// Whether TLS is used, and what is verified.
    pub ssl_mode: SslMode,
    /// The authorities that may have signed the server's certificate.
    pub root_certificates: Option<RootCertificates>,
    /// The client's certificate with its key, both PEM, where the server asks for them.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// How many seconds connecting to one host may take.
    pub connect_timeout_seconds: u16,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresHost {
    /// Its name or address, or the directory of its socket, which begins with `/`.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its own password, which a file of passwords may have.
    pub password: Option<Secret>,
}

/// libpq's `sslmode`. Connections through a socket never use TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS where the server has it; nothing is verified.
    #[default]
    Prefer,
    /// TLS; nothing is verified, or the certificate when authorities are named.
    Require,
    /// TLS, and the certificate is verified, the name in it is not.
    VerifyCa,
    /// TLS, certificate and name are verified.
    VerifyFull,
}

/// libpq's `sslrootcert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootCertificates {
    /// Those that the system trusts.
    System,
    /// Those in this file, as PEM.
    File(PathBuf),
}

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresUrlError {
    /// It has another scheme, or none.
    #[error("is no URL of PostgreSQL: write `postgresql://USER@HOST/DATABASE`")]
    Scheme,
    /// Line breaks or other control characters.
    #[error("holds a line break or another control character: give one URL on one line")]
    Control,
    /// A part whose percent-encoding gives no text.
    #[error("has a part that is not UTF-8 once it is decoded")]
    Encoding,
    /// No user.
    #[error("names no user: write `postgresql://USER@HOST/DATABASE`")]
    NoUser,
    /// No host.
    #[error(
        "names no host: write `postgresql://USER@HOST/DATABASE`, or `?host=/run/postgresql` for a socket"
    )]
    NoHost,
    /// More than [`HOSTS_MAX`].
    #[error("names more than {HOSTS_MAX} hosts")]
    TooManyHosts,
    /// A port that is none.
    #[error(
        "has a port that is not a number from 1 to 65535; encode `@`, `/`, `:` and `%` of a password as `%40`, `%2F`, `%3A` and `%25`"
    )]
    Port,
    /// A number of ports that is neither one nor that of the hosts.
    #[error("has a number of ports that is not that of its hosts")]
    Ports,
    /// An `sslmode` that is none.
    #[error(
        "has an `sslmode` that is none of `disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`"
    )]
    SslMode,
    /// A time that is none.
    #[error("has a `connect_timeout` that is not a number of seconds from 1 to 600")]
    ConnectTimeout,
    /// Only one of certificate and key.
    #[error("has only one of `sslcert` and `sslkey`: give both")]
    HalfCertificate,
    /// An option that osel does not know.
    #[error(
        "has an option that osel does not know: it knows host, port, user, password, dbname, sslmode, sslrootcert, sslcert, sslkey, connect_timeout, application_name"
    )]
    Option,
}

impl PostgresConfig {
    /// Reads a URL; a password that it does not have is looked for where PostgreSQL's own programs do.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn parse(url: &str, env: &Environment<'_>) -> Result<Self, PostgresUrlError> {
        let mut config = Parts::read(url)?.config()?;
        if config.password.is_none() {
            config.look_for_passwords(env);
        }
        Ok(config)
    }

    /// The password for a host of it, if there is one.
    pub fn password_of<'a>(&'a self, host: &'a PostgresHost) -> Option<&'a Secret> {
        self.password.as_ref().or(host.password.as_ref())
    }

    /// Looks for passwords where PostgreSQL's own programs do.
    fn look_for_passwords(&mut self, env: &Environment<'_>) {
        let variable = |name| env(name).filter(|value| !value.is_empty());
        if let Some(password) = variable("PGPASSWORD").and_then(|value| OsString::into_string(value).ok()) {
            self.password = Some(Secret::new(password));
            return;
        }
        let file = variable("PGPASSFILE").map(PathBuf::from);
        let file = file.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".pgpass")));
        let Some(file) = file else { return };
        if files::is_open_to_others(&file) {
            self.ignored_password_file = Some(file);
            return;
        }
        let (database, user) = (self.database.as_str(), self.user.as_str());
        for host in &mut self.hosts {
            let wanted = Wanted { host: &host.host, port: host.port, database, user };
            host.password = passfile::password(&file, &wanted);
        }
    }

    /// Whether another machine is reached without certainty that it is the right one.
    pub fn may_be_deceived(&self) -> bool {
        let is_here = |host: &PostgresHost| {
            host.host.starts_with('/') || ["localhost", "127.0.0.1", "::1"].contains(&host.host.as_str())
        };
        self.ssl_mode < SslMode::VerifyFull && !self.hosts.iter().all(is_here)
    }
}

/// The URL without password and options, which names the store wherever it is spoken of.
impl fmt::Display for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = |text| utf8_percent_encode(text, SHOWN);
        write!(f, "postgresql://{}@", encoded(&self.user))?;
        for (number, PostgresHost { host, port, .. }) in self.hosts.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match host.contains(':') {
                true => write!(f, "{comma}[{host}]")?,
                false => write!(f, "{comma}{}", encoded(host))?,
            }
            if *port != PORT {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", encoded(&self.database))
    }
}

fn after_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"))
}

/// A URL in its parts, each decoded.
#[derive(Default)]
struct Parts {
    hosts: Vec<String>,
    ports: Vec<Option<u16>>,
    user: String,
    password: Option<Secret>,
    database: String,
    ssl_mode: Option<SslMode>,
    root_certificates: Option<RootCertificates>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    connect_timeout_seconds: Option<u16>,
}

impl Parts {
    fn read(url: &str) -> Result<Self, PostgresUrlError> {
        let rest = after_scheme(url).ok_or(PostgresUrlError::Scheme)?;
        if url.contains(char::is_control) {
            return Err(PostgresUrlError::Control);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let mut parts = Self { database: decoded(database)?, ..Self::default() };
        let hosts = match authority.rsplit_once('@') {
            None => authority,
            Some((credentials, hosts)) => {
                let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
                parts.user = decoded(user)?;
                parts.set_password(decoded(password)?);
                hosts
            }
        };
        if !hosts.is_empty() {
            for host in hosts.split(',') {
                let (host, port) = host_and_port(host)?;
                parts.hosts.push(decoded(host)?);
                parts.ports.push(port);
            }
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or(PostgresUrlError::Option)?;
            parts.option(&decoded(name)?, decoded(value)?)?;
        }
        Ok(parts)
    }

    fn set_password(&mut self, password: String) {
        if !password.is_empty() {
            self.password = Some(Secret::new(password));
        }
    }

    fn option(&mut self, name: &str, value: String) -> Result<(), PostgresUrlError> {
        match name {
            "host" => {
                self.hosts = value.split(',').map(str::to_owned).collect();
                self.ports.resize(self.hosts.len(), None);
            }
            "port" => {
                self.ports = value.split(',').map(|text| port(text).map(Some)).collect::<Result<_, _>>()?;
            }
            "user" => self.user = value,
            "password" => self.set_password(value),
            "dbname" => self.database = value,
            "sslmode" => {
                self.ssl_mode = Some(match value.as_str() {
                    "disable" => SslMode::Disable,
                    // libpq tries without TLS first: with it first is never worse.
                    "allow" | "prefer" => SslMode::Prefer,
                    "require" => SslMode::Require,
                    "verify-ca" => SslMode::VerifyCa,
                    "verify-full" => SslMode::VerifyFull,
                    _ => return Err(PostgresUrlError::SslMode),
                });
            }
            "sslrootcert" => {
                self.root_certificates = Some(match value.as_str() {
                    "system" => RootCertificates::System,
                    _ => RootCertificates::File(value.into()),
                });
            }
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            "connect_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=600).contains(seconds));
                self.connect_timeout_seconds = Some(seconds.ok_or(PostgresUrlError::ConnectTimeout)?);
            }
            // osel says itself who it is.
            "application_name" => {}
            _ => return Err(PostgresUrlError::Option),
        }
        Ok(())
    }

    fn config(self) -> Result<PostgresConfig, PostgresUrlError> {
        let Self { hosts, mut ports, user, password, database, root_certificates, .. } = self;
        if user.is_empty() {
            return Err(PostgresUrlError::NoUser);
        }
        if hosts.is_empty() || hosts.iter().any(String::is_empty) {
            return Err(PostgresUrlError::NoHost);
        }
        if hosts.len() > HOSTS_MAX {
            return Err(PostgresUrlError::TooManyHosts);
        }
        if let [one] = ports[..] {
            ports.resize(hosts.len(), one);
        }
        if ports.len() != hosts.len() {
            return Err(PostgresUrlError::Ports);
        }
        let hosts = hosts.into_iter().zip(ports);
        let hosts = hosts
            .map(|(host, port)| PostgresHost { host, port: port.unwrap_or(PORT), password: None })
            .collect();
        // As with libpq: authorities that are named are to be asked, and the system's sign for everybody, so that the name must fit.
        let ssl_mode = match (self.ssl_mode, &root_certificates) {
            (
                None | Some(SslMode::Prefer | SslMode::Require | SslMode::VerifyCa),
                Some(RootCertificates::System),
            ) => SslMode::VerifyFull,
            (Some(SslMode::Require), Some(RootCertificates::File(_))) => SslMode::VerifyCa,
            (mode, _) => mode.unwrap_or_default(),
        };
        let client_certificate = match (self.certificate, self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err(PostgresUrlError::HalfCertificate),
        };
        Ok(PostgresConfig {
            hosts,
            database: if database.is_empty() { user.clone() } else { database },
            user,
            password,
            ignored_password_file: None,
            ssl_mode,
            root_certificates,
            client_certificate,
            connect_timeout_seconds: self.connect_timeout_seconds.unwrap_or(CONNECT_TIMEOUT_SECONDS),
        })
    }
}

fn decoded(text: &str) -> Result<String, PostgresUrlError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| PostgresUrlError::Encoding)?;
    if text.contains(char::is_control) { Err(PostgresUrlError::Control) } else { Ok(text.into_owned()) }
}

/// A host as it is written, brackets of an IPv6 address taken off, and its port.
fn host_and_port(text: &str) -> Result<(&str, Option<u16>), PostgresUrlError> {
    let (host, rest) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some(bracketed) => bracketed,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match rest.strip_prefix(':') {
        Some(number) => Ok((host, Some(port(number)?))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(PostgresUrlError::Port),
    }
}

fn port(text: &str) -> Result<u16, PostgresUrlError> {
    text.parse().ok().filter(|port| *port != 0).ok_or(PostgresUrlError::Port)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn parse(url: &str) -> Result<PostgresConfig, PostgresUrlError> {
        PostgresConfig::parse(url, &|_| None)
    }

    fn host(host: &str, port: u16) -> PostgresHost {
        PostgresHost { host: host.to_owned(), port, password: None }
    }

    #[test]
    fn the_url_of_the_contract() {
        let config = parse("postgresql://osel@db/osel").unwrap();
        let wanted = PostgresConfig {
            hosts: vec![host("db", 5432)],
            user: "osel".to_owned(),
            password: None,
            ignored_password_file: None,
            database: "osel".to_owned(),
            ssl_mode: SslMode::Prefer,
            root_certificates: None,
            client_certificate: None,
            connect_timeout_seconds: 5,
        };
        assert_eq!(config, wanted);
        assert_eq!(config.to_string(), "postgresql://osel@db/osel");
        assert!(config.may_be_deceived());
    }

    #[test]
    fn several_hosts_a_socket_and_an_address_with_colons() {
        let config = parse("postgres://os%40el:p%2Fw@[::1]:5433,db2/").unwrap();
        assert_eq!(config.hosts, [host("::1", 5433), host("db2", 5432)]);
        assert_eq!(config.password, Some(Secret::new("p/w".to_owned())));
        assert_eq!((config.user.as_str(), config.database.as_str()), ("os@el", "os@el"));
        assert_eq!(config.to_string(), "postgresql://os%40el@[::1]:5433,db2/os%40el");
        assert!(!format!("{config:?}").contains("p/w"));
        for url in ["postgresql://osel@/osel?host=/run/pg", "postgresql://osel@%2Frun%2Fpg/osel"] {
            let config = parse(url).unwrap();
            assert_eq!(config.hosts, [host("/run/pg", 5432)]);
            assert!(!config.may_be_deceived());
            assert_eq!(config.to_string(), "postgresql://osel@%2Frun%2Fpg/osel");
        }
        let config = parse("postgresql:///?host=a,b&port=1,2&user=u&dbname=d&connect_timeout=9").unwrap();
        assert_eq!((config.hosts, config.connect_timeout_seconds), (vec![host("a", 1), host("b", 2)], 9));
    }

    #[test]
    fn what_is_verified_is_what_libpq_verifies() {
        let mode = |query: &str| parse(&format!("postgresql://u@h/d?{query}")).unwrap().ssl_mode;
        assert_eq!(mode("sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("sslmode=allow"), SslMode::Prefer);
        assert_eq!(mode("sslmode=require"), SslMode::Require);
        assert_eq!(mode("sslmode=require&sslrootcert=/ca.pem"), SslMode::VerifyCa);
        assert_eq!(mode("sslmode=verify-full&sslrootcert=/ca.pem"), SslMode::VerifyFull);
        assert_eq!(mode("sslrootcert=system"), SslMode::VerifyFull);
    }

    #[test]
    fn what_cannot_be_used_is_said_without_a_word_of_it() {
        for (url, error) in [
            ("mysql://u:hunter2@h/d", PostgresUrlError::Scheme),
            ("postgresql://h:5432/d", PostgresUrlError::NoUser),
            ("postgresql://u:hunter2@/d", PostgresUrlError::NoHost),
            ("postgresql://u:hunter2@h:0/d", PostgresUrlError::Port),
            ("postgresql://u@h:hunter2/d", PostgresUrlError::Port),
            ("postgresql://u:hunter2@a,b/d?port=1,2,3", PostgresUrlError::Ports),
            ("postgresql://u:hunter2@h/d?sslmode=hunter2", PostgresUrlError::SslMode),
            ("postgresql://u:hunter2@h/d?hunter2=x", PostgresUrlError::Option),
            ("postgresql://u:hunter2@h/d?connect_timeout=0", PostgresUrlError::ConnectTimeout),
            ("postgresql://u:hunter2@h/d?sslcert=/c", PostgresUrlError::HalfCertificate),
            ("postgresql://u:%ff@h/d", PostgresUrlError::Encoding),
            ("postgresql://u:a%0ab@h/d", PostgresUrlError::Control),
        ] {
            assert_eq!(parse(url), Err(error.clone()), "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_password_is_looked_for_where_psql_looks() {
        let file = std::env::temp_dir().join(format!("osel-pgpass-{}", std::process::id()));
        fs::write(&file, "other:*:*:*:wrong\n*:5432:osel:osel:right\n*:*:osel:osel:left\n").unwrap();
        let parse = |url, name: &'static str, value: OsString| {
            let env = move |asked: &str| (asked == name).then(|| value.clone());
            let config = PostgresConfig::parse(url, &env).unwrap();
            let of_host = |host| config.password_of(host).map_or("-", |secret| secret.expose());
            let passwords: Vec<_> = config.hosts.iter().map(of_host).collect();
            (passwords.join(" "), config.ignored_password_file.clone())
        };
        let url = "postgresql://osel@db,other,db:5433/osel";
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(parse(url, "PGPASSFILE", file.clone().into()), ("- - -".to_owned(), Some(file.clone())));
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(parse(url, "PGPASSFILE", file.clone().into()), ("right wrong left".to_owned(), None));
        assert_eq!(parse(url, "PGPASSWORD", "plain".into()).0, "plain plain plain");
        assert_eq!(parse("postgresql://osel:own@db/osel", "PGPASSWORD", "x".into()).0, "own");
        fs::remove_file(&file).unwrap();
    }
}
