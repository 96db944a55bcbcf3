//! All judgements, one after the other.

use super::{broker, notifications, queues, readable, services, store, traffic, trove, users};
use crate::doctor::facts::Facts;
use crate::doctor::verdict::Report;

/// Judges everything.
pub fn judge(facts: &Facts) -> Report {
    let mut report = Report::default();
    notifications::judge(facts, &mut report);
    readable::judge(facts, &mut report);
    queues::judge(facts, &mut report);
    broker::judge(facts, &mut report);
    users::judge(facts, &mut report);
    services::judge(facts, &mut report);
    traffic::judge(facts, &mut report);
    trove::judge(facts, &mut report);
    store::judge(facts, &mut report);
    report
}
