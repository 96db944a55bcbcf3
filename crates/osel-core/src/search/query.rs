//! A question: which records are looked for, by which terms they are found, and whether one is one of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::row::RowQuery;
use super::term::{Field, TermRange, addresses_within, fold, hour, hour_after, is_opaque, net_of};
use super::terms::outcome;
use crate::engine::record::Record;
use crate::event::Outcome;
use crate::ids::Id;
use crate::model::host;
use crate::time::Timestamp;
use crate::trail::{PartClass, RecordKind};

/// What is looked for: all conditions must hold; of several values of one, any.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// Ids or names of the actor.
    pub actors: Vec<String>,
    /// Ids or names of the actor's project, or ids of the target's.
    pub projects: Vec<String>,
    /// Ids of projects that it has something to show to: it is about them, or rows of their ports came or went.
    pub shown_to: Vec<String>,
    /// Addresses that a row's address is one of, lies in or holds, or that the client's lies in.
    pub addresses: Vec<IpNet>,
    /// What a row that came or went admits, at one of the addresses if any are named.
    pub rows: RowQuery,
    /// Event types, or their beginnings.
    pub event_types: Vec<String>,
    /// Kinds of record.
    pub kinds: BTreeSet<RecordKind>,
    /// How it went.
    pub outcomes: Vec<Outcome>,
    /// Ids or names of what something was done to.
    pub targets: Vec<String>,
    /// Ids of requests.
    pub requests: Vec<String>,
    /// Ids of messages.
    pub messages: Vec<String>,
    /// Numbers of records that it follows from.
    pub causes: Vec<u64>,
    /// Rows came or went.
    pub exposing: bool,
    /// A text of the sentence, in lower case.
    pub text: Option<String>,
}

/// Reads an address or a prefix as people write it.
pub fn parse_net(text: &str) -> Option<IpNet> {
    let net: Option<IpNet> = text.parse().ok();
    net.map(|net| net.trunc()).or_else(|| text.parse::<IpAddr>().ok().map(host))
}

/// Terms of which any will do.
pub(super) type Condition = Vec<Matcher>;

/// Some terms of one field.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) field: Field,
    /// They are all in here.
    pub(super) range: TermRange,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    /// All of the range.
    Range,
    /// Words that end so.
    Ends(String),
    /// Words with this in them.
    Holds(String),
    /// Prefixes that have addresses of this one.
    Meets(IpNet),
    /// Permissions that may admit this.
    Admits(RowQuery),
}

impl Matcher {
    pub(super) fn exactly(field: Field, value: &[u8]) -> Self {
        Self { field, range: TermRange::exactly(field.term(value)), test: Test::Range }
    }

    fn starting(field: Field, start: &[u8]) -> Self {
        Self { field, range: field.starting(start), test: Test::Range }
    }

    fn scan(field: Field, test: Test) -> Self {
        Self { field, range: field.range(), test }
    }

    /// Whether a term is one of them.
    pub(super) fn accepts(&self, term: &[u8]) -> bool {
        let value = || term.get(1..).unwrap_or_default();
        self.range.contains(term)
            && match &self.test {
                Test::Range => true,
                Test::Ends(end) => value().ends_with(end.as_bytes()),
                Test::Holds(part) => memchr::memmem::find(value(), part.as_bytes()).is_some(),
                Test::Meets(net) => net_of(term).is_some_and(|other| meet(other, *net)),
                Test::Admits(rows) => rows.accepts(term),
            }
    }
}

impl Query {
    /// Whether a record is looked for by its rows: one that does not fit by those at hand may by those that it does not list.
    pub fn needs_rows(&self) -> bool {
        !self.addresses.is_empty() || self.rows.is_any()
    }

