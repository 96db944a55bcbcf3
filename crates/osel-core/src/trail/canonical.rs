//! A record's canonical bytes: written and read, one form for one meaning.
//!
//! The layout is `docs/trail-format.md`. Reading is strict and total: any bytes either are exactly what
//! writing their meaning again would give, or are [`Malformed`] with the first reason. Reading checks the
//! form only; numbers, hashes and times that must fit to other records are for `verify`.

use super::hash::Hash;
use super::kind::{PartClass, RecordKind};
use crate::ids::ID_BYTES_MAX;
use crate::time::Timestamp;

/// The layout's version.
pub const VERSION: u8 = 1;

/// The most bytes a record's canonical form may have: an entry of a C2SP tile has a length of 16 bits.
pub const CANONICAL_BYTES_MAX: usize = 65_535;

/// The longest id of a project that a part may carry, the longest there is.
pub const PROJECT_BYTES_MAX: usize = ID_BYTES_MAX;

/// So many parts fit into one record whatever the ids of their projects; with ids of 32 digits it is four
/// times as many.
pub const PARTS_ALWAYS_FIT: usize =
    (CANONICAL_BYTES_MAX - HEADER_BYTES) / (COMMITTED_PART_BYTES_MIN + PROJECT_BYTES_MAX);

/// More parts than this fit into no record.
pub(super) const PARTS_MAX: usize = (CANONICAL_BYTES_MAX - HEADER_BYTES) / COMMITTED_PART_BYTES_MIN;

const MAGIC: &[u8; 4] = b"osel";
/// Magic, version, number, predecessor, three times, kind, count of parts.
const HEADER_BYTES: usize = 4 + 1 + 8 + 32 + 3 * 8 + 1 + 4;
/// Class, length of the project's id, commitment.
const COMMITTED_PART_BYTES_MIN: usize = 1 + 2 + 32;
/// Stands for "no project" where the length of its id would stand: an id may be empty.
const NO_PROJECT: u16 = u16::MAX;

/// What the canonical form says of the record itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The record's number, from 1.
    pub seq: u64,
    /// The hash of the record before it, [`Hash::ZERO`] in the first.
    pub previous: Hash,
    /// When it happened, by the message's own word.
    pub time: Timestamp,
    /// When osel received it.
    pub recorded_at: Timestamp,
    /// The later of the predecessor's `as_of` and of the earlier of the two times above.
    pub as_of: Timestamp,
    /// What it is about.
    pub kind: RecordKind,
}

/// What the canonical form says of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedPart<'a> {
    /// What it holds.
    pub class: PartClass,
    /// The id of the project it belongs to; none for what only an operator may see.
    pub project: Option<&'a str>,
    /// The commitment to its content.
    pub commitment: Hash,
}

/// Canonical bytes, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canonical<'a> {
    /// What they say of the record.
    pub header: Header,
    count: u32,
    /// Checked when it was read: `count` parts, nothing after them.
    parts: &'a [u8],
}

/// Why bytes are not the canonical form of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error("its bytes end too early")]
    Short,
    /// They are more than a record may have.
    #[error("it has {0} bytes, more than {CANONICAL_BYTES_MAX}")]
    Long(usize),
    /// They do not begin as a record does.
    #[error("its bytes do not begin as a record does")]
    Magic,
    /// A version this code does not know.
    #[error("its layout has version {0}, which is unknown here")]
    Version(u8),
    /// Its number is 0.
    #[error("its number is 0")]
    Zero,
    /// A time before the year 1 or after 9999.
    #[error("one of its times is out of range")]
    Time,
    /// A kind this code does not know.
    #[error("its kind has code {0}, which is unknown here")]
    Kind(u8),
    /// A class this code does not know.
    #[error("the class of part {part} has code {code}, which is unknown here")]
    Class {
        /// Which part, from 0.
        part: u32,
        /// The code found.
        code: u8,
    },
    /// The id of a part's project is too long or no text.
    #[error("the project of part {0} is not an id")]
    Project(u32),
    /// Bytes follow the last part.
    #[error("bytes follow its last part: {0}")]
    Trailing(usize),
}

