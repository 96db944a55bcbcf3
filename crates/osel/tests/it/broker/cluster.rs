//! A broker of one node, and a cluster of several.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::ground::{Ground, until};
use super::node::{Node, Options};

/// How long nodes that see each other may take to say so.
const TOGETHER_LIMIT: Duration = Duration::from_secs(120);

/// A broker of one node; everything about it is in [`Node`].
pub struct Broker {
    node: Node,
    /// Dropped last: it ends what the node left.
    _ground: Ground,
}

impl Broker {
    /// Starts a broker that does nothing special.
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    pub fn start_with(options: &Options) -> Self {
        let ground = Ground::new();
        let mut node = Node::begin(&ground, "osel", options, None);
        node.await_start();
        Self { node, _ground: ground }
    }
}

impl Deref for Broker {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl DerefMut for Broker {
    fn deref_mut(&mut self) -> &mut Node {
        &mut self.node
    }
}

/// Several nodes that are one broker.
pub struct Cluster {
    pub nodes: Vec<Node>,
    _ground: Ground,
}

impl Cluster {
    /// Starts so many nodes and waits until all see all.
    pub fn start(count: usize, options: &Options) -> Self {
        let ground = Ground::new();
        let begin = |number: usize| Node::begin(&ground, &format!("osel{number}"), options, Some("osel1"));
        // The others join the first, which therefore has to be there.
        let mut nodes = vec![begin(1)];
        nodes[0].await_start();
        nodes.extend((2..=count).map(begin));
        nodes.iter_mut().for_each(Node::await_start);
        let cluster = Self { nodes, _ground: ground };
        cluster.await_running(0, count);
        cluster
    }

    /// Waits until this node sees so many nodes running, itself among them.
    pub fn await_running(&self, at: usize, count: usize) {
        until("the nodes of the cluster see each other", TOGETHER_LIMIT, || {
            self.nodes[at].running_nodes().len() == count
        });
    }

    /// Starts nodes again after they were killed or stopped, at the same time, and waits until all serve.
    pub fn restart(&mut self, which: &[usize]) {
        for &at in which {
            self.nodes[at].begin_restart();
        }
        for &at in which {
            self.nodes[at].await_start();
        }
    }

    /// One transport URL with all nodes.
    pub fn transport_url(&self) -> String {
        let hosts: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("{}:{}@127.0.0.1:{}", Node::USER, Node::PASSWORD, node.port()))
            .collect();
        format!("rabbit://{}/", hosts.join(","))
    }
}
