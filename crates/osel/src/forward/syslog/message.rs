//! Messages, by RFC 5424 or RFC 3164, and how they are told apart in a stream.

use std::io::Write;

use osel_core::format::Severity;

use crate::config::{SyslogConfig, SyslogFraming, SyslogMessage};
use crate::forward::receiver::Item;

/// The longest MSGID of RFC 5424, in bytes.
const MESSAGE_ID_BYTES_MAX: usize = 32;
/// The longest event type in structured data, in bytes: the longest of OpenStack's has 60, and a head is to stay below a kilobyte.
const EVENT_TYPE_BYTES_MAX: usize = 128;
/// The mark of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// What ends a message of RFC 3164 that was cut.
const ELLIPSIS: &[u8] = b"...";
/// The months of RFC 3164.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How messages are written.
#[derive(Clone, Debug)]
pub(super) struct Style {
    message: SyslogMessage,
    facility: u8,
    app_name: String,
    /// None where a message has none: this machine's own syslog puts it there.
    host_name: Option<String>,
    enterprise_number: u32,
    bom: bool,
    bytes_max: usize,
}

impl Style {
    /// The style of a table, on a machine of that name.
    pub(super) fn new(config: &SyslogConfig, host_name: &str, is_local: bool) -> Self {
        let host_name = config.host_name.clone().unwrap_or_else(|| host_name.to_owned());
        Self {
            message: config.message,
            facility: config.facility,
            app_name: config.app_name.clone(),
            host_name: (!is_local || config.message == SyslogMessage::Rfc5424).then_some(host_name),
            enterprise_number: config.enterprise_number.get(),
            bom: config.bom,
            bytes_max: config.message_bytes_max.map_or(usize::MAX, std::num::NonZero::get),
        }
    }

    /// Writes the message of an item behind what is there.
    pub(super) fn write(&self, item: &Item, out: &mut Vec<u8>) {
        match self.message {
            SyslogMessage::Rfc5424 => self.write_new(item, out),
            SyslogMessage::Rfc3164 => self.write_old(item, out),
        }
    }

    /// The same as a part of a stream.
    pub(super) fn write_framed(
        &self,
        item: &Item,
        framing: SyslogFraming,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        match framing {
            SyslogFraming::LineFeed => {
                self.write(item, out);
                out.push(b'\n');
            }
            SyslogFraming::OctetCounting => {
                scratch.clear();
                self.write(item, scratch);
                put(out, format_args!("{} ", scratch.len()));
                out.extend_from_slice(scratch);
            }
        }
    }

    fn write_new(&self, item: &Item, out: &mut Vec<u8>) {
        let begin = out.len();
        let (priority, host) = (self.priority(item.severity), self.host_name.as_deref().unwrap_or("-"));
        put(out, format_args!("<{priority}>1 {} {host} {} - ", item.time, self.app_name));
        let name = item.event_type.as_deref().unwrap_or(item.kind.as_str());
        let id = name.bytes().filter(u8::is_ascii_graphic).take(MESSAGE_ID_BYTES_MAX);
        let before = out.len();
        out.extend(id);
        if out.len() == before {
            out.push(b'-');
        }
        put(out, format_args!(" [osel@{} id=\"{}\" seq=\"{}\"", self.enterprise_number, item.id, item.seq));
        put(out, format_args!(" kind=\"{}\" severity=\"{}\"", item.kind, item.severity));
        if let Some(event_type) = &item.event_type {
            out.extend_from_slice(b" event=\"");
            escape(cut(event_type.as_bytes(), EVENT_TYPE_BYTES_MAX), out);
            out.push(b'"');
        }
        let bom = if self.bom { BOM } else { b"" };
        // With `] ` before it.
        let room = self.bytes_max.saturating_sub(out.len() - begin + bom.len() + 2);
        if item.line.len() <= room {
            out.extend_from_slice(b"] ");
            out.extend_from_slice(bom);
            out.extend_from_slice(&item.line);
            return;
        }
        let before = out.len();
        put(out, format_args!(" cut=\"{}\"] ", item.line.len()));
        let room = room.saturating_sub(out.len() - before - 2);
        out.extend_from_slice(bom);
        out.extend_from_slice(cut(&item.line, room));
    }

    fn write_old(&self, item: &Item, out: &mut Vec<u8>) {
        let begin = out.len();
        // `2026-11-06T10:19:00.123456Z`
        let time = item.time.to_string();
        let month = time.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
        let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&MONTHS[0]);
        let day = time.get(8..10).unwrap_or("01").trim_start_matches('0');
        put(
            out,
            format_args!(
                "<{}>{month} {day:>2} {}",
                self.priority(item.severity),
                time.get(11..19).unwrap_or("00:00:00")
            ),
        );
        if let Some(host) = &self.host_name {
            put(out, format_args!(" {host}"));
        }
        put(out, format_args!(" {}[{}]: ", self.app_name, item.seq));
        let room = self.bytes_max.saturating_sub(out.len() - begin);
        if item.line.len() <= room {
            out.extend_from_slice(&item.line);
        } else {
            out.extend_from_slice(cut(&item.line, room.saturating_sub(ELLIPSIS.len())));
            out.extend_from_slice(ELLIPSIS);
        }
    }

    fn priority(&self, severity: Severity) -> u8 {
        self.facility * 8
            + match severity {
                Severity::Informational => 6,
                // A notice.
                Severity::Low => 5,
                // A warning.
                Severity::Medium => 4,
                // An error.
                Severity::High => 3,
                // Critical; what is worse is for a machine that is about to stop.
                Severity::Critical => 2,
            }
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes whatever comes.
    let _ = out.write_fmt(text);
}

