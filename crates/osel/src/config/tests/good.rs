//! What good configurations mean.

use std::num::NonZeroU32;
use std::path::PathBuf;

use osel_core::trail::RecordKind;

use super::*;
use crate::config::{
    BrokerHost, BusConfig, ControlConfig, FileConfig, FindingsConfig, HttpConfig, Level, LogConfig,
    LogFormat, ModelConfig, ProjectsConfig, QueueConfig, QueueKind, RabbitMqConfig, RetentionClass,
    RetentionConfig, ScanConfig, ScannerConfig, ScannerKind, Secret, SourceConfig, StoreConfig, TlsConfig,
    TrailConfig, TransportUrl, VantageConfig,
};

/// The scanner that there is when none is configured.
fn the_builtin() -> ScannerConfig {
    let number = |number| NonZeroU32::new(number).unwrap();
    ScannerConfig {
        name: "builtin".to_owned(),
        kind: ScannerKind::Builtin,
        window_seconds: 2,
        batch_addresses_max: number(1),
        running_max: number(8),
        life_seconds_max: 3600,
        place: crate::config::Place::Nowhere,
    }
}

#[test]
fn what_is_kept_for_how_long() {
    let text = |table: &str| format!("{SMALLEST}[retention]\n{table}");
    let retention = |table: &str| good(&text(table), &[URL]).0.retention;
    let own = retention("inputs_days = 7\nrecords_days = 365\npersonal_days = 3\nbudget_bytes = 100000000\n");
    assert_eq!((own.inputs_days, own.records_days, own.personal_days), (Some(7), Some(365), Some(3)));
    assert_eq!((own.quarantine_days, own.budget_bytes), (Some(90), Some(100_000_000)));
    assert_eq!(retention("inputs_days = 120\n").quarantine_days, Some(120));
    let for_ever = retention("inputs_days = 0\nquarantine_days = 0\n");
    assert_eq!((for_ever.inputs_days, for_ever.quarantine_days), (None, None));
    assert_eq!([own, retention("findings_days = 0\n")].map(|own| own.findings_days), [Some(365), None]);
    let by_variable = good(SMALLEST, &[URL, ("OSEL_RETENTION__INPUTS_DAYS", "12")]).0.retention;
    assert_eq!(by_variable.inputs_days, Some(12));
}

#[test]
fn what_is_kept_of_some_kinds() {
    let file = format!(
        "{SMALLEST}[[retention.class]]\nname = 'logins'\nkinds = ['authentication', 'access']\npersonal_days = 7\n\
         [[retention.class]]\nname = 'changes'\nkinds = ['change', 'access']\nrecords_days = 0\n"
    );
    let variables = [
        URL,
        ("OSEL_RETENTION__CLASS__0__PERSONAL_DAYS", "8"),
        ("OSEL_RETENTION__CLASS__2__NAME", "scans"),
        ("OSEL_RETENTION__CLASS__2__KINDS", "scan,command"),
        ("OSEL_RETENTION__CLASS__2__RECORDS_DAYS", "400"),
    ];
    let (config, warnings) = good(&file, &variables);
    let class = |name: &str, kinds: &[RecordKind], personal_days, records_days| RetentionClass {
        name: name.to_owned(),
        kinds: kinds.to_vec(),
        personal_days,
        records_days,
    };
    use RecordKind::{Access, Authentication, Change, Command, Scan};
    assert_eq!(
        config.retention.classes,
        [
            class("logins", &[Authentication, Access], Some(Some(8)), None),
            class("changes", &[Change, Access], None, Some(None)),
            class("scans", &[Scan, Command], None, Some(Some(400))),
        ]
    );
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let wanted =
        "retention.class[1].kinds: has `access`, which is in the class `logins` before: that one counts";
    assert!(told.iter().any(|line| line.ends_with(wanted)), "{told:?}");
}

