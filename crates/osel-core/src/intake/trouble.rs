//! What goes wrong for a time, told in few lines.
//!
//! A trouble is told when it begins and when it ends. When it begins again within [`STEADY_MICROS`], that is
//! told once and then nothing more until it is steady: something that comes and goes every second would fill
//! the disk with changes of state as it would with attempts. Between two beginnings that are told lies at
//! least that time.

use super::clock::Moment;
use super::limits::STEADY_MICROS;
use super::words::{LogLine, Ongoing, Why};
use crate::time::Timestamp;

/// One kind of trouble over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Well,
    /// It lasts.
    Bad(Spell),
    /// It ended then.
    Recovering(Spell, Moment),
    /// It comes and goes; since then it is well, if it is.
    Unsteady(Spell, Option<Moment>),
}

/// A trouble with all its repetitions.
#[derive(Clone, Debug)]
struct Spell {
    ongoing: Ongoing,
    told_person: bool,
}

impl Spell {
    /// It happened once more; the line when that needs somebody and was not told.
    fn again(&mut self, why: Why) -> Option<LogLine> {
        self.ongoing.why = why;
        self.ongoing.count = self.ongoing.count.saturating_add(1);
        let tell = why.needs_person() && !self.told_person;
        self.told_person |= tell;
        tell.then_some(LogLine::Began(self.ongoing))
    }
}

impl Trouble {
    /// It happened, or was tried in vain. Call [`Self::settle`] before.
    pub(super) fn happened(&mut self, now: Timestamp, why: Why) -> Option<LogLine> {
        let state = std::mem::take(&mut self.state);
        let (state, line) = match state {
            State::Well => {
                let ongoing = Ongoing { why, since: now, count: 1 };
                let spell = Spell { ongoing, told_person: why.needs_person() };
                (State::Bad(spell), Some(LogLine::Began(ongoing)))
            }
            State::Bad(mut spell) => {
                let line = spell.again(why);
                (State::Bad(spell), line)
            }
            State::Recovering(mut spell, _) => {
                spell.told_person |= why.needs_person();
                spell.again(why);
                let line = LogLine::Unsteady(spell.ongoing);
                (State::Unsteady(spell, None), Some(line))
            }
            State::Unsteady(mut spell, _) => {
                let line = spell.again(why);
                (State::Unsteady(spell, None), line)
            }
        };
        self.state = state;
        line
    }

    /// It is over, so far as can be seen.
    pub(super) fn ended(&mut self, moment: Moment) -> Option<LogLine> {
        let state = std::mem::take(&mut self.state);
        let (state, line) = match state {
            State::Bad(spell) => {
                let line = LogLine::Ended(spell.ongoing);
                (State::Recovering(spell, moment), Some(line))
            }
            State::Unsteady(spell, None) => (State::Unsteady(spell, Some(moment)), None),
            state => (state, None),
        };
        self.state = state;
        line
    }

    /// Forgets what has been over for long enough.
    pub(super) fn settle(&mut self, moment: Moment) -> Option<LogLine> {
        let is_over = self.settles_at().is_some_and(|at| at <= moment);
        if !is_over {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Unsteady(spell, _) => Some(LogLine::Steady(spell.ongoing)),
            _ => None,
        }
    }

    /// When [`Self::settle`] has something to do.
    pub(super) fn settles_at(&self) -> Option<Moment> {
        match &self.state {
            State::Recovering(_, since) | State::Unsteady(_, Some(since)) => Some(since.plus(STEADY_MICROS)),
            _ => None,
        }
    }

    /// The trouble, while it lasts or comes and goes.
    pub(super) fn ongoing(&self) -> Option<Ongoing> {
        match &self.state {
            State::Bad(spell) | State::Unsteady(spell, _) => Some(spell.ongoing),
            _ => None,
        }
    }
}
