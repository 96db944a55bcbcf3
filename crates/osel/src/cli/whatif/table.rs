//! The answer for people: a line of numbers, the rows, the ways of the internet, and what the judgement rests on.

use std::fmt::Write as _;

use osel_core::engine::record::SourcePart;
use osel_core::exposure::Hop;
use osel_core::model::Kind;

use crate::cli::exposure;
use crate::cli::output::{TABLE_WIDTH, Table, cut};
use crate::cli::reach::chain;
use crate::planned::{ChangedMembers, ChangedRow, Hidden, Outcome, ShownRow};

/// The most ways that are shown; a rule on many ports opens them all by ways that look alike.
const WAYS_SHOWN_MAX: usize = 10;
/// The most addresses of a group that are shown.
const ADDRESSES_SHOWN_MAX: usize = 10;
/// A note is a clause; what is longer has a long name in it.
const NOTE_CHARS_MAX: usize = 400;

/// The answer as text, with a line break at its end.
pub(super) fn text(outcome: &Outcome, redundant: bool) -> String {
    let mut text = numbers(outcome);
    let opened = outcome.opened.iter().filter(|row| redundant || row.is_new()).map(|row| (row, true));
    let closed = outcome.closed.iter().filter(|row| redundant || !row.judged.redundant);
    let mut table = Table::new(&["CHANGE", "ADDRESS", "VIA", "PROTOCOL", "PORTS", "FROM", "INTERNET", "BY"]);
    for (row, opens) in opened.chain(closed.map(|row| (row, false))) {
        table.row(cells(outcome, row, opens));
    }
    if !table.is_empty() {
        let _ = write!(text, "\n{table}");
    }
    ways(outcome, &mut text);
    if !outcome.members.is_empty() {
        text.push('\n');
        outcome.members.iter().for_each(|change| members(outcome, change, &mut text));
    }
    if !outcome.notes.is_empty() {
        text.push('\n');
    }
    for note in &outcome.notes {
        let resource = note.resource.as_ref().map(|resource| format!("{resource}: ")).unwrap_or_default();
        let line = format!("{}: {resource}{}", note.kind.as_str().replace('_', " "), note.text);
        let _ = writeln!(text, "{}", cut(&line, NOTE_CHARS_MAX));
    }
    text
}

/// `opens 3 rows: 2 new, 1 of them to the internet; closes 1`.
fn numbers(outcome: &Outcome) -> String {
    let new = outcome.opened.iter().filter(|row| row.is_new()).count();
    let internet = outcome.opened.iter().filter(|row| row.internet).count();
    let closed = outcome.closed.iter().filter(|row| !row.judged.redundant).count();
    let mut text = format!(
        "opens {} rows, {new} of them new, {internet} to the internet; closes {}, {closed} of them for good\n",
        outcome.opened.len(),
        outcome.closed.len()
    );
    let growing = outcome.members.iter().filter(|members| members.new).count();
    if growing > 0 {
        let internet = outcome.members.iter().filter(|members| members.internet).count();
        let _ =
            writeln!(text, "opens ports to what {growing} groups gain, {internet} of them to the internet");
    }
    text
}

fn cells(outcome: &Outcome, changed: &ChangedRow, opens: bool) -> Vec<String> {
    let shown = outcome.shown(&changed.judged.row);
    let row = &shown.document;
    let value = |key: &str, value: String| shown.hides(key).map_or(value, |why| why.words().to_owned());
    let source = match (&row.source, shown.hides("source")) {
        // The resource that makes a group says more than that it is not there yet.
        (SourcePart::Prefix(_), Some(why)) | (_, Some(why @ Hidden::Sensitive)) => why.words().to_owned(),
        (source, _) => exposure::source(source),
    };
    vec![
        if opens { "opens" } else { "closes" }.to_owned(),
        value("address", row.address.clone()),
        row.via.to_owned(),
        value("protocol", row.protocol.clone()),
        value("port_min", exposure::ports(row)),
        source,
        if changed.internet { "yes" } else { "" }.to_owned(),
        short(outcome.resource(changed)),
    ]
}

/// A resource's name without what nearly all of a plan have in theirs: a table has little room.
fn short(resource: &str) -> String {
    resource.replace("openstack_networking_", "").replace("openstack_", "")
}

/// How packets from the internet get there.
fn ways(outcome: &Outcome, text: &mut String) {
    let ways = outcome.opened.iter().filter(|row| row.internet);
    let ways: Vec<_> = ways.filter_map(|changed| Some((changed, changed.way.as_ref()?))).collect();
    if !ways.is_empty() {
        text.push('\n');
    }
    for (changed, way) in ways.iter().take(WAYS_SHOWN_MAX) {
        let shown = outcome.shown(&changed.judged.row);
        let from =
            if shown.hides_sender() { Hidden::Sensitive.words().to_owned() } else { way.from.to_string() };
        let hops: Vec<Hop> = way.verdict.path.iter().map(|hop| outcome.shown_hop(&shown, way, hop)).collect();
        let _ = writeln!(text, "{}", cut(&packet(&shown), TABLE_WIDTH));
        text.push_str(&chain::way(&from, &hops));
    }
    let more = ways.len().saturating_sub(WAYS_SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more; -o json shows them all");
    }
}

/// `internet to 203.0.113.7, tcp 22`.
fn packet(shown: &ShownRow) -> String {
    let value = |key: &str, value: String| shown.hides(key).map_or(value, |why| why.words().to_owned());
    let row = &shown.document;
    format!(
        "internet to {}, {} {}",
        value("address", row.address.clone()),
        value("protocol", row.protocol.clone()),
        value("port_min", exposure::ports(row))
    )
}

fn members(outcome: &Outcome, members: &ChangedMembers, text: &mut String) {
    let change = &members.change;
    let word = if change.kind == Kind::AddressGroup { "address group" } else { "group" };
    let name = outcome.shown_group(&change.id);
    for (verb, addresses) in [("gains", &change.gained), ("loses", &change.lost)] {
        if addresses.is_empty() {
            continue;
        }
        let shown = addresses.iter().take(ADDRESSES_SHOWN_MAX);
        let shown = shown.map(|address| {
            let shown = outcome.shown_member(change, *address);
            shown.unwrap_or_else(|| "(not shown)".to_owned())
        });
        let shown: Vec<String> = shown.collect();
        let more = addresses.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let line = format!("{word} {name} {verb} {}{more}", shown.join(", "));
        let _ = writeln!(text, "{}", cut(&line, NOTE_CHARS_MAX));
    }
}
