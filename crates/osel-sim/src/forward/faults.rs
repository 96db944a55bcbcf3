//! What goes wrong, by chance.

use crate::random::Random;

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// One call in so many goes wrong; 0: none does.
    pub one_in: u64,
    /// Somebody sets the place back once.
    pub rewinds: bool,
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nobody is there.
    Away,
    /// It has too much to do, and asks for a pause of so many seconds.
    Busy(u64),
    /// It fails.
    Fails,
    /// It does not know us.
    Denied,
    /// It did what it was asked, and its answer is lost, or nobody understands it.
    AnswerLost,
    /// It never answers, whether it did what it was asked or not.
    Hangs(bool),
    /// The connection breaks, or the service is started anew, and what was on its way or in its memory is gone.
    Breaks,
    /// A part of it is done.
    Part,
}

/// Draws what goes wrong with a call, if anything does.
pub(super) fn draw(faults: Faults, random: &mut Random) -> Option<Fault> {
    if faults.one_in == 0 || random.below(faults.one_in) > 0 {
        return None;
    }
    Some(match random.below(9) {
        0 => Fault::Away,
        1 => Fault::Busy(random.below(40)),
        2 => Fault::Fails,
        3 => Fault::Denied,
        4 => Fault::AnswerLost,
        5 => Fault::Hangs(random.percent(50)),
        6 | 7 => Fault::Breaks,
        _ => Fault::Part,
    })
}
