//! One node of RabbitMQ: its configuration, its process, and the ways in which it goes and comes back.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::certificates::Certificates;
use super::ground::{Ground, free_port, until};

/// A start takes 4 to 8 s on two free cores, and several times that when others use them.
const START_LIMIT: Duration = Duration::from_secs(180);
/// A node with its queues on disk stops in a second or two.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How much of a node's log is shown when its test fails.
const TAIL_LINES: usize = 40;
/// What a client says first, and the type of the frame that answers it.
const GREETING: &[u8; 8] = b"AMQP\x00\x00\x09\x01";
const METHOD_FRAME: u8 = 1;

/// What a broker is to have besides a listener for AMQP.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A listener for TLS.
    pub tls: Tls,
    /// The management plugin, with its HTTP interface, and over TLS where `tls` says so.
    pub management: bool,
    /// Further lines of `rabbitmq.conf`.
    pub configuration: String,
}

/// Whether there is a listener for TLS, and what it asks of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    #[default]
    None,
    /// A client may show a certificate, and log in by its common name (EXTERNAL).
    ClientMayShow,
    /// A client without a certificate of the authority is refused.
    ClientMustShow,
}

/// One node: of a broker alone, or of a cluster.
pub struct Node {
    pub(super) name: String,
    pub(super) home: PathBuf,
    directory: PathBuf,
    group: i32,
    mapper_port: u16,
    distribution_port: u16,
    port: u16,
    tls_port: Option<u16>,
    management_port: Option<u16>,
    management_tls_port: Option<u16>,
    certificates: Option<Certificates>,
    process: Option<Child>,
}

impl Node {
    /// The user that may do everything in the virtual host `/`.
    pub const USER: &str = "openstack";
    pub const PASSWORD: &str = "secret-of-a-test";

    /// Begins to start a node, which joins `first` when that is another one.
    pub(super) fn begin(ground: &Ground, name: &str, options: &Options, first: Option<&str>) -> Self {
        let directory = ground.directory().join(name);
        fs::create_dir_all(&directory).unwrap();
        let tls = options.tls != Tls::None;
        let mut node = Self {
            name: format!("{name}@localhost"),
            home: ground.directory().to_owned(),
            group: ground.group(),
            mapper_port: ground.mapper_port(),
            distribution_port: free_port(),
            port: free_port(),
            tls_port: tls.then(free_port),
            management_port: options.management.then(free_port),
            management_tls_port: (options.management && tls).then(free_port),
            certificates: tls.then(|| Certificates::make(&directory.join("tls"), "osel")),
            directory,
            process: None,
        };
        node.configure(options, first);
        node.spawn();
        node
    }

