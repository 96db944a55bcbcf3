//! The lines of a bundle, read. What they say is not checked here but by `checker`; how they are written is in `writer`.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use super::super::canonical::PARTS_MAX;
use super::super::hash::Hash;
use super::super::merkle::PROOF_HASHES_MAX;
use super::form::{FormError, Walk};
use super::handover::KEYS_MAX;

/// How each kind of line begins. No two begin alike beyond the quote.
pub(super) const HEADER: &str = "{\"osel-bundle\":";
pub(super) const HANDOVER: &str = "{\"handover\":";
pub(super) const SINCE: &str = "{\"since\":";
pub(super) const RECORD: &str = "{\"seq\":";
pub(super) const CHECKPOINT: &str = "{\"checkpoint\":";
pub(super) const END: &str = "{\"end\":";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The keys that signed, the first first.
    pub(super) keys: Vec<String>,
    pub(super) whole: bool,
    pub(super) records: u64,
    /// The note that everything is proved by.
    pub(super) checkpoint: String,
}

/// The last checkpoint by a key, why the tree of the bundle's begins with its, and the record in it that names the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handover {
    pub(super) note: String,
    pub(super) proof: Vec<Hash>,
    pub(super) record: Record,
}

/// An earlier checkpoint, and why the tree of the later one begins with its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Since {
    pub(super) note: String,
    pub(super) proof: Vec<Hash>,
}

/// A record; canonical bytes, salts and contents lie in the buffer that it was read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) canonical: Range<usize>,
    /// Salt and content of each part; none where it is missing.
    pub(super) parts: Vec<Option<(Range<usize>, Range<usize>)>>,
    /// In bundles of some records only.
    pub(super) path: Vec<Hash>,
}

/// What a line is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Since,
    Record,
    Checkpoint,
    End,
}

/// So far into a line the first key and the beginning of its value reach, whatever number stands before.
const BEGINNING_BYTES: usize = 64;

/// The kind of a line that is not the first: what it begins as, else what it holds, so that a damaged beginning does not hide what was hit.
pub(super) fn kind(line: &[u8], whole: bool) -> Kind {
    let kinds =
        [(RECORD, Kind::Record), (CHECKPOINT, Kind::Checkpoint), (SINCE, Kind::Since), (END, Kind::End)];
    let begins = |beginning: &str| match line {
        // Cut so soon that nothing but its beginning is left, and more of it than all have.
        [start @ .., b'\n'] if start.len() > 2 && start.len() < beginning.len() => {
            beginning.as_bytes().starts_with(start)
        }
        _ => line.starts_with(beginning.as_bytes()),
    };
    if let Some((_, kind)) = kinds.into_iter().find(|(beginning, _)| begins(beginning)) {
        return kind;
    }
    let beginning = line.get(..BEGINNING_BYTES).unwrap_or(line);
    let holds = |text: &str| memmem::find(beginning, text.as_bytes()).is_some();
    match () {
        () if holds("canonical") => Kind::Record,
        // A note has several lines, and nothing else has an escaped line feed.
        () if holds("\\n") => {
            if whole {
                Kind::Checkpoint
            } else {
                Kind::Since
            }
        }
        () if holds("end") => Kind::End,
        () => Kind::Record,
    }
}

pub(super) fn read_header(line: &[u8]) -> Result<Header, FormError> {
    let mut walk = Walk::new(line);
    walk.literal(HEADER)?;
    let mut keys = Vec::new();
    if walk.passes("2,\"keys\":[") {
        keys.push(walk.text()?);
        // One key alone is version 1.
        walk.literal(",")?;
        keys.push(walk.text()?);
        while !walk.passes("]") {
            if keys.len() == KEYS_MAX {
                walk.literal("]")?;
            }
            walk.literal(",")?;
            keys.push(walk.text()?);
        }
    } else {
        walk.literal("1,\"key\":")?;
        keys.push(walk.text()?);
    }
    let whole = if walk.passes(",\"whole\":true") {
        true
    } else {
        walk.literal(",\"whole\":false")?;
        false
    };
    walk.literal(",\"records\":")?;
    let records = walk.number()?;
    walk.literal(",\"checkpoint\":")?;
    let checkpoint = walk.text()?;
    walk.literal("}")?;
    walk.end()?;
    Ok(Header { keys, whole, records, checkpoint })
}

/// Reads a line that hands a key on; `decoded` is emptied and filled as by [`read_record`].
pub(super) fn read_handover(line: &[u8], decoded: &mut Vec<u8>) -> Result<Handover, FormError> {
    let mut walk = Walk::new(line);
    walk.literal(HANDOVER)?;
    let note = walk.text()?;
    walk.literal(",\"proof\":")?;
    let proof = walk.hashes(PROOF_HASHES_MAX + 1)?;
    walk.literal(",\"seq\":")?;
    let record = rest_of_record(walk, false, decoded)?;
    Ok(Handover { note, proof, record })
}

pub(super) fn read_since(line: &[u8]) -> Result<Since, FormError> {
    let mut walk = Walk::new(line);
    walk.literal(SINCE)?;
    let note = walk.text()?;
    walk.literal(",\"proof\":")?;
    // One more than of an inclusion proof: the old tree's last full subtree comes first.
    let proof = walk.hashes(PROOF_HASHES_MAX + 1)?;
    walk.literal("}")?;
    walk.end()?;
    Ok(Since { note, proof })
}

