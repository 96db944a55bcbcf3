//! From the command line to what is to be asked: which bus, as whom, and with what trust.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::super::config::{ConfigArg, variable};
use super::super::output::{Failure, note};
use super::DoctorArgs;
use crate::amqp::Address;
use crate::config::{
    BusConfig, CONFIG_VARIABLE, DEFAULT_EXCHANGES, DEFAULT_FILE, DEFAULT_TOPICS, MANAGEMENT_VARIABLE,
    RabbitMqConfig, SourceConfig, TRANSPORT_VARIABLE, TlsConfig, TransportUrl, listed, read_secret,
};
use crate::doctor::Wanted;
use crate::doctor::gather::{Access, Questions};

/// The exchanges that no cloud is without; others of the defaults are there or not.
const NEEDED: [&str; 2] = ["keystone", "neutron"];
/// Seconds between two heartbeats where no configuration says so.
const HEARTBEAT_SECONDS: u16 = 30;

/// What is to be asked; an exit code when the configuration has problems, which are printed then.
pub(super) fn of(args: &DoctorArgs) -> anyhow::Result<Result<Questions, ExitCode>> {
    let mut questions = match bus(args)? {
        Ok(questions) => questions,
        Err(code) => return Ok(Err(code)),
    };
    questions.management = management(args, &questions.hosts)?;
    if let Some(vhost) = &args.vhost {
        if !questions.hosts.is_empty() && questions.vhost != *vhost {
            let of_bus = &questions.vhost;
            let why = format!("--vhost differs from the virtual host of the bus, `{of_bus}`: leave it out");
            return Err(Failure::Usage(why).into());
        }
        questions.vhost.clone_from(vhost);
    }
    questions.services.clone_from(&args.service_config);
    questions.troves.clone_from(&args.trove_config);
    questions.listen = args.listen.map(Duration::from_secs);
    let has_files = !questions.services.is_empty() || !questions.troves.is_empty();
    if questions.hosts.is_empty() && questions.management.is_none() && !has_files {
        return Err(Failure::Usage(format!(
            "nothing to look at: give -c FILE, --transport-url-file FILE, --management URL, --service-config FILE or --trove-config FILE, \
             set {TRANSPORT_VARIABLE}, or have a configuration at {DEFAULT_FILE} or in {CONFIG_VARIABLE}"
        ))
        .into());
    }
    if questions.hosts.is_empty() && questions.listen.is_some() {
        return Err(
            Failure::Usage("--listen needs a bus: give -c FILE or --transport-url-file FILE".into()).into()
        );
    }
    Ok(Ok(questions))
}

/// The bus: of the file with a URL, of the configuration, of the variable, of the configuration at its usual place; or none.
fn bus(args: &DoctorArgs) -> anyhow::Result<Result<Questions, ExitCode>> {
    if let Some(file) = &args.transport_url_file {
        let url = secret(file, "--transport-url-file")?;
        return Ok(Ok(by_url(&url, args, "--transport-url-file")?));
    }
    let by_variable = text_of(TRANSPORT_VARIABLE)?;
    match by_variable {
        Some(url) if args.config.file().is_none() && args.source.is_none() => {
            Ok(Ok(by_url(&url, args, TRANSPORT_VARIABLE)?))
        }
        // Who names nothing but files wants nothing connected to, and not by a configuration that happens to be there either.
        _ if args.config.file_to_load().is_some() && !names_only_files(args) => {
            by_config(&args.config, args.source.as_deref())
        }
        _ => Ok(Ok(Questions { wanted: defaults(), vhost: "/".to_owned(), ..Questions::default() })),
    }
}

fn names_only_files(args: &DoctorArgs) -> bool {
    let has_files = !args.service_config.is_empty() || !args.trove_config.is_empty();
    let has_interface = args.management.is_some() || args.management_url_file.is_some();
    has_files
        && args.config.file().is_none()
        && args.source.is_none()
        && !has_interface
        && args.listen.is_none()
}

fn by_url(url: &str, args: &DoctorArgs, what: &str) -> anyhow::Result<Questions> {
    let parsed =
        TransportUrl::parse(url, false).map_err(|error| Failure::Usage(format!("{what} {error}")))?;
    for text in &parsed.notes {
        note(format_args!("warning: {what} {text}"));
    }
    let options = parsed.options;
    let path = |text: Option<String>| text.map(PathBuf::from);
    let cert_file = path(options.cert_file);
    let tls = parsed.url.tls.then(|| TlsConfig {
        ca_file: args.ca_file.clone().or_else(|| path(options.ca_file)),
        // As with oslo.messaging, a certificate without a key has it in its own file.
        key_file: path(options.key_file).or_else(|| cert_file.clone()),
        cert_file,
        server_name: None,
        external: options.external,
    });
    let heartbeat = options.heartbeat_seconds.unwrap_or(HEARTBEAT_SECONDS);
    Ok(questions_of(parsed.url, tls.as_ref(), heartbeat, defaults()))
}

