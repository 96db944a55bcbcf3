//! How far captured messages were read, in a form that the store keeps and that survives the renaming, copying and packing of a file.

use std::fmt;

/// A place in a file: behind so many bytes of one that begins so.
///
/// Neither name nor inode is in it: `logrotate` changes the one, copying and packing the other, and an inode is given to the next file.
/// What a recording begins with is a message with its time, which no other recording begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first half of the SHA-256 of the beginning.
    pub beginning: [u8; 16],
    /// The bytes that were read, unpacked; they end with a line.
    pub offset: u64,
    /// What is behind it was damaged, which was told.
    pub is_damaged: bool,
}

/// What ends the text of a place behind which all is damaged.
const DAMAGED: char = '!';

impl Place {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (offset, digits) = text.split_once(':')?;
        let (digits, is_damaged) = match digits.strip_suffix(DAMAGED) {
            Some(digits) => (digits, true),
            None => (digits, false),
        };
        let mut beginning = [0; 16];
        if digits.len() != 2 * beginning.len() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, at) in beginning.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self { beginning, offset: offset.parse().ok()?, is_damaged })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.offset)?;
        self.beginning.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if self.is_damaged { write!(f, "{DAMAGED}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_text() {
        for is_damaged in [false, true] {
            let beginning = std::array::from_fn(|at| at as u8 * 17);
            let place = Place { beginning, offset: u64::MAX, is_damaged };
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for text in [
            "",
            "7",
            "7:",
            "7:00",
            "7:000102030405060708090a0b0c0d0e0f!!",
            "x:000102030405060708090a0b0c0d0e0f",
            "7:+00102030405060708090a0b0c0d0e0f",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
