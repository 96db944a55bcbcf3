//! What the simulated manager keeps.

use std::net::IpAddr;

use super::fault::{Fault, What};
use super::hosts::Host;
use super::options::Options;
use crate::random::Random;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Made, never begun.
    New,
    /// To be begun.
    Requested,
    /// Waiting for the scanner.
    Queued,
    /// Being scanned.
    Running,
    /// Scanned; the results are being taken over.
    Processing,
    /// Over.
    Done,
    /// To be stopped.
    StopRequested,
    /// Stopped.
    Stopped,
    /// Broken off.
    Interrupted,
    /// To be deleted for ever.
    DeleteRequested,
}

impl Status {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Requested => "Requested",
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Processing => "Processing",
            Self::Done => "Done",
            Self::StopRequested => "Stop Requested",
            Self::Stopped => "Stopped",
            Self::Interrupted => "Interrupted",
            Self::DeleteRequested => "Ultimate Delete Requested",
        }
    }

    /// Whether the scanner has it, or will have it.
    pub(super) fn is_active(self) -> bool {
        matches!(
            self,
            Self::Requested
                | Self::Queued
                | Self::Running
                | Self::Processing
                | Self::StopRequested
                | Self::DeleteRequested
        )
    }

    fn next(self) -> Self {
        match self {
            Self::Requested => Self::Queued,
            Self::Queued => Self::Running,
            Self::Running => Self::Processing,
            Self::Processing => Self::Done,
            Self::StopRequested => Self::Stopped,
            other => other,
        }
    }
}

/// A port list.
#[derive(Clone, Debug)]
pub(super) struct PortList {
    pub(super) id: String,
    pub(super) name: String,
    /// Transport, first and last port.
    pub(super) ranges: Vec<(char, u16, u16)>,
    pub(super) in_trash: bool,
}

impl PortList {
    /// Whether a port as gvmd writes it is in it; what is no port is everywhere.
    pub(super) fn has(&self, port: &str) -> bool {
        let Some((number, transport)) = port.split_once('/') else { return true };
        let Ok(number) = number.parse::<u16>() else { return true };
        let transport = if transport == "udp" { 'U' } else { 'T' };
        self.ranges.iter().any(|&(of, first, last)| of == transport && (first..=last).contains(&number))
    }
}

/// A target.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) hosts: Vec<IpAddr>,
    pub(super) port_list: String,
    pub(super) alive_tests: String,
    pub(super) in_trash: bool,
}

/// A task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) comment: String,
    pub(super) config: String,
    pub(super) scanner: String,
    pub(super) target: String,
    pub(super) status: Status,
    pub(super) polls: u32,
    pub(super) report: Option<String>,
    pub(super) in_trash: bool,
}

/// What a scan showed.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) id: String,
    pub(super) task: String,
    /// How many of the target's hosts were scanned to their ends before it was broken off; none where it was not.
    pub(super) hosts_done: Option<usize>,
}

/// Everything.
pub(super) struct State {
    pub(super) options: Options,
    pub(super) hosts: Vec<Host>,
    pub(super) port_lists: Vec<PortList>,
    pub(super) targets: Vec<Target>,
    pub(super) tasks: Vec<Task>,
    pub(super) reports: Vec<Report>,
    pub(super) faults: Vec<Fault>,
    pub(super) requests: u64,
    /// The commands in order, without what they said.
    pub(super) commands: Vec<String>,
    /// How often a scan was begun or resumed, by the task's name.
    pub(super) begun: Vec<String>,
    pub(super) random: Random,
}

impl State {
    pub(super) fn new(hosts: Vec<Host>, options: Options) -> Self {
        let random = Random::new(options.seed);
        Self {
            options,
            hosts,
            port_lists: vec![PortList {
                id: "33d0cd82-57c6-11e1-8ed1-406186ea4fc5".to_owned(),
                name: "All IANA assigned TCP".to_owned(),
                ranges: vec![('T', 1, u16::MAX)],
                in_trash: false,
            }],
            targets: Vec::new(),
            tasks: Vec::new(),
            reports: Vec::new(),
            faults: Vec::new(),
            requests: 0,
            commands: Vec::new(),
            begun: Vec::new(),
            random,
        }
    }

    /// Notes a request; gives what goes wrong with it.
    pub(super) fn note(&mut self, command: &str) -> Option<What> {
        self.requests += 1;
        self.commands.push(command.to_owned());
        self.faults
            .iter_mut()
            .find_map(|fault| fault.strike(|_, wanted| wanted.is_empty() || wanted == command))
    }

    /// Somebody has asked after tasks: those that are under way go on.
    pub(super) fn poll(&mut self) {
        let every = self.options.polls_per_step;
        for task in self.tasks.iter_mut().filter(|task| task.status.is_active()) {
            task.polls += 1;
            if every > 0 && task.polls >= every {
                task.polls = 0;
                task.status = task.status.next();
            }
        }
    }

    /// The manager was restarted: what was under way is broken off, in its middle.
    pub(super) fn restart(&mut self) {
        let State { tasks, targets, reports, .. } = self;
        tasks.retain(|task| task.status != Status::DeleteRequested);
        for task in tasks.iter_mut().filter(|task| task.status.is_active()) {
            task.status = Status::Interrupted;
            let count =
                targets.iter().find(|target| target.id == task.target).map_or(0, |target| target.hosts.len());
            for report in reports.iter_mut().filter(|report| Some(&report.id) == task.report.as_ref()) {
                report.hosts_done = Some(count / 2);
            }
        }
    }

    /// Tasks that wait for their deletion are gone, once something else was asked.
    pub(super) fn sweep(&mut self) {
        let State { tasks, reports, .. } = self;
        tasks.retain(|task| task.status != Status::DeleteRequested);
        reports.retain(|report| tasks.iter().any(|task| task.id == report.task));
    }

    pub(super) fn task(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id && !task.in_trash)
    }
}
