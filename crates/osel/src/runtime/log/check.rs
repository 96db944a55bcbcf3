//! Whether a store's log is the log of its records: every node, every checkpoint with its signature, and that nothing was signed that is
//! not there any more.
//!
//! It goes along with whoever walks the records and sees each record's hash once. What is kept is read a page ahead, so that memory does
//! not grow with the trail.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use osel_core::trail::log::{Checkpoint, Node, TILE_WIDTH, VerifierKey};
use osel_core::trail::{Hash, Tree};

use super::check_witnessed;
use super::resume::row;
use crate::store::{
    CHECKPOINTS_KEPT, JournalError, LogKeyRow, NODE_LEVEL_MAX, Numbers, Place, Reader, SignedCheckpoint,
};

/// Something that is wrong with the log, and of which of its sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLog {
    /// The number of records that what is wrong stands for.
    pub size: u64,
    /// What is wrong.
    pub why: String,
}

/// What was found of a good log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFound {
    /// How many nodes were right.
    pub nodes: u64,
    /// How many nodes are missing at the end, to be made by whoever writes the store next.
    pub missing_nodes: u64,
    /// How many checkpoints were right.
    pub checkpoints: u64,
    /// For how many records the last one stands.
    pub signed: u64,
    /// How many witnesses have cosigned a checkpoint that is right.
    pub witnessed: u64,
    /// The key that signed it.
    pub key: Option<String>,
    /// Whether that is the key that whoever asked knows, and not only one that the store says.
    pub is_known: bool,
}

/// What became of a part of the check: bad, or good so far.
pub type Judged<T> = Result<Result<T, BadLog>, JournalError>;

/// The check under way.
pub struct LogCheck {
    tree: Tree,
    known: Option<VerifierKey>,
    keys: Vec<(u64, VerifierKey)>,
    /// Nodes and checkpoints of the page of records that is walked.
    nodes: BTreeMap<(u8, u64), Hash>,
    checkpoints: VecDeque<SignedCheckpoint>,
    /// The first size that is kept signed.
    first_signed: Option<u64>,
    /// Keys whose first checkpoint was seen.
    keys_seen: Vec<u64>,
    found: LogFound,
}

impl LogCheck {
    /// Begins before the first record; `known` is the key that must have signed the last checkpoint.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn begin(reader: &mut dyn Reader, known: Option<VerifierKey>) -> Judged<Self> {
        Ok(read_keys(reader)?.map(|keys| Self {
            tree: Tree::default(),
            known,
            keys,
            nodes: BTreeMap::new(),
            checkpoints: VecDeque::new(),
            first_signed: None,
            keys_seen: Vec::new(),
            found: LogFound::default(),
        }))
    }

    /// Reads what is kept of the log for these records, which come next. Of what cannot be read the first is told, by the size that it stands for:
    /// smaller ones can be judged all the same.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn turn(&mut self, reader: &mut dyn Reader, records: Numbers) -> Judged<()> {
        let (first, last) = (*records.start(), *records.end());
        let mut unread: Option<BadLog> = None;
        let mut failed = |error| {
            let Err(bad) = damage::<()>(error, first)? else { return Ok(()) };
            if unread.as_ref().is_none_or(|unread| bad.size < unread.size) {
                unread = Some(bad);
            }
            Ok::<_, JournalError>(())
        };
        for level in 1..=NODE_LEVEL_MAX {
            let width = TILE_WIDTH.pow(u32::from(level));
            // The nodes that these records complete.
            let (begin, end) = ((first - 1) / width, last / width);
            if begin == end {
                break;
            }
            let nodes = &mut self.nodes;
            let read = reader.nodes(level, begin..=end - 1, &mut |node| {
                nodes.insert((level, node.index), Hash(node.hash));
                ControlFlow::Continue(())
            });
            read.or_else(&mut failed)?;
        }
        let read = reader.checkpoints(records, &mut |checkpoint| {
            self.checkpoints.push_back(checkpoint);
            ControlFlow::Continue(())
        });
        read.or_else(&mut failed)?;
        // After the checkpoints: one that a daemon has signed meanwhile may be the first of another key.
        if !self.checkpoints.is_empty() {
            match read_keys(reader)? {
                Ok(keys) => self.keys = keys,
                Err(bad) => return Ok(Err(bad)),
            }
        }
        Ok(unread.map_or(Ok(()), Err))
    }

    /// Takes the hash of the next record.
    ///
    /// # Errors
    /// What is wrong with what is kept up to there.
    pub fn push(&mut self, hash: Hash) -> Result<(), BadLog> {
        let (nodes, found) = (&mut self.nodes, &mut self.found);
        let mut bad = None;
        let was_missing = found.missing_nodes > 0;
        let mut is_missing_below = was_missing;
        self.tree.push_with(hash, &mut |node| {
            let kept = nodes.remove(&(node.level, node.index));
            let what = match kept {
                Some(hash) if hash != node.hash => "is not the hash of its records",
                Some(_) if was_missing => "is there, and one before it is missing",
                Some(_) => {
                    found.nodes += 1;
                    return;
                }
                // A node is made with those below it.
                None if node.level > 1 && !is_missing_below => "is missing",
                None => {
                    is_missing_below = true;
                    found.missing_nodes += 1;
                    return;
                }
            };
            let (size, place) =
                (row(node).last_seq().unwrap_or(u64::MAX), Place::Node(node.level, node.index));
            bad.get_or_insert(BadLog { size, why: format!("{place} {what}") });
        });
        if let Some(bad) = bad {
            return Err(bad);
        }
        let size = self.tree.size();
        while let Some(signed) = self.checkpoints.pop_front_if(|signed| signed.size <= size) {
            self.checkpoint(&signed).map_err(|why| BadLog { size: signed.size, why })?;
        }
        Ok(())
    }

    /// Ends behind the last record.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn finish(self, reader: &mut dyn Reader) -> Judged<LogFound> {
        let Self { tree, known, keys, keys_seen, first_signed, mut found, .. } = self;
        let size = tree.size();
        for level in 1..=NODE_LEVEL_MAX {
            let made = size / TILE_WIDTH.pow(u32::from(level));
            if let Some(bad) = beyond_nodes(reader, level, made)? {
                return Ok(Err(bad));
            }
        }
        if let Some(bad) = beyond_checkpoints(reader, size)? {
            return Ok(Err(bad));
        }
        // Of a key whose first checkpoint is not kept any more nothing is known.
        let may_be_gone =
            |at: u64| found.checkpoints >= CHECKPOINTS_KEPT && first_signed.is_some_and(|first| at < first);
        let unseen = keys.iter().filter(|(at, _)| !keys_seen.contains(at) && !may_be_gone(*at));
        for (at, key) in unseen {
            // A daemon may have signed it meanwhile.
            let is_there = match reader.checkpoint(Some(*at)) {
                Ok(signed) => signed.is_some_and(|signed| signed.size == *at),
                Err(error) => return damage(error, *at),
            };
            if !is_there {
                let why =
                    format!("the key {key} signed first for {at} records, and there is no such checkpoint");
                return Ok(Err(BadLog { size: *at, why }));
            }
        }
        match check_witnessed::check(reader, &keys, size)? {
            Ok(witnessed) => found.witnessed = witnessed,
            Err(bad) => return Ok(Err(bad)),
        }
        if let (Some(known), Some(key)) = (known, &found.key) {
            if known.to_string() != *key {
                let why = format!("it is signed by {key}, and not by the key that is known here, {known}");
                return Ok(Err(BadLog { size: found.signed, why }));
            }
            found.is_known = true;
        }
        Ok(Ok(found))
    }

    fn checkpoint(&mut self, signed: &SignedCheckpoint) -> Result<(), String> {
        let key = self.keys.iter().rfind(|(since, _)| *since <= signed.size);
        let (since, key) = key.ok_or("the store has not the key that signed it")?;
        let opened = Checkpoint::open(signed.note.as_bytes(), std::slice::from_ref(key));
        let checkpoint = opened.map_err(|error| error.to_string())?;
        if checkpoint.size != signed.size {
            return Err(format!("its note stands for {} records", checkpoint.size));
        }
        if checkpoint.root != self.tree.root() {
            return Err("its root is not that of the records".to_owned());
        }
        // Nothing is signed before its nodes are there.
        if self.found.missing_nodes > 0 {
            return Err("it was signed, and nodes below it are missing".to_owned());
        }
        if *since == signed.size {
            self.keys_seen.push(*since);
        }
        self.first_signed.get_or_insert(signed.size);
        self.found.checkpoints += 1;
        self.found.signed = signed.size;
        self.found.key = Some(key.to_string());
        Ok(())
    }
}