    fn configure(&self, options: &Options, first: Option<&str>) {
        let mut lines = vec![
            format!("listeners.tcp.1 = 127.0.0.1:{}", self.port),
            format!("default_user = {}", Self::USER),
            format!("default_pass = {}", Self::PASSWORD),
            // The disk of whoever runs the tests may be fuller than RabbitMQ likes.
            "disk_free_limit.absolute = 1MB".to_owned(),
        ];
        let mut plugins = Vec::new();
        if let (Some(port), Some(files)) = (self.tls_port, &self.certificates) {
            plugins.push("rabbitmq_auth_mechanism_ssl");
            let must = options.tls == Tls::ClientMustShow;
            lines.extend([
                format!("listeners.ssl.1 = 127.0.0.1:{port}"),
                format!("ssl_options.cacertfile = {}", files.authority.display()),
                format!("ssl_options.certfile = {}", files.server.display()),
                format!("ssl_options.keyfile = {}", files.server_key.display()),
                "ssl_options.verify = verify_peer".to_owned(),
                format!("ssl_options.fail_if_no_peer_cert = {must}"),
                "ssl_cert_login_from = common_name".to_owned(),
            ]);
            let mechanisms = ["PLAIN", "AMQPLAIN", "EXTERNAL"];
            lines.extend((1..).zip(mechanisms).map(|(at, name)| format!("auth_mechanisms.{at} = {name}")));
        }
        if let Some(port) = self.management_port {
            plugins.push("rabbitmq_management");
            lines.extend([
                "management.tcp.ip = 127.0.0.1".to_owned(),
                format!("management.tcp.port = {port}"),
            ]);
        }
        if let (Some(port), Some(files)) = (self.management_tls_port, &self.certificates) {
            lines.extend([
                "management.ssl.ip = 127.0.0.1".to_owned(),
                format!("management.ssl.port = {port}"),
                format!("management.ssl.cacertfile = {}", files.authority.display()),
                format!("management.ssl.certfile = {}", files.server.display()),
                format!("management.ssl.keyfile = {}", files.server_key.display()),
            ]);
        }
        if let Some(first) = first {
            lines.extend([
                "cluster_formation.peer_discovery_backend = classic_config".to_owned(),
                format!("cluster_formation.classic_config.nodes.1 = {first}@localhost"),
                // A node cut off with the minority stops serving, as installers of OpenStack set it.
                "cluster_partition_handling = pause_minority".to_owned(),
            ]);
        }
        lines.push(options.configuration.clone());
        self.write("rabbitmq.conf", &format!("{}\n", lines.join("\n")));
        self.write("enabled_plugins", &format!("[{}].\n", plugins.join(",")));
        // So that those of the machine are not read.
        self.write("advanced.config", "[].\n");
        self.write("environment.conf", "");
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.directory.join(name), content).unwrap();
    }

    /// One of RabbitMQ's programs, for this node.
    pub(super) fn program(&self, name: &str) -> Command {
        // Debian's own wrappers on the path are for its service: they want to be root and become another user.
        let inner = Path::new("/usr/lib/rabbitmq/bin").join(name);
        let mut command = Command::new(if inner.is_file() { inner } else { name.into() });
        let file = |name: &str| self.directory.join(name);
        command
            .env("HOME", &self.home)
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_MNESIA_BASE", file("data"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config"))
            .env("RABBITMQ_CONF_ENV_FILE", file("environment.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", file("generated"))
            .env("RABBITMQ_PID_FILE", file("pid"))
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            // No waiting in circles: others need the cores.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            )
            // With this the script becomes the Erlang machine instead of a shell around it.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .process_group(self.group);
        command
    }

    fn spawn(&mut self) {
        let log = || {
            let path = self.directory.join("log.txt");
            Stdio::from(fs::File::options().create(true).append(true).open(path).unwrap())
        };
        let mut server = self.program("rabbitmq-server");
        server.stdout(log()).stderr(log());
        self.process = Some(server.spawn().expect("RabbitMQ is there: `cargo xtask test` installs it"));
    }

    /// Waits until it answers a client's greeting, which it does when everything else has started.
    pub(super) fn await_start(&mut self) {
        until("the node starts", START_LIMIT, || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert!(ended.is_none(), "{} ended while it started: {ended:?}", self.name);
            self.greets()
        });
    }

    fn greets(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut first = [0];
        stream.write_all(GREETING).is_ok()
            && stream.read_exact(&mut first).is_ok()
            && first[0] == METHOD_FRAME
    }

    /// Kills the Erlang machine at once, as a loss of power would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it as its service manager would.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
            until("the node stops", STOP_LIMIT, || process.try_wait().unwrap().is_some());
        }
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`], with the same data on the same ports, and waits until it serves.
    pub fn restart(&mut self) {
        self.begin_restart();
        self.await_start();
    }

    /// As [`Self::restart`], without waiting: for nodes of a cluster, which may wait for each other.
    pub(super) fn begin_restart(&mut self) {
        assert!(self.process.is_none(), "it runs");
        self.spawn();
    }

    /// The port for AMQP, on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port for AMQP over TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("it was started with TLS")
    }

    /// The port of the management interface.
    pub fn management_port(&self) -> u16 {
        self.management_port.expect("it was started with the management plugin")
    }

    /// The port of the management interface over TLS.
    pub fn management_tls_port(&self) -> u16 {
        self.management_tls_port.expect("it was started with TLS and the management plugin")
    }

    /// The files of its TLS listener; those of the client have the common name `osel`.
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("it was started with TLS")
    }

    /// For lapin: an `amqp` URL of the user that may do everything.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same by another port: a proxy's.
    pub fn url_by(&self, port: u16) -> String {
        format!("amqp://{}:{}@127.0.0.1:{port}/%2f", Self::USER, Self::PASSWORD)
    }

    /// For oslo.messaging and osel: a `rabbit` URL of the user that may do everything.
    pub fn transport_url(&self) -> String {
        self.transport_url_by(self.port)
    }

    /// The same by another port: a proxy's.
    pub fn transport_url_by(&self, port: u16) -> String {
        format!("rabbit://{}:{}@127.0.0.1:{port}/", Self::USER, Self::PASSWORD)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.directory.join("log.txt")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The process group of what must not outlive the test.
    pub(super) fn group(&self) -> i32 {
        self.group
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            eprintln!("the log of {} ends with:\n{}", self.name, tail.join("\n"));
        }
    }
}
