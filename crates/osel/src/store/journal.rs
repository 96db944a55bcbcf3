//! What a store can do, whatever it is made of: [`Journal`] writes, [`Reader`] reads.
//!
//! Both block; the runtime gives the writer a thread of its own. Neither knows what it keeps: verifying the
//! chain, folding entries and rendering records happen in the core, with what comes from here.

use std::ops::ControlFlow;
use std::time::Duration;

use osel_core::time::Timestamp;

use super::data::{
    CommandRow, Commit, Counters, CursorRow, Entry, Expiry, FindingRow, Head, Holdings, LogKeyRow, NodeRow,
    Numbers, QuarantineItem, QuarantineState, SignedCheckpoint, SnapshotInfo, StoreInfo, StoredRecord,
    VersionSet, WitnessedRow,
};
use super::erasure::{Eraser, ErasureRow};
use super::error::JournalError;
use super::forward::{DeadLetterRow, ForwarderRow};
use super::index::{NewSegment, Segment};
use super::packed::PackedChunk;

/// The most bytes of one chunk of a snapshot, so that a commit never waits long for one to be written.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 4 << 20;

/// The one writer of a store.
pub trait Journal: Send {
    /// What the store says about itself.
    fn info(&self) -> &StoreInfo;

    /// The head after the last commit that succeeded.
    fn head(&self) -> Head;

    /// Adds a batch in one durable transaction; once this returns, a crash cannot undo it.
    ///
    /// # Errors
    /// A commit that contradicts itself or the store is refused and changes nothing, nor does one to a busy
    /// store. After any other error it is not known whether the batch is in the store: the journal takes no
    /// further write until [`Self::reopen`].
    fn commit(&mut self, commit: &Commit<'_>) -> Result<Head, JournalError>;

    /// Opens the store again after a failed write and says where it is: at the head before the failed commit
    /// (repeat it, byte for byte) or at the head after it (go on).
    ///
    /// # Errors
    /// When it cannot be opened, or its head is neither of the two. It is busy while a backup is made of it.
    fn reopen(&mut self) -> Result<Head, JournalError>;

    /// Begins a snapshot of the state after `seq` and `entry`. It is written beside commits, a chunk at a
    /// time, and seen by nobody before it is complete. One is written at a time: an unfinished one is
    /// dropped.
    ///
    /// # Errors
    /// When the store has not come that far, or cannot be written.
    fn begin_snapshot(&mut self, seq: u64, entry: u64, made_at: Timestamp) -> Result<u64, JournalError>;

    /// Adds the next chunk, of at most [`SNAPSHOT_CHUNK_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When there is no such unfinished snapshot, or it cannot be written.
    fn add_snapshot_chunk(&mut self, id: u64, data: &[u8]) -> Result<(), JournalError>;

    /// Makes a snapshot visible.
    ///
    /// # Errors
    /// When there is no such unfinished snapshot, or it cannot be written.
    fn complete_snapshot(&mut self, id: u64) -> Result<SnapshotInfo, JournalError>;

    /// Removes the complete snapshots that `keep` does not want, and says how many. It is asked from the
    /// latest to the oldest. The checkpoint behind which inputs went stays, whatever it says.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn prune_snapshots(&mut self, keep: &mut dyn FnMut(&SnapshotInfo) -> bool)
    -> Result<usize, JournalError>;

    /// Removes the parts of a class and project from a record, with their salts; a part that lies in the
    /// record's entry goes from there. Record, hash and every other part stay. Says how many parts went.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be written. When it is busy, as while a backup is made
    /// of it, the parts are gone from the record but not yet from the log: to be repeated.
    fn erase_part(&mut self, seq: u64, class: u8, project: Option<&str>) -> Result<usize, JournalError>;

    /// Lets go of what commits have said may go ([`Commit::expiry`]), for about that long and in one durable
    /// transaction; says whether there is more. Parts go before the entries that they lie in; of an entry
    /// whose message is held nothing goes. With no time at all one small step is done.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn expire(&mut self, how_long: Duration) -> Result<bool, JournalError>;

    /// Goes on with the erasures of persons that commits have ordered ([`Commit::erasure`]), for about that long; says whether there is more. Their keys
    /// were destroyed with the commit, or with the opening of a store in which that was cut short. With no time at all one small step is
    /// done.
    ///
    /// # Errors
    /// When the store cannot be written. When it is busy, as while a backup is made of it, the log has what is gone from the file: to be
    /// repeated.
    fn erase_persons(&mut self, how_long: Duration, eraser: &dyn Eraser) -> Result<bool, JournalError>;

    /// Lets go of some keys of persons that no part needs any more, since all parts of their weeks are gone; says whether there may be more of them.
    ///
    /// # Errors
    /// When they cannot be written.
    fn drop_keys(&mut self, eraser: &dyn Eraser) -> Result<bool, JournalError>;

    /// Writes a segment of the search index in the place of all that it overlaps, in one durable transaction. False, and nothing is
    /// written, where its generation is not the present one: a part may be gone that it was made of.
    ///
    /// # Errors
    /// When the store has not come that far, or cannot be written.
    fn put_segment(&mut self, segment: &NewSegment) -> Result<bool, JournalError>;

    /// Removes the search index.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn drop_index(&mut self) -> Result<(), JournalError>;

    /// A reader of the same store.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn reader(&self) -> Result<Box<dyn Reader>, JournalError>;
}

/// Takes one thing that was read, and says whether to go on.
pub type Each<'a, T> = &'a mut dyn FnMut(T) -> ControlFlow<()>;

/// A reader of a store; needs bounded memory and holds up no writer, however slow its caller is.
///
/// What it reads in several steps is not of one moment: numbers only grow, so whoever wants one reads
/// [`Self::head`] first and asks up to there.
pub trait Reader: Send {
    /// What the store says about itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn info(&mut self) -> Result<StoreInfo, JournalError>;