fn by_config(config: &ConfigArg, source: Option<&str>) -> anyhow::Result<Result<Questions, ExitCode>> {
    // Who names a source may have the secrets of that one only.
    let loaded = match source {
        Some(name) => {
            config.load_source(name).map(|one| (one.store, one.buses, one.source.into_iter().collect()))
        }
        None => config.load().map(|config| {
            let buses = config.sources.iter().filter(|source| source.rabbitmq().is_some());
            let buses = buses.map(|source| source.name.clone()).collect::<Vec<_>>();
            (Some(config.store), buses, config.sources)
        }),
    };
    let (store, buses, sources) = match loaded {
        Ok(loaded) => loaded,
        Err(code) => return Ok(Err(code)),
    };
    let rabbitmq = chosen(&buses, sources, source)?;
    let exchanges = rabbitmq.exchanges;
    let needed =
        if exchanges == DEFAULT_EXCHANGES { NEEDED.map(str::to_owned).to_vec() } else { exchanges.clone() };
    let wanted = Wanted { exchanges, needed, topics: rabbitmq.topics };
    let tls = rabbitmq.tls.as_ref();
    let questions = questions_of(rabbitmq.transport_url, tls, rabbitmq.heartbeat_seconds, wanted);
    Ok(Ok(Questions { store, ..questions }))
}

/// The bus, if only one is among the sources that fit; `buses` are the names of those that could be chosen.
fn chosen(
    buses: &[String],
    fitting: Vec<SourceConfig>,
    source: Option<&str>,
) -> anyhow::Result<RabbitMqConfig> {
    let is_there = !fitting.is_empty();
    let mut found = fitting.into_iter().filter_map(|source| match source.bus {
        BusConfig::RabbitMq(rabbitmq) => Some(*rabbitmq),
        BusConfig::File(_) => None,
    });
    let what = match (found.next(), found.next(), source) {
        (Some(only), None, _) => return Ok(only),
        (None, _, Some(name)) if is_there => format!("source `{name}` is not of the type `rabbitmq`"),
        _ if buses.is_empty() => "the configuration has no source of the type `rabbitmq`".to_owned(),
        _ => format!("choose one source by --source NAME: {}", listed(buses, ", ")),
    };
    Err(Failure::Usage(what).into())
}

fn questions_of(url: TransportUrl, tls: Option<&TlsConfig>, heartbeat: u16, wanted: Wanted) -> Questions {
    let TransportUrl { hosts, vhost, .. } = url;
    let address = |host: crate::config::BrokerHost| Address {
        host: host.host,
        port: host.port,
        user: host.user,
        password: host.password.expose().to_owned(),
        vhost: vhost.clone(),
        tls: tls.cloned(),
        heartbeat,
    };
    Questions { wanted, hosts: hosts.into_iter().map(address).collect(), vhost, ..Questions::default() }
}

fn defaults() -> Wanted {
    Wanted {
        exchanges: DEFAULT_EXCHANGES.map(str::to_owned).to_vec(),
        needed: NEEDED.map(str::to_owned).to_vec(),
        topics: DEFAULT_TOPICS.map(str::to_owned).to_vec(),
    }
}

/// The management interface, asked as the user of its URL or else of the bus.
fn management(args: &DoctorArgs, hosts: &[Address]) -> anyhow::Result<Option<Access>> {
    let (text, what) = match (&args.management, &args.management_url_file) {
        (Some(url), _) => (Some(zeroize::Zeroizing::new(url.clone())), "--management"),
        (None, Some(file)) => (Some(secret(file, "--management-url-file")?), "--management-url-file"),
        (None, None) => (text_of(MANAGEMENT_VARIABLE)?, MANAGEMENT_VARIABLE),
    };
    let Some(text) = text else { return Ok(None) };
    let of_bus = hosts.first().and_then(|address| address.tls.as_ref());
    let tls = TlsConfig {
        ca_file: args.ca_file.clone().or_else(|| of_bus?.ca_file.clone()),
        ..TlsConfig::default()
    };
    let mut access = Access::parse(&text, tls).map_err(|error| Failure::Usage(format!("{what} {error}")))?;
    if args.management.is_some() && access.password.is_some() {
        return Err(Failure::Usage(format!(
            "--management has a password, which everybody on this machine can see on a command line: put the URL into a file and give \
             --management-url-file FILE, or into {MANAGEMENT_VARIABLE}"
        ))
        .into());
    }
    if access.password.is_none() {
        let same = |address: &&Address| access.user.is_empty() || access.user == address.user;
        let Some(address) = hosts.first().filter(same) else {
            return Err(Failure::Usage(format!(
                "{what} has no user and password, and there is no bus whose user could ask: give --management-url-file FILE with \
                 https://USER:PASSWORD@HOST:15671"
            ))
            .into());
        };
        if !access.is_tls() && !access.is_loopback() {
            return Err(Failure::Usage(format!(
                "{what} is without TLS, and the password of the bus is not sent in the clear: give https, or by --management-url-file FILE \
                 a URL with a user and password of its own"
            ))
            .into());
        }
        access.user.clone_from(&address.user);
        access.password = Some(crate::config::Secret::new(address.password.clone()));
    }
    Ok(Some(access))
}

fn secret(file: &Path, what: &str) -> anyhow::Result<zeroize::Zeroizing<String>> {
    read_secret(file).map_err(|error| Failure::Usage(format!("{what}: `{}` {error}", file.display())).into())
}

/// A variable that is a secret; an empty one counts as none.
fn text_of(name: &str) -> anyhow::Result<Option<zeroize::Zeroizing<String>>> {
    match variable(name).filter(|value| !value.is_empty()).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(zeroize::Zeroizing::new(text))),
        Some(Err(_)) => Err(Failure::Usage(format!("{name} is not UTF-8")).into()),
    }
}
