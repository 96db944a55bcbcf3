//! The receiver `kafka` with librdkafka's mock cluster, read back by librdkafka's own consumer: order, keys, what each error comes to, TLS
//! and logins, and the program killed on its way.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use osel::config::{
    ForwardConfig, KafkaCompression, KafkaConfig, KafkaKey, KafkaLogin, KafkaMechanism, Place as ConfigPlace,
    ReceiverConfig, Secret, TlsConfig,
};
use osel::forward::kafka::KafkaReceiver;
use osel::forward::receiver::{Item, Receiver};
use osel_core::format::Format;
use osel_core::forward::{Refusal, RefusalKind, Taken};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::broker::{Certificates, python, until};
use crate::command::{Place, json_lines};
use crate::daemon::{Daemon, LIMIT};
use crate::receivers::{batch, id, item};

/// The number of the request by which records are handed over.
const PRODUCE: i16 = 0;

/// A cluster, which ends with the test.
struct Cluster {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    brokers: Vec<(String, u16)>,
}

impl Cluster {
    fn start(brokers: usize) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/kafka_cluster.py");
        // It ends with its orders, and with the test, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(python()).arg(program).arg(brokers.to_string());
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::null()).spawn().unwrap();
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut cluster = Self { process, orders, answers, brokers: Vec::new() };
        let said = cluster.answer();
        cluster.brokers = said.as_str().unwrap().split(',').map(address).collect();
        cluster
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("`cargo xtask test` installs confluent-kafka")
    }

    fn order(&mut self, order: &Value) -> Value {
        writeln!(self.orders, "{order}").unwrap();
        self.answer()
    }

    fn make_topic(&mut self, name: &str, partitions: usize) {
        assert_eq!(self.order(&json!({"do": "make_topic", "name": name, "partitions": partitions})), 0);
    }

    /// The next requests by which records are handed over are answered with these codes.
    fn push_errors(&mut self, codes: &[i16]) {
        self.order(&json!({"do": "push_errors", "api": PRODUCE, "codes": codes}));
    }

    fn read(&mut self, topic: &str, partitions: usize) -> Vec<Value> {
        let read = self.order(&json!({"do": "read", "topic": topic, "partitions": partitions}));
        read.as_array().unwrap().clone()
    }

    fn config(&self, topic: &str) -> KafkaConfig {
        KafkaConfig {
            brokers: self.brokers.clone(),
            topic: topic.to_owned(),
            key: KafkaKey::One,
            compression: KafkaCompression::Gzip,
            batch_bytes: 900_000,
            tls: None,
            login: None,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn address(text: &str) -> (String, u16) {
    let (host, port) = text.rsplit_once(':').unwrap();
    (host.to_owned(), port.parse().unwrap())
}

/// A receiver that is driven as the loop would.
struct Driven(Runtime, KafkaReceiver);

impl Driven {
    fn new(config: KafkaConfig) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let table = ForwardConfig {
            name: "stream".to_owned(),
            receiver: ReceiverConfig::Kafka(Box::new(config.clone())),
            format: Format::Native,
            filter: Default::default(),
            from: Default::default(),
            pseudonyms: false,
            place: ConfigPlace::Nowhere,
        };
        let now = Arc::new(move || table.clone());
        Self(runtime, KafkaReceiver::new(config, Format::Native, now))
    }

    fn send(&mut self, items: &[Item]) -> Result<Taken, Refusal> {
        self.0.block_on(self.1.send(&batch(1, items)))
    }

    #[track_caller]
    fn refused(&mut self, items: &[Item]) -> (RefusalKind, usize, String) {
        let refusal = self.send(items).unwrap_err();
        (refusal.kind, refusal.taken, refusal.words)
    }

    /// Sends as the loop would where waiting helps, from the first one that was not taken.
    #[track_caller]
    fn send_on(&mut self, items: &[Item]) {
        let mut rest = items;
        until("the cluster takes everything", LIMIT, || match self.send(rest) {
            Ok(_) => true,
            Err(refusal) => {
                assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
                rest = &rest[refusal.taken..];
                false
            }
        });
    }
}

fn items(seqs: std::ops::RangeInclusive<u64>) -> Vec<Item> {
    seqs.map(|seq| {
        item(seq, json!({"seq": seq, "actor": {"project_id": format!("p{}", seq % 7)}}).to_string())
    })
    .collect()
}

fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["headers"]["osel_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn records_are_in_one_partition_in_their_order_unless_a_key_tells_them_apart() {
    let mut cluster = Cluster::start(3);
    for (topic, compression) in [
        ("packed", KafkaCompression::Gzip),
        ("plain", KafkaCompression::None),
        ("zstd", KafkaCompression::Zstd),
    ] {
        cluster.make_topic(topic, 4);
        let mut driven = Driven::new(KafkaConfig { compression, ..cluster.config(topic) });
        assert_eq!(driven.send(&items(1..=300)).unwrap(), Taken::Kept);
        assert_eq!(driven.send(&items(301..=310)).unwrap(), Taken::Kept);
        let read = cluster.read(topic, 4);
        assert_eq!(ids(&read), (1..=310).map(id).collect::<Vec<_>>(), "{topic}");
        assert!(read.iter().all(|record| record["place"][0] == read[0]["place"][0]));
        let (first, sent) = (&read[0], &items(1..=1)[0]);
        assert_eq!(first["value"].as_str().unwrap().as_bytes(), sent.line);
        assert_eq!((&first["key"], &first["time"]), (&json!("osel"), &json!(sent.time.micros() / 1000)));
        let headers = json!({
            "osel_id": id(1), "osel_seq": "1", "osel_kind": "change", "osel_severity": sent.severity.as_str(),
            "osel_event_type": "security_group_rule.create.end",
        });
        assert_eq!(first["headers"], headers);
    }

    cluster.make_topic("keyed", 4);
    let keyed = KafkaConfig { key: KafkaKey::At("/actor/project_id".to_owned()), ..cluster.config("keyed") };
    Driven::new(keyed).send(&items(1..=210)).unwrap();
    let mut of_key: BTreeMap<String, (Value, Vec<String>)> = BTreeMap::new();
    for record in cluster.read("keyed", 4) {
        let key = record["key"].as_str().unwrap().to_owned();
        let place = record["place"][0].clone();
        let (partition, seen) = of_key.entry(key).or_insert_with(|| (place.clone(), Vec::new()));
        assert_eq!(*partition, place, "a key is in one partition");
        seen.extend(ids(&[record]));
    }
    assert_eq!(of_key.len(), 7);
    assert!(
        of_key.values().any(|(partition, _)| partition != &of_key["p0"].0),
        "all keys are in one partition"
    );
    for (key, (_, seen)) in &of_key {
        let of_this = |seq: &u64| format!("p{}", seq % 7) == *key;
        assert_eq!(*seen, (1..=210).filter(of_this).map(id).collect::<Vec<_>>(), "{key}");
    }

    cluster.make_topic("spread", 4);
    let mut spread = Driven::new(KafkaConfig { key: KafkaKey::None, ..cluster.config("spread") });
    for _ in 0..4 {
        assert_eq!(spread.send(&items(1..=2)).unwrap(), Taken::Kept);
    }
    let read = cluster.read("spread", 4);
    let partitions: Vec<u64> = read.iter().map(|record| record["place"][0].as_u64().unwrap()).collect();
    assert_eq!(partitions, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert!(read.iter().all(|record| record["key"].is_null()));
}

#[test]
fn each_error_of_a_cluster_is_told_for_what_it_is_and_nothing_is_lost() {
    let mut cluster = Cluster::start(3);
    let (kind, _, words) = Driven::new(cluster.config("none")).refused(&items(1..=1));
    assert!(
        kind == RefusalKind::Denied && words.contains("topic `none`") && words.contains("is not there"),
        "{words}"
    );
    cluster.make_topic("records", 4);
    let mut driven = Driven::new(cluster.config("records"));
    for (code, wanted) in [
        (-1, RefusalKind::Failed),
        (2, RefusalKind::Failed),
        (3, RefusalKind::Unavailable),
        (5, RefusalKind::Unavailable),
        (6, RefusalKind::Unavailable),
        (7, RefusalKind::Silent),
        (10, RefusalKind::TooLarge),
        (18, RefusalKind::TooLarge),
        (19, RefusalKind::Unavailable),
        (20, RefusalKind::Unavailable),
        (29, RefusalKind::Denied),
        (56, RefusalKind::Unavailable),
        (76, RefusalKind::Denied),
        (87, RefusalKind::Failed),
    ] {
        cluster.push_errors(&[code]);
        let (kind, taken, words) = driven.refused(&items(1..=3));
        assert_eq!((kind, taken), (wanted, 0), "{code}: {words}");
        assert!(words.contains(&format!("({code})")), "{words}");
    }
    assert_eq!(driven.send(&items(1..=3)).unwrap(), Taken::Kept);

    // Whoever leads moves, goes, and comes back.
    let partition = cluster.read("records", 4)[0]["place"][0].as_u64().unwrap();
    for (broker, seqs) in [(1, 4..=6), (2, 7..=9), (3, 10..=12)] {
        let order = json!({"do": "set_leader", "topic": "records", "partition": partition, "broker": broker});
        assert_eq!(cluster.order(&order), 0);
        driven.send_on(&items(seqs));
    }
    cluster.order(&json!({"do": "set_down", "broker": 3}));
    let (kind, taken, _) = driven.refused(&items(13..=15));
    assert_eq!((kind, taken), (RefusalKind::Unavailable, 0));
    cluster.order(&json!({"do": "set_up", "broker": 3}));
    driven.send_on(&items(13..=15));
    assert_eq!(ids(&cluster.read("records", 4)), (1..=15).map(id).collect::<Vec<_>>());

    // Of several partitions one refuses: what stands before its first record was taken.
    let keyed =
        KafkaConfig { key: KafkaKey::At("/actor/project_id".to_owned()), ..cluster.config("records") };
    let mut keyed = Driven::new(keyed);
    cluster.push_errors(&[19]);
    let sent = items(101..=200);
    let (kind, taken, words) = keyed.refused(&sent);
    assert!(kind == RefusalKind::Unavailable && taken < sent.len(), "{words}");
    keyed.send_on(&sent[taken..]);
    let read: std::collections::BTreeSet<String> = ids(&cluster.read("records", 4)).into_iter().collect();
    assert!((101..=200).all(|seq| read.contains(&id(seq))));

    cluster.order(&json!({"do": "set_topic_error", "name": "records", "code": 29}));
    let (kind, _, words) = Driven::new(cluster.config("records")).refused(&items(1..=1));
    assert!(kind == RefusalKind::Denied && words.contains("TOPIC_AUTHORIZATION_FAILED"), "{words}");
}

#[test]
fn logins_and_certificates_are_checked_by_both_sides() {
    let place = Place::new("kafka-door");
    let files = Certificates::make(Path::new(&place.path("tls")), "osel");
    let mut cluster = Cluster::start(1);
    cluster.make_topic("records", 1);
    let door = cluster.order(&json!({
        "do": "open_door", "certificate": files.server, "key": files.server_key, "user": "os=el,1", "password": "hunter2",
    }));
    let door = ("127.0.0.1".to_owned(), u16::try_from(door.as_u64().unwrap()).unwrap());
    let trusting = TlsConfig { ca_file: Some(files.authority), ..TlsConfig::default() };
    let secret = |text: &str| Secret::new(text.to_owned());
    let config = |mechanism, user: &str, password: &str| KafkaConfig {
        brokers: vec![door.clone()],
        tls: Some(trusting.clone()),
        login: Some(KafkaLogin { mechanism, user: secret(user), password: secret(password) }),
        ..cluster.config("records")
    };
    // Signs that SCRAM writes otherwise.
    let user = "os=el,1";
    let known = [KafkaMechanism::ScramSha256, KafkaMechanism::ScramSha512, KafkaMechanism::Plain];
    for (mechanism, seqs) in known.into_iter().zip([1..=2, 3..=4, 5..=6]) {
        let mut driven = Driven::new(config(mechanism, user, "hunter2"));
        assert_eq!(driven.send(&items(seqs)).unwrap(), Taken::Kept, "{mechanism:?}");
        let (kind, _, words) = Driven::new(config(mechanism, user, "hunter3")).refused(&items(9..=9));
        assert!(kind == RefusalKind::Denied && words.contains("SASL_AUTHENTICATION_FAILED"), "{words}");
        assert!(!words.contains("hunter"), "{words}");
    }
    let good = config(KafkaMechanism::ScramSha512, user, "hunter2");
    let (kind, _, words) = Driven::new(KafkaConfig { login: None, ..good.clone() }).refused(&items(9..=9));
    assert!(kind == RefusalKind::Unavailable && words.contains("see to `tls` and `sasl`"), "{words}");
    let doubting = KafkaConfig { tls: Some(TlsConfig::default()), ..good.clone() };
    let (kind, _, words) = Driven::new(doubting).refused(&items(9..=9));
    assert!(kind == RefusalKind::Denied && words.contains("no trust with"), "{words}");
    let open = KafkaConfig { tls: None, ..good };
    let (kind, ..) = Driven::new(open).refused(&items(9..=9));
    assert!(matches!(kind, RefusalKind::Unavailable | RefusalKind::Garbled), "{kind:?}");
    let read = cluster.order(&json!({"do": "read_past_door", "topic": "records", "partitions": 1}));
    let read = read.as_array().unwrap().clone();
    assert_eq!(ids(&read), (1..=6).map(id).collect::<Vec<_>>());
}

#[test]
fn an_answer_that_promises_too_much_is_none() {
    // A list of two thousand million brokers, and an answer of two thousand million bytes.
    let endless = [&[0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0][..], &i32::MAX.to_be_bytes()].concat();
    for answer in
        [endless, i32::MAX.to_be_bytes().to_vec(), (-1_i32).to_be_bytes().to_vec(), vec![0, 0, 0, 1, 9]]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let broker = ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let serving = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            client.read_exact(&mut length).unwrap();
            client.write_all(&answer).unwrap();
            // Until the other side has had enough.
            let _ = client.read_to_end(&mut Vec::new());
        });
        let config = KafkaConfig {
            brokers: vec![broker],
            topic: "t".to_owned(),
            key: KafkaKey::One,
            compression: KafkaCompression::None,
            batch_bytes: 1000,
            tls: None,
            login: None,
        };
        let (kind, taken, words) = Driven::new(config).refused(&items(1..=1));
        assert_eq!((kind, taken), (RefusalKind::Garbled, 0), "{words}");
        serving.join().unwrap();
    }
}

