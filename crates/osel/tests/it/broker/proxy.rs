//! A network that breaks when it is told to: stands on a loopback port of its own before another one.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::ground::free_port;

/// How much is passed on at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the network does with what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Each piece arrives so much later.
    Forward(Duration),
    /// Connections are made, and nothing passes: each side believes that the other one is silent.
    Stall,
    /// No connection is made.
    Refuse,
    /// The proxy goes.
    End,
}

struct State {
    mode: Mode,
    target: u16,
    /// Both ends of each connection, to cut it.
    connections: HashMap<u64, [TcpStream; 2]>,
    made: u64,
}

#[derive(Clone)]
struct Shared(Arc<(Mutex<State>, Condvar)>);

/// A proxy before one port of `127.0.0.1`.
pub struct Proxy {
    port: u16,
    shared: Shared,
}

impl Proxy {
    /// Stands before this port and passes everything on.
    pub fn start(target: u16) -> Self {
        let port = free_port();
        let mode = Mode::Forward(Duration::ZERO);
        let state = State { mode, target, connections: HashMap::new(), made: 0 };
        let shared = Shared(Arc::new((Mutex::new(state), Condvar::new())));
        let proxy = Self { port, shared };
        proxy.listen();
        proxy
    }

    /// The port to connect to, on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections stand now.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections.len()
    }

    /// How many connections were made so far.
    pub fn made(&self) -> u64 {
        self.shared.lock().made
    }

    /// Leads new connections to another port: a name that has got another address.
    pub fn set_target(&self, target: u16) {
        self.shared.lock().target = target;
    }

    /// Closes all connections, both ways; new ones are made as before.
    pub fn cut(&self) {
        for ends in self.shared.lock().connections.values() {
            close(ends);
        }
    }

    /// From now on nothing passes, on old connections and on new ones.
    pub fn stall(&self) {
        self.set(Mode::Stall);
    }

    /// From now on everything arrives so much later, piece by piece: this bounds the throughput too.
    pub fn delay(&self, by: Duration) {
        self.set(Mode::Forward(by));
    }

    /// Closes all connections and refuses new ones.
    pub fn refuse(&self) {
        self.set(Mode::Refuse);
        self.cut();
    }

    /// Passes everything on again, also what was held back.
    pub fn resume(&self) {
        self.set(Mode::Forward(Duration::ZERO));
    }

    fn set(&self, mode: Mode) {
        let was = std::mem::replace(&mut self.shared.lock().mode, mode);
        self.shared.0.1.notify_all();
        let refuses = |mode| matches!(mode, Mode::Refuse | Mode::End);
        match (refuses(was), refuses(mode)) {
            // The listener looks at the mode after each connection: this one wakes it, and it closes the port.
            (false, true) => {
                let _ = TcpStream::connect(("127.0.0.1", self.port));
                // It is closed when a connection is refused.
                while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    thread::yield_now();
                }
            }
            (true, false) => self.listen(),
            _ => {}
        }
    }

    fn listen(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let shared = self.shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (mode, target) = {
                    let state = shared.lock();
                    (state.mode, state.target)
                };
                if matches!(mode, Mode::Refuse | Mode::End) {
                    return;
                }
                let Ok(client) = client else { continue };
                // Where nobody listens, the connection closes at once.
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                shared.join(client, server);
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::End);
        self.cut();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    fn join(&self, client: TcpStream, server: TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().unwrap();
        let number = {
            let mut state = self.lock();
            state.made += 1;
            let number = state.made;
            state.connections.insert(number, [copy(&client), copy(&server)]);
            number
        };
        for (from, to) in [(copy(&client), copy(&server)), (server, client)] {
            let shared = self.clone();
            thread::spawn(move || {
                shared.pass(from, to);
                // Whichever way ends first ends both.
                if let Some(ends) = shared.lock().connections.remove(&number) {
                    close(&ends);
                }
            });
        }
    }

    /// Passes on what comes in one direction until either side closes.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            let came = Instant::now();
            let mut state = self.lock();
            loop {
                state = match state.mode {
                    Mode::Forward(by) => match by.checked_sub(came.elapsed()) {
                        None | Some(Duration::ZERO) => break,
                        Some(rest) => self.0.1.wait_timeout(state, rest).unwrap().0,
                    },
                    Mode::Stall => self.0.1.wait(state).unwrap(),
                    Mode::Refuse | Mode::End => return,
                };
            }
            drop(state);
            if to.write_all(&chunk[..length]).is_err() {
                return;
            }
        }
    }
}

fn close(ends: &[TcpStream; 2]) {
    for end in ends {
        // One that the other side has closed is closed enough.
        let _ = end.shutdown(Shutdown::Both);
    }
}
