//! One scan by any scanner, followed from launch to result while a person waits.
//!
//! Nothing is recorded and nothing resumed: what is under way is called off when the person has enough of it.

use std::time::Duration;

use osel_core::scan::{LeftOut, RemoteState, Trouble};
use tokio::time::{sleep, timeout};

use crate::action::scanner::{Asked, Launched, ScanOrder, Scanner, Seen};

/// How often it is looked how far a scan is: services count questions.
const POLL_WAIT: Duration = Duration::from_secs(10);
/// How long is waited before something is tried again that a scanner does not do now, where it does not say.
const RETRY_WAIT: Duration = Duration::from_secs(10);
/// The longest wait that a scanner may ask for while a person sits there.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(300);
/// How often something is tried at a scanner that is away.
const AWAY_TRIES_MAX: u32 = 5;
/// How long calling off and clearing up may take: whoever waits for it has enough already.
const END_TIME: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) seen: Seen,
    /// What the scanner did not take.
    pub(super) left_out: Vec<LeftOut>,
    /// Why there is a part only.
    pub(super) partial: Option<String>,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// It will not.
    #[error("the scanner will not: {0}")]
    Refused(String),
    /// It does not know us.
    #[error("the scanner denies access: {0}")]
    Denied(String),
    /// It is away, or does not answer sense.
    #[error("the scanner cannot be asked: {0}")]
    Unavailable(String),
    /// The scan has failed.
    #[error("the scan has failed: {0}")]
    Failed(String),
    /// It takes longer than it may.
    #[error("the scan takes longer than {} s and was called off", .0.as_secs())]
    TooLong(Duration),
    /// Somebody else called it off.
    #[error("the scan was called off at the scanner")]
    Cancelled,
    /// The person did.
    #[error("interrupted: the scan was called off")]
    Interrupted,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From the first question on.
    pub(super) life: Duration,
    poll_wait: Duration,
    retry_wait: Duration,
}

impl Pace {
    /// That of people, for scans that may take so long.
    pub(super) fn of(life: Duration) -> Self {
        Self { life, poll_wait: POLL_WAIT, retry_wait: RETRY_WAIT }
    }
}

/// Has a scan made and waits for it. `tell` is told how far it is; `interrupted` resolves when the person has enough.
pub(super) async fn follow(
    scanner: &dyn Scanner,
    order: ScanOrder,
    pace: Pace,
    tell: &dyn Fn(&str),
    interrupted: impl Future<Output = ()>,
) -> Result<Followed, FollowError> {
    let mut scan = Scan { scanner, order, pace, tell, reference: None, left_out: Vec::new() };
    let outcome = tokio::select! {
        outcome = scan.run() => outcome,
        () = interrupted => Err(FollowError::Interrupted),
        () = sleep(pace.life) => Err(FollowError::TooLong(pace.life)),
    };
    scan.end(matches!(outcome, Err(FollowError::Interrupted | FollowError::TooLong(_)))).await;
    let (seen, partial) = outcome?;
    Ok(Followed { seen, left_out: scan.left_out, partial })
}

struct Scan<'a> {
    scanner: &'a dyn Scanner,
    order: ScanOrder,
    pace: Pace,
    tell: &'a dyn Fn(&str),
    reference: Option<String>,
    left_out: Vec<LeftOut>,
}

