//! An answer for people: a line that says yes or no, the question, and the way as a chain of arrows.

use std::fmt::Write as _;

use osel_core::exposure::{Hop, Question, Reason, Verdict};
use osel_core::model::{Kind, Protocol, net_text};

use crate::cli::output::{TABLE_WIDTH, cut};

/// The most candidates that are listed: an address pair of the whole family makes a port answer for
/// everything.
const CANDIDATES_SHOWN_MAX: usize = 20;
const INDENT: &str = "  ";
const ARROW: &str = " → ";

/// The answer as text, with a line break at its end.
pub(super) fn text(question: &Question, verdict: &Verdict) -> String {
    let mut text = match verdict.reason {
        Reason::Admitted => "reachable (admitted)\n".to_owned(),
        reason => format!("not reachable: {} ({})\n", in_words(reason), reason.as_str()),
    };
    let asked = [packet(question), format!("from {}", question.from), format!("to {}", question.to)];
    wrap(&mut text, &asked, " ");
    if !verdict.path.is_empty() {
        text.push_str(&way(&question.from.to_string(), &verdict.path));
    }
    for what in &verdict.not_modelled {
        let words: Vec<String> = what.text().split(' ').map(str::to_owned).collect();
        wrap(&mut text, &[vec!["note:".to_owned()], words].concat(), " ");
    }
    candidates(&mut text, verdict);
    text
}

/// A way as a chain of arrows, with a line break at its end.
pub(in crate::cli) fn way(from: &str, hops: &[Hop]) -> String {
    let mut text = String::new();
    let pieces: Vec<String> = std::iter::once(from.to_owned()).chain(hops.iter().map(piece)).collect();
    wrap(&mut text, &pieces, ARROW);
    text
}

fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Admitted => "it is admitted",
        Reason::NoRule => "no rule admits it",
        Reason::AdminDown => "what is on the way is switched off",
        Reason::NoPath => "nothing leads there from the sender",
        Reason::NoSuchAddress => "nothing answers for this address",
        Reason::Family => "the addresses are of different families",
    }
}

/// What is sent: `tcp port 22`, `icmp type 8, any code`.
fn packet(question: &Question) -> String {
    if question.protocol == Protocol::Any {
        let port = question.port.map(|port| format!(" port {port},")).unwrap_or_default();
        return format!("any protocol,{port}");
    }
    let protocol = question.protocol.name();
    let number = |value: Option<u16>| value.map_or_else(|| "any".to_owned(), |value| value.to_string());
    if question.protocol.is_icmp() {
        let (kind, code) = (number(question.port), number(question.icmp_code.map(u16::from)));
        return format!("{protocol} type {kind} code {code}");
    }
    match question.port {
        Some(port) => format!("{protocol} port {port}"),
        None if question.protocol.has_ports() => format!("{protocol}, any port,"),
        None => protocol.into_owned(),
    }
}

/// One link of the chain: `router edge (by its gateway)`; what stops the packet is marked.
fn piece(hop: &Hop) -> String {
    let mut piece = if hop.blocked { "✗ ".to_owned() } else { String::new() };
    let word = match hop.kind {
        Kind::FloatingIp => "floating IP",
        Kind::Forwarding => "port forwarding",
        Kind::SecurityGroup => "security group",
        Kind::Rule => "rule",
        Kind::FirewallGroup => "firewall group",
        Kind::LoadBalancer => "load balancer",
        kind => kind.singular(),
    };
    piece.push_str(word);
    match (&hop.name, &hop.id) {
        (Some(name), _) => piece.push_str(&format!(" {name}")),
        (None, Some(id)) => piece.push_str(&format!(" {id}")),
        (None, None) => {}
    }
    if let Some(server) = &hop.server {
        piece.push_str(&format!(" of server {server}"));
    }
    if let Some(note) = &hop.note {
        piece.push_str(&format!(" ({note})"));
    }
    piece
}

/// Writes pieces on as few lines as they fit on; a line that goes on begins with the joint.
fn wrap(text: &mut String, pieces: &[String], joint: &str) {
    let mut used = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let piece = cut(piece, TABLE_WIDTH - 2 * INDENT.len() - joint.chars().count());
        let width = joint.chars().count() + piece.chars().count();
        if number == 0 {
            let _ = write!(text, "{INDENT}{piece}");
            used = INDENT.len() + piece.chars().count();
        } else if used + width <= TABLE_WIDTH {
            let _ = write!(text, "{joint}{piece}");
            used += width;
        } else {
            let joint = joint.trim_start();
            let _ = write!(text, "\n{INDENT}{INDENT}{joint}{piece}");
            used = 2 * INDENT.len() + joint.chars().count() + piece.chars().count();
        }
    }
    text.push('\n');
}

/// All that answer for the address, when there are several.
fn candidates(text: &mut String, verdict: &Verdict) {
    if verdict.candidates.len() < 2 {
        return;
    }
    let _ = writeln!(text, "{INDENT}{} ports answer for this address:", verdict.candidates.len());
    for candidate in verdict.candidates.iter().take(CANDIDATES_SHOWN_MAX) {
        let (reason, via) = (candidate.reason.as_str(), candidate.via.as_str());
        let address = net_text(candidate.address);
        // Only the gateway of a router has no port; the chain names it.
        let port = candidate.port_id.as_ref().map_or_else(|| "a gateway".to_owned(), ToString::to_string);
        let line = format!("{reason:10}  {via:10}  {address}  {port}");
        let _ = writeln!(text, "{INDENT}{INDENT}{}", cut(&line, TABLE_WIDTH - 2 * INDENT.len()));
    }
    let more = verdict.candidates.len().saturating_sub(CANDIDATES_SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(text, "{INDENT}{INDENT}and {more} more; -o json shows them all");
    }
}
