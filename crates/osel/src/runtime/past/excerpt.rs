//! Reads the part of a store that a scope wants: lines of a snapshot and the versions behind it.
//!
//! The snapshot is looked through from its end, because floating IPs stand behind ports and ports behind rules: what is found tells what is
//! wanted of what comes next. Where that does not suffice, only the chunks are looked through again that may have more of what became
//! wanted meanwhile. Unpacking and looking through are spread over the machine's processors.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use memchr::memchr_iter;
use osel_core::engine::{EngineLine, EngineOptions, Version};
use osel_core::model::StateLine;

use super::scope::{Asked, Growth, Scope};
use super::sketch::{Keys, Sketch, Sort};
use super::timeline::Timeline;
use crate::runtime::{snapshots, state};
use crate::store::{JournalError, PackedChunk, Reader, SnapshotInfo};

/// The most threads that look through a snapshot: more would wait for the one that reads.
const THREADS_MAX: usize = 8;
/// How many chunks each thread gets at a time: a chunk has about a megabyte.
const CHUNKS_EACH: usize = 4;

/// How many bytes of written versions a question may need: as objects they take one to two times as many. What a project or an address needs
/// of a year is far from it; all that changed in a month of a large cloud may be more.
const VERSIONS_BYTES_MAX: usize = 512 << 20;

/// Part of the clouds: as a snapshot has it, and how it changed from there on.
#[derive(Clone, Debug)]
pub struct Excerpt {
    seq: u64,
    lines: Vec<(Option<Arc<str>>, StateLine)>,
    later: Vec<Version>,
}

impl Excerpt {
    /// What is asked for of the clouds, from record `from` to record `to`; `sources` when also the addresses are needed that groups stand
    /// for as sources. Where a store has it in the form of an earlier version only, the journal is folded, which gives all of the clouds
    /// and takes as long and as much memory.
    ///
    /// # Errors
    /// When `from` is before the horizon, more changed than can be held, or the store cannot be read.
    pub fn load(
        reader: &mut dyn Reader,
        (from, to): (u64, u64),
        asked: &Asked,
        sources: bool,
        options: &EngineOptions,
    ) -> Result<Self, JournalError> {
        Self::load_within(reader, (from, to), asked, sources, options, VERSIONS_BYTES_MAX)
    }

    /// The same with what changed having at most so many bytes.
    ///
    /// # Errors
    /// As there, and when it has more.
    pub fn load_within(
        reader: &mut dyn Reader,
        (from, to): (u64, u64),
        asked: &Asked,
        sources: bool,
        options: &EngineOptions,
        bytes_max: usize,
    ) -> Result<Self, JournalError> {
        state::while_kept(reader, from, |reader| {
            match written(reader, (from, to), asked, sources, bytes_max)? {
                Some(excerpt) => Ok(excerpt),
                None => {
                    let (lines, later) = state::folded_on(reader, (from, to), options)?;
                    Ok(Self { seq: from, lines, later })
                }
            }
        })
    }

    /// The same where it is written down in a form that can be read; none otherwise.
    ///
    /// # Errors
    /// When `from` is before the horizon, or the store cannot be read.
    pub fn load_written(
        reader: &mut dyn Reader,
        (from, to): (u64, u64),
        asked: &Asked,
        sources: bool,
    ) -> Result<Option<Self>, JournalError> {
        state::while_kept(reader, from, |reader| {
            written(reader, (from, to), asked, sources, VERSIONS_BYTES_MAX)
        })
    }

    /// The part as it was after a record that is not before the first one it was loaded for.
    pub fn at(self, seq: u64, options: &EngineOptions) -> Timeline {
        let mut timeline = Timeline::new(options, self.seq, self.lines, self.later);
        timeline.go_to(seq);
        timeline
    }
}

/// What is written down of it; none when that is of another form.
fn written(
    reader: &mut dyn Reader,
    (from, to): (u64, u64),
    asked: &Asked,
    sources: bool,
    bytes_max: usize,
) -> Result<Option<Excerpt>, JournalError> {
    let info = reader.snapshot_at(from)?;
    let base_seq = info.map_or(0, |info| info.seq);
    let mut scope = Scope::new(asked.clone(), sources);
    let mut base = Base::new(info);
    if !base.is_readable(reader)? {
        return Ok(None);
    }
    loop {
        let before = scope.total();
        let Some(later) = versions(reader, (base_seq, to), &mut scope, bytes_max)? else { return Ok(None) };
        if !base.look_through(reader, &mut scope)? {
            return Ok(None);
        }
        if scope.total() == before {
            return Ok(Some(Excerpt { seq: base_seq, lines: base.into_lines(), later }));
        }
    }
}

