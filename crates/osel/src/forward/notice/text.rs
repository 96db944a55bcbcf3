//! A notice as plain text.

use std::fmt::Write;

use osel_core::notice::{Notice, NoticeLine};

/// The beginning of a text, of so many characters at most.
pub(in crate::forward) fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Where a record is served.
pub(in crate::forward) fn link(base: &str, seq: u64) -> String {
    format!("{base}/records/{seq}")
}

/// What a notice says, in lines. `base` is where links begin, if there are any.
pub(in crate::forward) fn text(notice: &Notice, base: Option<&str>, forwarder: &str) -> String {
    let mut text = format!("{}\n{} to {}\n", notice.counts(), notice.since, notice.until);
    for group in &notice.groups {
        text.push('\n');
        // One line alone says itself what it is about.
        if group.told > 1 {
            let _ = writeln!(text, "{} ({} records)", group.title, group.told);
        }
        for line in &group.lines {
            let _ = writeln!(text, "{}: {}", head(line), line.text);
            if let Some(base) = base.filter(|_| line.seq > 0) {
                let _ = writeln!(text, "  {}", link(base, line.seq));
            }
        }
    }
    if notice.more > 0 {
        let word = if notice.groups.is_empty() { "" } else { "and " };
        let more = if notice.groups.is_empty() { "records" } else { "more" };
        let _ = writeln!(text, "\n{word}{} {more}: {}", notice.more, notice.search());
    }
    let _ = match notice.last {
        0 => write!(text, "\nosel, forwarder {forwarder}"),
        last => write!(text, "\nosel, forwarder {forwarder}, records {} to {last}", notice.first),
    };
    text
}

/// What a line begins with: nothing that anybody named.
fn head(line: &NoticeLine) -> String {
    let word = if line.is_resolved { "resolved, was " } else { "" };
    let record = if line.seq > 0 { format!(", record {}", line.seq) } else { String::new() };
    format!("[{word}{}] {}{record}", line.severity, line.time)
}

#[cfg(test)]
mod tests {
    use super::super::tests::notice;
    use super::*;

    #[test]
    fn a_notice_says_how_many_which_and_where_the_others_are() {
        let mut notice = notice(&["ann opened web", "bob opened db"]);
        notice.more = 312;
        assert_eq!(
            text(&notice, Some("https://osel.example"), "on-call"),
            "2 critical\n\
             2026-11-26 10:00:00 UTC to 2026-11-26 10:05:00 UTC\n\
             \n\
             what follows from record 1 (2 records)\n\
             [critical] 2026-11-26 10:00:00 UTC, record 1: ann opened web\n\
             \x20 https://osel.example/records/1\n\
             [critical] 2026-11-26 10:00:00 UTC, record 2: bob opened db\n\
             \x20 https://osel.example/records/2\n\
             \n\
             and 312 more: osel audit search --seq 1..2\n\
             \n\
             osel, forwarder on-call, records 1 to 2"
        );
        let bare = text(&notice.bare(), None, "on-call");
        assert!(
            !bare.contains("ann") && bare.contains("\n2 records: osel audit search --seq 1..2\n"),
            "{bare}"
        );
    }
}