#[test]
fn the_smallest_file_of_the_contract() {
    let place = Place::new();
    let url = place.write("transport_url", "rabbit://osel:p%40ss@ctl1:5672,osel:p%40ss@ctl2/prod\n");
    let text = format!(
        "[store]\npath = \"/var/lib/osel\"                    # or: url = \"postgresql://osel@db/osel\"\n\n\
         [[source]]\nname = \"region-one\"\ntype = \"rabbitmq\"\ntransport_url = {{ file = \"{}\" }}\n\n\
         [http]\nlisten = \"127.0.0.1:8480\"\n",
        url.display()
    );
    let (config, warnings) = good(&text, &[]);
    let host = |host: &str| BrokerHost {
        host: host.to_owned(),
        port: 5672,
        user: "osel".to_owned(),
        password: Secret::new("p@ss".to_owned()),
    };
    let exchanges = "nova glance neutron cinder heat keystone trove zaqar swift ceilometer magnum dns ironic aodh openstack octavia manila \
                     designate barbican";
    let rate = |number| NonZeroU32::new(number).unwrap();
    let wanted = Config {
        scanners: vec![the_builtin()],
        expected: Vec::new(),
        forwards: Vec::new(),
        witnesses: Vec::new(),
        findings: FindingsConfig { unread_alarm_seconds: NonZeroU32::new(604_800) },
        store: StoreConfig::Directory(PathBuf::from("/var/lib/osel")),
        sources: vec![SourceConfig {
            name: "region-one".to_owned(),
            region: None,
            bus: BusConfig::RabbitMq(Box::new(RabbitMqConfig {
                transport_url: TransportUrl {
                    hosts: vec![host("ctl1"), host("ctl2")],
                    vhost: "prod".to_owned(),
                    tls: false,
                },
                exchanges: exchanges.split_whitespace().map(str::to_owned).collect(),
                topics: vec!["notifications".to_owned(), "versioned_notifications".to_owned()],
                durable_exchanges: false,
                queue: QueueConfig { kind: QueueKind::Auto, length_bytes_max: 1 << 30 },
                tls: None,
                heartbeat_seconds: 30,
                connect_timeout_seconds: 10,
            })),
        }],
        openstack: Vec::new(),
        scan: ScanConfig {
            enabled: true,
            allowed_prefixes: Vec::new(),
            never_prefixes: Vec::new(),
            vantage: VantageConfig::Internet,
            opened: true,
            closed: true,
            projects: ProjectsConfig::All,
            quiet_hours: None,
            addresses_per_hour: None,
            project_addresses_per_hour: None,
            sensitive_ports: vec![
                22, 23, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5900, 5985, 6379, 6443, 9200, 11211, 27017,
            ],
            confirm_seconds: 60,
            wait_seconds_max: 86_400,
            rate_per_second: rate(500),
            host_rate_per_second: rate(100),
            concurrency: rate(512),
        },
        trail: TrailConfig::default(),
        retention: RetentionConfig {
            inputs_days: Some(30),
            inputs_bytes_max: None,
            records_days: None,
            records_bytes_max: None,
            personal_days: None,
            quarantine_days: Some(90),
            findings_days: Some(365),
            budget_bytes: None,
            classes: Vec::new(),
        },
        model: ModelConfig { group_members_include_pairs: true, routed_prefixes: Vec::new() },
        http: HttpConfig { listen: "127.0.0.1:8480".parse().unwrap(), serve_log: true },
        control: ControlConfig { socket: None },
        log: LogConfig { format: LogFormat::Text, level: Level::Info },
    };
    assert_eq!(config, wanted);
    assert_eq!(warnings, [""; 0]);
    let debug = format!("{config:?}");
    assert!(debug.contains("***") && !debug.contains("p@ss"), "{debug}");
}