/// The wanted versions that the records behind the snapshot made, in order; none when they are of another form.
fn versions(
    reader: &mut dyn Reader,
    (base_seq, to): (u64, u64),
    scope: &mut Scope,
    bytes_max: usize,
) -> Result<Option<Vec<Version>>, JournalError> {
    let keys = Keys::default();
    let mut found = Vec::new();
    let (mut bytes, mut too_much) = (0, None);
    let mut is_readable = true;
    if base_seq >= to {
        return Ok(Some(found));
    }
    reader.versions(base_seq + 1..=to, &mut |set| {
        let mut lines = lines_of(&set.data).map(|(_, line)| line);
        is_readable = lines.next().is_some_and(snapshots::is_readable);
        for line in lines {
            let Some((seq, sketch)) = Sketch::of_version(line, &keys).filter(|_| is_readable) else {
                is_readable = false;
                break;
            };
            if seq > to || !scope.wants_version(seq, &sketch) {
                continue;
            }
            bytes += line.len();
            if bytes > bytes_max {
                too_much = Some(JournalError::TooMuchChanged { bytes_max, seq });
                return ControlFlow::Break(());
            }
            let Ok(version) = serde_json::from_slice::<Version>(line) else {
                is_readable = false;
                break;
            };
            scope.take_version(version.seq, &version.line);
            found.push(version);
        }
        if is_readable { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    too_much.map_or(Ok(is_readable.then_some(found)), Err)
}

/// Where a line stands in a snapshot.
type Place = (u64, usize);

/// A snapshot that is looked through.
struct Base {
    info: Option<SnapshotInfo>,
    /// What each chunk has, once it was looked at.
    seen: Vec<Option<Seen>>,
    lines: BTreeMap<Place, StateLine>,
    /// From where on which region is spoken of.
    regions: BTreeMap<Place, Option<Arc<str>>>,
}

/// What is known of a chunk.
#[derive(Clone, Copy)]
struct Seen {
    /// The sorts of the lines in it.
    sorts: u16,
    /// How much of each sort was wanted when it was looked at.
    growth: Growth,
}

/// What was found in a chunk.
#[derive(Default)]
struct Found {
    sorts: u16,
    lines: Vec<(usize, StateLine)>,
    regions: Vec<(usize, Option<Arc<str>>)>,
    /// Everything could be read.
    is_good: bool,
}

impl Base {
    fn new(info: Option<SnapshotInfo>) -> Self {
        let chunks = info.map_or(0, |info| info.chunks);
        let seen = (0..chunks).map(|_| None).collect();
        Self { info, seen, lines: BTreeMap::new(), regions: BTreeMap::new() }
    }

    /// Whether the form of its lines, which stands before them, is one that can be read.
    fn is_readable(&self, reader: &mut dyn Reader) -> Result<bool, JournalError> {
        let Some(info) = self.info else { return Ok(true) };
        if info.chunks == 0 {
            return Ok(false);
        }
        let first = reader.snapshot_chunk(info.id, 0)?.unpack()?;
        Ok(lines_of(&first).next().is_some_and(|(_, form)| snapshots::is_readable(form)))
    }

    /// Looks through all chunks that may have something that is wanted; false when a line cannot be understood.
    fn look_through(&mut self, reader: &mut dyn Reader, scope: &mut Scope) -> Result<bool, JournalError> {
        let Some(info) = self.info else { return Ok(true) };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let mut next = self.seen.len();
        let mut packed = self.read_some(reader, info.id, scope, &mut next, threads)?;
        while !packed.is_empty() {
            let growth = scope.growth();
            let (found, read) = thread::scope(|threads_of| {
                let shares = share(packed, threads);
                let looked: Vec<_> =
                    shares.into_iter().map(|share| threads_of.spawn(|| look_at_all(share, scope))).collect();
                // While they work, the next are read.
                let read = self.read_some(reader, info.id, scope, &mut next, threads);
                let found = looked
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                (found.collect::<Result<Vec<_>, JournalError>>(), read)
            });
            for (chunk, found) in found?.into_iter().flatten() {
                if !found.is_good {
                    return Ok(false);
                }
                self.take(chunk, found, growth, scope);
            }
            packed = read?;
        }
        Ok(true)
    }

    /// The next chunks, from the end, that may have something wanted.
    fn read_some(
        &self,
        reader: &mut dyn Reader,
        snapshot: u64,
        scope: &Scope,
        next: &mut usize,
        threads: usize,
    ) -> Result<Vec<(u64, PackedChunk)>, JournalError> {
        let mut packed = Vec::new();
        while *next > 0 && packed.len() < threads * CHUNKS_EACH {
            *next -= 1;
            let is_due = self.seen[*next].is_none_or(|seen| scope.has_grown(seen.sorts, &seen.growth));
            if is_due {
                let chunk = *next as u64;
                packed.push((chunk, reader.snapshot_chunk(snapshot, chunk)?));
            }
        }
        Ok(packed)
    }

    fn take(&mut self, chunk: u64, found: Found, growth: Growth, scope: &mut Scope) {
        if let Some(place) = usize::try_from(chunk).ok().and_then(|chunk| self.seen.get_mut(chunk)) {
            *place = Some(Seen { sorts: found.sorts, growth });
        }
        self.regions.extend(found.regions.into_iter().map(|(at, region)| ((chunk, at), region)));
        for (at, line) in found.lines {
            scope.take(&line);
            self.lines.insert((chunk, at), line);
        }
    }

    /// The wanted lines with their regions, in the snapshot's order.
    fn into_lines(self) -> Vec<(Option<Arc<str>>, StateLine)> {
        let regions = self.regions;
        let region_at =
            |place: Place| regions.range(..place).next_back().and_then(|(_, region)| region.clone());
        self.lines.into_iter().map(|(place, line)| (region_at(place), line)).collect()
    }
}

/// Divides chunks so that each thread has about as many.
fn share<T>(all: Vec<T>, threads: usize) -> Vec<Vec<T>> {
    let mut shares: Vec<Vec<T>> = (0..threads.min(all.len())).map(|_| Vec::new()).collect();
    let count = shares.len().max(1);
    for (number, one) in all.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(number % count) {
            share.push(one);
        }
    }
    shares
}

fn look_at_all(share: Vec<(u64, PackedChunk)>, scope: &Scope) -> Result<Vec<(u64, Found)>, JournalError> {
    let keys = Keys::default();
    share
        .into_iter()
        .map(|(chunk, packed)| Ok((chunk, look_at(chunk, &packed.unpack()?, &keys, scope))))
        .collect()
}

/// What a chunk has of what is wanted.
fn look_at(chunk: u64, bytes: &[u8], keys: &Keys, scope: &Scope) -> Found {
    const OBJECT: &[u8] = br#"{"object":"#;
    const REGION: &[u8] = br#"{"region":"#;
    let mut found = Found { is_good: true, ..Found::default() };
    let mut lines = lines_of(bytes);
    if chunk == 0 {
        // The form was looked at before.
        lines.next();
    }
    for (at, line) in lines {
        if !found.is_good {
            break;
        }
        if let Some(object) = line.strip_prefix(OBJECT) {
            let Some(sketch) = Sketch::of_state(object, keys) else {
                found.is_good = false;
                break;
            };
            if sketch.sort != Sort::Other {
                found.sorts |= sketch.sort.bit();
            }
            if !scope.wants(&sketch) {
                continue;
            }
        } else if !line.starts_with(REGION) {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(EngineLine::Object(line)) => found.lines.push((at, line)),
            Ok(EngineLine::Region(region)) => found.regions.push((at, region)),
            _ => found.is_good = false,
        }
    }
    found
}

/// The lines in bytes that are not empty, with where they begin.
pub(super) fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut from = 0;
    let ends = memchr_iter(b'\n', bytes).chain((!bytes.ends_with(b"\n")).then_some(bytes.len()));
    ends.filter_map(move |end| {
        let at = std::mem::replace(&mut from, end + 1);
        (end > at).then(|| (at, &bytes[at..end]))
    })
}
