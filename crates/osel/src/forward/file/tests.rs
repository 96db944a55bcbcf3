//! Files as they are after everything that may happen to osel and to them.

use std::fs;
use std::future::Future;
use std::io::Read;
use std::num::{NonZeroU32, NonZeroU64};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use osel_core::format::Severity;
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

use super::{FileReceiver, rotated};
use crate::config::{FileCompression, FileReceiverConfig};
use crate::forward::receiver::{Batch, Item, Receiver};

/// How long the thread that compresses may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder of one test that goes afterwards.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("osel-file-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("records.jsonl")
    }

    fn settings(&self) -> FileReceiverConfig {
        FileReceiverConfig {
            path: self.file(),
            mode: 0o640,
            rotate_bytes: None,
            daily: false,
            keep: NonZeroU32::new(1000).unwrap(),
            compression: FileCompression::None,
        }
    }

    /// One that rotates after two lines or three.
    fn rotating(&self, compression: FileCompression) -> FileReceiverConfig {
        FileReceiverConfig { rotate_bytes: NonZeroU64::new(50), compression, ..self.settings() }
    }

    fn receiver(&self) -> FileReceiver {
        FileReceiver::new(self.settings())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// What stands in all files, in their order.
    fn everything(&self) -> String {
        let mut text = String::new();
        for stem in rotated::all(&self.file()).unwrap().into_keys() {
            rotated::open(&self.file(), &stem).unwrap().0.read_to_string(&mut text).unwrap();
        }
        text + &self.text()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn line(seq: u64) -> String {
    format!("{{\"seq\":{seq},\"a\":\"é\"}}")
}

/// The records of these numbers, an hour apart.
fn batch(seqs: std::ops::RangeInclusive<u64>) -> Batch {
    let begin = Timestamp::parse("2026-11-26T00:00:00Z").unwrap();
    let items = seqs.map(|seq| {
        let time = begin.plus_seconds(i64::try_from(seq).unwrap() * 3600);
        Item {
            seq,
            id: format!("{:032x}-{seq}", 7),
            time,
            recorded_at: time,
            kind: RecordKind::Change,
            severity: Severity::Low,
            event_type: None,
            line: line(seq).into_bytes(),
        }
    });
    Batch { number: BatchNumber(1), is_fetched: false, items: items.collect() }
}

fn text(seqs: std::ops::RangeInclusive<u64>) -> String {
    seqs.map(|seq| line(seq) + "\n").collect()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[track_caller]
fn send(receiver: &mut FileReceiver, seqs: std::ops::RangeInclusive<u64>) -> String {
    assert_eq!(wait(receiver.send(&batch(seqs))), Ok(Taken::Kept));
    receiver.mark().expect("something is in the file")
}

fn refused(receiver: &mut FileReceiver) -> (RefusalKind, String) {
    let Refusal { kind, words, taken: 0, wait: None } = wait(receiver.send(&batch(1..=2))).unwrap_err()
    else {
        panic!("nothing was taken, and no wait is asked for")
    };
    (kind, words)
}

fn resumed(settings: FileReceiverConfig, mark: Option<&str>) -> FileReceiver {
    let mut receiver = FileReceiver::new(settings);
    receiver.resume(mark);
    receiver
}

#[test]
fn lines_are_in_the_file_with_the_mode_that_was_asked_for() {
    let place = Place::new();
    let mut receiver = place.receiver();
    send(&mut receiver, 1..=2);
    send(&mut receiver, 3..=3);
    assert_eq!(place.text(), text(1..=3));
    assert_eq!(fs::metadata(place.file()).unwrap().permissions().mode() & 0o7777, 0o640);
}

#[test]
fn wherever_writing_was_stopped_each_line_is_there_once() {
    let place = Place::new();
    let mark = send(&mut place.receiver(), 1..=2);
    for (mark, kept) in [(Some(mark.as_str()), 2), (None, 0)] {
        let whole = text(1..=5);
        // A place that was never kept begins with the first record.
        let known = text(1..=kept).len();
        for cut in known..=whole.len() {
            fs::write(place.file(), &whole.as_bytes()[..cut]).unwrap();
            let mut receiver = resumed(place.settings(), mark);
            let second = send(&mut receiver, kept + 1..=4);
            send(&mut receiver, 5..=6);
            drop(receiver);
            assert_eq!(place.text(), text(1..=6), "cut at {cut}");
            // What is known to be there ends where it was sent to, and not where the file does.
            let mut receiver = resumed(place.settings(), Some(&second));
            send(&mut receiver, 5..=7);
            assert_eq!(place.text(), text(1..=7), "cut at {cut}");
        }
    }
}

#[test]
fn rotation_at_any_time_before_a_stop_loses_and_doubles_nothing() {
    for compression in FileCompression::ALL {
        for stopped_after in 0..=8 {
            let place = Place::new();
            let mut receiver = FileReceiver::new(place.rotating(compression));
            let mut marks = vec![None];
            for seq in 1..=8 {
                marks.push(Some(send(&mut receiver, seq..=seq)));
            }
            drop(receiver);
            assert!(place.names().len() > 3, "{:?}", place.names());
            let mut receiver = resumed(place.rotating(compression), marks[stopped_after as usize].as_deref());
            send(&mut receiver, stopped_after + 1..=9);
            assert_eq!(place.everything(), text(1..=9), "{compression:?}, stopped after {stopped_after}");
        }
    }
}

#[test]
fn rotated_files_are_named_compressed_and_removed() {
    for (compression, ending) in [(FileCompression::Gzip, ".gz"), (FileCompression::Zstd, ".zst")] {
        let place = Place::new();
        let settings =
            FileReceiverConfig { keep: NonZeroU32::new(2).unwrap(), ..place.rotating(compression) };
        // What a run before was stopped in the middle of.
        let begun = place.0.join(format!("records.jsonl.20261126T050000Z-000000000005{ending}.part"));
        fs::write(&begun, "half").unwrap();
        let mut receiver = FileReceiver::new(settings);
        send(&mut receiver, 1..=9);
        let wanted = [
            "records.jsonl".to_owned(),
            format!("records.jsonl.20261126T050000Z-000000000005{ending}"),
            format!("records.jsonl.20261126T070000Z-000000000007{ending}"),
        ];
        let start = Instant::now();
        while place.names() != wanted {
            assert!(start.elapsed() < LIMIT, "{:?}", place.names());
            std::thread::yield_now();
        }
        assert_eq!(place.everything(), text(5..=9));
        let packed = fs::metadata(place.0.join(&wanted[1])).unwrap();
        assert_eq!(packed.permissions().mode() & 0o7777, 0o640);
    }
}

#[test]
fn a_day_begins_a_file_of_its_own_and_a_record_is_in_one() {
    let place = Place::new();
    let mut receiver = FileReceiver::new(FileReceiverConfig { daily: true, ..place.settings() });
    let mut batch = batch(22..=25);
    // Two lines of one record: its second one does not begin a file.
    batch.items[3].seq = 24;
    batch.items[3].recorded_at = batch.items[3].recorded_at.plus_seconds(90_000);
    wait(receiver.send(&batch)).unwrap();
    assert_eq!(place.names(), ["records.jsonl", "records.jsonl.20261126T220000Z-000000000022"]);
    assert_eq!(place.text(), text(24..=25));
}

#[test]
fn what_others_do_to_the_file_is_found_out() {
    let place = Place::new();
    let mut receiver = place.receiver();
    send(&mut receiver, 1..=1);
    let other = place.0.join("records.jsonl.1");
    fs::rename(place.file(), &other).unwrap();
    let mark = send(&mut receiver, 2..=2);
    assert_eq!((fs::read_to_string(&other).unwrap(), place.text()), (text(1..=1), text(2..=2)));
    // Moved while osel is not there, with lines that it did not know to be in it.
    fs::write(place.file(), text(2..=3)).unwrap();
    fs::rename(place.file(), &other).unwrap();
    drop(receiver);
    let mut receiver = resumed(place.settings(), Some(&mark));
    send(&mut receiver, 3..=4);
    assert_eq!((fs::read_to_string(&other).unwrap(), place.text()), (text(2..=3), text(4..=4)));
    // Emptied.
    fs::File::options().write(true).open(place.file()).unwrap().set_len(0).unwrap();
    let mark = send(&mut receiver, 5..=5);
    assert_eq!(place.text(), text(5..=5));
    // Removed.
    fs::remove_file(place.file()).unwrap();
    send(&mut receiver, 6..=6);
    assert_eq!(place.text(), text(6..=6));
    // Emptied while osel is not there.
    drop(receiver);
    let mut receiver = resumed(place.settings(), Some(&mark));
    send(&mut receiver, 6..=7);
    assert_eq!(place.text(), text(6..=7));
}

#[test]
fn what_others_wrote_is_not_cut() {
    let place = Place::new();
    fs::write(place.file(), "theirs, and not ended").unwrap();
    let mut receiver = place.receiver();
    send(&mut receiver, 1..=1);
    assert_eq!(place.text(), format!("theirs, and not ended\n{}", text(1..=1)));
    let mut theirs = fs::File::options().append(true).open(place.file()).unwrap();
    std::io::Write::write_all(&mut theirs, b"more").unwrap();
    send(&mut receiver, 2..=2);
    assert_eq!(place.text(), format!("theirs, and not ended\n{}more\n{}", text(1..=1), text(2..=2)));
}

#[test]
fn what_cannot_be_written_is_said_and_comes_later() {
    let place = Place::new();
    let folder = place.0.join("later");
    let mut receiver = FileReceiver::new(FileReceiverConfig { path: folder.join("r"), ..place.settings() });
    let (kind, words) = refused(&mut receiver);
    assert_eq!(kind, RefusalKind::Unavailable);
    assert_eq!(
        words,
        format!("cannot open `{}`: No such file or directory (os error 2)", folder.join("r").display())
    );
    fs::create_dir(&folder).unwrap();
    send(&mut receiver, 1..=2);
    assert_eq!(fs::read_to_string(folder.join("r")).unwrap(), text(1..=2));
}

#[test]
fn nothing_but_a_file_of_its_own_is_written() {
    let place = Place::new();
    let path = place.file();
    let check = |wanted: &str| {
        let (kind, words) = refused(&mut place.receiver());
        assert_eq!((kind, words), (RefusalKind::Denied, format!("`{}` {wanted}", path.display())));
    };
    let target = place.0.join("target");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    check("is a symbolic link: name the file that it leads to");
    assert_eq!(fs::read_to_string(&target).unwrap(), "");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check("is no file: a device or a pipe keeps nothing");
    fs::remove_dir(&path).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    check("is no file: a device or a pipe keeps nothing");
    fs::remove_file(&path).unwrap();
    let mut first = place.receiver();
    send(&mut first, 1..=1);
    check("is being written by another process or forwarder: each needs a file of its own");
    assert_eq!(place.text(), text(1..=1));
}

#[test]
fn work_that_nobody_waits_for_any_more_is_not_done_twice() {
    let place = Place::new();
    let mut receiver = place.receiver();
    send(&mut receiver, 1..=1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let second = batch(2..=3);
        let mut sending = receiver.send(&second);
        let _ = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(sending);
        receiver.reset();
        assert_eq!(receiver.send(&batch(2..=4)).await, Ok(Taken::Kept));
    });
    assert_eq!(place.text(), text(1..=4));
}

#[test]
fn records_that_are_sent_anew_are_found_or_written_behind_the_others() {
    let place = Place::new();
    fs::write(place.file(), text(1..=1)).unwrap();
    // Nothing is known of the file; what it begins with is what is sent first.
    let mut receiver = resumed(place.settings(), None);
    send(&mut receiver, 1..=3);
    assert_eq!(place.text(), text(1..=3));
    drop(receiver);
    let mut receiver = resumed(place.settings(), None);
    send(&mut receiver, 2..=3);
    assert_eq!(place.text(), text(1..=3) + &text(2..=3));
}
