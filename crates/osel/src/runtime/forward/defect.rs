//! Why a forwarder had to end that should not have, in words that whoever mends it can use.

use tokio::task::{JoinError, JoinSet};

use super::log;

/// Why a forwarder had to end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Defect {
    /// Its driver has ended by itself.
    #[error("its driver has failed, which is a defect of osel{0}")]
    Driver(String),
    /// Reading has.
    #[error("the reading of records has failed, which is a defect of osel{0}")]
    Reading(String),
    /// Lines are to be sent that nobody has.
    #[error("lines are missing that were read, which is a defect of osel")]
    Lines,
}

impl Defect {
    /// The same with what the driver said last, where it has broken down.
    pub(super) async fn explained(self, driver: &mut JoinSet<()>) -> Self {
        match self {
            Self::Driver(_) => {
                let ended = driver.join_next().await.and_then(Result::err);
                Self::Driver(ended.map(last_words).unwrap_or_default())
            }
            other => other,
        }
    }
}

/// What stands between what is said of a task and what it said last.
const SAID: &str = ": `";

/// What is said of a task, without what it said last: that may hold what it had in hands, such as a name, and is for the log.
pub(in crate::runtime) fn without_last_words(why: &str) -> &str {
    why.split_once(SAID).map_or(why, |(told, _)| told)
}

/// What a task said when it broke down, as it stands behind what is said of it; nothing where it was only ended.
pub(in crate::runtime) fn last_words(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return String::new() };
    let words = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref().map(String::as_str));
    words.map(|words| format!("{SAID}{}`", log::cut(words))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_task_says_last_is_told() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { assert!(std::hint::black_box(false), "no {}", "more") });
        let told = Defect::Driver(String::new()).explained(&mut tasks).await.to_string();
        assert_eq!(told, "its driver has failed, which is a defect of osel: `no more`");
        assert_eq!(without_last_words(&told), "its driver has failed, which is a defect of osel");
        let ended = tokio::spawn(std::future::pending::<()>());
        ended.abort();
        assert_eq!(last_words(ended.await.unwrap_err()), "");
    }
}
