//! Files of services: what in them matters to an audit. Passwords are read past.

use std::path::Path;

use zeroize::Zeroizing;

use super::ini::Ini;
use crate::config::{TransportUrl, read_file};
use crate::doctor::facts::{Asked, BusUser, ServiceFile, TroveFile};

/// The largest file: the sample of a service with every option and its explanation is a third of it.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The section for notifications.
const NOTIFICATIONS: &str = "oslo_messaging_notifications";
/// The section for RabbitMQ.
const RABBIT: &str = "oslo_messaging_rabbit";
/// The section for everything else.
const DEFAULT: &str = "DEFAULT";
/// Sections that only Keystone has.
const OF_KEYSTONE: [&str; 2] = ["fernet_tokens", "fernet_receipts"];
/// The words of its `notification_format`.
const FORMATS: [&str; 2] = ["basic", "cadf"];
/// What stands in the source of Trove, for everybody to read.
const TASK_KEY: &str = "bzH6y0SGmjuoY0FNSTptrhgieGXNDX6PIhvz";
const INSTANCE_KEY: &str = "emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP";

/// Reads the file of a service.
pub(super) fn service(path: &Path) -> Asked<ServiceFile> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(service_of(&stem, &read(path)?))
}

/// Reads the file of Trove.
pub(super) fn trove(path: &Path) -> Asked<TroveFile> {
    Ok(trove_of(&read(path)?))
}

fn read(path: &Path) -> Asked<Ini> {
    let bytes = read_file(path, FILE_BYTES_MAX).map(Zeroizing::new).map_err(|error| error.to_string())?;
    Ok(Ini::parse(std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8".to_owned())?))
}

fn service_of(stem: &str, ini: &Ini) -> ServiceFile {
    let service = stem.split(['-', '_', '.']).next().unwrap_or(stem).to_owned();
    let format = ini.last(DEFAULT, "notification_format");
    let opt_out = ini.all(DEFAULT, "notification_opt_out");
    // Nova had a setting of the first name too, with other words.
    let has_its_settings = !opt_out.is_empty() || format.is_some_and(|word| FORMATS.contains(&word));
    let has_its_sections = OF_KEYSTONE.iter().any(|section| ini.has_section(section));
    let is_keystone = service == "keystone" || has_its_settings || has_its_sections;
    // Before Mitaka these stood in `[DEFAULT]`, and there they still count.
    let mut drivers = ini.all(NOTIFICATIONS, "driver");
    if drivers.is_empty() {
        drivers = ini.all(DEFAULT, "notification_driver");
    }
    let topics =
        ini.last(NOTIFICATIONS, "topics").or_else(|| ini.last(DEFAULT, "notification_topics")).map(list);
    let retry = ini.last(NOTIFICATIONS, "retry").and_then(|text| text.parse().ok());
    let is_on = |key: &str| ini.flag(RABBIT, key).or_else(|| ini.flag(DEFAULT, key)).unwrap_or(false);
    ServiceFile {
        service,
        is_keystone,
        drivers: texts(&drivers),
        topics: topics
            .filter(|topics| !topics.is_empty())
            .unwrap_or_else(|| vec!["notifications".to_owned()]),
        retry: retry.unwrap_or(-1),
        opt_out: (!opt_out.is_empty()).then(|| texts(&opt_out)),
        format: format.unwrap_or("cadf").to_owned(),
        proxy_headers: ini.flag("oslo_middleware", "enable_proxy_headers_parsing").unwrap_or(false),
        durable: is_on("amqp_durable_queues") || is_on("rabbit_quorum_queue"),
        bus: bus_user(ini, is_on("ssl") || is_on("rabbit_use_ssl")),
    }
}

fn trove_of(ini: &Ini) -> TroveFile {
    let is_default = |key: &str, known: &str| ini.last(DEFAULT, key).is_none_or(|value| value == known);
    TroveFile {
        has_default_task_key: is_default("taskmanager_rpc_encr_key", TASK_KEY),
        has_default_instance_key: is_default("inst_rpc_key_encr_key", INSTANCE_KEY),
        encrypts: ini.flag(DEFAULT, "enable_secure_rpc_messaging").unwrap_or(true),
    }
}

/// Notifications may have a bus of their own.
fn bus_user(ini: &Ini, ssl: bool) -> Result<BusUser, String> {
    let url = ini.last(NOTIFICATIONS, "transport_url").or_else(|| ini.last(DEFAULT, "transport_url"));
    let url = url.ok_or("it has no `transport_url`")?;
    // oslo.config writes a dollar sign as two.
    let url = Zeroizing::new(url.replace("$$", "$"));
    let parsed = TransportUrl::parse(&url, ssl).map_err(|error| format!("its `transport_url` {error}"))?;
    let mut users: Vec<String> = parsed.url.hosts.into_iter().map(|host| host.user).collect();
    users.sort_unstable();
    users.dedup();
    Ok(BusUser { users, tls: parsed.url.tls })
}

fn list(text: &str) -> Vec<String> {
    texts(&text.split(',').collect::<Vec<_>>())
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_has_its_default() {
        let file = service_of("neutron-rpc", &Ini::parse(""));
        assert_eq!((file.service.as_str(), file.is_keystone, file.publishes()), ("neutron", false, false));
        assert_eq!((file.retry, file.opt_out, file.format.as_str()), (-1, None, "cadf"));
        assert_eq!(
            (file.topics, file.durable, file.proxy_headers),
            (vec!["notifications".to_owned()], false, false)
        );
        assert_eq!(file.bus, Err("it has no `transport_url`".to_owned()));
        let trove = trove_of(&Ini::parse(""));
        assert!(trove.has_default_task_key && trove.has_default_instance_key && trove.encrypts);
    }

    #[test]
    fn settings_are_read_where_services_have_them() {
        let text = "[DEFAULT]\ntransport_url = rabbit://rpc:secret@a/\nnotification_format = basic\n\
                    notification_opt_out =\n[fernet_tokens]\n[oslo_messaging_notifications]\n\
                    driver = messagingv2\ntopics = a, b\nretry = 3\n\
                    transport_url = rabbit://k:p$$w@a:5671,k:p@b:5671/v?ssl=true\n\
                    [oslo_messaging_rabbit]\nrabbit_quorum_queue = true\n[oslo_middleware]\nenable_proxy_headers_parsing = 1\n";
        let file = service_of("identity", &Ini::parse(text));
        assert!(file.is_keystone && file.publishes() && file.durable && file.proxy_headers);
        assert_eq!((file.retry, file.opt_out, file.format.as_str()), (3, Some(vec![]), "basic"));
        assert_eq!(file.topics, ["a", "b"]);
        assert_eq!(file.bus, Ok(BusUser { users: vec!["k".to_owned()], tls: true }));
        let old = service_of(
            "nova",
            &Ini::parse("[DEFAULT]\nnotification_driver = messaging\ntransport_url = rabbit://h\n"),
        );
        assert!(old.publishes());
        assert_eq!(old.bus, Ok(BusUser { users: vec!["guest".to_owned()], tls: false }));
        let named = |text: &str| service_of("my", &Ini::parse(text)).is_keystone;
        assert!(
            named("notification_format = basic")
                && named("notification_opt_out =")
                && !named("notification_format = both")
        );
        let trove = "[DEFAULT]\ntaskmanager_rpc_encr_key = own\ninst_rpc_key_encr_key = other\nenable_secure_rpc_messaging = False\n";
        let trove = trove_of(&Ini::parse(trove));
        assert!(!trove.has_default_task_key && !trove.has_default_instance_key && !trove.encrypts);
    }
}
