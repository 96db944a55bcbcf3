//! The stream itself: one message after another, as body or as line of a recording.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::fill::{Audit, Filler, Scene};
use super::identifiers::{Identifiers, Kind};
use super::inventory::Objects;
use super::operations::Storm;
use super::plan::{Shape, plan};
use super::template::{Depth, Templates};
use super::text::{push_number, push_time};
use super::world::World;
use crate::random::Random;

/// 2026-11-21T00:00:00Z: when the stream begins.
const BEGINNING: i64 = 1_795_219_200_000_000;

/// What to generate.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// How many ports the cloud has before the stream.
    pub ports: usize,
    /// The seed of all chance.
    pub seed: u64,
    /// Whether the API servers' audit middleware speaks too (`audit.http.*`), as in the recording of 2026.
    pub audit: bool,
    /// What the cloud looks like.
    pub shape: Shape,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { ports: 1000, seed: 1, audit: true, shape: Shape::default() }
    }
}

/// A cloud of any size and the endless stream of its notifications.
pub struct Generator {
    pub(super) world: World,
    pub(super) random: Random,
    pub(super) storm: Storm,
    /// How many projects there were at first: those have networks and groups.
    pub(super) planned: usize,
    pub(super) identifiers: Identifiers,
    options: GenerateOptions,
    bodies: Templates,
    lines: Templates,
    plain: Templates,
    queue: VecDeque<Pending>,
    now: i64,
    messages: u64,
    requests: u64,
    written: u64,
}

/// A call and what it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) is_admin: bool,
    pub(super) project: u32,
    pub(super) network: u32,
    pub(super) port: u32,
    pub(super) group: u32,
    pub(super) rule: u32,
    pub(super) floating_ip: u32,
    pub(super) member: u64,
}

/// A message to be written.
struct Pending {
    exchange: &'static str,
    name: &'static str,
    scene: Scene,
}

impl Generator {
    /// A cloud of that size, before its first notification.
    pub fn new(options: GenerateOptions) -> Self {
        let mut random = Random::new(options.seed);
        let world = plan(options.ports, &options.shape, &mut random);
        Self {
            planned: world.projects.len(),
            world,
            random,
            storm: Storm::default(),
            identifiers: Identifiers::new(options.seed),
            options,
            bodies: Templates::new(Depth::Body),
            lines: Templates::new(Depth::Line),
            plain: Templates::new(Depth::Plain),
            queue: VecDeque::new(),
            now: BEGINNING,
            messages: 0,
            requests: 0,
            written: 0,
        }
    }

    /// How many ports of projects there are now.
    pub fn ports(&self) -> usize {
        self.world.alive_ports
    }

    /// Whether everything of the last call has been said: then [`Self::write_inventory`] is what the stream
    /// told.
    pub fn is_between_calls(&self) -> bool {
        self.queue.is_empty()
    }

