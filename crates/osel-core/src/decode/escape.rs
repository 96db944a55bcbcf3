//! Strings of JSON: where they end, what their escapes mean, and how one text is lifted out of another.
//!
//! The second envelope format carries a whole JSON text as a string, in which every quote is escaped. [`lift`] undoes that in
//! one pass, eight bytes at a time, and drops the white space between tokens as it goes.

use super::defect::{DefectKind, Fault};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight bytes of a text as a number, the first byte lowest.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

/// Marks the high bit of bytes that are a quote, a backslash or a control character. Only the lowest mark is exact: a borrow
/// may mark a byte above it.
fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    (zero(quote) | zero(backslash) | (word.wrapping_sub(ONES * 0x20) & !word)) & HIGHS
}

/// The place of the first quote, backslash or control character, or the end of the text.
pub(super) fn find_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        let marks = special(word);
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
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

/// What [`lift`] found.
#[derive(Debug)]
pub(super) struct Lifted {
    /// The string's text.
    pub(super) text: Vec<u8>,
    /// The place after the closing quote.
    pub(super) after: usize,
}

/// Undoes the escapes of the string that starts at `at` (after its quote), taking its text for JSON.
///
/// With `compact`, white space after a token that cannot run into the next one is left out, as Python writes it after `:` and
/// `,`. Whether the text is JSON is not decided here: other text comes out with fewer blanks, and fails in the scanner.
pub(super) fn lift(bytes: &[u8], mut at: usize, compact: bool) -> Result<Lifted, Fault> {
    // Room for one whole word after the last byte, so that words can be stored before it is known how much of them counts.
    let mut text = vec![0; bytes.len() - at + 8];
    let mut end = 0;
    let mut in_text = false;
    loop {
        if in_text {
            while let (Some(word), Some(room)) = (word(bytes, at), text.get_mut(end..end + 8)) {
                room.copy_from_slice(&word.to_le_bytes());
                let marks = special(word);
                let run = if marks == 0 { 8 } else { marks.trailing_zeros() as usize / 8 };
                at += run;
                end += run;
                if run < 8 {
                    break;
                }
            }
        }
        match bytes.get(at) {
            Some(b'"') => {
                text.truncate(end);
                return Ok(Lifted { text, after: at + 1 });
            }
            Some(b'\\') => match bytes.get(at + 1) {
                Some(b'"') => {
                    text[end] = b'"';
                    end += 1;
                    at += 2;
                    in_text = !in_text;
                }
                Some(b'\\') if in_text => {
                    // An escape of the inner text: whatever it escapes does not end the inner string.
                    text[end] = b'\\';
                    end += 1;
                    at += 2;
                    if bytes.get(at) == Some(&b'\\') {
                        let (character, after) = character(bytes, at)?;
                        end += character.encode_utf8(&mut text[end..]).len();
                        at = after;
                    }
                }
                _ => {
                    let (character, after) = character(bytes, at)?;
                    end += character.encode_utf8(&mut text[end..]).len();
                    at = after;
                }
            },
            Some(b' ') if compact && !in_text && end > 0 && ends_alone(text[end - 1]) => at += 1,
            Some(&byte) if byte >= 0x20 => {
                text[end] = byte;
                end += 1;
                at += 1;
            }
            _ => return Err(unexpected(bytes, at)),
        }
    }
}

/// Whether nothing that follows this byte outside of a string could be taken for its continuation.
fn ends_alone(byte: u8) -> bool {
    matches!(byte, b':' | b',' | b'{' | b'[' | b'"' | b'}' | b']')
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

    fn lifted(outer: &str) -> String {
        String::from_utf8(lift(outer.as_bytes(), 0, true).unwrap().text).unwrap()
    }

    #[test]
    fn lifts_a_text_and_drops_blanks_between_tokens() {
        assert_eq!(
            lifted(r#"{\"a\": \"b c\", \"d\": [1, 2.5, null], \"e\": {\"f\": \"\"}}" }"#),
            r#"{"a":"b c","d":[1,2.5,null],"e":{"f":""}}"#
        );
    }

    #[test]
    fn keeps_inner_escapes_and_what_they_protect() {
        assert_eq!(
            lifted(r#"{\"a\": \"x\\\" , \\\\\", \"b\": \"\\u00e9\\n\"}""#),
            r#"{"a":"x\" , \\","b":"\u00e9\n"}"#
        );
        assert_eq!(lifted(r#"{\"a\": \"\u00e9\ud83d\ude00\"}""#), "{\"a\":\"é😀\"}");
    }

    #[test]
    fn keeps_blanks_that_part_two_tokens() {
        assert_eq!(lifted(r#"[1 2, tr ue]""#), "[1 2,tr ue]");
    }

    #[test]
    fn tells_what_must_not_be_in_a_string() {
        let kind = |outer: &str| lift(outer.as_bytes(), 0, true).unwrap_err().kind;
        assert_eq!(kind("abc"), DefectKind::Syntax);
        assert_eq!(kind("a\u{0}c\""), DefectKind::Nul);
        assert_eq!(kind(r#"\u0000""#), DefectKind::Nul);
        assert_eq!(kind(r#"\ud800""#), DefectKind::LoneSurrogate);
        assert_eq!(kind(r#"\udc00\ud800""#), DefectKind::LoneSurrogate);
        assert_eq!(kind(r#"\ud800\u0041""#), DefectKind::LoneSurrogate);
        assert_eq!(kind(r#"\x""#), DefectKind::Syntax);
        assert_eq!(kind(r#"\u12"#), DefectKind::Syntax);
        assert_eq!(kind("\\"), DefectKind::Syntax);
    }
}
