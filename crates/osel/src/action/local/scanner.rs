//! The words of all scanners for one that runs here.

use osel_core::scan::{RemoteState, Trouble};

use crate::action::program::{Confined, Job, Limits, Output};
use crate::action::scanner::{Asked, Launched, ScanOrder, Scanner, Seen};
use crate::config::ProgramConfig;

/// A scan that is done here and now, and ends when its future is dropped.
pub trait LocalScan: Send + Sync + std::fmt::Debug {
    /// Does it.
    fn scan<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Seen>;
}

/// A scanner that runs here.
#[derive(Debug)]
pub struct Local<T>(pub T);

impl<T: LocalScan> Scanner for Local<T> {
    fn is_remote(&self) -> bool {
        false
    }

    fn find<'a>(&'a self, _: &'a ScanOrder) -> Asked<'a, Option<Launched>> {
        Box::pin(async { Ok(None) })
    }

    fn launch<'a>(&'a self, _: &'a ScanOrder) -> Asked<'a, Launched> {
        Box::pin(async { Ok(Launched { reference: String::new(), left_out: Vec::new() }) })
    }

    fn status<'a>(&'a self, _: &'a ScanOrder, _: &'a str) -> Asked<'a, RemoteState> {
        Box::pin(async { Ok(RemoteState::Finished) })
    }

    fn fetch<'a>(&'a self, order: &'a ScanOrder, _: &'a str) -> Asked<'a, Seen> {
        self.0.scan(order)
    }

    fn cancel<'a>(&'a self, _: &'a ScanOrder, _: &'a str) -> Asked<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn forget<'a>(&'a self, _: &'a ScanOrder, _: &'a str) -> Asked<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// A job for a program that is configured so.
pub(in crate::action) fn job(config: &ProgramConfig, arguments: Vec<String>, input: String) -> Job {
    Job {
        program: config.program.clone(),
        arguments,
        environment: Vec::new(),
        input: input.into_bytes(),
        limits: Limits::from(config),
        user: config.user.clone(),
        keeps_net_raw: false,
    }
}

/// Runs a program. That it never ran may be mended by whoever installs it, so it is tried again.
pub(in crate::action) async fn run(confined: &Confined, job: Job) -> Result<Output, Trouble> {
    confined.run(job).await.map_err(|error| Trouble::Unavailable(error.to_string()))
}

/// What a trouble with one run says of its addresses, if the other runs may still be worth something.
pub(in crate::action) fn told(trouble: &Trouble) -> Option<&str> {
    match trouble {
        Trouble::Unavailable(why) | Trouble::Garbled(why) => Some(why),
        _ => None,
    }
}
