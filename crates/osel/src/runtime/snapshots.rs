//! The engine's state in a store: snapshots of the whole, versions of objects between them.
//!
//! Both are caches of what folding the journal gives, and carry the number of their form; another form is not read. The snapshot behind
//! which old inputs went is more than that: nothing else says what they had led to, so that it is read back before they go.

use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::thread;

use osel_core::decode::Subject;
use osel_core::engine::{ENGINE_FORMAT, Engine, EngineLine, Version, is_readable_format};
use osel_core::time::Timestamp;
use sha2::{Digest, Sha256};

use super::entries::hex;
use super::writer::Writer;
use crate::store::{JournalError, PackedChunk, Reader, Rewritten, SnapshotInfo};

/// How large a chunk gets before it is written, unless said otherwise: a step of a few milliseconds.
pub const CHUNK_BYTES: usize = 1 << 20;

/// How many threads parse a snapshot at most: putting back what they parse is done by one.
const PARSERS_MAX: usize = 3;
/// How many chunks each of them may be ahead, so that none waits: a few megabytes.
const CHUNKS_AHEAD: usize = 2;

/// How many records may lie between two snapshots: folding that many takes a second or two.
pub const SNAPSHOT_EVERY_RECORDS: u64 = 250_000;

/// How often one is made where inputs are to go behind them: what is kept for so many days is kept for less than one more.
pub const SNAPSHOT_EVERY_SECONDS: i64 = 86_400;

/// Gives the engine's state as it is after `entry` and everything before, which were given before, in chunks of `chunk_bytes` or a line
/// more; of the older ones the last of each day are kept or not.
///
/// # Errors
/// When the store cannot be written; the state stays in the journal.
pub fn write(
    engine: &Engine,
    entry: u64,
    writer: &mut Writer,
    made_at: Timestamp,
    daily: bool,
    chunk_bytes: usize,
) -> Result<(), JournalError> {
    writer.begin_snapshot(engine.seq(), entry, made_at)?;
    let mut chunk = format!("{ENGINE_FORMAT}\n").into_bytes();
    for line in engine.lines() {
        // Lines have string keys only, so that writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut chunk, &line);
        chunk.push(b'\n');
        if chunk.len() >= chunk_bytes {
            writer.snapshot_chunk(std::mem::take(&mut chunk))?;
        }
    }
    writer.snapshot_chunk(chunk)?;
    writer.end_snapshot(daily)
}

/// Reads a snapshot into an engine; false when it is of another form or cannot be understood, and then the engine is of no use. Other
/// threads unpack and parse what this one puts back.
///
/// # Errors
/// When the store cannot be read.
pub fn read(
    reader: &mut dyn Reader,
    info: &SnapshotInfo,
    engine: &mut Engine,
    wanted: fn(&EngineLine) -> bool,
) -> Result<bool, JournalError> {
    // Of a million ports parsing takes longer than all else.
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.saturating_sub(1).clamp(1, PARSERS_MAX) as u64;
    thread::scope(|scope| {
        let mut parsers = Vec::new();
        for _ in 0..threads.min(info.chunks) {
            let (give, given) = sync_channel::<(bool, PackedChunk)>(CHUNKS_AHEAD);
            let (tell, told) = sync_channel(CHUNKS_AHEAD);
            scope.spawn(move || {
                for (is_first, chunk) in given {
                    let parsed = chunk.unpack().map(|bytes| parse(&bytes, is_first, wanted));
                    // Whoever has enough does not listen any more.
                    if tell.send(parsed).is_err() {
                        return;
                    }
                }
            });
            parsers.push((give, told));
        }
        let ahead = threads * CHUNKS_AHEAD as u64;
        let mut region = None;
        let mut given = 0;
        for chunk in 0..info.chunks {
            while given < info.chunks.min(chunk + ahead) {
                let (give, _) = &parsers[(given % threads) as usize];
                let packed = reader.snapshot_chunk(info.id, given)?;
                // A parser that is not there any more has panicked, and this scope ends with its panic.
                let _ = give.send((given == 0, packed));
                given += 1;
            }
            let (_, told) = &parsers[(chunk % threads) as usize];
            let Ok(parsed) = told.recv() else { return Ok(false) };
            let Some(lines) = parsed? else { return Ok(false) };
            lines.into_iter().for_each(|line| engine.restore(line, &mut region));
        }
        Ok(info.chunks > 0)
    })
}

/// The wanted lines of a chunk; none when they are of another form.
fn parse(chunk: &[u8], is_first: bool, wanted: fn(&EngineLine) -> bool) -> Option<Vec<EngineLine>> {
    let mut lines = chunk.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    if is_first && !is_readable(lines.next()?) {
        return None;
    }
    let parsed = lines.map(|line| serde_json::from_slice::<EngineLine>(line).ok());
    parsed.filter(|line| line.as_ref().is_none_or(wanted)).collect()
}