#[test]
fn keys_are_read() {
    let text = "[[source]]\nregion = 'R1'\nexchanges = ['nova']\ntopics = ['audit']\nheartbeat_seconds = 5\nconnect_timeout_seconds = 3\n\
                name = 'two'\ntype = 'rabbitmq'\ntransport_url = { env = 'URL_TWO' }\ndurable_exchanges = true\n\
                queue = { kind = 'classic', length_bytes_max = 1_000 }\n\
                [scan]\nenabled = false\nallowed_prefixes = ['192.0.2.0/24', '2001:db8::7']\nrate_per_second = 1\nhost_rate_per_second = 2\n\
                concurrency = 3\n[model]\ngroup_members_include_pairs = false\nrouted_prefixes = ['198.51.100.0/25']\n\
                [http]\nlisten = '[::]:80'\n[control]\nsocket = '/run/o.sock'\n[log]\nformat = 'json'\nlevel = 'debug'\n";
    let two = ("URL_TWO", "rabbit://osel:hunter2@rabbit:5672/two");
    let (config, _) = good(&format!("{SMALLEST}{text}"), &[URL, two]);
    assert_eq!(config.control.socket, Some(PathBuf::from("/run/o.sock")));
    let source = config.sources.last().unwrap();
    assert_eq!((source.name.as_str(), source.region.as_deref()), ("two", Some("R1")));
    let RabbitMqConfig { exchanges, topics, queue, heartbeat_seconds, connect_timeout_seconds, .. } =
        source.rabbitmq().unwrap();
    assert_eq!((exchanges.concat(), topics.concat()), ("nova".to_owned(), "audit".to_owned()));
    assert_eq!((*heartbeat_seconds, *connect_timeout_seconds), (5, 3));
    assert_eq!(*queue, QueueConfig { kind: QueueKind::Classic, length_bytes_max: 1000 });
    let ScanConfig { enabled, allowed_prefixes, rate_per_second, host_rate_per_second, concurrency, .. } =
        config.scan;
    assert_eq!(
        (enabled, rate_per_second.get(), host_rate_per_second.get(), concurrency.get()),
        (false, 1, 2, 3)
    );
    assert_eq!(allowed_prefixes, ["192.0.2.0/24", "2001:db8::7/128"].map(|prefix| prefix.parse().unwrap()));
    assert_eq!(config.model.routed_prefixes, ["198.51.100.0/25".parse().unwrap()]);
    assert!(!config.model.group_members_include_pairs);
    assert_eq!(config.http.listen, "[::]:80".parse().unwrap());
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: Level::Debug });
}

#[test]
fn paths_of_the_file_count_from_its_folder() {
    let place = Place::new();
    place.write("url", URL.1);
    place.write(
        "osel.toml",
        SMALLEST.replace("'/s'", "'data'").replace("{ env = 'URL' }", "{ file = 'url' }"),
    );
    let (config, _) = place.load(&[]).unwrap();
    assert_eq!(config.store, StoreConfig::Directory(place.path("data")));
    let (config, _) = place.load(&[("OSEL_STORE__PATH", "here")]).unwrap();
    assert_eq!(config.store, StoreConfig::Directory(PathBuf::from("here")));
}

