//! Variables of the environment, which win over the file.

use std::ffi::OsStr;
use std::path::Path;

use super::*;
use crate::config::{LogFormat, StoreConfig, TableCounts, unknown_variables};

#[test]
fn variables_win_over_the_file() {
    let text = format!(
        "{SMALLEST}[log]\nformat = 'text'\n[scan]\nallowed_prefixes = ['10.0.0.0/8']\nrate_per_second = 5\n"
    );
    let (config, _) = good(
        &text,
        &[
            URL,
            ("OSEL_STORE__PATH", "/other"),
            ("OSEL_LOG__FORMAT", "json"),
            ("OSEL_SCAN__ENABLED", "false"),
            ("OSEL_SCAN__ALLOWED_PREFIXES", "192.0.2.0/24, 2001:db8::/32"),
            ("OSEL_SCAN__RATE_PER_SECOND", "7"),
            ("OSEL_SCAN__CONCURRENCY", ""),
            ("OSEL_SOURCE__0__QUEUE__KIND", "quorum"),
            ("OSEL_SOURCE__0__EXCHANGES", "nova,neutron"),
        ],
    );
    assert_eq!(config.store, StoreConfig::Directory(PathBuf::from("/other")));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(!config.scan.enabled);
    assert_eq!(config.scan.allowed_prefixes.len(), 2);
    assert_eq!((config.scan.rate_per_second.get(), config.scan.concurrency.get()), (7, 512));
    let rabbitmq = config.sources.first().unwrap().rabbitmq().unwrap();
    assert_eq!(rabbitmq.exchanges, ["nova", "neutron"]);
    assert_eq!(rabbitmq.queue.kind, crate::config::QueueKind::Quorum);
}

