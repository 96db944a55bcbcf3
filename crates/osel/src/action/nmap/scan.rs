//! An order as runs of nmap, one after the other.

use std::fmt::Write;

use osel_core::scan::{PortFound, ProbeState, TEXT_CHARS_MAX, Transport, Trouble, cut};

use super::answer::{Answer, AnswerError, read};
use crate::action::local::{Gathered, Group, LocalScan, groups, job, ports_text, run, told};
use crate::action::program::{Confined, End, Job, has_net_raw};
use crate::action::scanner::{Asked, ScanOrder, Seen};
use crate::config::{NmapConfig, Technique};

/// Why UDP is not probed.
const UDP_NEEDS: &str =
    "nmap probes UDP only with the right to make packets of its own: give osel CAP_NET_RAW";
/// Why nmap cannot do what is configured.
const SYN_NEEDS: &str = "`technique = \"syn\"` needs the right to make packets of its own: give osel CAP_NET_RAW, or write \"auto\"";

/// The program nmap as a scanner.
#[derive(Debug)]
pub struct Nmap {
    config: NmapConfig,
    confined: Confined,
    /// Whether nmap may make packets of its own.
    is_privileged: bool,
}

impl Nmap {
    /// One that is configured so, run by `confined`.
    pub fn new(config: NmapConfig, confined: Confined) -> Self {
        let is_privileged = config.technique != Technique::Connect && has_net_raw();
        Self { config, confined, is_privileged }
    }

    async fn run_all(&self, order: &ScanOrder) -> Result<Seen, Trouble> {
        if self.config.technique == Technique::Syn && !self.is_privileged {
            return Err(Trouble::Unavailable(SYN_NEEDS.to_owned()));
        }
        let mut gathered = Gathered::new(order);
        let mut scanner = None;
        let mut trouble = None;
        let mut how = if self.is_privileged { How::HalfOpen } else { How::Connecting };
        for group in groups(&order.command) {
            if group.transport == Transport::Udp && !self.is_privileged {
                leave_out(&mut gathered, &group);
                continue;
            }
            match self.run_somehow(&group, &mut how).await {
                Ok(answer) => {
                    take(&mut gathered, answer.hosts);
                    scanner = Some(answer.scanner);
                }
                Err(error) => {
                    let Some(why) = told(&error) else { return Err(error) };
                    group.addresses.iter().for_each(|&address| gathered.missing(address, why));
                    trouble = Some(error);
                }
            }
        }
        let scanner = match (scanner, trouble) {
            (Some(scanner), _) => scanner,
            (None, Some(trouble)) => return Err(trouble),
            (None, None) => "nmap".to_owned(),
        };
        let how = match how {
            How::HalfOpen => "half-open".to_owned(),
            How::Connecting => "connecting".to_owned(),
            How::Fallen(why) => format!("connecting, since half-open is not possible: {why}"),
        };
        let hosts = gathered.finish(order, "nmap says nothing of it");
        Ok(Seen { scanner: cut(&format!("{scanner} ({how})"), TEXT_CHARS_MAX), hosts })
    }

    /// Runs nmap in the best way that is possible. The right to make packets is not all that it needs for that (a unit of systemd may
    /// forbid the sockets), and whether it is enough only nmap knows.
    async fn run_somehow(&self, group: &Group, how: &mut How) -> Result<Answer, Trouble> {
        if !matches!(how, How::HalfOpen) {
            // Datagrams are probed with packets of its own or not at all.
            return self.run(group, group.transport == Transport::Udp).await.map_err(Failure::into_trouble);
        }
        match self.run(group, true).await {
            Err(Failure::Exited(why))
                if self.config.technique == Technique::Auto && group.transport == Transport::Tcp =>
            {
                let answer = self.run(group, false).await.map_err(Failure::into_trouble)?;
                *how = How::Fallen(why);
                Ok(answer)
            }
            answer => answer.map_err(Failure::into_trouble),
        }
    }

