//! The store's own plain coding of bytes within a column: fixed little-endian numbers and length-prefixed
//! bytes.
//!
//! Parts of records are kept in it uncompressed, so that a damaged byte damages one part. Reading never
//! panics and takes no byte sequence for what it is not: what does not add up exactly is [`Malformed`].

use super::data::{PartContent, StoredPart, Whose};

/// The form of the parts column; the first byte of it.
const PARTS_FORM: u8 = 1;
const CONTENT_BYTES: u8 = 0;
const CONTENT_IN_ENTRY: u8 = 1;
const CONTENT_GONE: u8 = 2;
/// The number of a key, and what is sealed by it: salt and content.
const CONTENT_SEALED: u8 = 3;

/// Stored bytes that are not in the form they must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A part as it is written, wherever its pieces lie.
#[derive(Clone, Copy, Debug)]
pub struct PartView<'a> {
    /// See [`StoredPart`].
    pub class: u8,
    /// See [`StoredPart`]; as UTF-8.
    pub project: Option<&'a [u8]>,
    /// See [`StoredPart`].
    pub whose: WhoseView<'a>,
    /// See [`StoredPart`].
    pub salt: &'a [u8; 16],
    /// See [`StoredPart`].
    pub content: ContentView<'a>,
}

/// See [`Whose`].
#[derive(Clone, Copy, Debug)]
pub enum WhoseView<'a> {
    /// No one person.
    Nobody,
    /// The person of that word.
    Person(&'a str),
    /// Sealed by the key of that number.
    Sealed(u64),
}

/// See [`PartContent`].
#[derive(Clone, Copy, Debug)]
pub enum ContentView<'a> {
    /// Here.
    Bytes(&'a [u8]),
    /// In the record's entry.
    InEntry,
    /// Removed.
    Gone,
}

impl StoredPart {
    /// The part as it is written.
    pub fn view(&self) -> PartView<'_> {
        PartView {
            class: self.class,
            project: self.project.as_deref().map(str::as_bytes),
            whose: match &self.whose {
                Whose::Nobody | Whose::Locked => WhoseView::Nobody,
                Whose::Person(word) => WhoseView::Person(word),
                Whose::Sealed(number) => WhoseView::Sealed(*number),
            },
            salt: &self.salt,
            content: match &self.content {
                PartContent::Bytes(bytes) => ContentView::Bytes(bytes),
                PartContent::InEntry => ContentView::InEntry,
                PartContent::Gone => ContentView::Gone,
            },
        }
    }
}

/// Writes the parts of a record behind what is in `out`, as they are.
pub fn write_parts(parts: &[StoredPart], out: &mut Vec<u8>) {
    let as_it_is = |_: usize, _: &PartView<'_>, _: &mut Vec<u8>| false;
    write_views(parts.iter().map(StoredPart::view), out, as_it_is);
}

/// Writes the parts of a record behind what is in `out`. Content goes to `seal` first, with the part's place: where it says so, it has
/// written the number of a key and, with its length before it, what is sealed by it, which has the salt.
pub(super) fn write_views<'p>(
    parts: impl ExactSizeIterator<Item = PartView<'p>>,
    out: &mut Vec<u8>,
    mut seal: impl FnMut(usize, &PartView<'_>, &mut Vec<u8>) -> bool,
) {
    out.push(PARTS_FORM);
    out.extend_from_slice(&length(parts.len()));
    for (place, part) in parts.enumerate() {
        out.push(part.class);
        out.push(u8::from(part.project.is_some()));
        if let Some(project) = part.project {
            put_bytes(out, project);
        }
        if let (WhoseView::Person(_), ContentView::Bytes(_)) = (part.whose, part.content) {
            let start = out.len();
            out.extend_from_slice(&[0; 16]);
            out.push(CONTENT_SEALED);
            if seal(place, &part, out) {
                continue;
            }
            out.truncate(start);
        }
        out.extend_from_slice(part.salt);
        match (part.content, part.whose) {
            (ContentView::Bytes(bytes), WhoseView::Sealed(number)) => {
                out.push(CONTENT_SEALED);
                out.extend_from_slice(&number.to_le_bytes());
                put_bytes(out, bytes);
            }
            (ContentView::Bytes(bytes), _) => {
                out.push(CONTENT_BYTES);
                put_bytes(out, bytes);
            }
            (ContentView::InEntry, _) => out.push(CONTENT_IN_ENTRY),
            (ContentView::Gone, _) => out.push(CONTENT_GONE),
        }
    }
}

