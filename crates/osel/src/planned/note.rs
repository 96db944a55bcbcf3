//! What the judgement of a plan rests on, told beside it.

use std::sync::Arc;

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// Something that nobody can know before the change is made, and what was assumed of it.
    Unknown,
    /// A part of the plan that is not judged.
    NotEvaluated,
    /// Something that the plan speaks of and osel's model does not know.
    NotKnown,
    /// Something to know that changes no judgement.
    Remark,
}

impl NoteKind {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotEvaluated => "not_evaluated",
            Self::NotKnown => "not_known",
            Self::Remark => "remark",
        }
    }

    /// Whether the judgement may be wrong because of it.
    pub fn is_doubt(self) -> bool {
        self != Self::Remark
    }
}

/// A clause about a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The resource or the request; none for the whole plan.
    pub resource: Option<Arc<str>>,
    /// Whether what it tells of is not among the rows, and yet may be open to anybody: it counts as opened and as reachable from the
    /// internet.
    pub opens: bool,
    /// The clause. It names attributes and never has the values of a plan.
    pub text: String,
}

impl Note {
    /// A note about one resource or request.
    pub fn of(kind: NoteKind, resource: &Arc<str>, text: impl Into<String>) -> Self {
        Self { kind, resource: Some(Arc::clone(resource)), opens: false, text: text.into() }
    }

    /// A note about one resource or request that may open what stands in no row.
    pub fn of_open(resource: &Arc<str>, text: impl Into<String>) -> Self {
        Self { opens: true, ..Self::of(NoteKind::Unknown, resource, text) }
    }

    /// A note about the whole plan.
    pub fn of_plan(kind: NoteKind, text: impl Into<String>) -> Self {
        Self { kind, resource: None, opens: false, text: text.into() }
    }
}