/// The keys that signed, each with the size that it signed first.
fn read_keys(reader: &mut dyn Reader) -> Judged<Vec<(u64, VerifierKey)>> {
    let rows = match reader.log_keys() {
        Ok(rows) => rows,
        Err(error) => return damage(error, 0),
    };
    let parsed = rows.into_iter().map(|LogKeyRow { size, key }| match key.parse() {
        Ok(key) => Ok((size, key)),
        Err(error) => Err(BadLog { size, why: format!("the key that signed it first is none: {error}") }),
    });
    Ok(parsed.collect())
}

/// A node for records that are not there, if there is one.
fn beyond_nodes(reader: &mut dyn Reader, level: u8, made: u64) -> Result<Option<BadLog>, JournalError> {
    let mut beyond = None;
    let read = reader.nodes(level, made..=u64::MAX, &mut |node| {
        beyond = Some(node);
        ControlFlow::Break(())
    });
    if let Err(error) = read {
        return Ok(damage::<()>(error, 0)?.err());
    }
    let Some(node) = beyond else { return Ok(None) };
    let size = node.last_seq().unwrap_or(u64::MAX);
    // A daemon may have written it meanwhile, with its records.
    if size <= reader.head()?.seq {
        return Ok(None);
    }
    let why = format!("{} stands for records that are not there", Place::Node(level, node.index));
    Ok(Some(BadLog { size, why }))
}

/// A checkpoint of records that are not there, if there is one: whoever signed it had them.
fn beyond_checkpoints(reader: &mut dyn Reader, size: u64) -> Result<Option<BadLog>, JournalError> {
    let last = match reader.checkpoint(None) {
        Ok(last) => last.filter(|last| last.size > size),
        Err(error) => return Ok(damage::<()>(error, size)?.err()),
    };
    let Some(last) = last else { return Ok(None) };
    let records = reader.head()?.seq;
    let why = format!("it was signed, and the store ends with record {records}");
    Ok((last.size > records).then_some(BadLog { size: last.size, why }))
}

/// Damage of what is kept of the log is a finding, anything else an error. Where the place does not say how many records what is damaged
/// stands for, these are `size`.
pub(super) fn damage<T>(error: JournalError, size: u64) -> Judged<T> {
    let size = match error.place() {
        Some(Place::Node(level, index)) => {
            row(Node { level, index, hash: Hash::ZERO }).last_seq().unwrap_or(u64::MAX)
        }
        Some(Place::SignedCheckpoint(of)) => of,
        Some(Place::LogKeys | Place::Witnessed) => size,
        _ => return Err(error),
    };
    Ok(Err(BadLog { size, why: error.to_string() }))
}