/// What becomes of a chunk from which a person is taken.
pub(super) fn without(chunk: &[u8], is_first: bool, subject: &Subject) -> Rewritten {
    if !subject.may_be_in(chunk) {
        return Rewritten::AsItWas;
    }
    let (mut out, mut changed) = (Vec::with_capacity(chunk.len()), false);
    for (number, line) in chunk.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if is_first && number == 0 && !is_readable(text) {
            return Rewritten::Unreadable;
        }
        if !subject.may_be_in(text) {
            out.extend_from_slice(line);
            continue;
        }
        let Ok(mut parsed) = serde_json::from_slice::<EngineLine>(text) else { return Rewritten::Unreadable };
        if !parsed.forget(subject) {
            out.extend_from_slice(line);
            continue;
        }
        changed = true;
        // As in `write`: it cannot fail.
        let _ = serde_json::to_writer(&mut out, &parsed);
        out.push(b'\n');
    }
    if changed { Rewritten::Body(out) } else { Rewritten::AsItWas }
}

/// SHA-256 of a snapshot's bytes, as hexadecimal digits; none when this version could not read it into an engine, so that nothing may go
/// behind it.
///
/// # Errors
/// When the store cannot be read.
pub fn digest(reader: &mut dyn Reader, info: &SnapshotInfo) -> Result<Option<String>, JournalError> {
    let mut hash = Sha256::new();
    let mut first = true;
    let mut good = true;
    reader.snapshot(info.id, &mut |chunk| {
        hash.update(&chunk);
        for line in chunk.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            good &= match std::mem::take(&mut first) {
                true => is_readable(line),
                false => serde_json::from_slice::<EngineLine>(line).is_ok(),
            };
        }
        if good { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok((good && !first).then(|| hex(&hash.finalize())))
}

/// SHA-256 of a snapshot's bytes, whatever their form, as hexadecimal digits.
///
/// # Errors
/// When the store cannot be read.
pub fn sha256(reader: &mut dyn Reader, id: u64) -> Result<String, JournalError> {
    let mut hash = Sha256::new();
    reader.snapshot(id, &mut |chunk| {
        hash.update(&chunk);
        ControlFlow::Continue(())
    })?;
    Ok(hex(&hash.finalize()))
}

/// Whether lines below this first line can be read.
pub(super) fn is_readable(form: &[u8]) -> bool {
    let form = std::str::from_utf8(form).ok().and_then(|form| form.parse().ok());
    form.is_some_and(is_readable_format)
}

/// Versions as the store keeps them: the form, then one JSON line each.
pub fn write_versions(versions: &[Version], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{ENGINE_FORMAT}\n").as_bytes());
    for version in versions {
        let _ = serde_json::to_writer(&mut *out, version);
        out.push(b'\n');
    }
}

/// Reads what [`write_versions`] wrote; none when it is of another form.
pub fn read_versions(data: &[u8]) -> Option<Vec<Version>> {
    let mut lines = data.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.next().filter(|form| is_readable(form))?;
    lines.map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(lines: &[&str]) -> Vec<u8> {
        [&format!("{ENGINE_FORMAT}")].into_iter().map(String::as_str).chain(lines.iter().copied()).fold(
            Vec::new(),
            |mut chunk, line| {
                chunk.extend_from_slice(line.as_bytes());
                chunk.push(b'\n');
                chunk
            },
        )
    }

    fn name(kind: &str, id: &str, names: [&str; 2]) -> String {
        let sighting =
            |name, at| serde_json::json!({"name": name, "first": at, "last": at, "origin": "cadf"});
        let sightings = [sighting(names[0], 1), sighting(names[1], 2)];
        let entry = serde_json::json!({"kind": kind, "id": id, "deleted_at": null, "level": 0, "sightings": sightings});
        let line: EngineLine = serde_json::from_value(serde_json::json!({ "name": entry })).expect("a line");
        serde_json::to_string(&line).expect("a line")
    }

    #[test]
    fn a_user_is_taken_from_a_chunk_and_all_else_stays() {
        let ada = Subject { user: Some("u1".into()), names: vec!["ada".into()], addresses: Vec::new() };
        let others = [name("user", "u2", ["ada", "bob"]), name("project", "u1", ["ada", "prod"])];
        let hers = name("user", "u1", ["ada", "Ada L."]);
        let whole = chunk(&["{\"seq\":7}", &hers, &others[0], &others[1]]);
        let left = name("user", "u1", ["erased", "erased"]);
        let wanted = chunk(&["{\"seq\":7}", &left, &others[0], &others[1]]);
        assert_eq!(without(&whole, true, &ada), Rewritten::Body(wanted.clone()));
        assert_eq!(without(&wanted, true, &ada), Rewritten::AsItWas);
        let first_line = whole.iter().position(|&byte| byte == b'\n').expect("there are lines") + 1;
        let Rewritten::Body(later) = without(&whole[first_line..], false, &ada) else {
            panic!("she is in it")
        };
        assert_eq!(later, wanted[first_line..]);
        let mut other = b"1\n".to_vec();
        other.extend_from_slice(&whole[first_line..]);
        assert_eq!(without(&other, true, &ada), Rewritten::Unreadable, "of another form");
        let half = &whole[..first_line + 60];
        assert_eq!(without(half, true, &ada), Rewritten::Unreadable);
    }
}