#[test]
fn variables_alone_are_a_configuration() {
    let (config, warnings) = good(
        "",
        &[
            ("OSEL_STORE__PATH", "/s"),
            ("OSEL_SOURCE__0__NAME", "one"),
            ("OSEL_SOURCE__0__TYPE", "rabbitmq"),
            ("OSEL_SOURCE__0__TRANSPORT_URL", "rabbit://u:p@h:1/"),
            ("OSEL_SOURCE__1__NAME", "two"),
            ("OSEL_SOURCE__1__TYPE", "rabbitmq"),
            ("OSEL_SOURCE__1__TRANSPORT_URL__ENV", URL.0),
            ("OSEL_SOURCE__1__TLS__SERVER_NAME", "rabbit.example.org"),
            URL,
        ],
    );
    let hosts = config.sources.iter().map(|source| &source.rabbitmq().unwrap().transport_url);
    assert_eq!(hosts.map(|url| (url.hosts.len(), url.tls)).collect::<Vec<_>>(), [(1, false), (1, true)]);
    // A secret in the environment is where it belongs.
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_variable_wins_whatever_the_file_says_of_a_secret() {
    let place = Place::new();
    place.write("url", "rabbit://u:of-the-file@h/");
    place.write("osel.toml", SMALLEST.replace("env = 'URL'", "file = 'url'"));
    let password = |variables: &[(&str, &str)]| {
        let (config, _) = place.load(variables).unwrap();
        let host = config.sources.first().unwrap().rabbitmq().unwrap().transport_url.hosts.first().unwrap();
        host.password.expose().to_owned()
    };
    assert_eq!(password(&[URL]), "of-the-file");
    assert_eq!(password(&[URL, ("OSEL_SOURCE__0__TRANSPORT_URL__ENV", URL.0)]), "hunter2");
    assert_eq!(password(&[("OSEL_SOURCE__0__TRANSPORT_URL", URL.1)]), "hunter2");
}

#[test]
fn the_socket_of_a_variable_is_that_of_any_store() {
    let place = Place::new();
    let file = place.write("osel.toml", format!("{SMALLEST}[control]\nsocket = '/of-the-file'\n"));
    let socket = |file: &Path, store: &str, variables: &[(&str, &str)]| {
        let store = StoreConfig::Directory(PathBuf::from(store));
        let socket = Config::control_socket(Some(file), &lookup(variables), &store);
        socket.map(|socket| socket.into_os_string().into_string().unwrap())
    };
    let of = |path: &str| Some(path.to_owned());
    let named = [("OSEL_CONTROL__SOCKET", "/of-the-variable")];
    assert_eq!(socket(&file, "/s", &[]), of("/of-the-file"));
    assert_eq!(socket(&file, "/another", &[]), None);
    for store in ["/s", "/another"] {
        assert_eq!(socket(&file, store, &named), of("/of-the-variable"), "{store}");
        // One that this user may not read, or that is none, says nothing.
        assert_eq!(socket(&place.path("absent"), store, &named), of("/of-the-variable"), "{store}");
    }
    // A variable that says nothing names nothing.
    assert_eq!(socket(&file, "/another", &[("OSEL_CONTROL__SOCKET", "")]), None);
    let own = [("OSEL_STORE__PATH", "/another")];
    assert_eq!(socket(&file, "/another", &own), of("/of-the-file"));
}

#[test]
fn the_socket_of_the_file_is_that_of_its_store_by_whatever_way_that_is_named() {
    let place = Place::new();
    let store = place.path("store");
    fs::create_dir(&store).unwrap();
    let link = place.path("link");
    std::os::unix::fs::symlink(&store, &link).unwrap();
    let text = SMALLEST.replace("'/s'", &format!("'{}'", store.display()));
    let file = place.write("osel.toml", format!("{text}[control]\nsocket = '/of-the-file'\n"));
    let socket = |store| Config::control_socket(Some(&file), &lookup(&[]), &StoreConfig::Directory(store));
    assert_eq!(socket(link), Some("/of-the-file".into()));
    assert_eq!(socket(store.join("../store")), Some("/of-the-file".into()));
    assert_eq!(socket(place.path("another")), None);
}

#[test]
fn a_bad_variable_is_named() {
    check_bad(
        SMALLEST,
        &[
            URL,
            ("OSEL_SCAN__ENABLED", "perhaps"),
            ("OSEL_SOURCE__0__HEARTBEAT_SECONDS", "5s"),
            ("OSEL_SOURCE__0__TRANSPORT_URL__FILE", "/nonexistent/url"),
        ],
        &[
            "OSEL_SOURCE__0__TRANSPORT_URL__FILE: source[0].transport_url.file: `/nonexistent/url` cannot be read: No such file or directory (os error 2)",
            "OSEL_SOURCE__0__HEARTBEAT_SECONDS: source[0].heartbeat_seconds: must be a number from 1 to 3600",
            "OSEL_SCAN__ENABLED: scan.enabled: must be `true` or `false`",
        ],
    );
}

#[test]
fn a_variable_that_sets_nothing_is_told() {
    let counts = TableCounts {
        sources: 2,
        clouds: 1,
        scanners: 1,
        expected: 1,
        forwards: 0,
        witnesses: 0,
        classes: 1,
    };
    let check = |name: &str, wanted: &[&str]| {
        let told = unknown_variables([OsStr::new(name)].into_iter(), counts);
        assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), wanted);
    };
    for known in [
        "OSEL_CONFIG",
        "OSEL_STORE__PATH",
        "OSEL_SOURCE__1__TLS__CA_FILE",
        "OSEL_SOURCE__0__TRANSPORT_URL__CREDENTIAL",
        "PATH",
    ] {
        check(known, &[]);
    }
    check("OSEL_LOG__LEVLE", &["OSEL_LOG__LEVLE: sets no key of osel: did you mean OSEL_LOG__LEVEL?"]);
    check("OSEL_LOG_LEVEL", &["OSEL_LOG_LEVEL: sets no key of osel: did you mean OSEL_LOG__LEVEL?"]);
    check("OSEL_ZZ", &["OSEL_ZZ: sets no key of osel"]);
    let beyond = "OSEL_SOURCE__2__REGION: is of no source: there are 2, counted from 0; a further one begins with its NAME";
    check("OSEL_SOURCE__2__REGION", &[beyond]);
    check("OSEL_OPENSTACK__0__CLOUD", &[]);
    let beyond =
        "OSEL_OPENSTACK__2__CLOUD: is of no API: there are 1, counted from 0, and each number before is one";
    check("OSEL_OPENSTACK__2__CLOUD", &[beyond]);
    check("OSEL_SCANNER__0__WINDOW_SECONDS", &[]);
    let beyond = "OSEL_SCANNER__1__TYPE: is of no scanner: there are 1, counted from 0; a further one begins with its NAME";
    check("OSEL_SCANNER__1__TYPE", &[beyond]);
    check("OSEL_EXPECTED__0__UNTIL", &[]);
    let beyond = "OSEL_EXPECTED__1__PORTS: is of no entry: there are 1, counted from 0; a further one begins with its REASON";
    check("OSEL_EXPECTED__1__PORTS", &[beyond]);
    check("OSEL_RETENTION__CLASS__0__KINDS", &[]);
    let beyond = "OSEL_RETENTION__CLASS__1__KINDS: is of no class: there are 1, counted from 0; a further one begins with its NAME";
    check("OSEL_RETENTION__CLASS__1__KINDS", &[beyond]);
}
