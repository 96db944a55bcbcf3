//! What is logged of a scanner: one line for each change of its state, with constant words and the rest in fields.

use osel_core::conduct::{ConductLine, Severity, Undone};

use super::log::{cut, say};

/// Writes a line of the state machine; `words` are those of the last failure.
pub(super) fn line(scanner: &str, line: &ConductLine, words: &str) {
    let (severity, detail) = (line.severity(), cut(words));
    match line {
        ConductLine::Began(ongoing) => {
            say!(severity, scanner, trouble = %ongoing.why, detail, "scanner trouble began");
        }
        ConductLine::Ended(ongoing) => {
            let (since, count) = (ongoing.since, ongoing.count);
            say!(severity, scanner, trouble = %ongoing.why, %since, count, "scanner trouble ended");
        }
        ConductLine::Unsteady(ongoing) => {
            let since = ongoing.since;
            say!(severity, scanner, trouble = %ongoing.why, %since, detail, "scanner trouble comes and goes");
        }
        ConductLine::Steady(ongoing) => {
            let (since, count) = (ongoing.since, ongoing.count);
            say!(severity, scanner, trouble = %ongoing.why, %since, count, "scanner steady again");
        }
        ConductLine::Still(ongoing) => {
            let (since, count) = (ongoing.since, ongoing.count);
            say!(severity, scanner, trouble = %ongoing.why, %since, count, detail, "scanner trouble goes on: scans wait");
        }
        ConductLine::Left(command, Undone::Cancel) => {
            say!(severity, scanner, %command, detail, "a scan could not be called off at the scanner");
        }
        ConductLine::Left(command, Undone::Forget) => {
            say!(severity, scanner, %command, detail, "what was made at the scanner for a scan is left there");
        }
    }
}
