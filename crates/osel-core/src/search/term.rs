//! Terms as bytes: a byte for the field, then the value, so that values of a field lie together and in an order that ranges can use.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::time::Timestamp;
use crate::trail::PartClass;

/// How many records share a block: the sets of an index hold the low 16 bits of a record's number, one container of a roaring bitmap.
pub const BLOCK_RECORDS: u64 = 1 << 16;

/// The class of terms that come from a record's header: they stay as long as the record.
pub const HEADER_CLASS: u8 = 0;

/// The longest term. Names have up to 255 characters, which are 1,020 bytes; a word that is longer than this leaves its record unlisted.
pub const TERM_BYTES_MAX: usize = 1024;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// The block that a record is in.
pub fn block_of(seq: u64) -> u64 {
    seq / BLOCK_RECORDS
}

/// A record's place within its block.
pub fn place_in_block(seq: u64) -> u16 {
    (seq % BLOCK_RECORDS) as u16
}

/// What a term is about. The numbers are stored; [`SEARCH_FORM`](super::SEARCH_FORM) changes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Field {
    /// The record's terms are not all there: it may be what is looked for in any case.
    Unlisted = 1,
    /// The kind of record, by its code.
    Kind = 2,
    /// The hour in which it happened.
    Hour = 3,
    /// CADF's word for how it went.
    Outcome = 4,
    /// The actor's id.
    UserId = 5,
    /// The actor's name, folded.
    UserName = 6,
    /// The id of the actor's project, or of the target's.
    ProjectId = 7,
    /// The name of the actor's project, folded.
    ProjectName = 8,
    /// The notification's type.
    EventType = 9,
    /// The target's id.
    TargetId = 10,
    /// The target's name, folded.
    TargetName = 11,
    /// The request's id.
    RequestId = 12,
    /// The message's id.
    MessageId = 13,
    /// The number of the record that it follows from.
    Cause = 14,
    /// A single address: of a row, or the client's.
    Address = 15,
    /// A row's address that is a wider prefix.
    Net = 16,
    /// Rows came or went.
    Exposing = 17,
    /// Rows of a rule on many ports, which the record itself does not list.
    Wide = 18,
    /// A word of the sentence.
    Word = 19,
    /// A word of the sentence that is an id, an address or a number: there are as many of them as things, and nobody who looks for a
    /// name wants to go through them.
    Opaque = 20,
    /// The project of a row's port.
    RowProject = 21,
    /// What a row admits, but for the ports.
    Permission = 22,
}

impl Field {
    /// The classes of parts that terms of this field can come from.
    pub(super) fn classes(self) -> &'static [u8] {
        const HEADER: &[u8] = &[HEADER_CLASS];
        const BODY: &[u8] = &[PartClass::Body as u8];
        const PERSONAL: &[u8] = &[PartClass::Personal as u8];
        const EXPOSURE: &[u8] = &[PartClass::Exposure as u8];
        match self {
            Self::Unlisted | Self::Kind | Self::Hour => HEADER,
            Self::UserName => PERSONAL,
            Self::TargetName => &[PartClass::Body as u8, PartClass::Personal as u8],
            Self::Address => &[PartClass::Personal as u8, PartClass::Exposure as u8],
            Self::Net | Self::Exposing | Self::Wide | Self::RowProject | Self::Permission => EXPOSURE,
            Self::Word | Self::Opaque => {
                &[PartClass::Body as u8, PartClass::Personal as u8, PartClass::Exposure as u8]
            }
            _ => BODY,
        }
    }

    /// A term of this field.
    pub(super) fn term(self, value: &[u8]) -> Vec<u8> {
        let mut term = Vec::with_capacity(1 + value.len());
        term.push(self as u8);
        term.extend_from_slice(value);
        term
    }

    /// All terms of this field.
    pub(super) fn range(self) -> TermRange {
        self.starting(&[])
    }

    /// The terms of this field that start so.
    pub(super) fn starting(self, start: &[u8]) -> TermRange {
        let from = self.term(start);
        let mut to = from.clone();
        // The successor of a prefix: there is one, since a field's number is no 255.
        while to.last() == Some(&u8::MAX) {
            to.pop();
        }
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        TermRange { from, to }
    }

    /// The field of a word of the sentence.
    pub(super) fn of_word(word: &str) -> Self {
        if is_opaque(word) { Self::Opaque } else { Self::Word }
    }
}

/// Whether a text holds nothing but what ids, addresses, prefixes and numbers are written with. A part of such a word is one as well, so
/// that a text which is none is never a part of one.
pub(super) fn is_opaque(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-' | b'.' | b':' | b'/' | b','))
}

/// Terms from one on, up to another that does not belong to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermRange {
    /// The first.
    pub from: Vec<u8>,
    /// The first behind them.
    pub to: Vec<u8>,
}

impl TermRange {
    /// One term.
    pub(super) fn exactly(term: Vec<u8>) -> Self {
        let mut to = term.clone();
        to.push(0);
        Self { from: term, to }
    }

    /// Whether a term belongs to them.
    pub fn contains(&self, term: &[u8]) -> bool {
        self.from.as_slice() <= term && term < self.to.as_slice()
    }
}

/// How names are compared: without regard to upper and lower case.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The hour of a time as a value whose order is that of time.
pub(super) fn hour(time: Timestamp) -> [u8; 8] {
    ordered(time.micros().div_euclid(MICROS_PER_HOUR))
}

/// The hour after it, in the same form.
pub(super) fn hour_after(time: Timestamp) -> [u8; 8] {
    ordered(time.micros().div_euclid(MICROS_PER_HOUR) + 1)
}

fn ordered(number: i64) -> [u8; 8] {
    ((number as u64) ^ (1 << 63)).to_be_bytes()
}

/// The term of the addresses of a row, or of a client.
pub(super) fn net_term(net: IpNet) -> Vec<u8> {
    let is_single = net.prefix_len() == net.max_prefix_len();
    let mut term = address_term(net.addr());
    if !is_single {
        term[0] = Field::Net as u8;
        term.push(net.prefix_len());
    }
    term
}

/// The term of one address.
pub(super) fn address_term(address: IpAddr) -> Vec<u8> {
    let mut term = vec![Field::Address as u8];
    match address {
        IpAddr::V4(address) => {
            term.push(4);
            term.extend(address.octets());
        }
        IpAddr::V6(address) => {
            term.push(6);
            term.extend(address.octets());
        }
    }
    term
}

/// The terms of all single addresses of a prefix.
pub(super) fn addresses_within(net: IpNet) -> TermRange {
    let mut to = address_term(net.broadcast());
    to.push(0);
    TermRange { from: address_term(net.network()), to }
}

/// The prefix that a term of [`Field::Net`] is about.
pub(super) fn net_of(term: &[u8]) -> Option<IpNet> {
    let (&prefix, rest) = term.split_last()?;
    let address = match rest.get(1)? {
        4 => IpAddr::from(<[u8; 4]>::try_from(rest.get(2..)?).ok()?),
        6 => IpAddr::from(<[u8; 16]>::try_from(rest.get(2..)?).ok()?),
        _ => return None,
    };
    IpNet::new(address, prefix).ok()
}
