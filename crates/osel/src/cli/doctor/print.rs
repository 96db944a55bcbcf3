//! Verdicts for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::super::output::{TABLE_WIDTH, colours, json_line, plain, print_bytes, stdout};
use crate::doctor::{Card, Id, Severity, State, Verdict};

/// How far what belongs to a heading is moved in.
const INDENT: usize = 9;

/// What of a fix is known here.
#[derive(Default)]
pub(super) struct Known {
    /// The exchanges that osel listens to.
    pub(super) exchanges: Vec<String>,
    /// The virtual host that was looked at, if one was.
    pub(super) vhost: Option<String>,
    /// Who osel logs in as.
    pub(super) user: Option<String>,
}

impl Known {
    /// The setting of a check's fix. Of checks that are about osel's own permissions the user is osel's.
    fn setting(&self, id: Id) -> String {
        let is_own = matches!(id, Id::ExchangeUnreadable | Id::OwnQueueForbidden);
        id.card().fix.named(self.vhost.as_deref(), self.user.as_deref().filter(|_| is_own))
    }
}

/// A verdict as JSON.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    state: &'a str,
    severity: &'a str,
    title: &'a str,
    source: &'a str,
    seen: Option<&'a str>,
    /// Why it was not checked.
    why: Option<&'a str>,
    /// How to mend it; only for what was found.
    fix: Option<FixRow<'a>>,
}

#[derive(Serialize)]
struct FixRow<'a> {
    #[serde(rename = "where")]
    place: &'a str,
    setting: String,
    value: String,
    /// What to know before.
    caution: Option<&'a str>,
}

/// One object a line.
pub(super) fn json(verdicts: &[Verdict], known: &Known) -> io::Result<()> {
    let mut out = stdout();
    for verdict in verdicts {
        json_line(&mut out, &row(verdict, known))?;
    }
    out.flush()
}

fn row<'a>(verdict: &'a Verdict, known: &Known) -> Row<'a> {
    let Card { id, severity, title, fix, .. } = verdict.id.card();
    let (state, seen, why) = match &verdict.state {
        State::Found(seen) => ("found", Some(seen.as_str()), None),
        State::Clear(seen) => ("clear", Some(seen.as_str()), None),
        State::Unchecked(why) => ("unchecked", None, Some(why.as_str())),
    };
    let (value, caution) = (fix.filled(&known.exchanges), verdict.id.caution());
    let fix = FixRow { place: fix.place, setting: known.setting(verdict.id), value, caution };
    let fix = matches!(verdict.state, State::Found(_)).then_some(fix);
    Row { id, state, severity: severity.as_str(), title, source: &verdict.source, seen, why, fix }
}

/// What was found with its mending, then what is clear, then what was not checked and why.
pub(super) fn table(verdicts: &[Verdict], known: &Known) -> io::Result<()> {
    print_bytes(text(verdicts, known, colours()).as_bytes())
}

