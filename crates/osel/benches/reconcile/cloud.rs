//! The cloud: a process of its own, so that nothing of it counts.

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use osel_sim::api::{Cloud, Emulated, Options};
use osel_sim::generate::{GenerateOptions, Generator};

/// Objects of a page of Neutron, also where nobody asks for pages.
const PAGE: usize = 1000;

/// Serves a cloud, says where, and changes it whenever it is told to, until nobody tells it anything more.
pub fn serve(ports: usize) {
    let cloud = Cloud::generated(GenerateOptions { ports, ..GenerateOptions::default() });
    let options = Options { network_page_max: Some(PAGE), ..Options::default() };
    let emulated = Emulated::start(cloud, options).unwrap();
    let say = |text: &str| {
        let mut out = stdout().lock();
        writeln!(out, "{text}").unwrap();
        out.flush().unwrap();
    };
    say(&emulated.auth_url());
    for line in stdin().lock().lines() {
        let changes: usize = line.unwrap().parse().unwrap();
        emulated.change(|cloud| {
            cloud.generate(|generator| (0..changes).for_each(|_| Generator::change_silently(generator)))
        });
        say("changed");
    }
}

/// A cloud in a process of its own.
pub struct Served {
    pub auth_url: String,
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Served {
    pub fn start(ports: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--cloud", &ports.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut served = Self { auth_url: String::new(), process, to, from };
        served.auth_url = served.said();
        served
    }

    /// Lets it change in silence so many times.
    pub fn change(&mut self, changes: usize) {
        writeln!(self.to, "{changes}").unwrap();
        assert_eq!(self.said(), "changed");
    }

    fn said(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
