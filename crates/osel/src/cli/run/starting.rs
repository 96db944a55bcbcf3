//! The time until the loop runs: the service manager is told that it goes on, however long the store and its model take, or the lead is
//! another's. One who stands by has said that it is ready, so that beats are wanted of it as well.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::telemetry::Supervisor;

/// How much longer the manager is asked to wait each time.
const EXTENSION: Duration = Duration::from_secs(60);
/// How often it is asked: so often that a busy machine cannot be too late.
const EXTEND_WAIT: Duration = Duration::from_secs(15);

/// Asks for more time, and beats, until it is dropped.
pub(super) struct Starting(JoinHandle<()>);

impl Starting {
    pub(super) fn begin(tokio: &Runtime, supervisor: &Supervisor) -> Self {
        let supervisor = supervisor.clone();
        supervisor.status("opening the store");
        Self(tokio.spawn(async move {
            let mut extended: Option<Instant> = None;
            loop {
                if extended.is_none_or(|extended| extended.elapsed() >= EXTEND_WAIT) {
                    supervisor.extend_start(EXTENSION);
                    extended = Some(Instant::now());
                }
                supervisor.beat();
                sleep(supervisor.beat_wait().min(EXTEND_WAIT)).await;
            }
        }))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.abort();
    }
}