fn text(verdicts: &[Verdict], known: &Known, colours: bool) -> String {
    let mut text = String::new();
    let mut found: Vec<Id> = Vec::new();
    for verdict in verdicts {
        let State::Found(seen) = &verdict.state else { continue };
        let Card { id, severity, title, fix, .. } = verdict.id.card();
        if !found.contains(&verdict.id) {
            found.push(verdict.id);
            let (bold, end) = if colours { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
            let _ = writeln!(text, "{bold}{:INDENT$}{id}: {title}{end}", severity.as_str());
            if let Some(caution) = verdict.id.caution() {
                wrapped(&mut text, &format!("note: {caution}"));
            }
            let mend =
                format!("mend: {}", fix.shown(&known.setting(verdict.id), &fix.filled(&known.exchanges)));
            if fix.is_command() {
                // It is copied into a shell as it stands.
                let _ = writeln!(text, "{:INDENT$}{}", "", plain(&mend));
            } else {
                wrapped(&mut text, &mend);
            }
        }
        wrapped(&mut text, &format!("seen: {seen} ({})", verdict.source));
    }
    let mut clear: Vec<&str> = Vec::new();
    let mut unchecked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for verdict in verdicts {
        let id = verdict.id.card().id;
        match &verdict.state {
            State::Clear(_) if !found.contains(&verdict.id) && !clear.contains(&id) => clear.push(id),
            State::Unchecked(why) => {
                let ids = unchecked.entry(why).or_default();
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            State::Found(_) | State::Clear(_) => {}
        }
    }
    if !clear.is_empty() {
        text.push_str("clear\n");
        wrapped(&mut text, &clear.join(", "));
    }
    if !unchecked.is_empty() {
        text.push_str("not checked\n");
        for (why, ids) in &unchecked {
            wrapped(&mut text, &format!("{}: {why}", ids.join(", ")));
        }
    }
    let of = |severity| found.iter().filter(|id| id.card().severity == severity).count();
    let _ = writeln!(
        text,
        "{} critical, {} warning, {} advice; {} clear",
        of(Severity::Critical),
        of(Severity::Warning),
        of(Severity::Advice),
        clear.len()
    );
    text
}

/// A paragraph, moved in and broken between words.
fn wrapped(text: &mut String, paragraph: &str) {
    let paragraph = plain(paragraph);
    let mut width = 0;
    for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > TABLE_WIDTH {
            text.push('\n');
            width = 0;
        }
        if width == 0 {
            // The first line says what it is, the others go on below it.
            let _ = write!(text, "{:INDENT$}", "");
            width = INDENT;
        } else {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Report;

    fn verdicts() -> Vec<Verdict> {
        let mut report = Report::default();
        report.unchecked(Id::NoTls, "management", "needs the management interface");
        report.clear(Id::DefaultUser, "bus", "logs in as `osel`");
        report.found(Id::NoTls, "bus", "osel's transport_url is without TLS");
        report.found(
            Id::TokenOnBus,
            "listening",
            format!("3 of 3 messages, by `ev\x1b[31mil`, {}", "word ".repeat(40)),
        );
        report.into_verdicts()
    }

    #[test]
    fn people_see_the_worst_first_and_what_was_not_checked() {
        let text = text(&verdicts(), &Known::default(), false);
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
        let order = [
            "critical token-on-bus:",
            "warning  no-tls:",
            "clear\n",
            "default-user",
            "not checked",
            "1 critical, 1 warning, 0 advice; 1 clear",
        ];
        assert!(order.windows(2).all(|two| place(two[0]) < place(two[1])), "{text}");
        assert!(
            !text.contains('\x1b') && text.lines().all(|line| line.chars().count() <= TABLE_WIDTH),
            "{text}"
        );
    }

    #[test]
    fn a_command_stands_on_one_line_however_long_with_what_to_know_about_it() {
        let mut report = Report::default();
        report.found(Id::WidePermissions, "management", "`osel` may read everything");
        let exchanges: Vec<String> = (0..40).map(|number| format!("exchange{number}")).collect();
        let known = Known { exchanges, ..Known::default() };
        let text = text(&report.into_verdicts(), &known, false);
        let line = text.lines().find(|line| line.contains("mend: ")).unwrap();
        assert!(
            line.starts_with("         mend: rabbitmqctl set_permissions --vhost VHOST USER '^osel"),
            "{text}"
        );
        assert!(
            line.ends_with("|exchange38|exchange39)$'") && text.contains("note: This is what osel needs"),
            "{text}"
        );
    }

    #[test]
    fn programs_get_each_verdict_with_the_same_keys() {
        let lines: Vec<serde_json::Value> = verdicts()
            .iter()
            .map(|verdict| serde_json::to_value(row(verdict, &Known::default())).unwrap())
            .collect();
        let states: Vec<&str> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["found", "found", "clear", "unchecked"]);
        assert!(lines.iter().all(|line| line.as_object().unwrap().len() == 8));
        assert_eq!(lines[1]["fix"]["setting"], "ssl");
        assert_eq!(
            (&lines[3]["seen"], &lines[3]["fix"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
        assert_eq!(lines[3]["why"], "needs the management interface");
    }
}
