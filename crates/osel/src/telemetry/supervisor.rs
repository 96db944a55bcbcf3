//! The service manager's side channel, as `sd_notify(3)` describes it: that we are ready, what we do, that we are alive.
//!
//! A few lines of our own, since the loop speaks here, which waits for nobody: its words have a socket that never blocks, all others one
//! that waits for [`SEND_TIME`] at most. Where no manager listens nothing is sent, and nothing ever fails.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How long a word that is not the loop's may wait for the manager to take it: at the boot of a machine it has much to read.
const SEND_TIME: Duration = Duration::from_secs(1);
/// The longest word: a line of status among others.
const WORD_BYTES_MAX: usize = 1024;
/// How often a beat that was not taken is tried again in the time of one: half of the manager's time is left by then, and it may be busy.
const ATTEMPTS_PER_INTERVAL: u32 = 8;
/// Where no beat is wanted: one look in so long.
const NO_BEAT: Duration = Duration::from_secs(3600);

/// Speaks to the service manager; cheap to clone.
#[derive(Clone, Debug)]
pub struct Supervisor {
    sockets: Option<Arc<Sockets>>,
    /// How often a beat is wanted, and when the next one is due.
    watchdog: Option<(Duration, Arc<Mutex<Instant>>)>,
}

#[derive(Debug)]
struct Sockets {
    patient: UnixDatagram,
    /// The loop's.
    hasty: UnixDatagram,
}

impl Supervisor {
    /// The one that the environment names. One that cannot be reached is none, with the reason.
    ///
    /// # Errors
    /// When it is named and cannot be reached.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> (Self, Option<io::Error>) {
        let (sockets, error) = match variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) {
            None => (None, None),
            Some(name) => match connect(&name) {
                Ok(sockets) => (Some(Arc::new(sockets)), None),
                Err(error) => (None, Some(error)),
            },
        };
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        // Twice as often as it has to be, as the manual wants it.
        let interval = number("WATCHDOG_USEC").filter(|_| is_ours && sockets.is_some());
        let watchdog =
            interval.map(|micros| (Duration::from_micros(micros / 2), Arc::new(Mutex::new(Instant::now()))));
        (Self { sockets, watchdog }, error)
    }

    /// All is in place: the manager may start what waits for us.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is being read again; [`Self::ready`] ends that.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// We are about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Starting takes longer: not to be given up before so long from now.
    pub fn extend_start(&self, time: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()));
    }

    /// What we do, in one line; said by the loop. Whether the manager took it.
    pub fn status(&self, line: &str) -> bool {
        let end = line.floor_char_boundary(WORD_BYTES_MAX);
        self.send_now(&format!("STATUS={}", line.get(..end).unwrap_or_default()))
    }

    /// The loop is alive; sent when it is due. One that is not taken is followed by another before the time is over.
    pub fn beat(&self) {
        let Some((interval, due)) = &self.watchdog else { return };
        let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now >= *due {
            let wait =
                if self.send_now("WATCHDOG=1") { *interval } else { *interval / ATTEMPTS_PER_INTERVAL };
            *due = now + wait;
        }
    }

    /// How long it is until a beat is due.
    pub fn beat_wait(&self) -> Duration {
        let Some((_, due)) = &self.watchdog else { return NO_BEAT };
        let due = *due.lock().unwrap_or_else(PoisonError::into_inner);
        due.saturating_duration_since(Instant::now())
    }

    fn send(&self, word: &str) {
        if let Some(sockets) = &self.sockets {
            // A manager that does not listen any more cannot be told.
            let _ = sockets.patient.send(word.as_bytes());
        }
    }

    /// Whether it was taken, or nobody wants it.
    fn send_now(&self, word: &str) -> bool {
        let sent = self.sockets.as_ref().map(|sockets| sockets.hasty.send(word.as_bytes()));
        !matches!(sent, Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A socket by its path, or by its name where that begins with `@`.
fn connect(name: &OsStr) -> io::Result<Sockets> {
    let address = match name.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let open = || {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address).map(|()| socket)
    };
    let (patient, hasty) = (open()?, open()?);
    patient.set_write_timeout(Some(SEND_TIME))?;
    hasty.set_nonblocking(true)?;
    Ok(Sockets { patient, hasty })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a socket with an abstract name hears of what is said.
    fn heard(name: &str, variables: &[(&str, &str)], say: impl FnOnce(&Supervisor)) -> Vec<String> {
        let name = format!("osel-supervisor-{name}-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let own = format!("@{name}");
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(known, _)| *known == wanted).map(|(_, value)| *value);
            found.or((wanted == "NOTIFY_SOCKET").then_some(&*own)).map(OsString::from)
        };
        let (supervisor, error) = Supervisor::from_environment(&variable);
        assert!(error.is_none(), "{error:?}");
        say(&supervisor);
        socket.set_nonblocking(true).unwrap();
        let mut words = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(length) = socket.recv(&mut bytes) {
            words.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        }
        words
    }

    #[test]
    fn words_are_those_of_the_manual() {
        let words = heard("words", &[], |supervisor| {
            supervisor.extend_start(Duration::from_secs(2));
            supervisor.ready();
            supervisor.status(&"é".repeat(WORD_BYTES_MAX));
            supervisor.stopping();
            // No beat was asked for.
            supervisor.beat();
        });
        let status = format!("STATUS={}", "é".repeat(WORD_BYTES_MAX / 2));
        assert_eq!(words, ["EXTEND_TIMEOUT_USEC=2000000", "READY=1", &status, "STOPPING=1"]);
    }

    #[test]
    fn beats_are_as_many_as_wanted_and_only_for_the_process_that_is_meant() {
        let beat = |supervisor: &Supervisor| {
            supervisor.beat();
            supervisor.beat();
            assert!(supervisor.beat_wait() > Duration::from_secs(60));
        };
        let usec = ("WATCHDOG_USEC", "600000000");
        assert_eq!(heard("beat", &[usec], beat), ["WATCHDOG=1"]);
        assert_eq!(heard("other", &[usec, ("WATCHDOG_PID", "1")], beat), [""; 0]);
    }

    #[test]
    fn a_beat_that_is_not_taken_is_tried_again_soon() {
        heard("busy", &[("WATCHDOG_USEC", "600000000")], |supervisor| {
            // Until the manager has no room, which is after a few.
            while supervisor.status("busy") {}
            supervisor.beat();
            assert!(supervisor.beat_wait() < Duration::from_secs(300 / 4));
        });
    }

    #[test]
    fn a_reload_says_when_it_began() {
        let words = heard("reload", &[], Supervisor::reloading);
        let micros = words[0].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn one_that_is_not_there_is_told_and_harms_nobody() {
        let nowhere = |name: &str| (name == "NOTIFY_SOCKET").then(|| OsString::from("/nowhere/notify"));
        let (supervisor, error) = Supervisor::from_environment(&nowhere);
        assert_eq!(error.map(|error| error.kind()), Some(io::ErrorKind::NotFound));
        supervisor.ready();
    }
}