impl<'a> Canonical<'a> {
    /// Reads canonical bytes.
    ///
    /// # Errors
    ///
    /// The first reason why they are not what [`Self::write`] would give.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > CANONICAL_BYTES_MAX {
            return Err(Malformed::Long(bytes.len()));
        }
        let mut rest = bytes;
        if take::<4>(&mut rest)? != *MAGIC {
            return Err(Malformed::Magic);
        }
        match take(&mut rest)? {
            [VERSION] => {}
            [version] => return Err(Malformed::Version(version)),
        }
        let seq = u64::from_be_bytes(take(&mut rest)?);
        if seq == 0 {
            return Err(Malformed::Zero);
        }
        let previous = Hash(take(&mut rest)?);
        let (time, recorded_at, as_of) =
            (take_time(&mut rest)?, take_time(&mut rest)?, take_time(&mut rest)?);
        let [code] = take(&mut rest)?;
        let kind = RecordKind::from_code(code).ok_or(Malformed::Kind(code))?;
        let count = u32::from_be_bytes(take(&mut rest)?);
        let parts = rest;
        for part in 0..count {
            take_part(&mut rest, part)?;
        }
        if !rest.is_empty() {
            return Err(Malformed::Trailing(rest.len()));
        }
        Ok(Self { header: Header { seq, previous, time, recorded_at, as_of, kind }, count, parts })
    }

    /// How many parts the record commits to.
    pub fn part_count(&self) -> usize {
        self.count as usize
    }

    /// The parts the record commits to, in order.
    pub fn parts(&self) -> impl Iterator<Item = CommittedPart<'a>> + use<'a> {
        let mut rest = self.parts;
        // Checked in `read`: the iterator ends where the bytes do.
        (0..self.count).map_while(move |part| take_part(&mut rest, part).ok())
    }

    /// Writes it again; the same bytes that were read.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_header(&self.header, self.count, out);
        for part in self.parts() {
            write_part(part, out);
        }
    }
}

pub(super) fn write_header(header: &Header, parts: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(&header.seq.to_be_bytes());
    out.extend_from_slice(&header.previous.0);
    for time in [header.time, header.recorded_at, header.as_of] {
        out.extend_from_slice(&time.micros().to_be_bytes());
    }
    out.push(header.kind.code());
    out.extend_from_slice(&parts.to_be_bytes());
}

/// Writes what a record says of a part, whose project's id has at most [`PROJECT_BYTES_MAX`] bytes.
pub(super) fn write_part(part: CommittedPart<'_>, out: &mut Vec<u8>) {
    out.push(part.class.code());
    match part.project {
        None => out.extend_from_slice(&NO_PROJECT.to_be_bytes()),
        Some(project) => {
            out.extend_from_slice(&(project.len() as u16).to_be_bytes());
            out.extend_from_slice(project.as_bytes());
        }
    }
    out.extend_from_slice(&part.commitment.0);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, after) = rest.split_first_chunk().ok_or(Malformed::Short)?;
    *rest = after;
    Ok(*taken)
}

fn take_time(rest: &mut &[u8]) -> Result<Timestamp, Malformed> {
    let micros = i64::from_be_bytes(take(rest)?);
    let time = Timestamp::from_micros(micros);
    if time.micros() == micros { Ok(time) } else { Err(Malformed::Time) }
}