    /// Writes the body of the next message in place of what `out` held; gives the exchange it is sent to.
    pub fn next_body(&mut self, out: &mut String) -> &'static str {
        out.clear();
        let pending = self.next();
        out.push_str("{\"oslo.version\": \"2.0\", \"oslo.message\": \"");
        let mut filler =
            Filler { world: &self.world, templates: &self.bodies, identifiers: self.identifiers, out };
        filler.text(pending.name, &pending.scene);
        out.push_str("\"}");
        pending.exchange
    }

    /// Writes the next message as the line of a recording, with its end of line, in place of what `out` held.
    pub fn next_line(&mut self, out: &mut String) {
        out.clear();
        let pending = self.next();
        self.written += 1;
        out.push_str("{\"seq\": ");
        push_number(out, self.written);
        out.push_str(", \"received_at\": \"");
        push_time(out, pending.scene.now + 900, 'T', true);
        out.push_str("+00:00\", \"exchange\": \"");
        out.push_str(pending.exchange);
        out.push_str(
            "\", \"routing_key\": \"notifications.info\", \"redelivered\": false, \"properties\": \
             {\"content_type\": \"application/json\", \"content_encoding\": \"utf-8\", \"headers\": {}, \
             \"delivery_mode\": 2, \"priority\": 0}, \
             \"body\": \"{\\\"oslo.version\\\": \\\"2.0\\\", \\\"oslo.message\\\": \\\"",
        );
        let mut filler =
            Filler { world: &self.world, templates: &self.lines, identifiers: self.identifiers, out };
        filler.text(pending.name, &pending.scene);
        out.push_str("\\\"}\"}\n");
    }

    /// Changes the cloud by one call of which no message tells.
    ///
    /// Only between calls: what is still to be said would be said of the changed cloud.
    pub fn change_silently(&mut self) {
        let is_change = |pending: &Pending| pending.exchange == "neutron" && pending.name.ends_with(".end");
        let said = self.queue.len();
        loop {
            self.operate();
            let is_changed = self.queue.iter().skip(said).any(is_change);
            self.queue.truncate(said);
            if is_changed {
                return;
            }
        }
    }

    /// How many objects of each kind there are.
    pub fn counts(&self) -> [(&'static str, usize); 6] {
        let world = &self.world;
        [
            ("projects", world.projects.iter().filter(|one| one.is_alive).count()),
            ("networks", world.networks.iter().filter(|one| one.is_alive).count()),
            ("ports", world.alive_ports),
            ("security groups", world.groups.iter().filter(|one| one.is_alive).count()),
            ("rules", world.rules.iter().filter(|one| one.is_alive).count()),
            ("floating IPs", world.floating_ips.iter().filter(|one| one.is_alive).count()),
        ]
    }

    /// Writes the cloud as it is now in the form `osel inventory import` takes.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_inventory(&self, out: &mut dyn Write) -> io::Result<()> {
        super::inventory::write(self.objects(), self.now, out)
    }

    /// What writes the objects of the cloud.
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects::new(&self.world, &self.plain, self.identifiers)
    }

    /// A call of a user of the project, about nothing yet.
    pub(super) fn call(&self, project: u32) -> Call {
        const NOTHING: u32 = u32::MAX;
        Call {
            is_admin: false,
            project,
            network: NOTHING,
            port: NOTHING,
            group: NOTHING,
            rule: NOTHING,
            floating_ip: NOTHING,
            member: u64::from(project),
        }
    }

    /// A call that was carried out.
    pub(super) fn done(&mut self, call: &Call, audit: Audit, start: &'static str, end: &'static str) {
        self.exchanged(call, audit, &[start, end]);
    }

    /// A call that was carried out and is announced by one message only.
    pub(super) fn one(&mut self, call: &Call, audit: Audit, name: &'static str) {
        self.exchanged(call, audit, &[name]);
    }

    /// A call that was refused after it was announced.
    pub(super) fn refused(&mut self, call: &Call, audit: Audit, status: &'static str, start: &'static str) {
        self.exchanged(call, Audit { outcome: "failure", status, ..audit }, &[start]);
    }

    /// A call that Neutron itself says nothing of.
    pub(super) fn only_audit(&mut self, call: &Call, audit: Audit) {
        self.exchanged(call, audit, &[]);
    }

    /// Something that Keystone tells.
    pub(super) fn identity(&mut self, call: &Call, outcome: &'static str, name: &'static str) {
        self.requests += 1;
        let audit = Audit { action: "", kind: "", path: "", id: None::<(Kind, u32)>, outcome, status: "" };
        let started = self.now;
        self.push("keystone", name, call, audit, started);
    }

    fn exchanged(&mut self, call: &Call, audit: Audit, names: &[&'static str]) {
        self.requests += 1;
        self.now += 1 + self.random.below(40_000).cast_signed();
        let started = self.now;
        if self.options.audit {
            self.push("neutron", "audit.http.request", call, Audit { outcome: "pending", ..audit }, started);
        }
        for name in names {
            self.push("neutron", name, call, audit, started);
        }
        if self.options.audit {
            self.push("neutron", "audit.http.response", call, audit, started);
        }
    }

    fn push(&mut self, exchange: &'static str, name: &'static str, call: &Call, audit: Audit, started: i64) {
        self.now += 1 + self.random.below(8_000).cast_signed();
        self.messages += 1;
        let Call { is_admin, project, network, port, group, rule, floating_ip, member } = *call;
        let scene = Scene {
            now: self.now,
            started,
            message: self.messages,
            request: self.requests,
            is_admin,
            project,
            network,
            port,
            group,
            rule,
            floating_ip,
            member,
            audit,
        };
        self.queue.push_back(Pending { exchange, name, scene });
    }

    fn next(&mut self) -> Pending {
        loop {
            if let Some(pending) = self.queue.pop_front() {
                return pending;
            }
            self.operate();
        }
    }
}
