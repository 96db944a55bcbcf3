//! The socket as friends, strangers and successors find it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::Conversation;
use super::client::{self, ClientError};
use super::import::{Begin, ImportStep, Part};
use super::server::{CONNECTIONS_MAX, ControlError, Handler, hold, serve};
use super::{Answer, Ask, Request, accounts};

/// For what takes a moment; a machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until something holds, and fails the test when it does not within the limit.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        std::thread::yield_now();
    }
}

/// A directory that is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("osel-control-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Answers every order with record 7 and takes every part of an inventory; keeps what it was told.
#[derive(Default)]
struct Told {
    asked: Mutex<Vec<(String, Ask)>>,
    steps: Mutex<Vec<String>>,
}

fn at_once(answer: Answer) -> oneshot::Receiver<Answer> {
    let (sender, receiver) = oneshot::channel();
    sender.send(answer).unwrap();
    receiver
}

impl Handler for Told {
    fn order(&self, actor: String, order: Ask) -> oneshot::Receiver<Answer> {
        self.asked.lock().unwrap().push((actor, order));
        at_once(Answer::Done(Some(7)))
    }

    fn import(&self, step: ImportStep) -> oneshot::Receiver<Answer> {
        let is_end = matches!(step, ImportStep::End { .. });
        let told = match step {
            ImportStep::Begin { actor, begin } => format!("{actor} begins {}", begin.name),
            ImportStep::Page(page) => format!("{} objects", page.items.len()),
            ImportStep::End { complete, has_all_assignments } => {
                format!("the end of {} kinds", complete.len() + usize::from(has_all_assignments))
            }
            ImportStep::BrokenOff => "broken off".to_owned(),
        };
        self.steps.lock().unwrap().push(told);
        at_once(if is_end { Answer::Done(Some(8)) } else { Answer::GoOn })
    }
}

/// A server that answers everything, and what it was asked by whom.
struct Server {
    directory: Directory,
    told: Arc<Told>,
    task: JoinHandle<()>,
    tokio: Runtime,
}

impl Server {
    fn start() -> Self {
        let directory = Directory::new();
        let tokio = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let told: Arc<Told> = Arc::default();
        let handler: Arc<dyn Handler> = Arc::<Told>::clone(&told);
        let task = tokio.spawn(serve(directory.socket(), "here".to_owned(), handler));
        let this = Self { directory, told, task, tokio };
        // It takes its place on a thread of its own.
        this.await_socket();
        this.told.asked.lock().unwrap().clear();
        this
    }

    /// Begins to hand in an inventory.
    fn begin(&self, name: &str) -> (Conversation, Answer) {
        let begin = Begin { name: name.to_owned(), region: None, taken_at: None };
        let request = Request { store: "here".to_owned(), order: Ask::ImportInventory(begin) };
        Conversation::begin(&self.directory.socket(), &request).unwrap()
    }

    #[track_caller]
    fn await_step(&self, step: &str) {
        until(step, || self.told.steps.lock().unwrap().last().is_some_and(|last| last == step));
    }

    /// Waits until somebody answers at the socket.
    #[track_caller]
    fn await_socket(&self) {
        let is_absent = || {
            let answer = self.ask(&request("here"));
            matches!(answer, Err(ClientError::Absent(_) | ClientError::Denied(_)))
        };
        until("an answer at the socket", || !is_absent());
    }

    fn ask(&self, request: &Request) -> Result<Answer, ClientError> {
        client::ask(&self.directory.socket(), request)
    }

    /// What is answered to these bytes, after which nothing more comes.
    fn answer_to(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.directory.socket()).unwrap();
        // A server that refuses need not read it all.
        let _ = stream.write_all(bytes);
        answer(&mut stream)
    }
}

