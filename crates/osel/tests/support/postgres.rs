//! A PostgreSQL of a test's own: Debian's programs, a directory in `/tmp`, a socket there and a port on loopback.
//!
//! It runs as a user without rights, since it refuses root. A watchdog reads from a pipe that only the test holds: when the test ends,
//! however it does, the watchdog ends the server and removes the directory.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where Debian has the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who runs the server when root runs the test; the package brings it.
const USER: &str = "postgres";
/// A start takes a second or two, several times that on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A server that may run or not.
pub struct Postgres {
    directory: PathBuf,
    port: u16,
    settings: String,
    watchdog: Child,
}

impl Postgres {
    /// Makes a cluster and starts it; `settings` are further lines of `postgresql.conf`.
    pub fn start(port: u16, settings: &str) -> Self {
        Self::start_in(directory(), port, settings)
    }

    /// The same in a directory that may be there, such as a small disk.
    pub fn start_in(directory: PathBuf, port: u16, settings: &str) -> Self {
        let this = Self::place(directory, port, settings);
        let mut initdb = this.program("initdb");
        initdb.arg("-D").arg(this.data()).args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]);
        check(initdb.arg("--no-sync").output().unwrap(), "initdb");
        this.run();
        this
    }

    /// A directory with its watchdog, and no server yet.
    fn place(directory: PathBuf, port: u16, settings: &str) -> Self {
        fs::create_dir_all(&directory).unwrap();
        give(&directory);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        let script = r#"read -r end
            if test -f "$0/data/postmaster.pid"; then
                pid=$(head -n 1 "$0/data/postmaster.pid"); kill -CONT "$pid"; kill -QUIT "$pid"
                while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
            fi
            rm -rf "$0""#;
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", script]).arg(&directory).stdin(Stdio::piped()).process_group(0);
        watchdog.stdout(Stdio::null()).stderr(Stdio::null());
        let watchdog = watchdog.spawn().unwrap();
        Self { directory, port, settings: settings.to_owned(), watchdog }
    }

    /// A program of PostgreSQL, as the user that it needs.
    fn program(&self, name: &str) -> Command {
        let mut versions: Vec<PathBuf> =
            fs::read_dir(VERSIONS).unwrap().map(|version| version.unwrap().path()).collect();
        versions.sort();
        let program = versions.pop().expect("the package `postgresql`").join("bin").join(name);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts the server that was stopped, and waits until it answers.
    pub fn run(&self) {
        let log = fs::File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data());
        for setting in [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.directory.display()),
            // The machine goes on when a server is killed: what it wrote is there.
            "fsync=off".to_owned(),
            "max_connections=40".to_owned(),
            "shared_buffers=16MB".to_owned(),
        ] {
            server.args(["-c", &setting]);
        }
        for line in self.settings.lines().filter(|line| !line.is_empty()) {
            server.args(["-c", line]);
        }
        server.process_group(0).stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = server.spawn().unwrap();
        // Whoever started it collects it; its end is told by the file of its number.
        thread::spawn(move || process.wait());
        self.until("it answers", || {
            let mut ready = self.program("pg_isready");
            ready.arg("-h").arg(&self.directory).args(["-p", &self.port.to_string()]);
            ready.output().unwrap().status.success()
        });
    }

    /// Has it go by these lines of `pg_hba.conf` instead of trusting everybody; the superuser of the tests comes in by the socket.
    pub fn authenticate(&self, lines: &str) {
        let file = self.data().join("pg_hba.conf");
        fs::write(file, format!("local all postgres trust\n{lines}\n")).unwrap();
        self.stop("fast");
        self.run();
    }

    /// Starts a standby of it, which replicates asynchronously.
    pub fn standby(&self, port: u16) -> Self {
        let standby = Self::place(directory(), port, "");
        let mut copy = self.program("pg_basebackup");
        copy.arg("-D").arg(standby.data()).arg("-R").arg("-h").arg(&self.directory);
        check(
            copy.args(["-c", "fast", "-U", "postgres", "-p", &self.port.to_string()]).output().unwrap(),
            "copy",
        );
        standby.run();
        standby
    }

    /// Begins to receive its log, as an asynchronous standby does; whoever holds the process ends it.
    pub fn follow(&self) -> Child {
        let kept = self.directory.join("received");
        fs::create_dir_all(&kept).unwrap();
        give(&kept);
        let mut receive = self.program("pg_receivewal");
        // It ends with the server.
        receive
            .arg("--no-loop")
            .arg("-D")
            .arg(kept)
            .arg("-h")
            .arg(&self.directory)
            .args(["-U", "postgres", "-p"]);
        receive.arg(self.port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = receive.spawn().unwrap();
        let connected = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        self.until("it is followed", || self.sql("postgres", connected) != "0");
        process
    }

    /// Whether it runs, answering or not.
    pub fn is_running(&self) -> bool {
        let mut control = self.program("pg_ctl");
        control.arg("-D").arg(self.data()).arg("status");
        control.output().unwrap().status.success()
    }

    /// Stops it as an operator does (`fast`), or as a crash (`immediate`).
    pub fn stop(&self, mode: &str) {
        let mut control = self.program("pg_ctl");
        control.arg("-D").arg(self.data()).args(["stop", "-w", "-t", "60", "-m", mode]);
        check(control.output().unwrap(), "pg_ctl stop");
    }

    /// Runs statements as the superuser, and gives what they print.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.arg("-h").arg(&self.directory).args(["-p", &self.port.to_string(), "-U", "postgres"]);
        psql.args(["-v", "ON_ERROR_STOP=1", "-qAtX", "-d", database, "-c", sql]);
        check(psql.output().unwrap(), sql).trim_end().to_owned()
    }

    /// Leaves a transaction open that has done something, until the process is killed.
    pub fn hold(&self, database: &str, sql: &str) -> Child {
        use std::io::{BufRead, Write};
        let mut psql = self.program("psql");
        psql.arg("-h").arg(&self.directory).args(["-p", &self.port.to_string(), "-U", "postgres"]);
        psql.args(["-v", "ON_ERROR_STOP=1", "-qAtX", "-d", database]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = psql.spawn().unwrap();
        writeln!(process.stdin.as_mut().unwrap(), "BEGIN; {sql}; SELECT 'held';").unwrap();
        let mut said = String::new();
        std::io::BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n", "{sql}");
        process
    }

    /// Makes a database that belongs to the role `osel`, which has no other rights, and gives the URL of its socket.
    pub fn database(&self, name: &str) -> String {
        let has_role = self.sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'osel'") == "1";
        if !has_role {
            self.sql("postgres", "CREATE ROLE osel LOGIN PASSWORD 'a-secret-of-osel'");
        }
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER osel"));
        self.url(name)
    }

    /// The URL of a database by the socket.
    pub fn url(&self, name: &str) -> String {
        format!("postgresql://osel@/{name}?host={}&port={}", self.directory.display(), self.port)
    }

    /// Waits until a condition holds.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < LIMIT, "{what}: not within {} s:\n{}", LIMIT.as_secs(), self.log());
            thread::park_timeout(POLL);
        }
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = fs::File::open(self.directory.join("log")) {
            let _ = file.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// A directory that nobody else has. Short: a socket's path has 107 bytes.
fn directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/tmp/osel-postgres-{}-{number}", std::process::id()))
}

/// Makes the server's user the owner of a file.
pub fn give(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let chown = Command::new("chown").arg(USER).arg(path).status().unwrap();
        assert!(chown.success(), "the package `postgresql` brings the user {USER}");
    }
}

fn check(output: Output, what: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
