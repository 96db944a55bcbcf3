//! What came of the checks.

use super::id::{Id, Severity};

/// What came of one check by one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The check.
    pub id: Id,
    /// Where was looked: a bus, the management interface, a file, or what would have to be given to look there.
    pub source: String,
    /// What came of it.
    pub state: State,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is so; what was seen.
    Found(String),
    /// It is not so; what was seen instead.
    Clear(String),
    /// It was not possible; why.
    Unchecked(String),
}

/// All verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    verdicts: Vec<Verdict>,
}

impl Report {
    /// Notes that something was found.
    pub fn found(&mut self, id: Id, source: &str, seen: impl Into<String>) {
        self.push(id, source, State::Found(seen.into()));
    }

    /// Notes that all is well.
    pub fn clear(&mut self, id: Id, source: &str, seen: impl Into<String>) {
        self.push(id, source, State::Clear(seen.into()));
    }

    /// Notes that a check was not possible.
    pub fn unchecked(&mut self, id: Id, source: &str, why: impl Into<String>) {
        self.push(id, source, State::Unchecked(why.into()));
    }

    /// Notes what a condition says.
    pub fn judged(&mut self, id: Id, source: &str, is_found: bool, seen: impl Into<String>) {
        let seen = seen.into();
        self.push(id, source, if is_found { State::Found(seen) } else { State::Clear(seen) });
    }

    fn push(&mut self, id: Id, source: &str, state: State) {
        self.verdicts.push(Verdict { id, source: source.to_owned(), state });
    }

    /// The verdicts, worst first: by severity, then by check, what was found before what was not.
    pub fn into_verdicts(mut self) -> Vec<Verdict> {
        let rank = |state: &State| match state {
            State::Found(_) => 0,
            State::Clear(_) => 1,
            State::Unchecked(_) => 2,
        };
        self.verdicts.sort_by_key(|verdict| {
            let severity = std::cmp::Reverse(verdict.id.card().severity);
            (rank(&verdict.state), severity, verdict.id, verdict.source.clone())
        });
        self.verdicts
    }

    /// The worst that was found.
    pub fn worst(&self) -> Option<Severity> {
        let found = self.verdicts.iter().filter(|verdict| matches!(verdict.state, State::Found(_)));
        found.map(|verdict| verdict.id.card().severity).max()
    }

    /// The checks that found something, each once, in their order: for tests.
    #[cfg(test)]
    pub(super) fn found_ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = Vec::new();
        for verdict in &self.verdicts {
            if matches!(verdict.state, State::Found(_)) && !ids.contains(&verdict.id) {
                ids.push(verdict.id);
            }
        }
        ids.sort_unstable();
        ids
    }
}
