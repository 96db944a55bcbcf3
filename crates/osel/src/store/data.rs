//! The plain data that goes into the store and comes out of it.
//!
//! Nothing here knows how it is kept, and nothing knows the engine's types: states, reasons and encodings are
//! opaque bytes or short texts that only their maker interprets. Numbers of entries and records start at 1
//! and have no gaps; 0 stands for "before the first".

use std::collections::BTreeMap;
use std::sync::Arc;

use osel_core::time::Timestamp;

use super::erasure::NewErasure;
use super::forward::{DeadLetterChange, ForwarderRow};
use super::new_records::NewRecords;

/// What an [`Entry`] is; codes are stored and therefore never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKind(pub u8);

impl EntryKind {
    /// A message from a source, redacted.
    pub const MESSAGE: Self = Self(1);
    /// An inventory, or a page of one.
    pub const INVENTORY: Self = Self(2);
    /// The outcome of a command.
    pub const OUTCOME: Self = Self(3);
    /// An order of an operator.
    pub const ORDER: Self = Self(4);
    /// A tick of the clock that had an effect.
    pub const TICK: Self = Self(5);
    /// An observation by the API that changed the model.
    pub const OBSERVATION: Self = Self(6);
    /// Something osel did or noticed about itself: a start, a gap.
    pub const SYSTEM: Self = Self(7);
}

/// One input of the engine, as it was handled: folding all of them in order gives the state again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without gaps.
    pub number: u64,
    /// The `now` it was handled with.
    pub at: Timestamp,
    /// What it is.
    pub kind: EntryKind,
    /// The source it came from; empty when it came from none.
    pub source: Arc<str>,
    /// A small JSON object beside the body: exchange, routing key, properties, redelivered.
    pub head: Vec<u8>,
    /// The body, redacted; empty when it was erased.
    pub body: Vec<u8>,
    /// Whether the body was erased by retention.
    pub erased: bool,
}

/// One record of the trail: its canonical bytes, what they commit to, and the columns it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// From 1, without gaps.
    pub seq: u64,
    /// The entry it stems from; 0 for none.
    pub entry: u64,
    /// The kind of record, in the code of its maker.
    pub kind: u8,
    /// When it happened.
    pub time: Timestamp,
    /// The time from which `--at TIME` sees it; never earlier than its predecessor's.
    pub as_of: Timestamp,
    /// The bytes that are hashed.
    pub canonical: Vec<u8>,
    /// The hash of the canonical bytes.
    pub hash: [u8; 32],
    /// What the canonical bytes commit to, in their order.
    pub parts: Vec<StoredPart>,
}

/// One part of a record, committed to by its canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    /// The class of the part, in the code of its maker.
    pub class: u8,
    /// The project the part belongs to, where it belongs to one.
    pub project: Option<Arc<str>>,
    /// Whom it is about, which says how it is kept.
    pub whose: Whose,
    /// What is hashed before the part; dies with it: all zero when the content is gone.
    pub salt: [u8; 16],
    /// The part itself.
    pub content: PartContent,
}

/// Whom a part is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// No one person: it is kept as it is.
    #[default]
    Nobody,
    /// The person of that word, in the words of its maker: it is sealed by that person's key where it is kept.
    Person(String),
    /// It is sealed by the key of that number. Only the store itself sees it so.
    Sealed(u64),
    /// Somebody whose key is not here: the part is there, sealed, and reads as [`PartContent::Gone`].
    Locked,
}

/// Where the bytes of a part are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartContent {
    /// Here.
    Bytes(Vec<u8>),
    /// They are the body of the record's entry and not kept twice.
    InEntry,
    /// Removed by retention or erasure; the commitment stays.
    Gone,
}