impl Scan<'_> {
    async fn run(&mut self) -> Result<(Seen, Option<String>), FollowError> {
        if !self.scanner.is_remote() {
            (self.tell)("scanning");
            return Ok((self.asked(|scan| scan.scanner.fetch(&scan.order, "")).await?, None));
        }
        (self.tell)("launching");
        let reference = self.launch().await?;
        let partial = loop {
            let state = self.asked(|scan| scan.scanner.status(&scan.order, &reference)).await?;
            match state {
                RemoteState::Finished => break None,
                RemoteState::Partial(why) => break Some(why),
                RemoteState::Failed(why) => return Err(FollowError::Failed(why)),
                RemoteState::Cancelled => return Err(FollowError::Cancelled),
                RemoteState::Waiting => (self.tell)(&format!("{reference} waits")),
                RemoteState::Running => (self.tell)(&format!("{reference} runs")),
            }
            sleep(self.pace.poll_wait).await;
        };
        (self.tell)("fetching");
        let seen = self.asked(|scan| scan.scanner.fetch(&scan.order, &reference)).await?;
        Ok((seen, partial))
    }

    /// Launches it, without the addresses that the scanner does not take. An uncertain launch is looked for before it is tried again.
    async fn launch(&mut self) -> Result<String, FollowError> {
        loop {
            let tried = self.asked_once(|scan| scan.scanner.launch(&scan.order)).await;
            match tried {
                Ok(launched) => return Ok(self.launched(launched)),
                Err(Trouble::Refused { why, addresses }) => {
                    let before = self.order.command.targets.len();
                    self.order.command.targets.retain(|target| !addresses.contains(&target.address));
                    if self.order.command.targets.is_empty() || self.order.command.targets.len() == before {
                        return Err(FollowError::Refused(why));
                    }
                    let left = addresses.into_iter().map(|address| LeftOut { address, why: why.clone() });
                    self.left_out.extend(left);
                }
                Err(Trouble::Uncertain(why)) => {
                    (self.tell)("looking whether it was launched");
                    match self.asked(|scan| scan.scanner.find(&scan.order)).await? {
                        Some(launched) => return Ok(self.launched(launched)),
                        // Whether it comes into being later nobody knows: a person may try again.
                        None => return Err(FollowError::Unavailable(why)),
                    }
                }
                Err(trouble) => return Err(ended(trouble)),
            }
        }
    }

    fn launched(&mut self, launched: Launched) -> String {
        self.left_out.extend(launched.left_out);
        self.reference.insert(launched.reference).clone()
    }

    async fn asked<T>(&self, ask: impl Fn(&Self) -> Asked<'_, T>) -> Result<T, FollowError> {
        self.asked_once(ask).await.map_err(ended)
    }

    /// Asks until there is an answer, as long as waiting may help.
    async fn asked_once<T>(&self, ask: impl Fn(&Self) -> Asked<'_, T>) -> Result<T, Trouble> {
        let mut away = 0;
        loop {
            let wait = match ask(self).await {
                Err(Trouble::Busy { after_seconds } | Trouble::Limited { after_seconds }) => {
                    (self.tell)("waiting for the scanner to have room");
                    let seconds = after_seconds.map(|seconds| Duration::from_secs(seconds.into()));
                    seconds.unwrap_or(self.pace.retry_wait).min(RETRY_WAIT_MAX)
                }
                // A program that is not there does not come while a person waits.
                Err(Trouble::Unavailable(why)) if self.scanner.is_remote() && away < AWAY_TRIES_MAX => {
                    away += 1;
                    (self.tell)(&format!("the scanner is away: {why}"));
                    self.pace.retry_wait
                }
                answer => return answer,
            };
            sleep(wait).await;
        }
    }

    /// Leaves nothing of it at the scanner that costs or is in the way. What cannot be done now is not waited for.
    async fn end(&mut self, is_given_up: bool) {
        if !self.scanner.is_remote() {
            return;
        }
        let clear = async {
            if is_given_up && self.reference.is_none() {
                // It may have been launched a moment ago.
                let found = self.scanner.find(&self.order).await;
                self.reference = found.ok().flatten().map(|launched| launched.reference);
            }
            let Some(reference) = &self.reference else { return };
            if is_given_up {
                (self.tell)("calling it off");
                let _ = self.scanner.cancel(&self.order, reference).await;
            }
            let _ = self.scanner.forget(&self.order, reference).await;
        };
        let _ = timeout(END_TIME, clear).await;
    }
}

/// What a person is told when nothing more is tried.
fn ended(trouble: Trouble) -> FollowError {
    match trouble {
        Trouble::Busy { .. } | Trouble::Limited { .. } => {
            FollowError::Unavailable("it has no room".to_owned())
        }
        Trouble::Unavailable(why) | Trouble::Uncertain(why) | Trouble::Garbled(why) => {
            FollowError::Unavailable(why)
        }
        Trouble::Gone(why) => FollowError::Failed(why),
        Trouble::Denied(why) => FollowError::Denied(why),
        Trouble::Refused { why, .. } => FollowError::Refused(why),
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
