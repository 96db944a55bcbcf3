//! What every `[[forward]]` has: a name, a type, and which records are sent in which form.

use osel_core::format::{Format, Severity};
use osel_core::forward::Filter;

use super::super::check::tables_and_variables;
use super::super::keys;
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::named::{Names, of_type};
use super::super::remark::Place;
use super::super::section::{Section, boolean, one_of, quoted, text};
use super::filter::filter;
use super::kind::{ReceiverConfig, types};

/// The most forwarders of one osel: each reads the whole trail for itself.
const FORWARDS_MAX: usize = 32;

/// What people are told from when nobody says otherwise: worth a look.
const PEOPLE_SEVERITY_MIN: Severity = Severity::Medium;

/// What stands about it in the example and the reference.
pub(super) static SECTION: keys::Section = keys::Section {
    header: keys::FORWARD_HEADER,
    what: "Where records are sent; one such table for each. Each keeps its own place in the trail, and none holds up the bus. Variables name a \
           forwarder by its number, from 0: OSEL_FORWARD__0__NAME. One that the file does not have begins with its name.",
    is_optional: true,
    // What the type of the example needs besides.
    needs: &["path = \"/var/log/osel/siem.jsonl\""],
};

/// The keys of all forwarders.
pub(super) static KEYS: [keys::Key; 10] = [
    keys::key(
        "forward.name",
        Needed("\"siem\""),
        "Its name, under which its place is kept: small letters, digits, `.`, `_`, `-`. No two forwarders have the same.",
    ),
    keys::key("forward.type", Needed("\"file\""), "What it sends to: one of those below."),
    keys::key(
        "forward.format",
        Words("what suits the type", "\"native\""),
        "The form of records, for programs: `native`, `ocsf`, `ecs`, `cadf`, `cef`, `osel-1.1`, `cadf-text` or `sentence`.",
    ),
    keys::key(
        "forward.kinds",
        Words("all kinds", "[\"change\", \"finding\", \"gap\"]"),
        "Only records of these kinds: `change`, `authentication`, `access`, `activity`, `scan`, `finding`, `command`, `drift`, `gap` or \
         `system`.",
    ),
    keys::key(
        "forward.severity_min",
        Words("`informational`, and `medium` for people", "\"informational\""),
        "Only records that matter at least so much: `informational`, `low`, `medium`, `high` or `critical`.",
    ),
    keys::key(
        "forward.projects",
        Words("all projects", "[\"4f9c1b5a0e7d4c1c8f0a6d2b3e5f7a91\"]"),
        "Only records of these projects, by their ids: of whoever acted, of what was acted upon, or of an address that was opened or closed. \
         A record of which retention has left too little to tell is not sent.",
    ),
    keys::key(
        "forward.event_types",
        Words("all of them", "[\"security_group_rule.\", \"identity.\"]"),
        "Only records whose event type begins with one of these.",
    ),
    keys::key(
        "forward.exposing_only",
        Default("false"),
        "Only records that opened an address to somebody who had no access before.",
    ),
    keys::key(
        "forward.pseudonyms",
        Default("false"),
        "Whether users, their addresses and agents are told by pseudonyms, the same in all records: the receiver learns nobody's name, and \
         `osel audit whois` finds it out. The messages themselves are not sent then.",
    ),
    keys::key(
        "forward.from",
        Words("`start`, and `now` for people", "\"start\""),
        "Where it begins when it has no place yet: `start` sends the whole trail, so that nothing is left out unless somebody says so; `now` \
         begins with what comes next. Later its place counts, and `osel forward rewind` sets it.",
    ),
];

/// A forwarder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardConfig {
    /// Its name, which no other forwarder has: its place in the trail is kept under it.
    pub name: String,
    /// Where it sends to, with its own keys.
    pub receiver: ReceiverConfig,
    /// The form of records.
    pub format: Format,
    /// Which records.
    pub filter: Filter,
    /// Whether persons are told by pseudonyms.
    pub pseudonyms: bool,
    /// Where it begins when it has no place yet.
    pub from: ForwardFrom,
    /// Where the table begins: what is wrong with what it names is said of it.
    pub place: Place,
}

/// Where a forwarder begins when it has no place yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardFrom {
    /// With the first record of the trail.
    #[default]
    Start,
    /// Behind the last one.
    Now,
}

/// All forwarders: those of the file, and those that variables add behind them.
pub(in crate::config) fn forwards(root: &mut Section<'_>) -> Option<Vec<ForwardConfig>> {
    let nodes = tables_and_variables(root, "forward", &["name"], (FORWARDS_MAX, "forwarders"))?;
    let count = nodes.len();
    let mut forwards: Vec<ForwardConfig> = Vec::with_capacity(count);
    let mut names = Names::new("forward", "forwarder");
    for (index, node) in nodes.into_iter().enumerate() {
        let section = root.inner(&format!("forward[{index}]"), &format!("forward__{index}"), node);
        let (reading, origin) = (section.reading(), section.origin().clone());
        let Some(forward) = forward(section, index, &mut names) else { continue };
        // Whoever writes a file has it to himself: the second would never begin.
        let same = forward.receiver.file().and_then(|path| {
            forwards.iter().find(|other: &&ForwardConfig| other.receiver.file() == Some(path))
        });
        if let Some(other) = same {
            let what = format!("forwarder `{}` writes this file already: each needs its own", other.name);
            reading.problem(&origin, &format!("forward[{index}].path"), what);
        }
        forwards.push(forward);
    }
    (forwards.len() == count).then_some(forwards)
}

fn forward(mut section: Section<'_>, index: usize, names: &mut Names) -> Option<ForwardConfig> {
    let name = names.read(
        &mut section,
        index,
        "give the forwarder a name, under which its place is kept, such as \"siem\"",
    );
    let of_type = of_type(&mut section, types(), |known| known.name, "write type = \"file\"");
    let format = section.read("format", |node| {
        let given = text(node)?;
        Format::from_word(given).ok_or_else(|| {
            let known = Format::ALL.map(|format| format!("`{format}`")).join(" or ");
            format!("must be {known}, not `{}`", quoted(given))
        })
    });
    let mut filter = filter(&mut section);
    let pseudonyms = section.read("pseudonyms", boolean).unwrap_or(false);
    let words = [("start", ForwardFrom::Start), ("now", ForwardFrom::Now)];
    let from = section.read("from", |node| one_of(node, &words));
    // Which other keys one without a type may have is not known.
    let of_type = of_type?;
    let receiver = (of_type.read)(&mut section);
    let is_for_people = receiver.as_ref().is_some_and(|receiver| receiver.notices().is_some());
    if is_for_people && section.was_given("format") {
        section.problem(
            &section.origin().clone(),
            "format",
            "is for programs: what people are told has a form of its own",
        );
    }
    if is_for_people && !section.was_given("severity_min") {
        filter.severity_min = PEOPLE_SEVERITY_MIN;
    }
    let from = from.unwrap_or(if is_for_people { ForwardFrom::Now } else { ForwardFrom::Start });
    let place = section.place();
    section.finish();
    let format = format.unwrap_or(of_type.format);
    Some(ForwardConfig { name: name?, receiver: receiver?, format, filter, pseudonyms, from, place })
}
