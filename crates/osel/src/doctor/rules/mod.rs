//! The judgements: from facts to verdicts. Pure functions, one file for each subject; each check has its verdict by every source that
//! could tell, and none of them asks anything.

mod broker;
mod notifications;
mod queues;
mod services;
mod text;
mod traffic;
mod trove;
mod users;

#[cfg(test)]
mod tests;

use super::facts::Facts;
use super::verdict::Report;

/// Judges everything.
pub fn judge(facts: &Facts) -> Report {
    let mut report = Report::default();
    notifications::judge(facts, &mut report);
    queues::judge(facts, &mut report);
    broker::judge(facts, &mut report);
    users::judge(facts, &mut report);
    services::judge(facts, &mut report);
    traffic::judge(facts, &mut report);
    trove::judge(facts, &mut report);
    report
}
