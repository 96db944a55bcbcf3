//! What goes wrong for a time, told in few lines.
//!
//! A trouble is told when it begins and when it ends. When it begins again within [`STEADY_MICROS`], that is
//! told once and then nothing more until it is steady: something that comes and goes every second would fill
//! the disk with changes of state as it would with attempts. Between two beginnings that are told lies at
//! least that time.

use super::STEADY_MICROS;
use super::clock::Moment;
use crate::time::Timestamp;

/// What can be wrong.
pub(crate) trait Wrong: Copy {
    /// Whether it will not end before somebody acts.
    fn needs_person(self) -> bool;
}

/// One trouble that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ongoing<W> {
    /// What it is, as last heard.
    pub why: W,
    /// When it began.
    pub since: Timestamp,
    /// How often it happened or was tried in vain since then.
    pub count: u64,
}

/// What is to be told of a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn<W> {
    /// It began, or became one that needs somebody.
    Began(Ongoing<W>),
    /// It ended, so far as can be seen.
    Ended(Ongoing<W>),
    /// It had ended and began again within [`STEADY_MICROS`].
    Unsteady(Ongoing<W>),
    /// What was unsteady has gone well for as long.
    Steady(Ongoing<W>),
}

/// One kind of trouble over time.
#[derive(Clone, Debug)]
pub(crate) struct Trouble<W> {
    state: State<W>,
}

#[derive(Clone, Debug)]
enum State<W> {
    Well,
    /// It lasts.
    Bad(Spell<W>),
    /// It ended then.
    Recovering(Spell<W>, Moment),
    /// It comes and goes; since then it is well, if it is.
    Unsteady(Spell<W>, Option<Moment>),
}

/// A trouble with all its repetitions.
#[derive(Clone, Debug)]
struct Spell<W> {
    ongoing: Ongoing<W>,
    told_person: bool,
}

impl<W: Wrong> Spell<W> {
    /// It happened once more; what is told when that needs somebody and was not told.
    fn again(&mut self, why: W) -> Option<Turn<W>> {
        self.ongoing.why = why;
        self.ongoing.count = self.ongoing.count.saturating_add(1);
        let tell = why.needs_person() && !self.told_person;
        self.told_person |= tell;
        tell.then_some(Turn::Began(self.ongoing))
    }
}

impl<W> Default for Trouble<W> {
    fn default() -> Self {
        Self { state: State::Well }
    }
}

impl<W: Wrong> Trouble<W> {
    /// It happened, or was tried in vain. Call [`Self::settle`] before.
    pub(crate) fn happened(&mut self, now: Timestamp, why: W) -> Option<Turn<W>> {
        let state = std::mem::replace(&mut self.state, State::Well);
        let (state, turn) = match state {
            State::Well => {
                let ongoing = Ongoing { why, since: now, count: 1 };
                let spell = Spell { ongoing, told_person: why.needs_person() };
                (State::Bad(spell), Some(Turn::Began(ongoing)))
            }
            State::Bad(mut spell) => {
                let turn = spell.again(why);
                (State::Bad(spell), turn)
            }
            State::Recovering(mut spell, _) => {
                spell.told_person |= why.needs_person();
                spell.again(why);
                let turn = Turn::Unsteady(spell.ongoing);
                (State::Unsteady(spell, None), Some(turn))
            }
            State::Unsteady(mut spell, _) => {
                let turn = spell.again(why);
                (State::Unsteady(spell, None), turn)
            }
        };
        self.state = state;
        turn
    }

    /// It is over, so far as can be seen.
    pub(crate) fn ended(&mut self, moment: Moment) -> Option<Turn<W>> {
        let state = std::mem::replace(&mut self.state, State::Well);
        let (state, turn) = match state {
            State::Bad(spell) => {
                let turn = Turn::Ended(spell.ongoing);
                (State::Recovering(spell, moment), Some(turn))
            }
            State::Unsteady(spell, None) => (State::Unsteady(spell, Some(moment)), None),
            state => (state, None),
        };
        self.state = state;
        turn
    }

    /// Nobody can say any more whether it lasts: what it was, if it did.
    pub(crate) fn dropped(&mut self) -> Option<Ongoing<W>> {
        let ongoing = match &self.state {
            State::Bad(spell) | State::Unsteady(spell, None) => spell.ongoing,
            State::Well | State::Recovering(..) | State::Unsteady(_, Some(_)) => return None,
        };
        self.state = State::Well;
        Some(ongoing)
    }

    /// Forgets what has been over for long enough.
    pub(crate) fn settle(&mut self, moment: Moment) -> Option<Turn<W>> {
        let is_over = self.settles_at().is_some_and(|at| at <= moment);
        if !is_over {
            return None;
        }
        match std::mem::replace(&mut self.state, State::Well) {
            State::Unsteady(spell, _) => Some(Turn::Steady(spell.ongoing)),
            _ => None,
        }
    }

    /// When [`Self::settle`] has something to do.
    pub(crate) fn settles_at(&self) -> Option<Moment> {
        match &self.state {
            State::Recovering(_, since) | State::Unsteady(_, Some(since)) => Some(since.plus(STEADY_MICROS)),
            _ => None,
        }
    }

    /// The trouble, while it lasts or comes and goes.
    pub(crate) fn ongoing(&self) -> Option<Ongoing<W>> {
        match &self.state {
            State::Bad(spell) | State::Unsteady(spell, _) => Some(spell.ongoing),
            _ => None,
        }
    }
}
