//! Strings of JSON: where they end and what their escapes mean, a block at a time where nothing happens.

use super::defect::{DefectKind, Fault};

/// How many bytes are looked at together: what fits into a word.
pub(super) const BLOCK_BYTES: usize = 8;

const ONES: u64 = 0x0101_0101_0101_0101;
/// The high bit of each byte of a word.
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes a block begins with that are no quote, backslash or control character.
#[inline(always)]
pub(super) fn run(block: [u8; BLOCK_BYTES]) -> usize {
    let word = u64::from_le_bytes(block);
    // With this bit turned, the quote is 0x20 and the control characters stay among themselves: one
    // comparison for both. Only the lowest mark is exact: a borrow may mark a byte above it.
    let low = word ^ (ONES * 0x02);
    let backslash = word ^ (ONES * b'\\' as u64);
    let marks =
        ((low.wrapping_sub(ONES * 0x21) & !low) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGHS;
    marks.trailing_zeros() as usize / 8
}

/// The place of the first quote, backslash or control character, or the end of the text.
#[inline]
pub(super) fn find_special(bytes: &[u8], mut at: usize) -> usize {
    for block in bytes.get(at..).unwrap_or_default().as_chunks::<BLOCK_BYTES>().0 {
        let run = run(*block);
        at += run;
        if run < BLOCK_BYTES {
            return at;
        }
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

/// The fault of a byte that must not stand in a string: a control character, or the end of the text.
#[cold]
pub(super) fn unexpected(bytes: &[u8], at: usize) -> Fault {
    Fault::byte(if bytes.get(at) == Some(&0) { DefectKind::Nul } else { DefectKind::Syntax }, at)
}

/// The character of the escape at a backslash, and the place after it.
pub(super) fn character(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let simple = |character| Ok((character, at + 2));
    match bytes.get(at + 1) {
        Some(b'"') => simple('"'),
        Some(b'\\') => simple('\\'),
        Some(b'/') => simple('/'),
        Some(b'n') => simple('\n'),
        Some(b't') => simple('\t'),
        Some(b'r') => simple('\r'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'u') => {
            let first = hexadecimal(bytes, at + 2)?;
            let lone = Fault::byte(DefectKind::LoneSurrogate, at);
            match first {
                0 => Err(Fault::byte(DefectKind::Nul, at)),
                0xd800..=0xdbff => {
                    if bytes.get(at + 6..at + 8) != Some(b"\\u") {
                        return Err(lone);
                    }
                    let second = hexadecimal(bytes, at + 8)?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(lone)?;
                    let scalar = 0x1_0000 + ((first - 0xd800) << 10) + low;
                    Ok((char::from_u32(scalar).ok_or(lone)?, at + 12))
                }
                _ => Ok((char::from_u32(first).ok_or(lone)?, at + 6)),
            }
        }
        _ => Err(unexpected(bytes, at + 1)),
    }
}

fn hexadecimal(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    (at..at + 4).try_fold(0, |sum, at| {
        let digit = bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        digit.map(|digit| sum << 4 | digit).ok_or_else(|| unexpected(bytes, at))
    })
}

/// Checks the rest of a string from a special byte on; gives the place of the closing quote.
pub(super) fn check(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => at = character(bytes, at)?.1,
            _ => return Err(unexpected(bytes, at)),
        }
        at = find_special(bytes, at);
    }
}

/// The text of a string whose escapes have been checked.
pub(super) fn unescape(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut text = String::with_capacity(raw.len());
    let mut from = 0;
    while let Some(run) = memchr::memchr(b'\\', &bytes[from..]) {
        text.push_str(&raw[from..from + run]);
        // Checked by the scanner; if it were not, the rest would be left out.
        let Ok((character, after)) = character(bytes, from + run) else { return text };
        text.push(character);
        from = after;
    }
    text.push_str(&raw[from..]);
    text
}

/// The text without white space outside of strings, for texts that are known to be JSON.
pub(super) fn without_space(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            b'"' => {
                let end = check(text, find_special(text, at + 1)).map_or(text.len(), |end| end + 1);
                kept.extend_from_slice(&text[at..end]);
                at = end;
            }
            byte => {
                kept.push(byte);
                at += 1;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_special_byte_at_each_place() {
        for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for place in 0..40 {
                let mut bytes = vec![0x80_u8; 40];
                bytes[1] = 0x20;
                bytes[3] = 0xff;
                bytes[place] = special;
                assert_eq!(find_special(&bytes, 0), place);
            }
        }
        assert_eq!(find_special(b"without any of them", 0), 19);
    }

    #[test]
    fn unescapes_what_the_grammar_allows() {
        assert_eq!(unescape(r#"a\"\\\/\n\t\r\b\f\u00e9\ud83d\ude00z"#), "a\"\\/\n\t\r\u{8}\u{c}é😀z");
    }
}
