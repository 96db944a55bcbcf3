//! The conditions by which records are found, as the commands that look for some are given them.

use std::ops::RangeInclusive;

use clap::Args;
use clap::builder::PossibleValuesParser;
use ipnet::IpNet;
use osel_core::event::Outcome;
use osel_core::search::{Query, RowQuery, WantedSource, parse_net};
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;

use crate::cli::output::{Failure, note};
use crate::runtime::search::{Looked, unindexed};
use crate::store::Reader;

/// Whoever has more than this many records read one by one is told how that is avoided: it takes some seconds.
const READ_TOLD: u64 = 100_000;

const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Failure, Outcome::Pending, Outcome::Unknown];

/// Which records are meant: all conditions must hold, of several values of one any of them.
#[derive(Clone, Debug, Args)]
pub struct Conditions {
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The actor's user id, or name in upper or lower case.
    #[arg(long, value_name = "USER")]
    actor: Vec<String>,
    /// The id or name of the actor's project, or the id of the target's.
    #[arg(long, value_name = "PROJECT")]
    project: Vec<String>,
    /// An address, or a prefix of some: whose exposure changed, or the client's. A row of a wider prefix counts where it holds it.
    #[arg(long, value_name = "IP|CIDR", value_parser = address)]
    address: Vec<IpNet>,
    /// A protocol, by name or number, that a row admits which opened or closed; `any` is all there are.
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Vec<String>,
    /// A port that such a row admits: one of its range, or any where it has none.
    #[arg(long, value_name = "N")]
    port: Vec<u16>,
    /// An address or a prefix, all of which such a row admits; or a security group or an address group that it admits, by id. One row has
    /// to admit all that these flags ask, at an --address if one is given.
    #[arg(long, value_name = "IP|CIDR|ID")]
    source: Vec<String>,
    /// The event type, or its beginning.
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<String>,
    /// The kind of record.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(RecordKind::ALL.map(RecordKind::as_str)))]
    kind: Vec<String>,
    /// How it went.
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(OUTCOMES.map(Outcome::as_str)))]
    outcome: Vec<String>,
    /// The id of what something was done to, or its name in upper or lower case.
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// The id of the request that caused it.
    #[arg(long, value_name = "ID")]
    request_id: Vec<String>,
    /// The id of the message.
    #[arg(long, value_name = "ID")]
    message_id: Vec<String>,
    /// The number of the record that it follows from.
    #[arg(long, value_name = "SEQ")]
    cause: Vec<u64>,
    /// Only records with these numbers, both ends included; either end may be left out.
    #[arg(long, value_name = "A..B", value_parser = numbers)]
    seq: Option<RangeInclusive<u64>>,
    /// Only records that opened or closed something.
    #[arg(long)]
    exposing: bool,
    /// A text in the sentence, upper or lower case.
    text: Option<String>,
}

fn address(text: &str) -> Result<IpNet, &'static str> {
    parse_net(text).ok_or("give an address such as 192.0.2.7, or a prefix such as 192.0.2.0/24")
}

fn numbers(text: &str) -> Result<RangeInclusive<u64>, &'static str> {
    let unclear = "not a range of records such as 120..180, 120.. or ..180";
    let (first, last) = text.split_once("..").ok_or(unclear)?;
    let end =
        |text: &str, without| if text.is_empty() { Ok(without) } else { text.parse().map_err(|_| unclear) };
    let (first, last) = (end(first, 1)?, end(last, u64::MAX)?);
    if first == 0 || first > last { Err(unclear) } else { Ok(first..=last) }
}

impl Conditions {
    /// The records that are meant by their numbers.
    pub(super) fn numbers(&self) -> RangeInclusive<u64> {
        self.seq.clone().unwrap_or(1..=u64::MAX)
    }

    /// Whether records are meant by nothing but their numbers.
    pub(super) fn are_numbers(&self) -> bool {
        self.words().is_empty()
    }

    /// What was given as `--since` where that is no time; it is no condition then.
    pub(super) fn take_since_file(&mut self) -> Option<String> {
        self.since.take_if(|since| Timestamp::parse(since).is_none())
    }

    /// The conditions as they were given.
    pub(super) fn asked(&self) -> String {
        let mut words = self.words();
        words.extend(self.seq.as_ref().map(|seq| format!("--seq {}..{}", seq.start(), seq.end())));
        words.join(" ")
    }

    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |flag: &str, values: &[String]| {
            words.extend(values.iter().map(|value| format!("--{flag} {value}")));
        };
        add("since", self.since.as_slice());
        add("until", self.until.as_slice());
        add("actor", &self.actor);
        add("project", &self.project);
        add("address", &self.address.iter().map(ToString::to_string).collect::<Vec<_>>());
        add("protocol", &self.protocol);
        add("port", &self.port.iter().map(ToString::to_string).collect::<Vec<_>>());
        add("source", &self.source);
        add("event-type", &self.event_type);
        add("kind", &self.kind);
        add("outcome", &self.outcome);
        add("target", &self.target);
        add("request-id", &self.request_id);
        add("message-id", &self.message_id);
        add("cause", &self.cause.iter().map(ToString::to_string).collect::<Vec<_>>());
        words.extend(self.exposing.then(|| "--exposing".to_owned()));
        words.extend(self.text.clone());
        words
    }

    /// The question that they ask, but for the records' numbers.
    ///
    /// # Errors
    /// When a time is none.
    pub(super) fn query(&self) -> anyhow::Result<Query> {
        Ok(Query {
            since: time("--since", self.since.as_deref())?,
            until: time("--until", self.until.as_deref())?,
            actors: self.actor.clone(),
            projects: self.project.clone(),
            shown_to: Vec::new(),
            addresses: self.address.clone(),
            rows: RowQuery {
                protocols: self.protocol.clone(),
                ports: self.port.clone(),
                sources: self.source.iter().map(|source| WantedSource::parse(source)).collect(),
            },
            event_types: self.event_type.clone(),
            kinds: self.kind.iter().filter_map(|kind| RecordKind::from_word(kind)).collect(),
            outcomes: OUTCOMES
                .into_iter()
                .filter(|of| self.outcome.iter().any(|o| o == of.as_str()))
                .collect(),
            targets: self.target.clone(),
            requests: self.request_id.clone(),
            messages: self.message_id.clone(),
            causes: self.cause.clone(),
            exposing: self.exposing,
            text: self.text.as_ref().map(|text| text.to_lowercase()),
        })
    }
}

fn time(flag: &str, text: Option<&str>) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let time = Timestamp::parse(text);
    Ok(Some(
        time.ok_or_else(|| {
            Failure::Usage(format!("{flag} {text}: not a time such as 2026-11-21T03:12:00Z"))
        })?,
    ))
}

/// Says how it goes faster, where many records are to be read one by one.
pub(super) fn say_unindexed(reader: &mut dyn Reader, records: &RangeInclusive<u64>) {
    let unknown = unindexed(reader, records).unwrap_or(0);
    if unknown > READ_TOLD {
        note(format_args!(
            "{unknown} records are not in the search index and are read one by one: a running osel takes them up, or \
             `osel store index`"
        ));
    }
}

/// Says what is wrong with the index, if anything is.
pub(super) fn say_damaged(looked: Looked) {
    if looked.is_index_damaged {
        note(
            "a part of the search index is damaged and was not used: `osel store index --rebuild` makes it anew",
        );
    }
}
