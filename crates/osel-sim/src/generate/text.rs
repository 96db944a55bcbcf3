//! Appending numbers, times and addresses to a text, without making a text of their own first.

use super::rules::Prefix;

/// Appends a number in decimal digits.
pub(super) fn push_number(to: &mut String, number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    to.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

/// Appends a time, `2026-11-21T00:40:39` and, if wanted, `.732718`.
pub(super) fn push_time(to: &mut String, micros: i64, separator: char, with_micros: bool) {
    let text = osel_core::time::Timestamp::from_micros(micros).to_string();
    let (date, time) = text.split_at(10);
    to.push_str(date);
    to.push(separator);
    to.push_str(time.get(1..if with_micros { 16 } else { 9 }).unwrap_or(""));
}

/// Appends an address of the external network, 198.16.0.0/12: routers in its half from `198.16`, floating IPs
/// from `198.18`.
pub(super) fn push_outside(to: &mut String, number: u64, second: u32) {
    push_v4(to, (198 << 24 | second << 16) + (number as u32 % 131_000) + 2);
}

/// Appends a prefix.
pub(super) fn push_prefix(to: &mut String, prefix: Prefix) {
    match prefix {
        Prefix::All4 => to.push_str("0.0.0.0/0"),
        Prefix::All6 => to.push_str("::/0"),
        Prefix::Private(part) => {
            to.push_str("10.");
            push_number(to, u64::from(part));
            to.push_str(".0.0/16");
        }
        Prefix::Single(part) => {
            to.push_str("198.51.100.");
            push_number(to, u64::from(part));
            to.push_str("/32");
        }
    }
}

/// Appends an address of version 4.
pub(super) fn push_v4(to: &mut String, address: u32) {
    for (at, part) in address.to_be_bytes().into_iter().enumerate() {
        if at > 0 {
            to.push('.');
        }
        push_number(to, u64::from(part));
    }
}

/// Appends a number in hexadecimal digits without leading zeros.
pub(super) fn push_hex(to: &mut String, number: u32) {
    let digits = (32 - number.leading_zeros()).div_ceil(4).max(1);
    crate::random::write_hex(to, u64::from(number), digits);
}

/// Appends a MAC address that belongs to the number.
pub(super) fn push_mac(to: &mut String, number: u64) {
    to.push_str("fa:16");
    for shift in [24, 16, 8, 0] {
        to.push(':');
        crate::random::write_hex(to, (number >> shift) & 0xFF, 2);
    }
}
