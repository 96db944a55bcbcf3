//! The last record of a chain: what the next one needs, and what is worth noting down elsewhere.
//!
//! A [`Head`] carries on a chain; a [`NotedHead`] is the part of it that a person keeps where the store's
//! writer cannot reach, to find a cut tail or a rewritten history with later.

use std::fmt;
use std::str::FromStr;

use super::hash::{Hash, ParseHashError};
use crate::time::Timestamp;

/// Everything of the last record that the next one depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last record, 0 when there is none.
    pub seq: u64,
    /// Its hash, [`Hash::ZERO`] when there is none.
    pub hash: Hash,
    /// Its `as_of`, [`Timestamp::MIN`] when there is none.
    pub as_of: Timestamp,
}

impl Head {
    /// The head of a chain without records.
    pub const EMPTY: Self = Self { seq: 0, hash: Hash::ZERO, as_of: Timestamp::MIN };

    /// What to note down of it.
    pub fn noted(self) -> NotedHead {
        NotedHead { seq: self.seq, hash: self.hash }
    }
}

/// A head as noted elsewhere, in writing `SEQ:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotedHead {
    /// The number of the record that was the last one.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The text is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHeadError {
    /// There is no colon.
    #[error("a head is written `SEQ:HASH`")]
    Form,
    /// The number has a sign, leading zeros, other characters or too many digits.
    #[error("the number before the colon is not a record's number")]
    Seq,
    /// What follows the colon is no hash.
    #[error(transparent)]
    Hash(#[from] ParseHashError),
    /// Number 0 means that there is no record, so there is no hash either.
    #[error("number 0 goes with a hash of zeros only")]
    Empty,
}

impl fmt::Display for NotedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.noted(), f)
    }
}

impl FromStr for NotedHead {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq_text, hash) = text.split_once(':').ok_or(ParseHeadError::Form)?;
        let seq: u64 = seq_text.parse().map_err(|_| ParseHeadError::Seq)?;
        // One way to write a number: what is compared by eye or by `diff` should not differ in form.
        if seq.to_string() != seq_text {
            return Err(ParseHeadError::Seq);
        }
        let hash = hash.parse()?;
        if seq == 0 && hash != Hash::ZERO {
            return Err(ParseHeadError::Empty);
        }
        Ok(Self { seq, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_and_nothing_else_is_taken() {
        let head = NotedHead { seq: 1234, hash: Hash([0xa5; 32]) };
        assert_eq!(head.to_string(), format!("1234:{}", "a5".repeat(32)));
        assert_eq!(head.to_string().parse(), Ok(head));
        assert_eq!(Head::EMPTY.to_string().parse(), Ok(Head::EMPTY.noted()));
        let hex = "a5".repeat(32);
        for (text, error) in [
            (hex.clone(), ParseHeadError::Form),
            (format!("01:{hex}"), ParseHeadError::Seq),
            (format!("+1:{hex}"), ParseHeadError::Seq),
            (format!("-1:{hex}"), ParseHeadError::Seq),
            (format!(":{hex}"), ParseHeadError::Seq),
            (format!("18446744073709551616:{hex}"), ParseHeadError::Seq),
            (format!("1:{hex} "), ParseHeadError::Hash(ParseHashError)),
            (format!("0:{hex}"), ParseHeadError::Empty),
        ] {
            assert_eq!(text.parse::<NotedHead>(), Err(error), "{text}");
        }
    }
}
