//! Looking for the log's key while a daemon runs, beside its loop: a disk or a key manager that does not answer holds nothing up.
//!
//! What is found is told, by its *turn*: who asks for a new look gets a new turn, and what an older one still finds is not to be used.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::key::{KeySource, KeyTrouble, LogKeys};

/// How long a key that cannot be had is left alone at first: a person mends it, and the log can wait.
const RETRY_WAIT: Duration = Duration::from_secs(10);
/// The longest such wait, which grows: a key manager that is down for a night is asked some hundred times.
const RETRY_WAIT_MAX: Duration = Duration::from_mins(5);

/// What was found where the key is to be.
pub type KeyFound = Result<LogKeys, KeyTrouble>;

/// A task that looks for the key; it ends with this value.
#[derive(Debug)]
pub struct KeyWatch(watch::Sender<u64>);

impl KeyWatch {
    /// Begins to look; `tell` hears of each look, with its turn.
    pub fn start(source: KeySource, tell: impl Fn(u64, KeyFound) + Send + 'static, tokio: &Handle) -> Self {
        let (sender, turns) = watch::channel(0);
        tokio.spawn(look(source, turns, tell));
        Self(sender)
    }

    /// Looks anew, at once.
    pub fn renew(&self) {
        self.0.send_modify(|turn| *turn += 1);
    }

    /// Whether what was found in this turn is still to be used.
    pub fn is_of_now(&self, turn: u64) -> bool {
        *self.0.borrow() == turn
    }
}

/// How long is waited after each look that finds no key.
fn waits() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(RETRY_WAIT), |wait| Some((*wait * 2).min(RETRY_WAIT_MAX)))
}

/// Looks until nobody wants to know.
async fn look(source: KeySource, mut turns: watch::Receiver<u64>, tell: impl Fn(u64, KeyFound)) {
    let mut wait = waits();
    loop {
        let turn = *turns.borrow_and_update();
        let found = tokio::select! {
            found = source() => found,
            changed = turns.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let is_there = found.is_ok();
        tell(turn, found);
        let next = wait.next().unwrap_or(RETRY_WAIT_MAX);
        tokio::select! {
            changed = turns.changed() => match changed {
                Ok(()) => wait = waits(),
                Err(_) => return,
            },
            () = sleep(next), if !is_there => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[test]
    fn a_key_that_is_away_is_looked_for_ever_more_rarely() {
        let seconds: Vec<u64> = waits().take(8).map(|wait| wait.as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[tokio::test]
    async fn what_was_asked_for_before_a_renewal_is_not_used_after_it() {
        // Two looks, which are answered when the test wants, and word of each that begins.
        let (slow, first) = oneshot::channel::<KeyFound>();
        let (quick, second) = oneshot::channel();
        let looks = Arc::new(Mutex::new(vec![second, first]));
        let (begins, mut begun) = mpsc::unbounded_channel();
        let source: KeySource = Arc::new(move || {
            begins.send(()).unwrap();
            let next = looks.lock().unwrap().pop().expect("two looks");
            Box::pin(async move { next.await.unwrap() })
        });
        let (sender, mut told) = mpsc::unbounded_channel();
        let tell = move |turn, found: KeyFound| sender.send((turn, found.is_ok())).unwrap();
        let watch = KeyWatch::start(source, tell, &Handle::current());
        begun.recv().await.unwrap();
        watch.renew();
        begun.recv().await.unwrap();
        // Nobody waits for the first any more.
        assert!(slow.send(Ok(LogKeys::default())).is_err());
        quick.send(Ok(LogKeys::default())).unwrap();
        assert_eq!(told.recv().await, Some((1, true)));
        assert!(watch.is_of_now(1) && !watch.is_of_now(0));
        // With the watch the task ends, and with it whoever tells.
        drop(watch);
        assert_eq!(told.recv().await, None);
    }
}
