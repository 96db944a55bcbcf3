//! Identifiers as OpenStack writes them: compact when they are UUIDs, exact always.
//!
//! Neutron writes UUIDs with dashes, Keystone without; LDAP and federated users have 64 hexadecimal digits, and some
//! objects have words (`default`). [`Id`] keeps the text exactly and stores these two and the
//! requests' `req-UUID` in 16 bytes without an
//! allocation. It must not normalise: two spellings of one UUID are two ids, as they are for OpenStack.

mod parted;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::parted::PartedMap;

/// A hasher with a fixed seed, so that nothing in the core depends on chance.
pub type FixedState = BuildHasherDefault<FixedHasher>;
/// A hash map for look-up only: what leaves the core is sorted, never in the order of a map.
pub type Map<K, V> = std::collections::HashMap<K, V, FixedState>;
/// A hash set for look-up only.
pub type Set<K> = std::collections::HashSet<K, FixedState>;

/// Multiplies and folds: a few instructions for an id.
///
/// A fixed seed means that whoever may choose keys can choose them to collide, with this hasher as with any other. The services
/// choose ids by chance; what tenants choose (addresses of pairs) is bounded by their quotas, and a collision costs one comparison.
#[derive(Clone, Debug)]
pub struct FixedHasher(u64);

/// Odd numbers without a pattern in their bits: fractions of the golden ratio and of the square root of three.
const HASH_START: u64 = 0x9E37_79B9_7F4A_7C15;
const HASH_FACTOR: u64 = 0xBB67_AE85_84CA_A73B;

impl Default for FixedHasher {
    fn default() -> Self {
        Self(HASH_START)
    }
}

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        fold(self.0 ^ HASH_FACTOR, HASH_START)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(chunk.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            self.write_u64(rest.iter().fold(rest.len() as u64, |all, &byte| all << 8 | u64::from(byte)));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(self.0 ^ number, HASH_FACTOR);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

/// Both halves of a product: every bit of it depends on every bit of the factors.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// The longest id that is accepted, in bytes; Keystone's widest column is 64, tags and names used as ids reach 255.
pub const ID_BYTES_MAX: usize = 255;

/// An identifier, compared, ordered and shown as the text it was written with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    /// `8-4-4-4-12` lower-case hexadecimal digits.
    Dashed([u8; 16]),
    /// 32 lower-case hexadecimal digits.
    Bare([u8; 16]),
    /// `req-` and a dashed UUID: a request.
    Request([u8; 16]),
    Text(Arc<str>),
}

impl Id {
    /// Takes the text of an id as it stands.
    pub fn new(text: &str) -> Self {
        match text.len() {
            36 => parse_dashed(text.as_bytes()).map(|bytes| Self(Repr::Dashed(bytes))),
            32 => parse_bare(text.as_bytes()).map(|bytes| Self(Repr::Bare(bytes))),
            40 => text
                .strip_prefix(REQUEST)
                .and_then(|uuid| parse_dashed(uuid.as_bytes()))
                .map(|bytes| Self(Repr::Request(bytes))),
            _ => None,
        }
        .unwrap_or_else(|| Self(Repr::Text(Arc::from(text))))
    }

    /// The id's text; borrowed unless it is a UUID.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Text(text) => Cow::Borrowed(text),
            _ => Cow::Owned(self.to_string()),
        }
    }

    /// Hands the id's text over without making one that is kept.
    pub fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        let mut buffer = [0; UUID_TEXT_BYTES_MAX];
        // Hexadecimal digits and dashes, or the text the id was made of: UTF-8 either way.
        take(std::str::from_utf8(self.encode(&mut buffer)).unwrap_or_default())
    }

    /// The id's text, where it is kept as one. That of any other id is made of digits, small letters and dashes.
    pub fn kept_text(&self) -> Option<&str> {
        match &self.0 {
            Repr::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Writes the id's text behind what is in `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.encode(&mut [0; UUID_TEXT_BYTES_MAX]));
    }

    /// The dashed UUID with these 16 bytes.
    pub fn from_uuid(bytes: [u8; 16]) -> Self {
        Self(Repr::Dashed(bytes))
    }

    fn encode<'a>(&'a self, buffer: &'a mut [u8; UUID_TEXT_BYTES_MAX]) -> &'a [u8] {
        // The dashes come first; digits are written over what stands in their places.
        let (form, start, bytes, places, length) = match &self.0 {
            Repr::Text(text) => return text.as_bytes(),
            Repr::Dashed(bytes) => (DASHED_FORM, 0, bytes, &DASHED, 36),
            Repr::Bare(bytes) => (DASHED_FORM, 0, bytes, &BARE, 32),
            Repr::Request(bytes) => (REQUEST_FORM, REQUEST.len(), bytes, &DASHED, UUID_TEXT_BYTES_MAX),
        };
        *buffer = *form;
        for (byte, place) in bytes.iter().zip(places) {
            let pair = DIGIT_PAIRS[usize::from(*byte)];
            buffer[start + place] = pair[0];
            buffer[start + place + 1] = pair[1];
        }
        &buffer[..length]
    }
}