/// The ledger of one source, as absolute values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The source.
    pub source: String,
    /// Messages received: the sum of the four below.
    pub received: u64,
    /// Messages that have a record.
    pub recorded: u64,
    /// Messages recognised as repetitions.
    pub duplicate: u64,
    /// Messages ignored by a named policy.
    pub ignored: u64,
    /// Messages in quarantine now.
    pub quarantined: u64,
    /// Recorded messages that have no meaning here, by event type. In a commit only what changed need be
    /// named.
    pub unmodelled: BTreeMap<String, u64>,
    /// Ignored messages, by policy. In a commit only what changed need be named.
    pub ignored_by: BTreeMap<String, u64>,
}

/// Whether a message is still in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuarantineState {
    /// It is.
    Held,
    /// It was replayed and counts elsewhere now.
    Replayed,
}

impl QuarantineState {
    /// Its number in tables.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Replayed => 1,
        }
    }

    /// What a number in tables means; nothing for one that was never written.
    pub(super) fn of_code(code: i64) -> Option<Self> {
        [Self::Held, Self::Replayed].into_iter().find(|state| i64::from(state.code()) == code)
    }
}

/// One message that could not be read; its bytes are its entry's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineItem {
    /// Given by the caller, unique.
    pub id: u64,
    /// The entry with the bytes.
    pub entry: u64,
    /// The source it came from.
    pub source: String,
    /// When it was put there.
    pub at: Timestamp,
    /// The reason as a short word.
    pub reason_code: String,
    /// The reason as a sentence.
    pub reason: String,
    /// The event type, where it could be read.
    pub event_type: Option<String>,
    /// The message id, where it could be read.
    pub message_id: Option<String>,
    /// Whether it is still there.
    pub state: QuarantineState,
}

/// Something with a life of its own, in its present state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeRow {
    /// Its id.
    pub id: String,
    /// The record that began it.
    pub seq: u64,
    /// Its state, in the word of its maker.
    pub state: String,
    /// Everything else, in its maker's encoding.
    pub body: Vec<u8>,
    /// When it got this state.
    pub updated_at: Timestamp,
}

/// One command; `seq` is the record that planned it.
pub type CommandRow = LifeRow;
/// One finding; `seq` is the record that opened it.
pub type FindingRow = LifeRow;

/// The state of findings that go by their age.
pub const RESOLVED: &str = "resolved";
/// The most of them that go with one commit: some tens of milliseconds, in which no other commit is written.
pub const RESOLVED_AT_ONCE: u32 = 10_000;

/// How far a source is known to be whole, in the encoding of its maker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorRow {
    /// The source.
    pub source: String,
    /// When everything was last known to be in place; none for never.
    pub unbroken: Option<Timestamp>,
    /// Until when everything published has been taken; none for never.
    pub drained: Option<Timestamp>,
    /// A gap that has not ended: since when, and the code of its cause.
    pub gap: Option<(Timestamp, u8)>,
    /// How far it was read, where it is read from a place on, in the words of its reader.
    pub place: Option<String>,
}

/// Object versions that one record made, in the engine's encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSet {
    /// The record. A change that has no record of its own carries the number of the next one.
    pub seq: u64,
    /// The versions.
    pub data: Vec<u8>,
}

/// A node of the log's tree: the hash of a full tile of level `level - 1`, which stands for 256^level records. The records' own hashes are
/// level 0 and not kept twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// From 1 to [`NODE_LEVEL_MAX`].
    pub level: u8,
    /// Its place in its level, from 0: it stands for the records after `index * 256^level`.
    pub index: u64,
    /// The hash.
    pub hash: [u8; 32],
}

impl NodeRow {
    /// The last record that it stands for; none when there can be no such node.
    pub fn last_seq(&self) -> Option<u64> {
        let width = 1_u64.checked_shl(8 * u32::from(self.level)).filter(|_| self.level <= NODE_LEVEL_MAX)?;
        self.index.checked_add(1)?.checked_mul(width)
    }
}

/// The highest level of a node: one stands for 2^56 records, and 256 of them for more than can be numbered.
pub const NODE_LEVEL_MAX: u8 = 7;

