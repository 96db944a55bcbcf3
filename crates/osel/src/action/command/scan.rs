//! An order as runs of a program, one after the other.

use osel_core::scan::{TEXT_CHARS_MAX, Transport, Trouble, cut};

use super::fill::{Subject, argument, input, subjects};
use super::{lines, sarif};
use crate::action::local::{Gathered, LocalScan, job, run};
use crate::action::nmap;
use crate::action::program::{Confined, Job};
use crate::action::scanner::{Asked, ScanOrder, Seen};
use crate::config::{CommandConfig, CommandFormat, Per};

/// The most runs for one order; what is beyond is left out, and told.
const RUNS_MAX: usize = 4096;

/// A program as a scanner.
#[derive(Debug)]
pub struct Command {
    config: CommandConfig,
    confined: Confined,
}

impl Command {
    /// One that is configured so, run by `confined`.
    pub fn new(config: CommandConfig, confined: Confined) -> Self {
        Self { config, confined }
    }

    async fn run_all(&self, order: &ScanOrder) -> Result<Seen, Trouble> {
        let mut gathered = Gathered::new(order);
        let mut failure = None;
        let mut has_success = false;
        let subjects = subjects(&order.command, self.config.per);
        for subject in subjects.iter().skip(RUNS_MAX) {
            subject
                .targets
                .iter()
                .for_each(|target| gathered.missing(target.address, "too many runs for one scan"));
        }
        for subject in subjects.iter().take(RUNS_MAX) {
            match self.run(subject, &mut gathered).await? {
                Ok(()) => {
                    has_success = true;
                    if let (Some(address), true) = (subject.address(), self.config.per != Per::Scan) {
                        gathered.seen(address);
                    }
                }
                Err(why) => {
                    subject.targets.iter().for_each(|target| gathered.missing(target.address, &why));
                    failure = Some(why);
                }
            }
        }
        if let (Some(why), false) = (failure, has_success) {
            return Err(Trouble::Garbled(why));
        }
        let hosts = gathered.finish(order, "the program says nothing of it");
        Ok(Seen { scanner: self.name(), hosts })
    }

    /// One run: why it came to nothing, or what stands in the way of all.
    async fn run(
        &self,
        subject: &Subject<'_>,
        gathered: &mut Gathered,
    ) -> Result<Result<(), String>, Trouble> {
        let CommandConfig { program, arguments, environment, input: kind, format, success_codes, .. } =
            &self.config;
        let arguments = arguments.iter().map(|template| argument(template, subject)).collect();
        let job = job(program, arguments, input(subject, *kind));
        let output = run(&self.confined, Job { environment: environment.clone(), ..job }).await?;
        if let Some(why) = output.failure(success_codes) {
            return Ok(Err(format!("{} {why}", self.name())));
        }
        let answer = &output.stdout[..];
        let read = match format {
            CommandFormat::JsonLines => lines::read(answer, subject.address(), gathered),
            CommandFormat::Sarif => {
                sarif::read(answer, subject.address().map(|address| (address, subject.port)), gathered)
            }
            CommandFormat::NmapXml => read_nmap(answer, subject, gathered),
        };
        Ok(read.map_err(|why| format!("the answer of {} cannot be understood: {why}", self.name())))
    }

    /// The program's name, without the way to it.
    fn name(&self) -> String {
        let name = self.config.program.program.rsplit('/').next().unwrap_or_default();
        cut(name, TEXT_CHARS_MAX)
    }
}

impl LocalScan for Command {
    fn scan<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Seen> {
        Box::pin(self.run_all(order))
    }
}

/// Reads nmap's XML for all ports of each transport that were asked for.
fn read_nmap(answer: &[u8], subject: &Subject<'_>, gathered: &mut Gathered) -> Result<(), String> {
    for transport in [Transport::Tcp, Transport::Udp] {
        let all = subject.targets.iter().flat_map(|target| target.expected.keys().copied());
        let of_run = all.filter(|&port| port.0 == transport && subject.port.is_none_or(|only| only == port));
        let mut ports: Vec<u16> = of_run.map(|(_, port)| port).collect();
        ports.sort_unstable();
        ports.dedup();
        if !ports.is_empty() {
            let read = nmap::read(answer, transport, &ports).map_err(|error| error.to_string())?;
            nmap::take(gathered, read.hosts);
        }
    }
    Ok(())
}
