//! Names in sentences, as many as a person reads; and what stands in place of a source that was not given.

/// How many names one sentence has.
const NAMES_SHOWN_MAX: usize = 8;
/// How much of a name is shown.
const NAME_CHARS_MAX: usize = 80;

/// What a verdict by the management interface is called while there is none.
pub(super) const MANAGEMENT: &str = "management";
/// What a verdict by the bus is called while there is none.
pub(super) const BUS: &str = "bus";
/// What a verdict by listening is called.
pub(super) const LISTENING: &str = "listening";
/// What a verdict by a service's file is called while there is none.
pub(super) const SERVICE_CONFIG: &str = "service-config";
/// What a verdict by Trove's file is called while there is none.
pub(super) const TROVE_CONFIG: &str = "trove-config";
/// What a verdict by the store is called while there is none.
pub(super) const STORE: &str = "store";
/// Why there is no verdict by a service's file.
pub(super) const NO_SERVICE_CONFIG: &str = "needs a service's file: give --service-config FILE";
/// Why there is no verdict by Trove's file.
pub(super) const NO_TROVE_CONFIG: &str = "needs Trove's file: give --trove-config FILE";

/// Why what somebody has declared proves no publisher.
pub(super) const BY_A_LISTENER: &str = "a listener declares them too, and nothing shows that anybody sends: give --listen SECONDS or --service-config FILE";

/// Sentences about one thing each, the first few of many.
pub(super) fn joined(sentences: &[String]) -> String {
    let shown = sentences.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    match sentences.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// Names in back quotes, the first few of many.
pub(super) fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(NAMES_SHOWN_MAX).map(quoted).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A name in back quotes, no longer than it needs to be recognised.
pub(super) fn quoted(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => format!("`{name}`"),
        Some((end, _)) => format!("`{}…`", &name[..end]),
    }
}

/// A count with its noun: `1 message`, `2 messages`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