    async fn run(&self, group: &Group, is_privileged: bool) -> Result<Answer, Failure> {
        let mut input = String::new();
        for address in &group.addresses {
            // Writing to a text cannot fail.
            let _ = writeln!(input, "{address}");
        }
        let job = job(&self.config.program, self.arguments(group, is_privileged), input);
        let job = Job { keeps_net_raw: is_privileged, ..job };
        let output = run(&self.confined, job).await?;
        if let Some(why) = output.failure(&[]) {
            let why = format!("nmap {why}");
            return Err(match output.end {
                End::Exited(_) => Failure::Exited(why),
                _ => Failure::Other(Trouble::Unavailable(why)),
            });
        }
        read(&output.stdout[..], group.transport, &group.ports).map_err(|error| {
            Failure::Other(match error {
                AnswerError::Xml(_) => Trouble::Garbled(error.to_string()),
                AnswerError::Failed(_) => Trouble::Unavailable(error.to_string()),
            })
        })
    }

    fn arguments(&self, group: &Group, is_privileged: bool) -> Vec<String> {
        let NmapConfig { max_rate, retries, host_timeout_seconds, service_detection, scripts, .. } =
            &self.config;
        let technique = match (group.transport, is_privileged) {
            (Transport::Udp, _) => "-sU",
            (Transport::Tcp, true) => "-sS",
            (Transport::Tcp, false) => "-sT",
        };
        let privileges = if is_privileged { "--privileged" } else { "--unprivileged" };
        let mut arguments: Vec<String> = [
            "-n",
            "-Pn",
            "--noninteractive",
            "--no-stylesheet",
            "-oX",
            "-",
            "-iL",
            "-",
            technique,
            privileges,
        ]
        .map(str::to_owned)
        .into();
        let ports = ports_text(&group.ports);
        arguments.extend([
            format!("-p{ports}"),
            format!("--max-retries={retries}"),
            format!("--max-rate={max_rate}"),
            format!("--host-timeout={host_timeout_seconds}s"),
        ]);
        if group.is_ipv6 {
            arguments.push("-6".to_owned());
        }
        if *service_detection {
            arguments.extend(["-sV", "--version-light"].map(str::to_owned));
        }
        if !scripts.is_empty() {
            arguments.push(format!("--script={}", scripts.join(",")));
        }
        arguments
    }
}

/// How TCP is probed.
enum How {
    HalfOpen,
    Connecting,
    /// By connecting, since nmap gave up on more than that: why.
    Fallen(String),
}

/// Why a run has no answer.
enum Failure {
    /// nmap gave up by itself: why.
    Exited(String),
    /// It did not come to that, or its answer is none.
    Other(Trouble),
}

impl Failure {
    fn into_trouble(self) -> Trouble {
        match self {
            Self::Exited(why) => Trouble::Unavailable(why),
            Self::Other(trouble) => trouble,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Other(trouble)
    }
}

impl LocalScan for Nmap {
    fn scan<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Seen> {
        Box::pin(self.run_all(order))
    }
}

fn leave_out(gathered: &mut Gathered, group: &Group) {
    for &address in &group.addresses {
        gathered.missing(address, UDP_NEEDS);
        for &port in &group.ports {
            gathered.port(address, PortFound::new(group.transport, port, ProbeState::NotProbed));
        }
    }
}

/// What one run saw, added to the others.
pub(in crate::action) fn take(gathered: &mut Gathered, hosts: Vec<super::HostAnswer>) {
    for host in hosts {
        let address = host.address;
        if let Some(why) = host.not_scanned {
            gathered.missing(address, &why);
            continue;
        }
        gathered.seen(address);
        if let Some(why) = host.partial {
            gathered.missing(address, &why);
        }
        host.ports.into_iter().for_each(|found| gathered.port(address, found));
        host.vulnerabilities.into_iter().for_each(|found| gathered.vulnerability(address, found));
    }
}