/// So much of a text, without the part of a character at its end.
fn cut(text: &[u8], bytes_max: usize) -> &[u8] {
    let Some(mut end) = text.get(bytes_max).map(|_| bytes_max) else { return text };
    // The bytes of a character but its first begin with these bits.
    while end > 0 && text[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    &text[..end]
}

/// A value of structured data. What is no character that is seen ends up in files and on screens: it becomes a space.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'"' | b'\\' | b']' => out.extend_from_slice(&[b'\\', *byte]),
            byte if byte.is_ascii_control() => out.push(b' '),
            byte => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::super::tests::{config, item};
    use super::*;

    #[track_caller]
    fn check(config: &SyslogConfig, item: &Item, wanted: &str) {
        let mut out = Vec::new();
        Style::new(config, "ctl1", false).write(item, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn a_new_message_has_structured_data() {
        let config = config();
        check(
            &config,
            &item(7, "{}"),
            "<133>1 2026-11-06T10:19:07.000000Z ctl1 osel - port.create.end [osel@32473 \
             id=\"00000000000000000000000000000007-7\" seq=\"7\" kind=\"change\" severity=\"low\" event=\"port.create.end\"] {}",
        );
        let odd = Item {
            event_type: Some("a \"b\"\\]\né".to_owned()),
            severity: Severity::Critical,
            ..item(7, "x")
        };
        check(
            &config,
            &odd,
            "<130>1 2026-11-06T10:19:07.000000Z ctl1 osel - a\"b\"\\] [osel@32473 \
             id=\"00000000000000000000000000000007-7\" seq=\"7\" kind=\"change\" severity=\"critical\" event=\"a \\\"b\\\"\\\\\\] é\"] x",
        );
        let bare = Item { event_type: None, ..item(7, "x") };
        let config = SyslogConfig { bom: true, facility: 13, host_name: Some("h".to_owned()), ..config };
        check(
            &config,
            &bare,
            "<109>1 2026-11-06T10:19:07.000000Z h osel - change [osel@32473 \
             id=\"00000000000000000000000000000007-7\" seq=\"7\" kind=\"change\" severity=\"low\"] \u{feff}x",
        );
    }

    #[test]
    fn an_old_message_has_the_number_of_its_record() {
        let old = SyslogConfig { message: SyslogMessage::Rfc3164, ..config() };
        check(&old, &item(7, "x"), "<133>Nov  6 10:19:07 ctl1 osel[7]: x");
        let mut out = Vec::new();
        Style::new(&old, "ctl1", true).write(&item(7, "x"), &mut out);
        assert_eq!(out, b"<133>Nov  6 10:19:07 osel[7]: x");
    }

    #[test]
    fn a_message_of_any_length_keeps_the_limit_and_says_what_was_cut() {
        for message in [SyslogMessage::Rfc5424, SyslogMessage::Rfc3164] {
            let limited = SyslogConfig { message, message_bytes_max: NonZeroUsize::new(1024), ..config() };
            let style = Style::new(&limited, &"h".repeat(255), false);
            let whole = Style::new(&config(), "", false);
            for length in 0..1200 {
                let text = "é".repeat(length);
                let mut out = Vec::new();
                style.write(&item(7, &text), &mut out);
                assert!(out.len() <= 1024, "{length}: {}", out.len());
                let out = String::from_utf8(out).unwrap();
                let is_cut = out.contains(&format!("cut=\"{}\"", 2 * length)) || out.ends_with("...");
                assert_eq!(is_cut, !out.ends_with(&format!(" {text}")), "{length}");
                // No more is cut than has to be.
                assert!(!is_cut || out.len() > 1020, "{length}: {}", out.len());
                let mut out = Vec::new();
                whole.write(&item(7, &text), &mut out);
                assert!(String::from_utf8(out).unwrap().ends_with(&format!("] {text}")));
            }
        }
    }

    #[test]
    fn a_stream_has_lengths_or_ends_of_lines() {
        let style = Style::new(&SyslogConfig { message: SyslogMessage::Rfc3164, ..config() }, "h", false);
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        for framing in [SyslogFraming::OctetCounting, SyslogFraming::LineFeed] {
            style.write_framed(&item(7, "é"), framing, &mut scratch, &mut out);
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "34 <133>Nov  6 10:19:07 h osel[7]: é<133>Nov  6 10:19:07 h osel[7]: é\n"
        );
    }
}
