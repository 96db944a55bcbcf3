//! oslo.messaging's own notifier, in a process of its own, configured as an operator configures a service.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::node::Node;

/// How long a publisher may take for one order, on a busy machine with a broker that starts again.
const ANSWER_LIMIT: Duration = Duration::from_secs(180);
/// The pins by which the environment must have been made.
const PINS: &str = concat!(
    include_str!("../../python/requirements.txt"),
    include_str!("../../python/requirements-zed.txt"),
    include_str!("../../python/requirements-tenable.txt"),
    include_str!("../../python/requirements-barbican.txt"),
    include_str!("../../python/requirements-cloud.txt"),
    include_str!("../../python/requirements-witness.txt"),
);

/// Which oslo.messaging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It redacts the context, as all do since 2024.1.
    Current,
    /// It sends the context as it is, with tokens.
    Zed,
}

/// What stands in a service's configuration, and its name.
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    pub release: Release,
    /// `messaging` or `messagingv2`, or both with a comma.
    pub driver: String,
    /// Topics with commas.
    pub topics: String,
    /// The service's `control_exchange`.
    pub exchange: String,
    pub publisher_id: String,
    /// How often it tries again; -1 is for ever, as oslo.messaging's default.
    pub retry: i32,
    /// Further settings of `[oslo_messaging_rabbit]`, such as `amqp_durable_queues`.
    pub rabbit: Vec<(String, String)>,
    /// Another way to the broker than its own port: a proxy, a cluster, another user.
    pub transport_url: Option<String>,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self {
            release: Release::Current,
            driver: "messagingv2".to_owned(),
            topics: "notifications".to_owned(),
            exchange: "neutron".to_owned(),
            publisher_id: "network.controller1".to_owned(),
            retry: -1,
            rabbit: Vec::new(),
            transport_url: None,
        }
    }
}

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Notification {
    pub event_type: String,
    /// `audit`, `debug`, `info`, `warn`, `error`, `critical` or `sample`.
    pub priority: String,
    pub payload: Value,
    /// The request's context, from which oslo.context makes its own; none for a service without one, such as Keystone.
    pub context: Option<Value>,
    /// How often.
    pub count: u64,
    /// The payload's `number` in the first, one more in each that follows.
    pub number_from: Option<u64>,
}

impl Notification {
    /// One, with priority `info` and without a context.
    pub fn new(event_type: &str, payload: Value) -> Self {
        Self {
            event_type: event_type.to_owned(),
            priority: "info".to_owned(),
            payload,
            context: None,
            count: 1,
            number_from: None,
        }
    }
}

/// What came of it: message ids in the order of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The broker has confirmed them.
    pub confirmed: Vec<String>,
    /// The notifier has given them up. They may have arrived all the same.
    pub failed: Vec<String>,
    /// Why.
    pub errors: Vec<String>,
}

/// A service that notifies. It starts to speak with the broker at its first notification.
pub struct Publisher {
    process: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    log: PathBuf,
}

impl Publisher {
    pub fn start(node: &Node, options: &PublisherOptions) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let environment = environment();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = |ending: &str| node.home.join(format!("publisher-{number}.{ending}"));
        let (configuration, log) = (file("conf"), file("log"));
        fs::write(&configuration, options.configuration(node)).unwrap();
        let mut command = Command::new(environment.join("bin/python"));
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/publisher.py"))
            .arg(&configuration)
            .arg(&options.publisher_id)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).unwrap())
            // No caches beside the sources.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("PYTHONPATH")
            .process_group(node.group());
        if options.release == Release::Zed {
            command.env("PYTHONPATH", environment.join("zed"));
        }
        let mut process = command.spawn().expect("Python is there: `cargo xtask test` installs it");
        let orders = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, orders, answers, log }
    }

    /// Publishes, and waits for what comes of it.
    pub fn publish(&mut self, notification: &Notification) -> Published {
        self.begin(notification);
        self.finish()
    }

    /// Gives the order and does not wait.
    pub fn begin(&mut self, notification: &Notification) {
        let Notification { event_type, priority, payload, context, count, number_from } = notification;
        let order = json!({
            "event_type": event_type, "priority": priority, "payload": payload, "context": context,
            "count": count, "number_from": number_from,
        });
        writeln!(self.orders, "{order}").unwrap_or_else(|error| panic!("{error}: {}", self.log()));
    }

    /// Waits for what comes of the oldest order that was only begun.
    pub fn finish(&mut self) -> Published {
        let line = self.answers.recv_timeout(ANSWER_LIMIT);
        let line =
            line.unwrap_or_else(|error| panic!("a publisher does not answer: {error}: {}", self.log()));
        let answer: Value = serde_json::from_str(&line).unwrap();
        let texts = |key: &str| {
            answer[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        Published { confirmed: texts("confirmed"), failed: texts("failed"), errors: texts("errors") }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl PublisherOptions {
    fn configuration(&self, node: &Node) -> String {
        let url = self.transport_url.clone().unwrap_or_else(|| node.transport_url());
        let Self { driver, topics, exchange, retry, .. } = self;
        // A dollar sign would begin a reference to another setting.
        let mut text = format!(
            "[DEFAULT]\ntransport_url = {}\ncontrol_exchange = {exchange}\n\n\
             [oslo_messaging_notifications]\ndriver = {}\ntopics = {topics}\nretry = {retry}\n\n\
             [oslo_messaging_rabbit]\n",
            url.replace('$', "$$"),
            driver.replace(',', "\ndriver = "),
        );
        for (key, value) in &self.rabbit {
            text.push_str(&format!("{key} = {value}\n"));
        }
        text
    }
}

/// The interpreter of the environment, for other programs of the tests.
pub fn python() -> PathBuf {
    environment().join("bin/python")
}

/// The same, and the folder of what is laid beside the environment under that name.
pub fn beside(name: &str) -> (PathBuf, PathBuf) {
    (python(), environment().join(name))
}

/// The Python environment, which must have been made by the present pins.
fn environment() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let environment = target.join("test-python");
    let stamp = fs::read_to_string(environment.join("stamp")).unwrap_or_default();
    assert!(stamp == PINS, "there is no Python environment by the present pins: `cargo xtask test` makes it");
    environment
}