/// How many of the bytes that parts have when they are written count as content: all while any part is there, else none. What remains of
/// parts that are gone or lie in an entry goes never, and must not count as what may go.
pub fn content_bytes(parts: &[StoredPart], written: usize) -> usize {
    content_bytes_of(parts.iter().map(StoredPart::view), written)
}

/// [`content_bytes`] of parts that lie anywhere.
pub(super) fn content_bytes_of<'p>(mut parts: impl Iterator<Item = PartView<'p>>, written: usize) -> usize {
    let is_there = parts.any(|part| matches!(part.content, ContentView::Bytes(_)));
    if is_there { written } else { 0 }
}

/// How many bytes of content parts have when they are written.
pub fn content_of(parts: &[StoredPart]) -> usize {
    let mut written = Vec::new();
    write_parts(parts, &mut written);
    content_bytes(parts, written.len())
}

/// Reads what [`write_parts`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn read_parts(bytes: &[u8]) -> Result<Vec<StoredPart>, Malformed> {
    let mut from = Take(bytes);
    if from.byte()? != PARTS_FORM {
        return Err(Malformed("the parts are in an unknown form"));
    }
    let count = from.length()?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let class = from.byte()?;
        let project = match from.byte()? {
            0 => None,
            1 => Some(from.text()?.into()),
            _ => return Err(Malformed("a part's project is neither there nor absent")),
        };
        let salt = from.array()?;
        let mut whose = Whose::Nobody;
        let content = match from.byte()? {
            CONTENT_BYTES => PartContent::Bytes(from.bytes()?.to_vec()),
            CONTENT_IN_ENTRY => PartContent::InEntry,
            CONTENT_GONE => PartContent::Gone,
            CONTENT_SEALED => {
                if salt != [0; 16] {
                    return Err(Malformed("a sealed part has a salt beside it"));
                }
                whose = Whose::Sealed(from.number()?);
                PartContent::Bytes(from.bytes()?.to_vec())
            }
            _ => return Err(Malformed("a part's content is of an unknown sort")),
        };
        parts.push(StoredPart { class, project, whose, salt, content });
    }
    from.end()?;
    Ok(parts)
}

/// Writes bytes with their length before them.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

/// Lengths are checked against `VALUE_BYTES_MAX` before anything is written, so that four bytes hold them.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// Takes one thing after the other from the front of bytes.
pub struct Take<'a>(pub &'a [u8]);

impl<'a> Take<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (front, rest) = self.0.split_at_checked(length).ok_or(Malformed("the bytes end too early"))?;
        self.0 = rest;
        Ok(front)
    }

    /// A fixed number of bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut out = [0; N];
        out.copy_from_slice(self.slice(N)?);
        Ok(out)
    }

    /// One byte.
    ///
    /// # Errors
    /// When there is none.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// An unsigned number of eight bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        let length = u32::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| Malformed("a length is beyond this machine"))
    }

    /// Bytes with their length before them.
    ///
    /// # Errors
    /// When there are fewer than the length says.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.slice(length)
    }

    /// Text with its length before it.
    ///
    /// # Errors
    /// When it is cut short or not UTF-8.
    pub fn text(&mut self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed("there are bytes too many")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<StoredPart> {
        let part = |class, project: Option<&str>, content| StoredPart {
            class,
            project: project.map(Into::into),
            whose: Whose::Nobody,
            salt: [class; 16],
            content,
        };
        let sealed = StoredPart {
            whose: Whose::Sealed(77),
            salt: [0; 16],
            ..part(2, None, PartContent::Bytes(vec![9; 30]))
        };
        vec![
            sealed,
            part(1, None, PartContent::Bytes(b"{\"a\":1}".to_vec())),
            part(2, Some("aster"), PartContent::Bytes(Vec::new())),
            part(3, Some(""), PartContent::InEntry),
            part(0, None, PartContent::Gone),
        ]
    }

    #[test]
    fn parts_come_back() {
        for parts in [Vec::new(), parts()] {
            let mut bytes = Vec::new();
            write_parts(&parts, &mut bytes);
            assert_eq!(read_parts(&bytes), Ok(parts));
        }
    }

    #[test]
    fn every_other_length_is_malformed() {
        let mut bytes = Vec::new();
        write_parts(&parts(), &mut bytes);
        for length in 0..bytes.len() {
            assert!(read_parts(&bytes[..length]).is_err(), "{length}");
        }
        bytes.push(0);
        assert_eq!(read_parts(&bytes), Err(Malformed("there are bytes too many")));
    }

    #[test]
    fn every_changed_byte_is_malformed_or_shows() {
        let mut good = Vec::new();
        write_parts(&parts(), &mut good);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                assert_ne!(read_parts(&bytes), Ok(parts()), "{at} {bit}");
            }
        }
    }
}