impl Hash for Repr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Dashed(bytes) | Self::Bare(bytes) | Self::Request(bytes) => {
                let number = u128::from_le_bytes(*bytes);
                state.write_u64(number as u64);
                state.write_u64((number >> 64) as u64);
            }
            Self::Text(text) => text.hash(state),
        }
    }
}

/// Before the UUID of a request.
const REQUEST: &str = "req-";
/// The longest text that stands for 16 bytes: a request's.
const UUID_TEXT_BYTES_MAX: usize = 40;

/// A UUID with dashes without its digits, and with what a request has before it.
const DASHED_FORM: &[u8; UUID_TEXT_BYTES_MAX] = b"........-....-....-....-................";
const REQUEST_FORM: &[u8; UUID_TEXT_BYTES_MAX] = b"req-........-....-....-....-............";

/// The two digits of each byte.
const DIGIT_PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The value of each lower-case hexadecimal digit, and [`NO_DIGIT`] for all other bytes.
const DIGIT_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};
const NO_DIGIT: u8 = 0xf0;

/// Where the pairs of digits stand in a UUID with dashes.
const DASHED: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/// Where they stand in one without.
const BARE: [usize; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30];

/// Reads the digits at these places. Digits and letters follow each other at random, so this asks only once,
/// at the end, whether all of them were digits.
fn parse_pairs<const N: usize>(text: &[u8; N], places: &[usize; 16]) -> Option<[u8; 16]> {
    let mut out = [0; 16];
    let mut all = 0;
    for (byte, &place) in out.iter_mut().zip(places) {
        let high = DIGIT_VALUES[usize::from(text[place])];
        let low = DIGIT_VALUES[usize::from(text[place + 1])];
        all |= high | low;
        *byte = high << 4 | low;
    }
    (all & NO_DIGIT == 0).then_some(out)
}

fn parse_bare(text: &[u8]) -> Option<[u8; 16]> {
    parse_pairs::<32>(text.try_into().ok()?, &BARE)
}

fn parse_dashed(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let has_dashes = [8, 13, 18, 23].iter().fold(true, |all, &place| all & (text[place] == b'-'));
    if has_dashes { parse_pairs(text, &DASHED) } else { None }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Dashed(a), Repr::Dashed(b))
            | (Repr::Bare(a), Repr::Bare(b))
            | (Repr::Request(a), Repr::Request(b)) => a.cmp(b),
            _ => {
                let buffers = (&mut [0; UUID_TEXT_BYTES_MAX], &mut [0; UUID_TEXT_BYTES_MAX]);
                self.encode(buffers.0).cmp(other.encode(buffers.1))
            }
        }
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_str<E>(self, text: &str) -> Result<Id, E> {
                Ok(Id::new(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_exactly() {
        for text in [
            "1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "0134e963d2cb47acb1cbded3d170eb51",
            "0134E963D2CB47ACB1CBDED3D170EB51",
            "1AA173ED-c4c1-408f-b0fe-79a4c43fd1ac",
            "1aa173ed_c4c1-408f-b0fe-79a4c43fd1ac",
            "req-1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "req-1AA173ED-c4c1-408f-b0fe-79a4c43fd1ac",
            "reqs1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "default",
            "",
            "ünïcode-id-with-exactly-36-bytes-ab",
        ] {
            assert_eq!(Id::new(text).to_string(), text);
            assert_eq!(Id::new(text).text(), text);
        }
    }

    #[test]
    fn orders_as_text() {
        let mut texts = [
            "zeta",
            "req-ffa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "req-1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "req-1aa1",
            "1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "1aa173edc4c1408fb0fe79a4c43fd1ac",
            "0134e963d2cb47acb1cbded3d170eb51",
            "1aa173ed",
            "ffa173ed-c4c1-408f-b0fe-79a4c43fd1ac",
            "",
        ];
        let mut ids: Vec<Id> = texts.iter().map(|text| Id::new(text)).collect();
        ids.sort();
        texts.sort_unstable();
        assert_eq!(ids.iter().map(Id::to_string).collect::<Vec<_>>(), texts);
    }

    #[test]
    fn two_spellings_are_two_ids() {
        assert_ne!(
            Id::new("1aa173ed-c4c1-408f-b0fe-79a4c43fd1ac"),
            Id::new("1aa173edc4c1408fb0fe79a4c43fd1ac")
        );
    }

    #[test]
    fn is_as_small_as_two_words_and_a_tag() {
        assert_eq!(size_of::<Id>(), 24);
        assert_eq!(size_of::<Option<Id>>(), 24);
    }
}
