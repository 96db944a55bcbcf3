//! `[[forward]]` of the type `kafka`.

use super::*;
use crate::config::{
    KafkaCompression, KafkaConfig, KafkaKey, KafkaLogin, KafkaMechanism, ReceiverConfig, Secret, TlsConfig,
};

const LOGIN: &str = "user = { env = 'KUSER' }\npassword = { env = 'KPASSWORD' }\n";
const SECRETS: [(&str, &str); 3] = [URL, ("KUSER", "osel"), ("KPASSWORD", "hunter2")];

fn text(keys: &str) -> String {
    format!("{SMALLEST}[[forward]]\nname = 'stream'\ntype = 'kafka'\n{keys}")
}

fn kafka(keys: &str) -> KafkaConfig {
    let (config, warnings) = good(&text(keys), &SECRETS);
    assert_eq!(warnings, [""; 0]);
    let ReceiverConfig::Kafka(kafka) = &config.forwards[0].receiver else { panic!("{:?}", config.forwards) };
    *kafka.clone()
}

#[track_caller]
fn check(keys: &str, wanted: &str) {
    let place = Place::new();
    place.write("osel.toml", text(keys));
    let told = place.without_path(&place.load(&SECRETS).unwrap_err().to_string());
    assert!(told.contains(wanted), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_topic_needs_brokers_and_a_name_and_takes_the_rest() {
    let wanted = KafkaConfig {
        brokers: vec![("k1".to_owned(), 9092), ("k2".to_owned(), 9093)],
        topic: "osel.records".to_owned(),
        key: KafkaKey::One,
        compression: KafkaCompression::Gzip,
        batch_bytes: 900_000,
        tls: Some(TlsConfig::default()),
        login: None,
    };
    let smallest = "brokers = ['k1', 'k2:9093']\ntopic = 'osel.records'\n";
    assert_eq!(kafka(smallest), wanted);
    let login = |mechanism| {
        let secret = |text: &str| Secret::new(text.to_owned());
        Some(KafkaLogin { mechanism, user: secret("osel"), password: secret("hunter2") })
    };
    let all = KafkaConfig {
        key: KafkaKey::At("/actor/project_id".to_owned()),
        compression: KafkaCompression::Zstd,
        batch_bytes: 20_000,
        tls: None,
        login: login(KafkaMechanism::ScramSha256),
        ..wanted.clone()
    };
    let keys = "key = '/actor/project_id'\ncompression = 'zstd'\nbatch_kilobytes = 20\ntls = false\nsasl = 'scram-sha-256'\n";
    assert_eq!(kafka(&format!("{smallest}{keys}{LOGIN}")), all);
    let plain = KafkaConfig { key: KafkaKey::None, login: login(KafkaMechanism::Plain), ..wanted };
    assert_eq!(kafka(&format!("{smallest}key = 'none'\nsasl = 'plain'\n{LOGIN}")), plain);
}

#[test]
fn what_is_wrong_is_told_without_the_password() {
    let smallest = "brokers = ['k1']\ntopic = 't'\n";
    check("topic = 't'\n", "forward[0].brokers: is missing: name one");
    check("brokers = ['k1']\n", "forward[0].topic: is missing: name the topic");
    check("brokers = ['k1:0']\ntopic = 't'\n", "forward[0].brokers[0]: must be `HOST` or `HOST:PORT`");
    check("brokers = ['k1']\ntopic = 'a b'\n", "forward[0].topic: must be at most 249 letters");
    for (keys, wanted) in [
        ("key = 'project'\n", "key: must be `none`, or a path"),
        ("sasl = 'gssapi'\n", "sasl: must be `plain` or `scram-sha-256` or `scram-sha-512`"),
        ("sasl = 'plain'\n", "user: is missing: `sasl` needs it"),
        ("user = { env = 'KUSER' }\nsasl = 'plain'\n", "password: is missing: `sasl` needs it"),
        (LOGIN, "sasl: is missing: `user` and `password` log in by"),
        ("tls = false\nserver_name = 'k'\n", "server_name: is for TLS"),
    ] {
        check(&format!("{smallest}{keys}"), wanted);
    }
    check(
        &format!("{smallest}tls = false\nsasl = 'plain'\n{LOGIN}"),
        "sasl: `plain` would show the password",
    );
}