/// A checkpoint of the log: what was signed for its first records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// For how many records.
    pub size: u64,
    /// The signed note, as it was made.
    pub note: String,
    /// When it was made, by the clock of whoever made it; nothing vouches for that.
    pub signed_at: Timestamp,
}

/// A key that signs the log, for whoever verifies: it has signed since the checkpoint of that size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeyRow {
    /// The first size that it signed.
    pub size: u64,
    /// The verifier key, as a text of its maker.
    pub key: String,
}

/// A checkpoint of the log that a witness cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessedRow {
    /// The verifier key of the witness, as a text of its maker.
    pub witness: String,
    /// For how many records it stands.
    pub size: u64,
    /// The note, with the log's signature and the witness'.
    pub note: String,
    /// When it was cosigned, by the clock of the log's side.
    pub at: Timestamp,
}

/// How many checkpoints are kept that a witness has cosigned, its latest: witnesses are asked about the same ones every few seconds, so that of
/// several who answer within half a minute each other's are among them. Besides these each one stays that is another witness' last.
pub const COSIGNED_KEPT: i64 = 8;

/// How many checkpoints of the log are kept, the latest: with one each second they reach back three hours, with one each thousand records
/// ten million. Older ones are of no use to anybody who has a later one, which proves that the log only grew.
pub const CHECKPOINTS_KEPT: u64 = 10_000;

/// How far a store has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last record; 0 for none.
    pub seq: u64,
    /// The last record's hash; zeros for none.
    pub hash: [u8; 32],
    /// The last entry; 0 for none.
    pub entry: u64,
}

impl Head {
    /// The head of a store in which nothing is.
    pub const EMPTY: Self = Self { seq: 0, hash: [0; 32], entry: 0 };
}

/// What is added in one durable transaction: all of it or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The writer's epoch; a store that was opened for writing since refuses it.
    pub epoch: u64,
    /// The head this goes on from.
    pub previous: Head,
    /// New inputs.
    pub entries: &'a [Entry],
    /// New records.
    pub records: &'a NewRecords,
    /// Ledgers that changed.
    pub counters: &'a [Counters],
    /// Quarantine items that are new or changed.
    pub quarantine: &'a [QuarantineItem],
    /// Commands that are new or changed.
    pub commands: &'a [CommandRow],
    /// Findings that are new or changed.
    pub findings: &'a [FindingRow],
    /// Findings that were resolved before this go, [`RESOLVED_AT_ONCE`] of them at most: before those that are new or changed come.
    pub resolved_before: Option<Timestamp>,
    /// Object versions the new records made.
    pub versions: &'a [VersionSet],
    /// Cursors that changed.
    pub cursors: &'a [CursorRow],
    /// What may go from now on, besides what may go already.
    pub expiry: Option<&'a Expiry>,
    /// A person who is to be erased.
    pub erasure: Option<&'a NewErasure>,
    /// Nodes of the log that are complete with the new records, or were missing.
    pub nodes: &'a [NodeRow],
    /// What was signed of the log. It stands for records that were durable before.
    pub checkpoints: &'a [SignedCheckpoint],
    /// Keys that begin to sign the log, with their first checkpoint.
    pub log_keys: &'a [LogKeyRow],
    /// What witnesses have cosigned of the log: each the last of its witness.
    pub witnessed: &'a [WitnessedRow],
    /// Forwarders that have come further.
    pub forwarders: &'a [ForwarderRow],
    /// What becomes of dead letters, in this order.
    pub dead_letters: &'a [DeadLetterChange],
}