    /// How far the store has come.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn head(&mut self) -> Result<Head, JournalError>;

    /// The record of that number.
    ///
    /// # Errors
    /// When it is damaged or the store cannot be read.
    fn record(&mut self, seq: u64) -> Result<Option<StoredRecord>, JournalError>;

    /// The records of a range in order. A missing one is not an error here: the numbers show it.
    ///
    /// # Errors
    /// When one is damaged ([`Place::Record`](super::Place::Record) says which) or the store cannot be read.
    fn records(&mut self, range: Numbers, each: Each<'_, StoredRecord>) -> Result<(), JournalError>;

    /// The entry of that number.
    ///
    /// # Errors
    /// When its block is damaged or the store cannot be read.
    fn entry(&mut self, number: u64) -> Result<Option<Entry>, JournalError>;

    /// The entries of a range in order. A missing one is not an error here: the numbers show it.
    ///
    /// # Errors
    /// When a block is damaged ([`Place::Entry`](super::Place::Entry) names its first) or the store cannot be
    /// read.
    fn entries(&mut self, range: Numbers, each: Each<'_, Entry>) -> Result<(), JournalError>;

    /// The ledgers of all sources, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn ledger(&mut self) -> Result<Vec<Counters>, JournalError>;

    /// The cursors of all sources, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn cursors(&mut self) -> Result<Vec<CursorRow>, JournalError>;

    /// Quarantined messages by id, all or those in one state.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn quarantine(
        &mut self,
        state: Option<QuarantineState>,
        each: Each<'_, QuarantineItem>,
    ) -> Result<(), JournalError>;

    /// The quarantined message of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn quarantine_item(&mut self, id: u64) -> Result<Option<QuarantineItem>, JournalError>;

    /// Commands by record and id, all or those in one state.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn commands(&mut self, state: Option<&str>, each: Each<'_, CommandRow>) -> Result<(), JournalError>;

    /// Commands by record and id, those that were planned by record `seq` or a later one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn commands_from(&mut self, seq: u64, each: Each<'_, CommandRow>) -> Result<(), JournalError>;

    /// The command of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn command(&mut self, id: &str) -> Result<Option<CommandRow>, JournalError>;

    /// Findings by record and id, all or those in one state.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn findings(&mut self, state: Option<&str>, each: Each<'_, FindingRow>) -> Result<(), JournalError>;

    /// The finding of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn finding(&mut self, id: &str) -> Result<Option<FindingRow>, JournalError>;

    /// The complete snapshots, latest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn snapshots(&mut self) -> Result<Vec<SnapshotInfo>, JournalError>;

    /// The latest complete snapshot that contains no record after `seq`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn snapshot_at(&mut self, seq: u64) -> Result<Option<SnapshotInfo>, JournalError>;

    /// The chunks of a complete snapshot, in order.
    ///
    /// # Errors
    /// When it was removed meanwhile or is damaged, or the store cannot be read.
    fn snapshot(&mut self, id: u64, each: Each<'_, Vec<u8>>) -> Result<(), JournalError>;

    /// One chunk of a complete snapshot, still compressed: whoever wants some of them, or unpacks on several threads, asks for each. They
    /// count from 0.
    ///
    /// # Errors
    /// When there is no such chunk, or it was removed meanwhile, or the store cannot be read.
    fn snapshot_chunk(&mut self, id: u64, chunk: u64) -> Result<PackedChunk, JournalError>;

    /// The object versions made by the records of a range, in order.
    ///
    /// # Errors
    /// When a block is damaged or the store cannot be read.
    fn versions(&mut self, range: Numbers, each: Each<'_, VersionSet>) -> Result<(), JournalError>;

    /// What may go, as commits have said. What may go may be gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn expiry(&mut self) -> Result<Expiry, JournalError>;

    /// How much there is. It is asked often, and must not read what it counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn holdings(&mut self) -> Result<Holdings, JournalError>;

    /// The hashes of the records of a range in order, without anything else of them: the leaves of the log. Their numbers are not told, so
    /// none may be missing before the last that there is.
    ///
    /// # Errors
    /// When one is damaged or missing ([`Place::Record`](super::Place::Record) says which) or the store cannot be read.
    fn leaves(&mut self, range: Numbers, each: Each<'_, [u8; 32]>) -> Result<(), JournalError>;

    /// The nodes of a level of the log whose places are in the range, in order. A missing one is not an error here: the places show it.
    ///
    /// # Errors
    /// When one is damaged ([`Place::Node`](super::Place::Node) says which) or the store cannot be read.
    fn nodes(&mut self, level: u8, range: Numbers, each: Each<'_, NodeRow>) -> Result<(), JournalError>;

    /// The latest checkpoint of the log that stands for at most so many records; without a number the latest of all.
    ///
    /// # Errors
    /// When it is damaged or the store cannot be read.
    fn checkpoint(&mut self, at_most: Option<u64>) -> Result<Option<SignedCheckpoint>, JournalError>;

    /// The checkpoints of the log whose sizes are in the range, in order: of all that were signed at least the latest
    /// [`CHECKPOINTS_KEPT`](super::CHECKPOINTS_KEPT), and few more.
    ///
    /// # Errors
    /// When one is damaged ([`Place::SignedCheckpoint`](super::Place::SignedCheckpoint) says which) or the store cannot be read.
    fn checkpoints(&mut self, sizes: Numbers, each: Each<'_, SignedCheckpoint>) -> Result<(), JournalError>;

    /// The keys that signed the log, in the order in which they began to.
    ///
    /// # Errors
    /// When one is damaged or the store cannot be read.
    fn log_keys(&mut self) -> Result<Vec<LogKeyRow>, JournalError>;

    /// The last checkpoints that witnesses cosigned, by their keys.
    ///
    /// # Errors
    /// When one is damaged or the store cannot be read.
    fn witnessed(&mut self) -> Result<Vec<WitnessedRow>, JournalError>;

    /// The generation of the search index: another one once parts of records are to go, or one was erased. A segment is made of what is
    /// read after it, without the parts that [`Self::expiry`] says may go.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn index_generation(&mut self) -> Result<u64, JournalError>;

    /// The segments of the search index in order. They do not overlap, and need not cover all records.
    ///
    /// # Errors
    /// When one is damaged or the store cannot be read.
    fn segments(&mut self, each: Each<'_, Segment>) -> Result<(), JournalError>;

    /// The pages of the segment that begins there, of a class, that may have terms from the first of `terms` on and before the second, in
    /// order; none where the segment was replaced meanwhile.
    ///
    /// # Errors
    /// When one is damaged ([`Place::Index`](super::Place::Index)) or the store cannot be read.
    fn segment_pages(
        &mut self,
        segment: u64,
        class: u8,
        terms: (&[u8], &[u8]),
        each: Each<'_, Vec<u8>>,
    ) -> Result<(), JournalError>;

    /// How far all forwarders have come, by name; also those that are not configured any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn forwarders(&mut self) -> Result<Vec<ForwarderRow>, JournalError>;

    /// The dead letters of a forwarder, by record and line.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn dead_letters(&mut self, forwarder: &str, each: Each<'_, DeadLetterRow>) -> Result<(), JournalError>;

    /// The erasures of persons, by the records that tell them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn erasures(&mut self) -> Result<Vec<ErasureRow>, JournalError>;

    /// The words of the persons who have keys, in no order that means anything.
    ///
    /// # Errors
    /// When they cannot be read.
    fn persons(&mut self, each: Each<'_, String>) -> Result<(), JournalError>;

    /// The last record whose `as_of` is not later than `time`; 0 for none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn seq_at(&mut self, time: Timestamp) -> Result<u64, JournalError>;
}
