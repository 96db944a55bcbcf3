//! What an operator does to a node, by `rabbitmqctl`.
//!
//! Each call starts an Erlang machine, which takes a second or two: what a test asks again and again it asks by AMQP
//! ([`Client`](super::Client)).

use std::process::Output;

use serde_json::Value;

use super::node::Node;

/// A queue as the broker lists it.
#[derive(Clone, Debug)]
pub struct Queue {
    pub name: String,
    /// `classic`, `quorum` or `stream`.
    pub kind: String,
    pub durable: bool,
    pub auto_delete: bool,
    pub messages: u64,
    pub consumers: u64,
    /// Its `x-` arguments by name.
    pub arguments: Value,
}

/// A binding of a queue to an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    pub exchange: String,
    pub queue: String,
    pub routing_key: String,
}

impl Node {
    /// Runs `rabbitmqctl`, which must succeed, and gives what it says.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let output = self.try_ctl(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {}: {error}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `rabbitmqctl`, whatever comes of it.
    pub fn try_ctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.program("rabbitmqctl");
        command.args(["--quiet", "--timeout", "60"]).args(arguments);
        command.output().expect("RabbitMQ is there: `cargo xtask test` installs it")
    }

    /// Evaluates an Erlang expression, which ends with a full stop, in the node: several commands at the price of one.
    pub fn eval(&self, expression: &str) -> String {
        self.ctl(&["eval", expression])
    }

    fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.ctl(&[arguments, &["--formatter", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    pub fn add_vhost(&self, vhost: &str) {
        self.ctl(&["add_vhost", vhost]);
        self.set_permissions(vhost, Self::USER, [".*"; 3]);
    }

    /// Adds a user who may do in the virtual host what these patterns say: configure, write, read.
    pub fn add_user(&self, name: &str, password: &str, vhost: &str, permissions: [&str; 3]) {
        self.ctl(&["add_user", name, password]);
        self.set_permissions(vhost, name, permissions);
    }

    /// Configure, write, read.
    pub fn set_permissions(&self, vhost: &str, user: &str, permissions: [&str; 3]) {
        self.ctl(&[&["set_permissions", "--vhost", vhost, user], &permissions[..]].concat());
    }

    pub fn set_tags(&self, user: &str, tags: &[&str]) {
        self.ctl(&[&["set_user_tags", user], tags].concat());
    }

    pub fn delete_user(&self, name: &str) {
        self.ctl(&["delete_user", name]);
    }

    /// Connections that are there stay.
    pub fn change_password(&self, user: &str, password: &str) {
        self.ctl(&["change_password", user, password]);
    }

    /// Closes all connections of clients with this reason.
    pub fn close_all_connections(&self, reason: &str) {
        self.ctl(&["close_all_connections", reason]);
    }

    /// Raises the memory alarm, or ends it: while it lasts, the broker reads nothing from connections that have published.
    pub fn set_memory_alarm(&self, on: bool) {
        self.ctl(&["set_vm_memory_high_watermark", if on { "0" } else { "0.4" }]);
    }

    /// Raises the disk alarm, or ends it. It is looked for every few seconds, so it may come late.
    pub fn set_disk_alarm(&self, on: bool) {
        self.ctl(&["set_disk_free_limit", if on { "1000000GB" } else { "1MB" }]);
    }

    /// A policy for queues, as JSON: `{"max-length":1000}`.
    pub fn set_policy(&self, vhost: &str, name: &str, pattern: &str, definition: &str) {
        self.ctl(&["set_policy", "--vhost", vhost, "--apply-to", "queues", name, pattern, definition]);
    }

    pub fn clear_policy(&self, vhost: &str, name: &str) {
        self.ctl(&["clear_policy", "--vhost", vhost, name]);
    }

    pub fn delete_queue(&self, vhost: &str, queue: &str) {
        self.ctl(&["delete_queue", "--vhost", vhost, queue]);
    }

    /// All queues of a virtual host, by name.
    pub fn list_queues(&self, vhost: &str) -> Vec<Queue> {
        let what = ["name", "type", "durable", "auto_delete", "messages", "consumers", "arguments"];
        let rows = self.list(&[&["list_queues", "--vhost", vhost], &what[..]].concat());
        let mut queues: Vec<Queue> = rows.iter().map(queue).collect();
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        queues
    }

    /// All bindings of queues to named exchanges of a virtual host, in order.
    pub fn list_bindings(&self, vhost: &str) -> Vec<Binding> {
        let what = ["source_name", "destination_name", "routing_key"];
        let rows = self.list(&[&["list_bindings", "--vhost", vhost], &what[..]].concat());
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let mut bindings: Vec<Binding> = rows
            .iter()
            .map(|row| Binding {
                exchange: text(row, "source_name"),
                queue: text(row, "destination_name"),
                routing_key: text(row, "routing_key"),
            })
            .filter(|binding| !binding.exchange.is_empty())
            .collect();
        bindings.sort();
        bindings
    }

    /// The names of the nodes that this one sees running, itself among them.
    pub fn running_nodes(&self) -> Vec<String> {
        let status: Value =
            serde_json::from_str(&self.ctl(&["cluster_status", "--formatter", "json"])).unwrap();
        let nodes = status["running_nodes"].as_array().unwrap();
        nodes.iter().map(|node| node.as_str().unwrap().to_owned()).collect()
    }

    /// Makes the node write down which quorum queues it has. RabbitMQ 3.10 leaves that to a table that saves itself half a second after
    /// it was last used, whatever has been confirmed: killed before, the node starts such a queue anew and empty. A test that declares
    /// a quorum queue and soon kills the node calls this between.
    pub fn settle_queues(&self) {
        let answer = self.eval("[dets:sync(Table) || Table <- dets:all()].");
        assert!(answer.contains("ok"), "no table was written: {answer}");
    }

    /// Makes the TLS listener read its files again, after they were replaced; connections that are there stay.
    pub fn reload_certificates(&self) {
        self.eval("ssl:clear_pem_cache().");
    }
}

fn queue(row: &Value) -> Queue {
    let text = |key: &str| row[key].as_str().unwrap_or_default().trim_start_matches("rabbit_").to_owned();
    Queue {
        name: row["name"].as_str().unwrap().to_owned(),
        kind: text("type").trim_end_matches("_queue").to_owned(),
        durable: row["durable"].as_bool().unwrap(),
        auto_delete: row["auto_delete"].as_bool().unwrap(),
        messages: row["messages"].as_u64().unwrap_or(0),
        consumers: row["consumers"].as_u64().unwrap_or(0),
        arguments: arguments(&row["arguments"]),
    }
}

/// The arguments of a queue by name, of triples of name, type and value.
fn arguments(triples: &Value) -> Value {
    let triples = triples.as_array().unwrap().iter();
    triples.map(|triple| (triple[0].as_str().unwrap().to_owned(), triple[2].clone())).collect()
}
