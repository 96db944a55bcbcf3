//! Bytes that cannot be parsed: what must be masked in them, and what can be read all the same.
//!
//! Without a grammar only the neighbourhood of quotes is looked at, in one pass. Too much may be masked here
//! but not too little.

use std::borrow::Cow;

use super::redact::{Secrecy, apply, merge, secrecy, shapes, told};
use super::tape::Span;
use crate::ids::ID_BYTES_MAX;

/// Bytes that cannot be parsed, with the values of secret keys and everything of a secret's shape masked.
///
/// Keys are found as names between quotes (escaped ones too, as in the second envelope) before a colon. A
/// value that does not end is masked to the end of the bytes.
pub(super) fn mask(bytes: &[u8]) -> Cow<'_, [u8]> {
    match plain_letters(bytes) {
        // A key may be written in escapes that nobody needs: then it is written without them, and looked for again.
        Some(plain) => Cow::Owned(mask_plain(&plain).into_owned()),
        None => mask_plain(bytes),
    }
}

/// The bytes with escaped ASCII letters, digits, `_` and `-` written as themselves; none when there are no such escapes.
fn plain_letters(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain: Option<Vec<u8>> = None;
    let mut from = 0;
    for at in memchr::memmem::find_iter(bytes, b"\\u00") {
        let Some(digits) = bytes.get(at + 4..at + 6).and_then(|digits| std::str::from_utf8(digits).ok())
        else {
            break;
        };
        let letter = u8::from_str_radix(digits, 16).ok();
        let Some(letter) = letter.filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        else {
            continue;
        };
        if at < from {
            continue;
        }
        let plain = plain.get_or_insert_default();
        plain.extend_from_slice(&bytes[from..at]);
        plain.push(letter);
        from = at + 6;
    }
    plain.map(|mut plain| {
        plain.extend_from_slice(&bytes[from..]);
        plain
    })
}

fn mask_plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut spans = shapes(bytes);
    spans.extend(told(bytes, true));
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &bytes[at..]).map(|step| at + step) {
        at = quote + 1;
        // From each quote backwards: a name, and behind the quote a colon, make it the end of a key.
        let name = name_before(bytes, quote);
        if secrecy(name) != Secrecy::Secret {
            continue;
        }
        let Some(value) = value_after(bytes, quote + 1) else { continue };
        let end = value_end(bytes, value);
        if end > value && !bytes[value..].starts_with(b"null") {
            let inside = quotes_of(bytes, value).map_or((value, end), |(opened, _)| (opened.min(end), end));
            spans.push(Span { start: inside.0 as u32, end: inside.1 as u32, whole: false });
        }
        at = end.max(at);
    }
    if spans.is_empty() {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(apply(bytes, &merge(spans)))
}

/// The longest name that is looked at; longer ones end in the same letters.
const NAME_BYTES_MAX: usize = 64;

fn name_before(bytes: &[u8], quote: usize) -> &[u8] {
    let mut end = quote;
    while end > 0 && bytes[end - 1] == b'\\' {
        end -= 1;
    }
    let from = end.saturating_sub(NAME_BYTES_MAX);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = bytes[from..end].iter().rev().take_while(|byte| is_name(byte)).count();
    &bytes[end - length..end]
}

/// Where the value starts, if a colon is next.
fn value_after(bytes: &[u8], at: usize) -> Option<usize> {
    let skip = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let colon = skip(at);
    (bytes.get(colon) == Some(&b':')).then(|| skip(colon + 1))
}

/// The place after an opening quote with the backslashes before it, and how many these are.
fn quotes_of(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let backslashes = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
    (bytes.get(at + backslashes) == Some(&b'"')).then_some((at + backslashes + 1, backslashes))
}

/// Where a value ends: before its closing quote, after its closing bracket, or before what follows a bare
/// word.
fn value_end(bytes: &[u8], at: usize) -> usize {
    if let Some((opened, backslashes)) = quotes_of(bytes, at) {
        let mut from = opened;
        while let Some(quote) = memchr::memchr(b'"', &bytes[from..]).map(|step| from + step) {
            let before = bytes[opened..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
            if before <= backslashes {
                return quote - before;
            }
            from = quote + 1;
        }
        return bytes.len();
    }
    match bytes.get(at) {
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            for (step, byte) in bytes[at..].iter().enumerate() {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    return at + step + 1;
                }
            }
            bytes.len()
        }
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            bytes[at..].iter().position(ends).map_or(bytes.len(), |step| at + step)
        }
    }
}

/// The text under a key, as far as one can tell: for people who look through the quarantine.
pub(super) fn glimpse(bytes: &[u8], key: &str) -> Option<Box<str>> {
    memchr::memmem::find_iter(bytes, key.as_bytes()).find_map(|at| {
        let (after_quote, _) = quotes_of(bytes, at + key.len())?;
        let value = value_after(bytes, after_quote)?;
        let (opened, _) = quotes_of(bytes, value)?;
        // Far enough to see that a value is too long, no farther: there may be many that do not end.
        let near = &bytes[..bytes.len().min(opened + ID_BYTES_MAX + 8)];
        let text = std::str::from_utf8(&near[opened..value_end(near, value).max(opened)]).ok()?;
        let is_plain = !text.is_empty() && text.len() <= ID_BYTES_MAX && shapes(text.as_bytes()).is_empty();
        is_plain.then(|| text.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unparsed(text: &str) -> String {
        String::from_utf8(mask(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn masks_what_cannot_be_parsed() {
        assert_eq!(unparsed(r#"{"a": 1, "token" : "abc", "b"#), r#"{"a": 1, "token" : "***", "b"#);
        assert_eq!(unparsed(r#"{"password": "ab\"c", x"#), r#"{"password": "***", x"#);
        assert_eq!(unparsed(r#"{\"password\": \"ab\\\"c\", x"#), r#"{\"password\": \"***\", x"#);
        assert_eq!(unparsed(r#"{\"auth_token\": \"cut of"#), r#"{\"auth_token\": \"***"#);
        assert_eq!(
            unparsed(r#"{"service_catalog": [{"a": [1]}], "b": 2,"#),
            r#"{"service_catalog": ***, "b": 2,"#
        );
        assert_eq!(unparsed(r#"{"service_catalog": [{"a": [1]"#), r#"{"service_catalog": ***"#);
        assert_eq!(unparsed(r#"{"token": 12345, "secret": null"#), r#"{"token": ***, "secret": null"#);
        assert_eq!(unparsed("xx gAAAAABabc yy"), "xx *** yy");
        assert_eq!(unparsed(r#"{"token": "gAAAAABabc", "#), r#"{"token": "***", "#);
        assert_eq!(unparsed("\"token\":"), "\"token\":");
    }

    #[test]
    fn reads_ids_where_it_can() {
        assert_eq!(glimpse(br#"{"message_id" : "m-1", x"#, "message_id").as_deref(), Some("m-1"));
        assert_eq!(glimpse(br#"{\"message_id\": \"m-1\", x"#, "message_id").as_deref(), Some("m-1"));
        for text in ["", "message_id", "\"message_id\":", "\"message_id\": 5", "\"message_id\": \"gAAAAABx\""]
        {
            assert_eq!(glimpse(text.as_bytes(), "message_id"), None, "{text}");
        }
    }
}