impl<'a> Commit<'a> {
    /// A commit of nothing, to fill in.
    pub fn empty(epoch: u64, previous: Head) -> Commit<'a> {
        Commit {
            epoch,
            previous,
            entries: &[],
            records: NewRecords::EMPTY,
            counters: &[],
            quarantine: &[],
            commands: &[],
            findings: &[],
            resolved_before: None,
            versions: &[],
            cursors: &[],
            expiry: None,
            erasure: None,
            nodes: &[],
            checkpoints: &[],
            log_keys: &[],
            witnessed: &[],
            forwarders: &[],
            dead_letters: &[],
        }
    }

    /// The head after this commit.
    pub fn head_after(&self) -> Head {
        let (seq, hash) = match self.records.last() {
            Some(record) => (record.head.seq, record.head.hash),
            None => (self.previous.seq, self.previous.hash),
        };
        Head { seq, hash, entry: self.entries.last().map_or(self.previous.entry, |entry| entry.number) }
    }
}

/// What a store says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The store's id, 32 hexadecimal digits; its queue is named after it.
    pub id: String,
    /// The format it is in.
    pub format: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often it was opened for writing.
    pub epoch: u64,
}

/// What a new store is told about itself.
#[derive(Clone, Debug)]
pub struct NewStore {
    /// 16 bytes of chance.
    pub id: [u8; 16],
    /// The time now.
    pub created_at: Timestamp,
}

impl NewStore {
    /// The id as [`StoreInfo`] has it.
    pub(super) fn id_text(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A saved state of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its number, rising with each new one.
    pub id: u64,
    /// The last record the state contains.
    pub seq: u64,
    /// The last entry the state contains.
    pub entry: u64,
    /// In how many chunks it is kept.
    pub chunks: u64,
    /// Its size, uncompressed.
    pub bytes: u64,
    /// When it was begun.
    pub made_at: Timestamp,
}

/// What may go from a store. It is said by commits, and only ever rises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The snapshot behind which inputs go: entries up to its own, the parts of records in them, and the
    /// versions and snapshots from before it.
    pub checkpoint: Checkpoint,
    /// By class of part: up to which record parts go.
    pub parts: BTreeMap<u8, u64>,
    /// By class of part and kind of record: up to which record parts go from those of that kind, besides.
    pub kinds: BTreeMap<(u8, u8), u64>,
    /// Messages that are held in quarantine keep their bytes, also behind the checkpoint, unless they were
    /// put there before this.
    pub quarantine_before: Timestamp,
}

impl Default for Expiry {
    /// Nothing may go.
    fn default() -> Self {
        let (checkpoint, quarantine_before) = (Checkpoint::default(), Timestamp::MIN);
        Self { checkpoint, parts: BTreeMap::new(), kinds: BTreeMap::new(), quarantine_before }
    }
}

impl Expiry {
    /// Up to which record parts of a class go from records of a kind.
    pub fn limit(&self, class: u8, kind: u8) -> u64 {
        let of_all = self.parts.get(&class).copied().unwrap_or(0);
        of_all.max(self.kinds.get(&(class, kind)).copied().unwrap_or(0))
    }
}

/// A snapshot that stands for the inputs before it; zeros for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The snapshot's number.
    pub snapshot: u64,
    /// The last record the state contains.
    pub seq: u64,
    /// The last entry the state contains.
    pub entry: u64,
}

/// How much there is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Bytes of inputs after the checkpoint, as they are kept: what is held in quarantine from before it does not go with them.
    pub input_bytes: u64,
    /// Bytes of object versions, as they are kept.
    pub version_bytes: u64,
    /// Bytes of snapshots, as they are kept.
    pub snapshot_bytes: u64,
    /// Bytes of the parts of records that have any; those in entries count there, and what remains of a record without parts nowhere.
    pub part_bytes: u64,
    /// Bytes that all of it takes, without room that is free to be used again.
    pub used_bytes: u64,
}

/// Which records, entries or versions are asked for: both ends belong to it.
pub type Numbers = std::ops::RangeInclusive<u64>;

/// All numbers there are.
pub const ALL: Numbers = 1..=u64::MAX;

/// The most bytes that one value may have: a body, the canonical bytes, a chunk. SQLite's own bound is
/// 1,000,000,000, and zstd may add a 256th to what it cannot compress.
pub const VALUE_BYTES_MAX: usize = 900_000_000;
