//! What follows when a service denies a call: it does not know us, or it does and permits this account one thing and not another.
//!
//! One that has answered well since it last denied anything knows us: then what it denies is that command's affair. The command waits, longer
//! each time and behind everything else, and ends when it was denied some times; other commands go on as if nothing were. A service that
//! has not answered well since is left alone, since it may lock accounts after some failed log-ins.

use super::limits::{CLEAN_TRIES, DENIED_TRIES};
use super::machine::{Conduct, log};
use super::wait;
use super::words::{Ask, Call, ConductOrder, ConductWhy};
use super::work::{Denied, Stage};

impl Conduct {
    /// A call was denied.
    pub(super) fn denied(
        &mut self,
        index: usize,
        (ask, call): (Ask, Call),
        words: &str,
        chance: u64,
        out: &mut Vec<ConductOrder>,
    ) {
        let moment = self.clock.moment();
        let knows_us = std::mem::take(&mut self.knows_us);
        let before = self.works[index].denied.filter(|denied| denied.call == call);
        let times = before.map_or(0, |before| before.times);
        words.clone_into(&mut self.words);
        if knows_us || times > 0 {
            // Nothing new about whether it knows us: others may find that out.
            self.breaker.dropped(ask, moment);
            self.is_up = Some(knows_us);
            log(self.trouble.happened(self.clock.now(), ConductWhy::Denied), out);
        } else {
            self.is_away(ask, ConductWhy::Denied, chance, out);
        }
        self.denied_until = moment.plus(wait::denied(0, chance));
        self.not_taken(index, call);
        let is_remote = self.is_remote;
        let work = &mut self.works[index];
        let is_its_own = knows_us || before.is_some_and(|before| before.is_its_own);
        work.denied = Some(Denied { call, times: times + 1, is_its_own });
        work.due = moment.plus(wait::denied(times, chance));
        if call == Call::Fetch && is_remote {
            // How far the scan is shows whether it is only the result that is denied.
            work.stage = Stage::Watching;
        }
        let is_cleaning = work.is_over || call == Call::Cancel;
        let is_for_good = is_its_own && times + 1 >= DENIED_TRIES;
        if is_cleaning && (is_for_good || times + 1 >= CLEAN_TRIES) {
            self.leave_there(index, out);
        } else if is_for_good && !is_cleaning {
            self.fail(index, format!("access denied, though other calls are not: {words}"), out);
        }
    }

    /// Whether a call of a command that was denied waits for another one: they go one by one, so that few fail when the account is locked.
    pub(super) fn is_denied_asked(&self) -> bool {
        self.works.iter().any(|work| work.denied.is_some() && work.pending.is_some())
    }
}
