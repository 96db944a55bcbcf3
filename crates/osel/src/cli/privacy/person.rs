//! Who is meant by the words of a command, and which records are about them: the trail is read for it, record by record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{AddrParseError, IpAddr};
use std::ops::ControlFlow;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use osel_core::decode::Subject;
use osel_core::engine::record::Record;
use osel_core::time::Timestamp;
use serde::Serialize;

use crate::cli::output::{Failure, working};
use crate::runtime::forgetting::is_about;
use crate::runtime::record::read_record;
use crate::store::{ALL, Reader};

/// The most values of one field that are listed: somebody may come from many addresses.
const VALUES_MAX: usize = 1000;

/// Whom a command is about.
#[derive(Clone, Debug, Args)]
pub(super) struct Whom {
    /// A user, by id, or by a name that one user has or had.
    #[arg(long, value_name = "ID|NAME", required_unless_present = "address", value_parser = NonEmptyStringValueParser::new())]
    pub(super) user: Option<String>,
    /// The address of a client: what names no user and came from there.
    #[arg(long, value_name = "IP", conflicts_with = "user", value_parser = address)]
    pub(super) address: Option<String>,
}

/// An address, with or without the zone that one of a link may have; as it was given.
fn address(text: &str) -> Result<String, AddrParseError> {
    let (without_zone, _) = text.split_once('%').unwrap_or((text, ""));
    without_zone.parse::<IpAddr>().map(|_| text.to_owned())
}

/// What the trail has about somebody.
#[derive(Debug, Default, Serialize)]
pub(super) struct Kept {
    /// The user's id, where one is known.
    pub(super) user_id: Option<String>,
    /// Records with personal parts about them.
    pub(super) records: u64,
    /// The first of them.
    pub(super) first_seq: Option<u64>,
    /// When that was.
    pub(super) first_time: Option<String>,
    /// The last of them.
    pub(super) last_seq: Option<u64>,
    /// When that was.
    pub(super) last_time: Option<String>,
    /// Records by kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
    /// What the records say of them, by field.
    pub(super) values: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Whom {
    /// Looks through the trail.
    ///
    /// # Errors
    /// When several users have the name, or the store cannot be read.
    pub(super) fn look(&self, reader: &mut dyn Reader) -> anyhow::Result<Kept> {
        let bar = working("reading the trail");
        let subject = self.subject(reader)?;
        let mut kept = Kept { user_id: subject.user.clone(), ..Kept::default() };
        each(reader, |record| {
            if is_about(record, &subject) {
                kept.add(record, &subject);
            }
        })?;
        bar.finish_and_clear();
        Ok(kept)
    }

    fn subject(&self, reader: &mut dyn Reader) -> anyhow::Result<Subject> {
        let addresses: Vec<String> = self.address.iter().cloned().collect();
        let Some(word) = &self.user else { return Ok(Subject { addresses, ..Subject::default() }) };
        let by_id = Subject { user: Some(word.clone()), ..Subject::default() };
        let (mut is_id, mut ids, mut names) = (false, BTreeSet::new(), BTreeSet::new());
        let is_it = |name: &str| name.to_lowercase() == word.to_lowercase();
        each(reader, |record| {
            is_id |= is_about(record, &by_id);
            for (id, name) in named(record) {
                if is_it(name) {
                    ids.extend(id.clone());
                }
                if id.as_ref() == Some(word) {
                    names.insert(name.to_owned());
                }
            }
        })?;
        if is_id {
            return Ok(Subject { names: names.into_iter().collect(), addresses, ..by_id });
        }
        let several = ids.len() > 1;
        if several {
            let ids: Vec<String> = ids.into_iter().collect();
            let text = format!("--user: several users have or had that name: {}", ids.join(", "));
            return Err(Failure::Usage(text).into());
        }
        Ok(Subject { user: ids.pop_first(), names: vec![word.clone()], addresses })
    }
}

impl Kept {
    fn add(&mut self, record: &Record, subject: &Subject) {
        let time = |time: Timestamp| Some(time.to_string());
        self.records += 1;
        *self.kinds.entry(record.header.kind.as_str()).or_default() += 1;
        if self.first_seq.is_none() {
            (self.first_seq, self.first_time) = (Some(record.header.seq), time(record.header.time));
        }
        (self.last_seq, self.last_time) = (Some(record.header.seq), time(record.header.time));
        let mut value = |field: &'static str, value: &str| {
            let values = self.values.entry(field).or_default();
            if values.len() < VALUES_MAX {
                values.insert(value.to_owned());
            }
        };
        let theirs: Vec<&str> = named(record)
            .filter(|(id, name)| {
                let name = name.to_lowercase();
                match id {
                    Some(id) => subject.user.as_ref() == Some(id),
                    None => subject.names.iter().any(|of| of.to_lowercase() == name),
                }
            })
            .map(|(_, name)| name)
            .collect();
        theirs.into_iter().for_each(|name| value("name", name));
        if is_about(&without_others(record), subject) {
            let personal = &record.personal;
            personal.address.iter().for_each(|address| value("address", address));
            personal.agent.iter().for_each(|agent| value("agent", agent));
        }
    }
}

/// A record as if nobody but the actor were in it.
fn without_others(record: &Record) -> Record {
    let mut alone = record.clone();
    alone.body.target = None;
    alone.body.detail.clear();
    alone.personal.target_name = None;
    alone.personal.detail.clear();
    alone
}

/// The names in a record, with the ids of the users who have them.
fn named(record: &Record) -> impl Iterator<Item = (Option<String>, &str)> {
    let (body, personal) = (&record.body, &record.personal);
    let actor =
        personal.user_name.as_deref().map(|name| (body.user_id.as_ref().map(ToString::to_string), name));
    let target = body.target.as_ref().and_then(|target| target.id.as_ref());
    let target = personal.target_name.as_deref().map(|name| (target.map(ToString::to_string), name));
    let of_role =
        personal.detail.get("user_name").map(|name| (body.detail.get("user").cloned(), name.as_str()));
    actor.into_iter().chain(target).chain(of_role)
}

/// Hands over each record that can be read.
fn each(reader: &mut dyn Reader, mut take: impl FnMut(&Record)) -> anyhow::Result<()> {
    reader.records(ALL, &mut |stored| {
        read_record(&stored).iter().for_each(&mut take);
        ControlFlow::Continue(())
    })?;
    Ok(())
}