#[test]
fn a_program_that_is_killed_again_and_again_sends_every_record_in_order() {
    let mut cluster = Cluster::start(1);
    cluster.make_topic("records", 2);
    let (host, port) = &cluster.brokers[0];
    let forward = format!(
        "[[forward]]\nname = 'stream'\ntype = 'kafka'\nbrokers = ['{host}:{port}']\ntopic = 'records'\ntls = false\n"
    );
    let mut osel = Daemon::new("kafka-kill", &forward);
    let tested = crate::command::osel(&["forward", "test", "stream", "-c", &osel.place.path("osel.toml")]);
    let said = String::from_utf8(tested.stderr).unwrap();
    assert!(tested.status.success() && said.contains("topic `records` has 2 partitions"), "{said}");
    for round in 0..3 {
        osel.capture("bus.jsonl", &format!("round-{round}"), 300);
        osel.start();
        osel.await_received(300 * round + 150);
        osel.kill();
    }
    osel.start();
    osel.await_received(900);
    let (store, config) = (osel.place.path("store"), osel.place.path("osel.toml"));
    let status =
        || json_lines(&["forward", "list", "-o", "json", "--store", &store, "-c", &config])[0].clone();
    until("all are sent", LIMIT, || {
        status()["lag_records"] == 0 && status()["delivered"].as_u64() >= Some(900)
    });
    assert!(osel.stop().success());
    let read = cluster.read("records", 2);
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut first = Vec::new();
    for (id, record) in ids(&read).into_iter().zip(&read).filter(|(id, _)| !id.starts_with("test-")) {
        let value = record["value"].as_str().unwrap().to_owned();
        match values.insert(id, value.clone()) {
            None => first.push(serde_json::from_str::<Value>(&value).unwrap()["seq"].as_u64().unwrap()),
            Some(known) => assert_eq!(known, value, "two records of one id"),
        }
    }
    let records: Vec<u64> = osel.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(first, records);
}