    /// Whether a record is what is looked for, but for its rows.
    pub fn matches_beside_rows(&self, record: &Record, sentence: impl FnOnce() -> String) -> bool {
        let (body, personal) = (&record.body, &record.personal);
        let (time, has_body) = (record.header.time, !record.missing.contains(&PartClass::Body));
        let target = body.target.as_ref();
        self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time <= until)
            && (self.kinds.is_empty() || self.kinds.contains(&record.header.kind))
            && (self.outcomes.is_empty()
                || has_body && self.outcomes.iter().any(|of| of.as_str() == outcome(record)))
            && any(&self.actors, |actor| {
                is(body.user_id.as_ref(), actor) || is_named(personal.user_name.as_deref(), actor)
            })
            && any(&self.projects, |project| {
                is(body.project_id.as_ref(), project)
                    || is_named(body.project_name.as_deref(), project)
                    || is(target.and_then(|target| target.project_id.as_ref()), project)
            })
            && any(&self.shown_to, |project| {
                is(record.project(), project)
                    || record.row_projects().iter().any(|of_rows| is(Some(of_rows), project))
            })
            && any(&self.event_types, |start| {
                body.event_type.as_deref().is_some_and(|event_type| event_type.starts_with(start))
            })
            && any(&self.targets, |wanted| {
                is(target.and_then(|target| target.id.as_ref()), wanted)
                    || is_named(target.and_then(|target| target.name.as_deref()), wanted)
                    || is_named(personal.target_name.as_deref(), wanted)
            })
            && any(&self.requests, |request| is(body.request_id.as_ref(), request))
            && any(&self.messages, |message| body.message_id.as_deref() == Some(message))
            && (self.causes.is_empty() || body.cause.is_some_and(|cause| self.causes.contains(&cause)))
            && (!self.exposing || record.opened_count() + record.closed_count() > 0)
            && self.text.as_ref().is_none_or(|text| {
                // Of one whose body is gone nothing is left that somebody wrote.
                has_body && sentence().to_lowercase().contains(text)
            })
    }

    /// Whether a record's rows and addresses are what is looked for, by the rows at hand.
    pub fn matches_rows(&self, record: &Record) -> bool {
        let is_wanted = |net: IpNet| self.addresses.iter().any(|wanted| meet(net, *wanted));
        if self.rows.is_any() {
            return record.rows_at_hand().map(|judged| &judged.row).any(|row| {
                self.rows.fits(&row.permission) && (self.addresses.is_empty() || is_wanted(row.address))
            });
        }
        if self.addresses.is_empty() {
            return true;
        }
        let client = record.personal.address.as_deref().and_then(|address| address.parse().ok()).map(host);
        let nets = record.rows_at_hand().map(|judged| judged.row.address).chain(client);
        nets.into_iter().any(is_wanted)
    }

    /// The terms by which a record is found that is looked for.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut all: Vec<Condition> = Vec::new();
        let mut each = |values: &[String], matchers: &dyn Fn(&str) -> Vec<Matcher>| {
            if !values.is_empty() {
                all.push(values.iter().flat_map(|value| matchers(value)).collect());
            }
        };
        let id_or_name = |id: Field, name: Field| {
            move |value: &str| {
                vec![Matcher::exactly(id, value.as_bytes()), Matcher::exactly(name, fold(value).as_bytes())]
            }
        };
        let exactly = |field: Field| move |value: &str| vec![Matcher::exactly(field, value.as_bytes())];
        // The fewest first, so that an empty set ends it.
        each(&self.messages, &exactly(Field::MessageId));
        each(&self.requests, &exactly(Field::RequestId));
        each(&self.targets, &id_or_name(Field::TargetId, Field::TargetName));
        each(&self.actors, &id_or_name(Field::UserId, Field::UserName));
        each(&self.projects, &id_or_name(Field::ProjectId, Field::ProjectName));
        each(&self.shown_to, &|project| {
            [Field::ProjectId, Field::RowProject]
                .map(|field| Matcher::exactly(field, project.as_bytes()))
                .to_vec()
        });
        each(&self.event_types, &|start| vec![Matcher::starting(Field::EventType, start.as_bytes())]);
        if !self.causes.is_empty() {
            let cause = |cause: &u64| Matcher::exactly(Field::Cause, &cause.to_be_bytes());
            all.push(self.causes.iter().map(cause).collect());
        }
        if !self.addresses.is_empty() {
            all.push(self.addresses.iter().flat_map(|net| address(*net)).collect());
        }
        if self.rows.is_any() {
            let admits = Matcher::scan(Field::Permission, Test::Admits(self.rows.clone()));
            // A rule on many ports gives a forwarding's row that admits something else, and does not list it.
            all.push(vec![admits, Matcher::exactly(Field::Wide, &[])]);
        }
        if self.exposing {
            all.push(vec![Matcher::exactly(Field::Exposing, &[])]);
        }
        if !self.kinds.is_empty() {
            let kind = |kind: &RecordKind| Matcher::exactly(Field::Kind, &[kind.code()]);
            all.push(self.kinds.iter().map(kind).collect());
        }
        if !self.outcomes.is_empty() {
            let outcome = |of: &Outcome| Matcher::exactly(Field::Outcome, of.as_str().as_bytes());
            all.push(self.outcomes.iter().map(outcome).collect());
        }
        if self.since.is_some() || self.until.is_some() {
            let mut range = Field::Hour.range();
            if let Some(since) = self.since {
                range.from = Field::Hour.term(&hour(since));
            }
            if let Some(until) = self.until {
                range.to = Field::Hour.term(&hour_after(until));
            }
            all.push(vec![Matcher { field: Field::Hour, range, test: Test::Range }]);
        }
        if let Some(text) = &self.text {
            all.extend(words(text));
        }
        all
    }
}

