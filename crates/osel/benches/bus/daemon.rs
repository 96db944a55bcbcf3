//! `osel run` as a child process, and what the system says of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use osel::store::{Reader, Store};
use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{Broker, until};
use crate::{EXCHANGE, LIMIT};

/// How often the store is asked how far it is.
const POLL: Duration = Duration::from_micros(500);
/// The same while only the end counts: asking takes time of the cores that are measured.
const SLOW_POLL: Duration = Duration::from_millis(10);
/// What the system counts processor time in: on Linux a hundredth of a second.
const TICK: Duration = Duration::from_millis(10);

/// A daemon with a store of its own.
pub struct Daemon {
    directory: PathBuf,
    process: Option<Child>,
    starts: usize,
}

impl Daemon {
    /// One that is to listen to a broker by a queue of this kind, with an inventory in its store.
    pub fn new(broker: &Broker, kind: &str, inventory: &[u8]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bus-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let daemon = Self { directory, process: None, starts: 0 };
        let file = |name: &str| daemon.directory.join(name);
        fs::write(file("url"), broker.transport_url()).unwrap();
        fs::write(file("inventory.json"), inventory).unwrap();
        let configuration = format!(
            "[store]\npath = 'store'\n[scan]\nenabled = false\n[http]\nlisten = '127.0.0.1:0'\n[[source]]\nname = 'bus'\n\
             type = 'rabbitmq'\ntransport_url = {{ file = 'url' }}\nexchanges = ['{EXCHANGE}']\nqueue = {{ kind = '{kind}' }}\n"
        );
        fs::write(file("osel.toml"), configuration).unwrap();
        let mut import = daemon.command(&["inventory", "import", "--store"]);
        import.arg(file("store")).arg(file("inventory.json"));
        let imported = import.output().unwrap();
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        daemon
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_osel"));
        command.args(arguments).env_remove("OSEL_STORE__PATH").env_remove("OSEL_CONFIG").stdin(Stdio::null());
        command
    }

    /// Starts it.
    pub fn start(&mut self) {
        let log = || fs::File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        let mut run = self.command(&["run", "-c"]);
        run.arg(self.directory.join("osel.toml")).stdout(log()).stderr(log());
        self.process = Some(run.spawn().unwrap());
        self.starts += 1;
    }

    /// Waits until its queue gets what is published.
    pub fn await_bound(&mut self) {
        until("osel listens", LIMIT, || {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            log.contains("exchange bound")
        });
    }

    /// Asks it to stop, and waits.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
            assert!(process.wait().unwrap().success(), "osel failed");
        }
    }

    fn reader(&self) -> impl Reader + use<> {
        Store::open_reader(&self.directory.join("store")).unwrap()
    }

    /// The name of its queue.
    pub fn queue(&self) -> String {
        format!("osel.{}", self.reader().info().unwrap().id)
    }

    /// How many messages have durable records.
    pub fn recorded(&self) -> u64 {
        recorded(&mut self.reader())
    }

    /// Waits until so many messages have durable records: when, after how much processor time, and how many there were.
    pub fn await_recorded(&self, count: u64) -> (Instant, Duration, u64) {
        let (mut reader, start) = (self.reader(), Instant::now());
        loop {
            let recorded = recorded(&mut reader);
            if recorded >= count {
                return (Instant::now(), self.processor_time(), recorded);
            }
            assert!(start.elapsed() < LIMIT, "{recorded} of {count} records");
            thread::sleep(SLOW_POLL);
        }
    }

    /// Notes when how many records were there, until there are so many.
    pub fn watch(&self, count: u64) -> JoinHandle<Vec<(u64, Instant)>> {
        let mut reader = self.reader();
        thread::spawn(move || {
            let (mut seen, mut last, start) = (Vec::new(), 0, Instant::now());
            while last < count {
                assert!(start.elapsed() < LIMIT, "{last} of {count} records");
                let recorded = recorded(&mut reader);
                if recorded > last {
                    seen.push((recorded, Instant::now()));
                    last = recorded;
                }
                thread::sleep(POLL);
            }
            seen
        })
    }

    fn system(&self, file: &str) -> String {
        let process = self.process.as_ref().expect("it runs");
        fs::read_to_string(format!("/proc/{}/{file}", process.id())).unwrap()
    }

    /// User and system time of all its threads.
    fn processor_time(&self) -> Duration {
        let stat = self.system("stat");
        // Behind the name, which stands in brackets, from the third field: the 14th and 15th are these times.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: Vec<u32> =
            fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap()).collect();
        TICK * ticks.iter().sum::<u32>()
    }

    /// Its resident memory now.
    pub fn resident_mib(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory that it had.
    pub fn resident_most_mib(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> f64 {
        let status = self.system("status");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

fn recorded(reader: &mut impl Reader) -> u64 {
    reader.ledger().unwrap().iter().map(|counters| counters.recorded).sum()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}
