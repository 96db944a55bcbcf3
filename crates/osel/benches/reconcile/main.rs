//! What it costs osel to read a whole cloud by its API, when it knows nothing and when it knows nearly all.
//!
//! `cargo bench -p osel --bench reconcile [-- --ports N]`; without a number clouds of 1,000, 100,000 and 1,000,000 ports, after each
//! other. A generated cloud is served by a process of its own as Keystone and Neutron would. Another process has osel's driver ask it, as
//! fast as it answers, and the recorder take its pages into a store on this machine's disk, as the daemon's loop does. Then the cloud
//! changes in silence, one object in a thousand, and a new process goes on with the store and reads everything again.
//!
//! To read: processor time is that of all threads of osel's process, user and system, and none of the cloud's; `µs an object` is to be
//! compared between sizes, and is flat where nothing grows faster than the cloud. The longest step is the most processor time that the
//! loop's thread needed for one page or one step of the end: an event waits no longer for a read. Memory above the model is the most that
//! was resident during the second read, less what was resident before it; pages that are free are given back at once for it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails ends the benchmark, and says where")]

mod cloud;
mod reader;

use std::path::Path;
use std::process::{Command, Stdio};

use self::cloud::Served;

/// As the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sizes of clouds where nobody names one.
const PORTS: [usize; 3] = [1000, 100_000, 1_000_000];
/// One in so many ports is changed in silence before the second read.
const CHANGED_ONE_IN: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    match arguments.as_slice() {
        ["--cloud", ports] => cloud::serve(ports.parse().unwrap()),
        ["--read", auth_url, store] => reader::read(auth_url, Path::new(store)),
        ["--ports", ports] => measure(ports.parse().unwrap()),
        [] => PORTS.into_iter().for_each(measure),
        other => panic!("`--ports N` or nothing, not {other:?}"),
    }
}

fn measure(ports: usize) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reconcile-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let mut cloud = Served::start(ports);
    println!("{ports} ports");
    read(&cloud, &directory, "nothing is known", &[]);
    cloud.change((ports / CHANGED_ONE_IN).max(1));
    read(&cloud, &directory, "nearly all is known", &[("MIMALLOC_PURGE_DELAY", "0")]);
    drop(cloud);
    std::fs::remove_dir_all(directory).unwrap();
}

fn read(cloud: &Served, directory: &Path, what: &str, variables: &[(&str, &str)]) {
    let mut reader = Command::new(std::env::current_exe().unwrap());
    reader.args(["--read", &cloud.auth_url]).arg(directory.join("store"));
    reader.envs(variables.iter().copied()).stdin(Stdio::null());
    println!("  {what}");
    assert!(reader.status().unwrap().success(), "{what}");
}