/// Whether prefixes have an address in common: then one holds the other.
fn meet(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

fn any(wanted: &[String], is: impl Fn(&str) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| is(wanted))
}

fn is(id: Option<&Id>, wanted: &str) -> bool {
    id.is_some_and(|id| id.with_text(|text| text == wanted))
}

fn is_named(name: Option<&str>, wanted: &str) -> bool {
    name.is_some_and(|name| name == wanted || fold(name) == fold(wanted))
}

fn address(net: IpNet) -> [Matcher; 3] {
    [
        Matcher { field: Field::Address, range: addresses_within(net), test: Test::Range },
        Matcher::scan(Field::Net, Test::Meets(net)),
        // What it does not list may have any address.
        Matcher::exactly(Field::Wide, &[]),
    ]
}

/// The words by which a text is found. Words within it are whole ones; the first may be the end of one and the last the beginning, and
/// where there is but one word it may be any part of one.
fn words(text: &str) -> Vec<Condition> {
    let opens = text.starts_with(char::is_whitespace);
    let ends = text.ends_with(char::is_whitespace);
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = words.len();
    let mut found = Vec::new();
    let mut scans = Vec::new();
    for (index, word) in words.into_iter().enumerate() {
        let (starts_whole, ends_whole) = (opens || index > 0, ends || index + 1 < count);
        let whole = Field::of_word(word);
        // What holds only letters of ids can be a part of any word, anything else of none that is one.
        let fields: &[Field] = if is_opaque(word) { &[Field::Opaque, Field::Word] } else { &[Field::Word] };
        match (starts_whole, ends_whole) {
            (true, true) => found.push(vec![Matcher::exactly(whole, word.as_bytes())]),
            (true, false) => {
                found.push(fields.iter().map(|field| Matcher::starting(*field, word.as_bytes())).collect());
            }
            (false, true) => {
                let ends = |field: &Field| Matcher::scan(*field, Test::Ends(word.to_owned()));
                scans.push(fields.iter().map(ends).collect());
            }
            (false, false) => {
                let holds = |field: &Field| Matcher::scan(*field, Test::Holds(word.to_owned()));
                scans.push(fields.iter().map(holds).collect());
            }
        }
    }
    // Going through all words costs more than looking at records that have the others.
    if found.is_empty() { scans } else { found }
}
