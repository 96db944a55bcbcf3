//! Would a packet get there? Contract §4 "Reach".
//!
//! `candidate` finds what answers for the address, `path` and `route` whether anything leads there, `filter` whether the
//! port's rules let the packet in, `firewall` and `guard` whether firewall groups and listeners do; [`reach`] takes each candidate through the steps in that order and tells
//! the one that got furthest. Nothing here asks the sender's own egress rules, scans, or looks at more of the
//! cloud than the indexes of [`View`] point to.

mod candidate;
mod filter;
mod firewall;
mod guard;
mod limits;
mod path;
mod route;
#[cfg(test)]
mod tests;
mod verdict;

pub use verdict::{CandidateVerdict, Hop, Question, Reason, Verdict};

use crate::model::View;

/// Would a packet from S to address D, protocol P, port N be admitted?
pub fn reach(view: &impl View, question: &Question) -> Verdict {
    reach_any([view], question)
}

/// The same over several regions: reachable if it is in any of them.
pub fn reach_any<'a, V: View + 'a>(views: impl IntoIterator<Item = &'a V>, question: &Question) -> Verdict {
    if question.from.is_ipv4() != question.to.is_ipv4() {
        return Verdict::nothing(Reason::Family, Vec::new());
    }
    let mut judged = Vec::new();
    let mut dead_ends = Vec::new();
    for view in views {
        let found = candidate::find(view, question);
        let source = filter::Sender::new(view, question.from);
        judged.extend(found.candidates.iter().map(|candidate| candidate.judge(view, question, &source)));
        dead_ends.extend(found.dead_ends);
    }
    Verdict::of(judged, dead_ends)
}
