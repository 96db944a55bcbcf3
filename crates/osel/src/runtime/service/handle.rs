//! How others tell the loop something: the system's signals, what is read again, witnesses. Orders of people are in `orders` and `imports`.

use std::sync::mpsc::Sender;

use osel_core::engine::EngineOptions;

use super::super::retention::Policy;
use super::super::witnessing::WitnessEvent;
use super::scans::ScannerRenewal;
use super::{ApiSchedule, Happening};

/// Tells a running service from outside; cheap to copy.
#[derive(Clone, Debug)]
pub struct ServiceHandle(pub(super) Sender<Happening>);

impl ServiceHandle {
    /// Asks for the end: what was taken is committed, then the loop returns.
    pub fn stop(&self) {
        // It may have ended by itself.
        let _ = self.0.send(Happening::Stop);
    }

    /// Has buses that are not connected tried at once: what was wrong may be mended.
    pub fn renew_sources(&self) {
        let _ = self.0.send(Happening::Renewed);
    }

    /// Has the engine go by other options from now on.
    pub fn set_options(&self, options: EngineOptions) {
        let _ = self.0.send(Happening::Options(Box::new(options)));
    }

    /// Has APIs asked by these schedules from now on, and those that fail at once: what was wrong may be mended.
    pub fn set_schedules(&self, schedules: Vec<ApiSchedule>) {
        let _ = self.0.send(Happening::Schedules(schedules));
    }

    /// Has scanners have so many scans at one time, and those that fail asked at once: what was wrong may be mended.
    pub fn set_scanners(&self, renewals: Vec<ScannerRenewal>) {
        let _ = self.0.send(Happening::Scanners(renewals));
    }

    /// Has the log's key looked for anew: it may be another one by now.
    pub fn renew_log_key(&self) {
        let _ = self.0.send(Happening::RenewLogKey);
    }

    /// Takes what the task of a witness tells.
    pub fn witness(&self, event: WitnessEvent) {
        let _ = self.0.send(Happening::Witness(Box::new(event)));
    }

    /// Has another policy say what is kept from now on.
    pub fn set_policy(&self, policy: Policy) {
        let _ = self.0.send(Happening::Policy(policy));
    }
}