fn take_part<'a>(rest: &mut &'a [u8], part: u32) -> Result<CommittedPart<'a>, Malformed> {
    let [code] = take(rest)?;
    let class = PartClass::from_code(code).ok_or(Malformed::Class { part, code })?;
    let project = match u16::from_be_bytes(take(rest)?) {
        NO_PROJECT => None,
        length if usize::from(length) > PROJECT_BYTES_MAX => return Err(Malformed::Project(part)),
        length => {
            let (text, after) = rest.split_at_checked(usize::from(length)).ok_or(Malformed::Short)?;
            *rest = after;
            Some(std::str::from_utf8(text).map_err(|_| Malformed::Project(part))?)
        }
    };
    Ok(CommittedPart { class, project, commitment: Hash(take(rest)?) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        let header = Header {
            seq: 7,
            previous: Hash([9; 32]),
            time: Timestamp::from_micros(-5),
            recorded_at: Timestamp::MAX,
            as_of: Timestamp::MIN,
            kind: RecordKind::Drift,
        };
        let mut bytes = Vec::new();
        write_header(&header, 3, &mut bytes);
        for (class, project) in [
            (PartClass::Body, None),
            (PartClass::Exposure, Some("0134e963d2cb47acb1cbded3d170eb51")),
            (PartClass::Personal, Some("")),
        ] {
            write_part(CommittedPart { class, project, commitment: Hash([3; 32]) }, &mut bytes);
        }
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = sample();
        let read = Canonical::read(&bytes).expect("it was written here");
        assert_eq!((read.header.seq, read.header.kind), (7, RecordKind::Drift));
        assert_eq!(
            (read.header.time.micros(), read.header.recorded_at, read.header.as_of),
            (-5, Timestamp::MAX, Timestamp::MIN)
        );
        let parts: Vec<_> = read.parts().map(|part| (part.class, part.project)).collect();
        assert_eq!(
            parts,
            [
                (PartClass::Body, None),
                (PartClass::Exposure, Some("0134e963d2cb47acb1cbded3d170eb51")),
                (PartClass::Personal, Some("")),
            ]
        );
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert_eq!(Canonical::read(&bytes[..end]), Err(Malformed::Short), "{end}");
        }
    }

    #[test]
    fn each_rule_has_its_reason() {
        let changed = |at: usize, new: &[u8]| {
            let mut bytes = sample();
            bytes[at..at + new.len()].copy_from_slice(new);
            Canonical::read(&bytes).expect_err("the bytes were broken")
        };
        assert_eq!(changed(0, b"OSEL"), Malformed::Magic);
        assert_eq!(changed(4, &[2]), Malformed::Version(2));
        assert_eq!(changed(5, &[0; 8]), Malformed::Zero);
        assert_eq!(changed(45, &i64::MIN.to_be_bytes()), Malformed::Time);
        assert_eq!(changed(53, &(Timestamp::MAX.micros() + 1).to_be_bytes()), Malformed::Time);
        assert_eq!(changed(69, &[0]), Malformed::Kind(0));
        assert_eq!(changed(69, &[11]), Malformed::Kind(11));
        assert_eq!(changed(70, &u32::MAX.to_be_bytes()), Malformed::Short);
        assert_eq!(changed(70, &2_u32.to_be_bytes()), Malformed::Trailing(35));
        assert_eq!(changed(HEADER_BYTES, &[9]), Malformed::Class { part: 0, code: 9 });
        assert_eq!(changed(HEADER_BYTES + 35 + 1, &256_u16.to_be_bytes()), Malformed::Project(1));
        assert_eq!(changed(HEADER_BYTES + 35 + 3, &[0xff]), Malformed::Project(1));
        let mut long = sample();
        long.push(0);
        assert_eq!(Canonical::read(&long), Err(Malformed::Trailing(1)));
        long.resize(CANONICAL_BYTES_MAX + 1, 0);
        assert_eq!(Canonical::read(&long), Err(Malformed::Long(CANONICAL_BYTES_MAX + 1)));
    }

    #[test]
    fn the_promised_number_of_parts_fits() {
        let longest = HEADER_BYTES + PARTS_ALWAYS_FIT * (COMMITTED_PART_BYTES_MIN + PROJECT_BYTES_MAX);
        assert!(longest <= CANONICAL_BYTES_MAX);
        assert!(longest + COMMITTED_PART_BYTES_MIN + PROJECT_BYTES_MAX > CANONICAL_BYTES_MAX);
    }

    proptest! {
        /// Hostile bytes: reading never fails otherwise than with a reason, and what is read is written back
        /// the same.
        #[test]
        fn one_form_for_one_meaning(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            end in any::<prop::sample::Index>(),
            tail in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = sample();
            for (at, value) in edits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(end.index(bytes.len() * 4));
            bytes.extend(tail);
            if let Ok(read) = Canonical::read(&bytes) {
                let mut again = Vec::new();
                read.write(&mut again);
                prop_assert_eq!(&again, &bytes);
                prop_assert_eq!(read.parts().count(), read.part_count());
            }
        }
    }
}
