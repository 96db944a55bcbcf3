//! Lines that fit: whatever somebody called their network, a record is one line, and no longer than receivers take.
//!
//! Nearly no line is too long, so that it is written first and looked at then. One that is has its longest texts and lists cut, a little
//! at first; keys stay, so that a line keeps the shape that its form prescribes.

use memchr::memchr2_iter;
use serde::Serialize;
use serde_json::Value;

/// The longest line, in bytes: a quarter of what Splunk advises for a whole request, so that a few fit into one.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// The longest message that stands in a line as it came: half of a line is left for what it means, and texts grow when they are escaped.
pub(super) const RAW_BYTES_MAX: usize = 64 * 1024;
/// How many rows that came, and how many that went, are listed in a line; the rest is counted. A row has about 600 bytes.
pub const ROWS_LISTED_MAX: usize = 100;

/// How long texts (in characters) and lists may be in a line that was too long, until it fits. The last pair makes some hundred texts of 64
/// characters, each at most six bytes when escaped: less than a line in any form.
const CUTS: [(usize, usize); 4] = [(4096, 100), (1024, 50), (256, 20), (64, 4)];
/// What stands for the rest of a text.
pub(super) const REST: char = '…';

/// A document as a line. These types have string keys only and no floats, so that writing cannot fail.
pub(super) fn fit_json(document: &impl Serialize) -> Vec<u8> {
    fit_line(serde_json::to_vec(document).unwrap_or_default())
}

/// The same of a document that is written already.
pub(super) fn fit_line(line: Vec<u8>) -> Vec<u8> {
    let line = line_ends_escaped(line);
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    // What was written is JSON.
    let Ok(mut value) = serde_json::from_slice::<Value>(&line) else { return line };
    let mut shorter = line;
    for (characters, elements) in CUTS {
        cut(&mut value, characters, elements);
        shorter = line_ends_escaped(serde_json::to_vec(&value).unwrap_or_default());
        if shorter.len() <= LINE_BYTES_MAX {
            break;
        }
    }
    shorter
}

/// JSON with escapes for what may stand in its texts as it is, and ends a line for some readers: the next line (U+0085) and the separators of
/// lines and paragraphs (U+2028, U+2029). It says the same.
pub fn line_ends_escaped(json: Vec<u8>) -> Vec<u8> {
    let mut escaped = Vec::new();
    let mut from = 0;
    // With these bytes they begin, and no other character has them behind its first.
    for at in memchr2_iter(0xc2, 0xe2, &json) {
        let (escape, bytes) = match json.get(at..).unwrap_or_default() {
            [0xc2, 0x85, ..] => ("\\u0085", 2),
            [0xe2, 0x80, 0xa8, ..] => ("\\u2028", 3),
            [0xe2, 0x80, 0xa9, ..] => ("\\u2029", 3),
            _ => continue,
        };
        escaped.extend_from_slice(&json[from..at]);
        escaped.extend_from_slice(escape.as_bytes());
        from = at + bytes;
    }
    if from == 0 {
        return json;
    }
    escaped.extend_from_slice(&json[from..]);
    escaped
}

fn cut(value: &mut Value, characters: usize, elements: usize) {
    match value {
        Value::String(text) => cut_text(text, characters),
        Value::Array(list) => {
            list.truncate(elements);
            list.iter_mut().for_each(|value| cut(value, characters, elements));
        }
        Value::Object(members) => {
            members.iter_mut().for_each(|(_, value)| cut(value, characters, elements));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts a text to so many characters, the sign that something is missing included.
pub(crate) fn cut_text(text: &mut String, characters: usize) {
    if let Some((at, _)) = text.char_indices().nth(characters) {
        let last = text[..at].char_indices().next_back().map_or(0, |(last, _)| last);
        text.truncate(last);
        text.push(REST);
    }
}

/// A text that is a line as it stands.
pub(super) fn fit_text(mut text: String) -> String {
    if text.len() > LINE_BYTES_MAX {
        let mut end = LINE_BYTES_MAX - REST.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push(REST);
    }
    text
}

/// Whoever may choose a name must not be able to write a line of their own, nor to turn one around: neither control characters nor those
/// that begin and end lines or change their direction are left.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A character as it may stand in a line: a space for one that may not.
pub fn harmless(c: char) -> char {
    let is_harmful = c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if is_harmful { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_line_that_fits_is_left_alone_and_a_longer_one_is_cut_where_it_is_long() {
        let long = "ö\n".repeat(1 << 12);
        let short = BTreeMap::from([("a", "b")]);
        assert_eq!(fit_json(&short), b"{\"a\":\"b\"}");
        let document = BTreeMap::from([("kept", vec!["as it is"]), ("long", vec![long.as_str(); 300])]);
        let line = fit_json(&document);
        assert!(line.len() <= LINE_BYTES_MAX, "{}", line.len());
        let read: BTreeMap<String, Vec<String>> = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(read["kept"], ["as it is"]);
        assert!(read["long"].iter().all(|text| text.starts_with('ö') && text.ends_with('…')));
    }

    #[test]
    fn what_ends_a_line_for_some_readers_is_escaped_and_says_the_same() {
        let name = "\u{2028}a\u{e9}\u{85}\u{2029}\u{2030}b\u{85}";
        let line = fit_json(&BTreeMap::from([(name, name)]));
        let text = r#""\u2028aé\u0085\u2029‰b\u0085""#;
        assert_eq!(String::from_utf8_lossy(&line), format!("{{{text}:{text}}}"));
        let read: BTreeMap<String, String> = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(read[name], name);
        // Escapes are longer than what they stand for.
        let line = fit_json(&"\u{85}".repeat(LINE_BYTES_MAX / 3));
        assert!(line.len() <= LINE_BYTES_MAX && line.starts_with(br#""\u0085\u0085"#), "{}", line.len());
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let cut = |text: &str, characters| {
            let mut text = text.to_owned();
            cut_text(&mut text, characters);
            text
        };
        assert_eq!(cut("höhe", 4), "höhe");
        assert_eq!(cut("höhen", 4), "höh…");
        assert_eq!(cut("ööööö", 1), "…");
        let text = fit_text("ö".repeat(LINE_BYTES_MAX));
        assert!(text.len() <= LINE_BYTES_MAX && text.ends_with("ö…"));
    }

    #[test]
    fn a_name_cannot_end_a_line_or_turn_it_around() {
        assert_eq!(one_line("a\r\nb\u{2028}c\u{202e}d\u{85}e\u{7f}"), "a  b c d e ");
    }
}