fn answer(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    // One that closed with something unread resets the connection, after its answer.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

fn request(store: &str) -> Request {
    Request { store: store.to_owned(), order: Ask::CancelScan { id: "scan-1".to_owned() } }
}

#[test]
fn an_order_is_handed_over_with_the_name_that_the_kernel_gives() {
    let server = Server::start();
    assert_eq!(server.ask(&request("here")).unwrap(), Answer::Done(Some(7)));
    let actor = accounts::name_of(rustix::process::getuid().as_raw());
    assert_eq!(*server.told.asked.lock().unwrap(), [(actor, request("here").order)]);
    let mode = fs::metadata(server.directory.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // The place is free once it ends.
    server.task.abort();
    let _ = server.tokio.block_on(server.task);
    assert!(!server.directory.socket().exists());
}

#[test]
fn a_socket_that_was_removed_is_made_again() {
    let server = Server::start();
    let path = server.directory.socket();
    // As by what clears folders of old files.
    fs::remove_file(&path).unwrap();
    server.await_socket();
    assert_eq!(server.ask(&request("here")).unwrap(), Answer::Done(Some(7)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[test]
fn what_is_no_order_is_refused_with_the_reason_and_handled_by_nobody() {
    let server = Server::start();
    let refused = |bytes: &[u8], says: &str| {
        let answer = server.answer_to(bytes);
        assert!(
            answer.starts_with("{\"refused\":") && answer.ends_with("}\n") && answer.contains(says),
            "{answer}"
        );
    };
    refused(b"\n", "not understood");
    refused(b"ack it\n", "not understood");
    refused(b"\xff\xfe\n", "not understood");
    refused(b"{\"store\":\"here\",\"order\":{\"shut_down\":{}}}\n", "unknown variant `shut_down`");
    refused(b"{\"store\":\"here\",\"order\":{\"cancel_scan\":{\"id\":7}}}\n", "not understood");
    refused(
        b"{\"store\":\"here\",\"order\":{\"cancel_scan\":{\"id\":\"a\"}},\"actor\":\"root\"}\n",
        "unknown field `actor`",
    );
    assert!(server.told.asked.lock().unwrap().is_empty());
}

#[test]
fn a_line_has_bounds_of_length_and_time_and_so_has_the_number_of_them() {
    let server = Server::start();
    assert!(server.answer_to(&vec![b'x'; 64 << 10]).contains("16 KiB"));
    assert!(server.answer_to(&[b"[".repeat(9000), b"\n".to_vec()].concat()).contains("not understood"));
    assert!(server.answer_to(b"{}\n{}\n").contains("one line"));
    // As many as there may be, each with a byte now and no more.
    let connect = || UnixStream::connect(server.directory.socket()).unwrap();
    let mut slow: Vec<UnixStream> = (0..CONNECTIONS_MAX).map(|_| connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"{").unwrap();
    }
    let refused = server.ask(&request("here")).unwrap();
    assert!(matches!(&refused, Answer::Refused(why) if why.contains("too many")), "{refused:?}");
    for stream in &mut slow {
        assert!(answer(stream).contains("took too long"));
    }
    assert_eq!(server.ask(&request("here")).unwrap(), Answer::Done(Some(7)));
    assert_eq!(server.told.asked.lock().unwrap().len(), 1);
}

#[test]
fn one_who_goes_away_in_the_middle_leaves_nothing_behind() {
    let server = Server::start();
    for bytes in [&b""[..], b"{\"store\":"] {
        UnixStream::connect(server.directory.socket()).unwrap().write_all(bytes).unwrap();
    }
    // It is heard, though nobody waits for the answer.
    client::tell(&server.directory.socket(), &request("here"));
    until("the order is heard", || !server.told.asked.lock().unwrap().is_empty());
    assert_eq!(server.ask(&request("here")).unwrap(), Answer::Done(Some(7)));
    assert_eq!(server.told.asked.lock().unwrap().len(), 2);
}

const TIME: Duration = Duration::from_secs(60);

fn page(collection: &str, json: &'static str, count: usize) -> Part<&'static RawValue> {
    let json: &RawValue = serde_json::from_str(json).unwrap();
    Part::Page(vec![(collection.to_owned(), json); count])
}

#[test]
fn an_inventory_comes_in_parts_and_one_at_a_time() {
    let server = Server::start();
    let (mut first, answer) = server.begin("one.json");
    assert_eq!(answer, Answer::GoOn);
    let (_, answer) = server.begin("two.json");
    assert!(
        matches!(&answer, Answer::Refused(why) if why.contains("another inventory is being imported")),
        "{answer:?}"
    );
    assert_eq!(first.say(&page("networks", "{\"id\": \"n\"}", 1000), TIME).unwrap(), Answer::GoOn);
    // Other orders are heard between.
    assert_eq!(server.ask(&request("here")).unwrap(), Answer::Done(Some(7)));
    let end = Part::<&RawValue>::End(vec!["networks".to_owned()]);
    assert_eq!(first.say(&end, TIME).unwrap(), Answer::Done(Some(8)));
    assert_eq!(server.begin("two.json").1, Answer::GoOn);
    let actor = accounts::name_of(rustix::process::getuid().as_raw());
    server.await_step("broken off");
    let told = server.told.steps.lock().unwrap();
    let begins = |name: &str| format!("{actor} begins {name}");
    let wanted =
        [&begins("one.json"), "1000 objects", "the end of 1 kinds", &begins("two.json"), "broken off"];
    assert_eq!(*told, wanted);
}

#[test]
fn what_is_no_part_of_an_inventory_breaks_it_off_with_the_reason() {
    let server = Server::start();
    let refused = |part: &dyn Fn(&mut Conversation) -> Answer, says: &str| {
        let (mut client, answer) = server.begin("one.json");
        assert_eq!(answer, Answer::GoOn);
        let answer = part(&mut client);
        assert!(matches!(&answer, Answer::Refused(why) if why.contains(says)), "{answer:?}");
        server.await_step("broken off");
        server.told.steps.lock().unwrap().clear();
    };
    let say =
        |part: Part<&'static RawValue>| move |client: &mut Conversation| client.say(&part, TIME).unwrap();
    refused(&say(page("networks", "{\"id\": \"n\"}", 1001)), "at most 1000 objects");
    refused(
        &say(page("networks", "{\"name\": \"n\"}", 1)),
        "object 0 of the part, of `networks`, cannot be read: an object has no id",
    );
    refused(&say(page("nets", "{}", 1)), "of no collection that is known");
    refused(&say(Part::End(vec!["nets".to_owned()])), "what is no collection");
    refused(&|client| client.say(&"page", TIME).unwrap(), "not understood");
    refused(&|client| client.say(&"x".repeat(17 << 20), TIME).unwrap(), "at most 16 MiB");
    // One who goes away in the middle of a part is not answered.
    drop(server.begin("one.json"));
    server.await_step("broken off");
    let (_, answer) = server.begin(&"n".repeat(256));
    assert!(matches!(&answer, Answer::Refused(why) if why.contains("255 bytes")), "{answer:?}");
}

#[test]
fn a_daemon_of_another_store_does_nothing() {
    let server = Server::start();
    let answer = server.ask(&request("there")).unwrap();
    assert_eq!(answer, Answer::Refused("this osel has another store".to_owned()));
    assert!(server.told.asked.lock().unwrap().is_empty());
}

fn refusal(path: &Path) -> ControlError {
    let tokio = Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async { hold(path) }).unwrap_err()
}

#[test]
fn the_place_of_a_killed_daemon_is_taken_and_that_of_a_live_one_is_not() {
    let directory = Directory::new();
    let path = directory.socket();
    let live = UnixListener::bind(&path).unwrap();
    assert!(matches!(refusal(&path), ControlError::InUse { .. }));
    // As a killed one leaves it: the file is there and nobody listens.
    drop(live);
    assert!(path.exists());
    assert!(matches!(client::ask(&path, &request("here")), Err(ClientError::Absent(_))));
    let tokio = Builder::new_current_thread().enable_all().build().unwrap();
    let held = tokio.block_on(async { hold(&path) }).unwrap();
    // One whose place another took does not take it from that one.
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(held);
    assert!(path.exists());
}

#[test]
fn what_is_no_socket_is_left_alone_and_what_cannot_be_one_is_said() {
    let directory = Directory::new();
    let path = directory.socket();
    fs::write(&path, "dear").unwrap();
    assert!(matches!(refusal(&path), ControlError::NoSocket { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear");
    let long = directory.0.join("d".repeat(120)).join("osel.sock");
    let length = long.as_os_str().len();
    let words =
        format!("has {length} bytes, of which the system takes 107: name a shorter one by `control.socket`");
    let said = [refusal(&long).to_string(), client::ask(&long, &request("here")).unwrap_err().to_string()];
    for said in said {
        assert!(said.ends_with(&words), "{said}");
    }
    let missing = directory.0.join("no/s");
    assert!(matches!(client::ask(&missing, &request("here")), Err(ClientError::Absent(_))));
}
