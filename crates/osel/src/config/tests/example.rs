//! The example file and the table of keys it is made of say what is read.

use std::collections::BTreeSet;

use super::*;
use crate::config::ScanConfig;
use crate::config::keys::{self, Otherwise, sections};
use crate::config::{forward, scanner};

/// The example with the files that it names in a directory of the test, and those files there.
fn example(place: &Place) -> String {
    place.write("transport_url", URL.1);
    for key in ["nessus_access_key", "nessus_secret_key", "tenable_access_key", "tenable_secret_key"] {
        place.write(key, "0123456789abcdef");
    }
    place.write("gmp_password", "secret");
    place.write("amqp-url", "amqps://osel:secret@mq.example:5671/audit");
    let log_key = "PRIVATE+KEY+log.example/osel+6ae2a71d+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    place.write("log_key", log_key);
    place.write("log_key.previous", log_key);
    place.write("pseudonym_key", "5a".repeat(32));
    for name in [
        "ca.pem",
        "client.pem",
        "client.key",
        "clouds.yaml",
        "qualys-user",
        "qualys-password",
        "proxy-user",
        "proxy-password",
        "splunk-token",
        "hook-authorization",
        "mail-user",
        "mail-password",
        "s3-key-id",
        "s3-key",
        "s3-token",
        "otlp-authorization",
        "kafka-user",
        "kafka-password",
    ] {
        place.write(name, "PEM");
    }
    for name in ["slack-url", "mattermost-url", "teams-url"] {
        place.write(name, "https://hooks.example/secret");
    }
    for name in ["hook-secret", "hook-second-secret"] {
        place.write(name, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
    keys::example().replace("/etc/osel", place.0.to_str().unwrap())
}

#[test]
fn the_example_is_good_and_means_the_defaults() {
    let place = Place::new();
    place.write("osel.toml", example(&place));
    let (config, warnings) = place.load(&[]).unwrap();
    assert_eq!(warnings, []);
    let smallest = SMALLEST.replace("'one'", "'region-one'").replace("'/s'", "'/var/lib/osel'");
    assert_eq!(config, good(&smallest, &[URL]).0);
}

#[test]
fn the_example_without_its_comments_is_good() {
    let place = Place::new();
    let text = example(&place);
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    // A store has a path or a URL, an entry a prefix or an address, a webhook a body or a template, and people are told
    // when there is something or once a day.
    let is_of_another = |line: &str| {
        line.starts_with("#url = ") && line.contains("store_url")
            || line.starts_with("#address = \"198")
            || line.starts_with("#template = ")
            || line.starts_with("#digest_")
    };
    let text = text.lines().filter(|line| !is_of_another(line));
    let text: Vec<String> = text.map(uncommented).collect();
    place.write("osel.toml", text.join("\n"));
    let (config, _) = place.load(&[]).unwrap();
    assert_eq!(config.openstack.first().unwrap().every_seconds.get(), 21_600);
    let source = config.sources.first().unwrap();
    assert_eq!(source.region.as_deref(), Some("RegionOne"));
    let tls = source.rabbitmq().unwrap().tls.as_ref().unwrap();
    assert!(
        tls.ca_file.is_some()
            && tls.cert_file.is_some()
            && tls.key_file.is_some()
            && tls.server_name.is_some()
    );
    // The defaults that it names are those that hold without it.
    let (smallest, _) = good(SMALLEST, &[URL]);
    let scan = ScanConfig {
        // These have none.
        projects: smallest.scan.projects.clone(),
        quiet_hours: smallest.scan.quiet_hours,
        addresses_per_hour: smallest.scan.addresses_per_hour,
        project_addresses_per_hour: smallest.scan.project_addresses_per_hour,
        ..config.scan.clone()
    };
    assert_eq!(
        (&scan, &config.model, &config.http, &config.log),
        (&smallest.scan, &smallest.model, &smallest.http, &smallest.log)
    );
    let other = smallest.sources.first().unwrap().rabbitmq().unwrap();
    assert_eq!(source.rabbitmq().unwrap().exchanges, other.exchanges);
    assert_eq!(source.rabbitmq().unwrap().topics, other.topics);
    assert_eq!(source.rabbitmq().unwrap().queue, other.queue);
    assert_eq!(source.rabbitmq().unwrap().heartbeat_seconds, other.heartbeat_seconds);
    assert_eq!(source.rabbitmq().unwrap().connect_timeout_seconds, other.connect_timeout_seconds);
}

#[test]
fn the_table_has_the_keys_that_are_read() {
    // A key that nobody knows makes each section name those it does.
    let text = "[store]\nzzzz = 1\n[[source]]\nzzzz = 1\n[source.queue]\nzzzz = 1\n[source.tls]\nzzzz = 1\n\
                [[source]]\ntype = 'file'\nzzzz = 1\n[[openstack]]\nzzzz = 1\n[retention]\nzzzz = 1\n[[retention.class]]\nzzzz = 1\n[scan]\nzzzz = 1\n[[expected]]\nzzzz = 1\n[findings]\nzzzz = 1\n[model]\nzzzz = 1\n\
                [[witness]]\nzzzz = 1\n[http]\nzzzz = 1\n[control]\nzzzz = 1\n[log]\nzzzz = 1\n\
                [trail]\nzzzz = 1\n";
    let place = Place::new();
    place.write("osel.toml", text);
    let problems = place.load(&[]).unwrap_err();
    let mut read = BTreeSet::new();
    for remark in &problems.problems {
        let Some((_, names)) = remark.what.split_once("here it knows ") else { continue };
        let section = remark.key.trim_end_matches("zzzz").replace("[0]", "").replace("[1]", "");
        read.extend(names.split(", ").map(|name| format!("{section}{}", name.trim_matches('`'))));
    }
    for section in ["source.queue", "source.tls", "retention.class"] {
        assert!(read.remove(section), "{section}: {read:?}");
    }
    let mut told: BTreeSet<String> = keys::all().map(|key| key.path.to_owned()).collect();
    // Each type of scanner and receiver has keys of its own beside those that all have.
    let scanners = scanner::types().iter().map(|known| ("scanner", known.name, known.keys));
    let receivers = forward::types().iter().map(|known| ("forward", known.name, known.keys));
    let common: BTreeSet<String> = told
        .iter()
        .filter(|path| ["scanner.", "forward."].iter().any(|table| path.starts_with(table)))
        .filter(|path| path.matches('.').count() == 1)
        .cloned()
        .collect();
    for (table, name, keys) in scanners.chain(receivers) {
        place.write("osel.toml", format!("[[{table}]]\ntype = '{name}'\nzzzz = 1\n"));
        let problems = place.load(&[]).unwrap_err();
        let remark =
            problems.problems.iter().find(|remark| remark.key == format!("{table}[0].zzzz")).unwrap();
        let (_, names) = remark.what.split_once("here it knows ").unwrap();
        let names = names.split(", ").map(|name| format!("{table}.{}", name.trim_matches('`')));
        let of_type = names.filter(|path| !common.contains(path));
        let own = |path: String| path.replacen('.', &format!(".{name}."), 1);
        let of_type: BTreeSet<String> = of_type.map(own).collect();
        assert_eq!(of_type, keys.iter().map(|key| key.path.to_owned()).collect::<BTreeSet<_>>(), "{name}");
        told.retain(|path| !of_type.contains(path));
    }
    read.extend(common);
    assert_eq!(read, told);
    assert_eq!(sections().map(|section| section.keys().count()).sum::<usize>(), keys::all().count());
}

#[test]
fn lines_of_the_example_fit() {
    let text = keys::example();
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    for key in keys::all() {
        assert!(!matches!(key.otherwise, Otherwise::Needed("")), "{}", key.path);
        assert!(text.contains(&format!("{} = ", key.path.rsplit_once('.').unwrap().1)), "{}", key.path);
    }
}