/// Reads a record; `decoded` is emptied and filled.
pub(super) fn read_record(line: &[u8], whole: bool, decoded: &mut Vec<u8>) -> Result<Record, FormError> {
    let mut walk = Walk::new(line);
    walk.literal(RECORD)?;
    rest_of_record(walk, whole, decoded)
}

/// What follows a record's first key, up to the end of the line.
fn rest_of_record(mut walk: Walk<'_>, whole: bool, decoded: &mut Vec<u8>) -> Result<Record, FormError> {
    decoded.clear();
    let seq = walk.number()?;
    walk.literal(",\"canonical\":")?;
    let canonical = walk.bytes(decoded)?;
    walk.literal(",\"parts\":[")?;
    let mut parts = Vec::new();
    while !walk.passes("]") {
        if parts.len() == PARTS_MAX {
            walk.literal("]")?;
        }
        if !parts.is_empty() {
            walk.literal(",")?;
        }
        parts.push(if walk.passes("null") { None } else { Some(read_part(&mut walk, decoded)?) });
    }
    let path = if whole {
        Vec::new()
    } else {
        walk.literal(",\"path\":")?;
        walk.hashes(PROOF_HASHES_MAX)?
    };
    walk.literal("}")?;
    walk.end()?;
    Ok(Record { seq, canonical, parts, path })
}

/// The number of a record whose line cannot be read as a whole: that at its beginning, where it stands as it should; else that of its
/// canonical bytes; else whatever number is at the beginning.
pub(super) fn legible_seq(line: &[u8]) -> Option<u64> {
    /// Twenty characters are fifteen bytes; magic, version and number are thirteen.
    const CHARACTERS: usize = 20;
    let number = |next: &'static str| {
        let mut walk = Walk::new(line);
        walk.literal(RECORD).ok()?;
        let seq = walk.number().ok()?;
        walk.literal(next).ok().map(|()| seq)
    };
    let in_bytes = || {
        let beginning = line.get(..BEGINNING_BYTES)?;
        let at = memmem::rfind(beginning, b"\":\"")? + 3;
        let bytes = STANDARD.decode(line.get(at..at + CHARACTERS)?).ok()?;
        let number = bytes.strip_prefix(b"osel\x01")?.first_chunk()?;
        Some(u64::from_be_bytes(*number))
    };
    number(",\"canonical\":\"").or_else(in_bytes).or_else(|| number(""))
}

fn read_part(walk: &mut Walk<'_>, decoded: &mut Vec<u8>) -> Result<(Range<usize>, Range<usize>), FormError> {
    walk.literal("{\"salt\":")?;
    let salt = walk.bytes(decoded)?;
    walk.literal(",\"content\":")?;
    let content = walk.bytes(decoded)?;
    walk.literal("}")?;
    Ok((salt, content))
}

pub(super) fn read_checkpoint(line: &[u8]) -> Result<String, FormError> {
    let mut walk = Walk::new(line);
    walk.literal(CHECKPOINT)?;
    let note = walk.text()?;
    walk.literal("}")?;
    walk.end()?;
    Ok(note)
}

/// The hash in the last line, as it is written there.
pub(super) fn read_end(line: &[u8]) -> Result<String, FormError> {
    let mut walk = Walk::new(line);
    walk.literal(END)?;
    let digest = walk.text()?;
    walk.literal("}")?;
    walk.end()?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_beginning_does_not_hide_what_was_hit() {
        let note = "\"log.example/osel\\n8\\nO4WpYmwcy2TGuV7H\"}";
        for (wanted, whole, line) in [
            (Kind::Since, false, format!("{SINCE}{note}")),
            (Kind::Record, true, format!("{RECORD}123456789012345,\"canonical\":\"b3NlbAE=\"")),
            (Kind::Checkpoint, true, format!("{CHECKPOINT}{note}")),
            (Kind::End, true, format!("{END}\"{}\"}}", "e".repeat(64))),
        ] {
            let line = line.as_bytes();
            assert_eq!(kind(line, whole), wanted);
            for at in 0..7 {
                for value in 0..=255 {
                    let flipped = [&line[..at], &[value], &line[at + 1..]].concat();
                    let longer = [&line[..at], &[value], &line[at..]].concat();
                    let shorter = [&line[..at], &line[at + 1..]].concat();
                    // What the last line is read as matters only while records are missing.
                    if wanted != Kind::End {
                        for damaged in [flipped, longer, shorter] {
                            assert_eq!(
                                kind(&damaged, whole),
                                wanted,
                                "{}",
                                String::from_utf8_lossy(&damaged)
                            );
                        }
                    }
                }
            }
        }
        assert_eq!(kind(b"", true), Kind::Record);
    }

    #[test]
    fn lists_end() {
        let canonical =
            format!("{{\"seq\":1,\"canonical\":\"\",\"parts\":[{}", "null,".repeat(PARTS_MAX + 1));
        assert!(read_record(canonical.as_bytes(), true, &mut Vec::new()).is_err());
        let hash = format!("\"{}=\",", "A".repeat(43));
        let since = format!("{{\"since\":\"\",\"proof\":[{}", hash.repeat(PROOF_HASHES_MAX + 2));
        let error = read_since(since.as_bytes()).expect_err("too many");
        assert_eq!(error.wanted, "the end of the list");
    }
}