#[test]
fn tls_is_what_the_table_says_and_then_what_the_url_says() {
    let place = Place::new();
    let path = |name: &str| place.write(name, "PEM");
    let (ca, cert, other) = (path("ca"), path("cert"), path("other"));
    let check = |table: &str, url: &str, wanted: Option<TlsConfig>| {
        place.write("osel.toml", format!("{SMALLEST}{table}"));
        let (config, _) = place.load(&[("URL", url)]).unwrap();
        let rabbitmq = config.sources.first().unwrap().rabbitmq().unwrap();
        assert_eq!(rabbitmq.tls, wanted, "{table} {url}");
        assert_eq!(rabbitmq.transport_url.tls, wanted.is_some(), "{table} {url}");
        let port = rabbitmq.transport_url.hosts.first().unwrap().port;
        assert_eq!(port, if wanted.is_some() { 5671 } else { 5672 }, "{table} {url}");
    };
    let plain = "rabbit://u:p@h/";
    let with_files =
        format!("rabbit://u:p@h/?ssl=1&ssl_ca_file={}&ssl_cert_file={}", ca.display(), cert.display());
    check("", plain, None);
    check("", "amqps://u:p@h/", Some(TlsConfig::default()));
    check("", "rabbit://u:p@h/?ssl=yes", Some(TlsConfig::default()));
    check("[source.tls]\n", plain, Some(TlsConfig::default()));
    let named = TlsConfig { ca_file: Some(ca.clone()), ..TlsConfig::default() };
    check("tls = { ca_file = 'ca' }\n", plain, Some(named));
    // A certificate without a key has its key in the same file.
    let from_url = TlsConfig {
        ca_file: Some(ca),
        cert_file: Some(cert.clone()),
        key_file: Some(cert),
        ..TlsConfig::default()
    };
    check("", &with_files, Some(from_url.clone()));
    let both = TlsConfig {
        ca_file: Some(other),
        server_name: Some("rabbit.example.org".to_owned()),
        external: true,
        ..from_url
    };
    let table = "tls = { ca_file = 'other', server_name = 'rabbit.example.org' }\n";
    check(table, &format!("{with_files}&rabbit_login_method=EXTERNAL"), Some(both));
}

#[test]
fn the_heartbeat_of_the_url_holds_where_the_file_says_none() {
    let heartbeat = |text: &str| {
        let url = format!("{}?heartbeat_timeout_threshold=60", URL.1);
        let (config, _) = good(&format!("{SMALLEST}{text}"), &[("URL", &url)]);
        config.sources.first().unwrap().rabbitmq().unwrap().heartbeat_seconds
    };
    assert_eq!(heartbeat(""), 60);
    assert_eq!(heartbeat("heartbeat_seconds = 7\n"), 7);
}

#[test]
fn the_store_is_told_without_looking_at_secrets() {
    let place = Place::new();
    let file = place.write("osel.toml", format!("{SMALLEST}[log]\nlevel = 'loud'\n"));
    let named = [("OSEL_CONFIG", file.to_str().unwrap())];
    assert_eq!(
        Config::load_store(None, &lookup(&named)).unwrap(),
        Some(StoreConfig::Directory(PathBuf::from("/s")))
    );
    place.write("osel.toml", "[store]\n");
    let problems = Config::load_store(None, &lookup(&named)).unwrap_err();
    assert_eq!(
        place.without_path(&problems.to_string()),
        "osel.toml:1: store.path: is missing: name the directory of the store, such as \"/var/lib/osel\", or a database of PostgreSQL by `url`"
    );
}

#[test]
fn a_file_is_a_source() {
    let text = "[store]\npath = '/s'\n[[source]]\nname = 'one'\ntype = 'file'\npath = '/bus.jsonl'\n\
                [[source]]\nname = 'two'\ntype = 'file'\npath = '/bus.jsonl.gz'\nfollow = false\n";
    let (config, warnings) = good(text, &[]);
    let file = |path: &str, follow| BusConfig::File(FileConfig { path: PathBuf::from(path), follow });
    let sources: Vec<BusConfig> = config.sources.into_iter().map(|source| source.bus).collect();
    assert_eq!(sources, [file("/bus.jsonl", true), file("/bus.jsonl.gz", false)]);
    assert_eq!(warnings, [""; 0]);
    check_bad(
        "[store]\npath = '/s'\n[[source]]\nname = 'one'\ntype = 'file'\ntopics = ['audit']\n",
        &[],
        &[
            "osel.toml:3: source[0].path: is missing: name the file with captured messages",
            "osel.toml:6: source[0].topics: is no key of a source of the type `file`",
        ],
    );
    let text = format!("{SMALLEST}path = '/bus.jsonl'\n");
    check_bad(&text, &[URL], &["osel.toml:7: source[0].path: is no key of a source of the type `rabbitmq`"]);
}
