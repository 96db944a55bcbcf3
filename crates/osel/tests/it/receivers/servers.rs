//! rsyslog and syslog-ng, each a process of its test: from the packages that `cargo xtask test` unpacks, since Debian installs one of them
//! at a time only, with the configuration that our page shows.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use osel::config::{SyslogConfig, SyslogFraming, SyslogMessage, SyslogTransport, TlsConfig};
use serde_json::Value;

use crate::broker::{Certificates, free_port, until};
use crate::command::Place;

/// A server starts in a moment; a machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Rsyslog,
    SyslogNg,
}

impl Product {
    pub(super) const ALL: [Self; 2] = [Self::Rsyslog, Self::SyslogNg];
}

/// A server.
pub(super) struct Server {
    product: Product,
    place: Place,
    pub(super) certificates: Certificates,
    tls_port: u16,
    tcp_port: u16,
    udp_port: u16,
    process: Option<Child>,
}

impl Server {
    pub(super) fn start(product: Product) -> Self {
        let place = Place::new("syslog");
        let certificates = Certificates::make(Path::new(&place.path("tls")), "osel");
        let mut server = Self {
            product,
            certificates,
            tls_port: free_port(),
            tcp_port: free_port(),
            udp_port: free_port(),
            process: None,
            place,
        };
        server.configure();
        server.run();
        server
    }

    /// Writes the page's configuration with paths and ports of this test.
    fn configure(&self) {
        let (name, folder) = match self.product {
            Product::Rsyslog => ("rsyslog.conf", "/etc/rsyslog-osel"),
            Product::SyslogNg => ("syslog-ng.conf", "/etc/syslog-ng-osel"),
        };
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/forwarders");
        let mut text = fs::read_to_string(pages.join(name)).unwrap();
        let (tls, tcp, udp) = (self.tls_port, self.tcp_port, self.udp_port);
        let files = &self.certificates;
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        for (own, ours) in [
            (format!("{folder}/ca.pem"), path(&files.authority)),
            (format!("{folder}/server.pem"), path(&files.server)),
            (format!("{folder}/server.key"), path(&files.server_key)),
            ("\"6514\"".to_owned(), format!("\"{tls}\"")),
            ("port(6514)".to_owned(), format!("port({tls})")),
            ("\"imptcp\" port=\"514\"".to_owned(), format!("\"imptcp\" port=\"{tcp}\"")),
            ("port(601)".to_owned(), format!("port({tcp})")),
            ("\"imudp\" port=\"514\"".to_owned(), format!("\"imudp\" port=\"{udp}\"")),
            ("port(514)".to_owned(), format!("port({udp})")),
            ("/run/osel-log".to_owned(), self.place.path("log")),
            ("/var/log/osel-received.jsonl".to_owned(), self.place.path("received")),
        ] {
            text = text.replace(&own, &ours);
        }
        self.place.write("conf", text);
    }

    fn run(&mut self) {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("unpacked");
        let path = |name: &str| self.place.path(name);
        let (program, libraries, arguments) = match self.product {
            Product::Rsyslog => {
                let root = root.join("rsyslog");
                let libraries = library(&root);
                let modules = libraries.join("rsyslog").to_str().unwrap().to_owned();
                let arguments =
                    ["-n", "-f", &path("conf"), "-i", &path("pid"), "-M", &modules].map(str::to_owned);
                (root.join("usr/sbin/rsyslogd"), vec![libraries], arguments.to_vec())
            }
            Product::SyslogNg => {
                let root = root.join("syslog-ng");
                let own = root.join("usr/lib/syslog-ng");
                let modules = own.join("3.38").to_str().unwrap().to_owned();
                let files =
                    ["-f", &path("conf"), "-p", &path("pid"), "-c", &path("control"), "-R", &path("persist")];
                let others = ["-F", "--no-caps", "--module-path", &modules];
                let arguments = files.iter().chain(&others).map(ToString::to_string).collect();
                (root.join("usr/sbin/syslog-ng"), vec![library(&root), own], arguments)
            }
        };
        assert!(program.is_file(), "{}: `cargo xtask test` unpacks it", program.display());
        let log = fs::File::options().create(true).append(true).open(path("log.txt")).unwrap();
        // It ends with the test, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments);
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        let socket = PathBuf::from(path("log"));
        until("the server listens", LIMIT, || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(path("log.txt")).unwrap());
            let listens = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
            socket.exists() && listens(self.tls_port) && listens(self.tcp_port)
        });
    }

    /// Ends it at once, as a loss of power would.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let _ = fs::remove_file(self.place.path("log"));
    }

    pub(super) fn restart(&mut self) {
        self.kill();
        self.run();
    }

    /// What it has written, a record a line; what it is still writing is not among it.
    pub(super) fn received(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.place.path("received")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        // What a kill cut off stands before the next record, which is sent again. In a record such a beginning is escaped.
        let last = |line: &str| line.rfind("{\"id\":").unwrap_or(0);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(&line[last(line)..]).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    #[track_caller]
    pub(super) fn await_received(&self, count: usize) -> Vec<Value> {
        until("the server has written what it was sent", LIMIT, || self.received().len() >= count);
        self.received()
    }

    /// TLS with the client's certificate that it knows.
    pub(super) fn tls(&self) -> TlsConfig {
        let files = &self.certificates;
        TlsConfig {
            ca_file: Some(files.authority.clone()),
            cert_file: Some(files.client.clone()),
            key_file: Some(files.client_key.clone()),
            ..TlsConfig::default()
        }
    }

    pub(super) fn over_tls(&self, tls: TlsConfig) -> SyslogConfig {
        config(SyslogTransport::Tls { host: "127.0.0.1".to_owned(), port: self.tls_port, tls })
    }

    pub(super) fn over_tcp(&self, framing: SyslogFraming) -> SyslogConfig {
        config(SyslogTransport::Tcp { host: "127.0.0.1".to_owned(), port: self.tcp_port, framing })
    }

    pub(super) fn over_udp(&self) -> SyslogConfig {
        config(SyslogTransport::Udp { host: "127.0.0.1".to_owned(), port: self.udp_port })
    }

    pub(super) fn over_unix(&self) -> SyslogConfig {
        config(SyslogTransport::Unix {
            path: self.place.path("log").into(),
            framing: SyslogFraming::LineFeed,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.place.path("log.txt")).unwrap_or_default();
            eprintln!("{:?} said: {log}", self.product);
        }
    }
}

/// Where a package's libraries are, which depends on the machine.
fn library(root: &Path) -> PathBuf {
    let folders = fs::read_dir(root.join("usr/lib")).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(|folder| folder.to_str().unwrap().ends_with("-linux-gnu")).unwrap()
}

fn config(transport: SyslogTransport) -> SyslogConfig {
    SyslogConfig {
        transport,
        message: SyslogMessage::Rfc5424,
        facility: 16,
        app_name: "osel".to_owned(),
        host_name: Some("ctl1.example".to_owned()),
        enterprise_number: 32_473.try_into().unwrap(),
        bom: false,
        message_bytes_max: None,
        settle: Duration::from_secs(1),
    }
}
