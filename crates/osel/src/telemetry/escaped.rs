//! Lines of JSON without characters that command terminals or turn text around: those below the space JSON escapes itself, and others may stand in
//! what a broker or a service said.

use std::fmt::Write;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Escapes in each line what another format makes: outside of its strings there is nothing to escape.
pub(super) struct Escaped<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Escaped<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        escape(&line, &mut writer)
    }
}

fn escape(line: &str, out: &mut impl Write) -> std::fmt::Result {
    let mut rest = line;
    while let Some(at) = rest.find(commands) {
        out.write_str(&rest[..at])?;
        let mut after = rest[at..].chars();
        if let Some(character) = after.next() {
            write!(out, "\\u{:04x}", u32::from(character))?;
        }
        rest = after.as_str();
    }
    out.write_str(rest)
}

/// Controls above ASCII, line separators, and marks that turn the direction of text around.
fn commands(character: char) -> bool {
    matches!(
        character,
        '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_escaped_and_read_back_as_it_was() {
        let said = "x\u{9b}31m\u{202e}é😀\u{2066}\u{7f}";
        let line = serde_json::to_string(&serde_json::json!({ "detail": said })).unwrap();
        let mut escaped = String::new();
        escape(&line, &mut escaped).unwrap();
        assert!(!escaped.contains(commands) && escaped.contains("é😀"), "{escaped}");
        let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read["detail"], said);
    }
}
