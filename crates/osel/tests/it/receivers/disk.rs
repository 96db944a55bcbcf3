//! The receiver `file` on a disk that is full.

use std::fs;
use std::path::Path;

use osel::config::{FileCompression, FileReceiverConfig};
use osel::forward::file::FileReceiver;
use osel::forward::receiver::Receiver;
use osel_core::forward::{RefusalKind, Taken};

use super::{batch, item};
use crate::broker::Disk;
use crate::command::Place;

#[tokio::test]
async fn records_wait_for_room_and_are_there_once() {
    let place = Place::new("full");
    let Some(disk) = Disk::mount(place.path("disk").into(), "size=1m") else {
        eprintln!("not root: no disk can be made for this test");
        return;
    };
    let path = Path::new(&place.path("disk")).join("records");
    let mut receiver = FileReceiver::new(FileReceiverConfig {
        path: path.clone(),
        mode: 0o600,
        rotate_bytes: None,
        daily: false,
        keep: 1.try_into().unwrap(),
        compression: FileCompression::None,
    });
    let line = |seq: u64| format!("{seq} {}", "x".repeat(100_000));
    let items: Vec<_> = (1..=6).map(|seq| item(seq, line(seq))).collect();
    assert_eq!(receiver.send(&batch(1, &items[..3])).await, Ok(Taken::Kept));
    disk.fill();
    for _ in 0..2 {
        let refusal = receiver.send(&batch(2, &items[3..])).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unavailable);
        assert!(refusal.words.ends_with("No space left on device (os error 28)"), "{}", refusal.words);
    }
    disk.free();
    assert_eq!(receiver.send(&batch(3, &items[3..])).await, Ok(Taken::Kept));
    let wanted: String = (1..=6).map(|seq| line(seq) + "\n").collect();
    assert!(fs::read_to_string(&path).unwrap() == wanted, "what is there is not what was sent");
}
