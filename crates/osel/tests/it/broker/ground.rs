//! What brokers stand on: a directory, free ports, Erlang's port mapper, and the certainty that all of it goes again.
//!
//! All processes of a broker are in one process group, whose leader is the port mapper. A watchdog outside of it reads from a pipe
//! that only the test holds: when the test ends, however it does, the pipe closes, and the watchdog kills the group and removes the
//! directory.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);
/// For what takes a moment; a machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);
/// Ports below those that the kernel gives to outgoing connections, so that nobody takes one while its broker is down; and so low
/// that Erlang's tools, which listen 10,000 higher, stay below them too.
const PORTS: std::ops::Range<u32> = 10_240..22_000;

/// Waits until a condition holds, and fails the test when it does not within the limit.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "{what}: not within {} s", limit.as_secs());
        thread::park_timeout(POLL);
    }
}

/// A loopback port that is free now, and that this process does not get again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(31);
    loop {
        let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (PORTS.start + number % (PORTS.end - PORTS.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Directory, port mapper and watchdog of one broker or cluster.
pub struct Ground {
    directory: PathBuf,
    mapper: Child,
    mapper_port: u16,
    watchdog: Child,
}

impl Ground {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("broker-{}-{number}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        // Others on this machine must not command the node.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        let mut random = [0; 16];
        getrandom::fill(&mut random).unwrap();
        let cookie = fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(directory.join(".erlang.cookie"));
        write!(cookie.unwrap(), "{:032x}", u128::from_ne_bytes(random)).unwrap();

        let mapper_port = free_port();
        let mapper = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("Erlang is there: `cargo xtask test` installs it");
        let watchdog = Command::new("sh")
            .args(["-c", r#"read -r end && exit; kill -s KILL -- "-$0"; rm -rf "$1""#])
            .arg(mapper.id().to_string())
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let ground = Self { directory, mapper, mapper_port, watchdog };
        // Before any node asks for it, or the node would start one that nobody stops.
        until("Erlang's port mapper", LIMIT, || TcpStream::connect(("127.0.0.1", mapper_port)).is_ok());
        ground
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn mapper_port(&self) -> u16 {
        self.mapper_port
    }

    /// The process group of everything that must not outlive the test.
    pub fn group(&self) -> i32 {
        self.mapper.id() as i32
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The group stays this one's until its leader is waited for, so that nobody else is hit.
        let group = rustix::process::Pid::from_child(&self.mapper);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.mapper.wait();
        if let Some(mut pipe) = self.watchdog.stdin.take() {
            let _ = writeln!(pipe);
        }
        let _ = self.watchdog.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
