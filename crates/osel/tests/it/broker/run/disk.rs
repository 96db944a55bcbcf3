//! A disk that is full: osel says so once, acknowledges nothing, and goes on by itself when there is room.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::super::{Broker, Client, until};
use super::{LIMIT, Osel, add_user, publish, url};

/// Room for the store and a few thousand messages, in MiB.
const DISK: u32 = 48;
/// How much is written at once to fill it.
const FILL_BYTES: usize = 64 << 10;

/// A small disk. A watchdog that reads from a pipe of ours takes it away when the test ends, however it does.
pub struct Disk {
    directory: PathBuf,
    watchdog: Child,
}

impl Disk {
    /// None where the system does not let us have one.
    pub fn mount(directory: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&directory).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&directory);
        if !mount.output().is_ok_and(|output| output.status.success()) {
            return None;
        }
        let mut watchdog = Command::new("sh");
        watchdog
            .args(["-c", r#"read -r end; umount --lazy "$0"; rmdir "$0""#])
            .arg(&directory)
            .stdin(Stdio::piped());
        let watchdog = watchdog.process_group(0).spawn().unwrap();
        Some(Self { directory, watchdog })
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        let file = self.directory.join("fill");
        let mut chunk = vec![b'x'; FILL_BYTES];
        while !chunk.is_empty() {
            let mut file = fs::File::options().create(true).append(true).open(&file).unwrap();
            while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
            chunk.truncate(chunk.len() / 2);
        }
    }

    pub fn free(&self) {
        fs::remove_file(self.directory.join("fill")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_is_told_once() {
    let mut osel = Osel::new("run-disk", "rabbit://later/", "heartbeat_seconds = 1");
    let Some(disk) = Disk::mount(osel.place.path("store").into(), &format!("size={DISK}m")) else {
        eprintln!("not tried: only root may mount a small disk");
        return;
    };
    let broker = Broker::start();
    add_user(&broker);
    osel.set_url("url", &url(broker.port()));
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("neutron", false).unwrap();

    // It is full before there is a store.
    disk.fill();
    osel.start();
    osel.await_log(&["the store cannot be opened"]);
    disk.free();
    osel.await_log(&["exchange bound", "neutron"]);
    let mut ids = publish(&client, "room", 100);
    osel.await_recorded(ids.len());

    disk.fill();
    ids.extend(publish(&client, "full", 3_000));
    osel.await_log(&["store not writable"]);
    let queue = osel.queue();
    // More and more of it, while nothing is taken.
    ids.extend(publish(&client, "fuller", 3_000));
    let recorded = osel.ledger("one").unwrap().recorded as usize;
    assert!(recorded < ids.len(), "the disk is not full");
    osel.expect_running();
    disk.free();
    osel.await_recorded(ids.len());
    assert_eq!(osel.lines(&["store not writable", "trouble began"]).len(), 1, "{}", osel.log());

    // Full again, and killed meanwhile.
    disk.fill();
    ids.extend(publish(&client, "killed", 3_000));
    until("it has given up or gone on", LIMIT, || osel.lines(&["store not writable"]).len() >= 3);
    osel.kill();
    disk.free();
    osel.start();
    osel.await_recorded(ids.len());
    assert!(osel.stop().success());
    client.await_messages(&queue, 0);
    ids.sort_unstable();
    assert_eq!(osel.recorded_ids(), ids);
    assert_eq!(osel.gaps(), [[""; 3]; 0]);
}
