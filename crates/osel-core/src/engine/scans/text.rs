//! Ports and addresses as people write them, cut to what a record may hold.

use crate::scan::Transport;

/// The most addresses that a record of a command names; the rest is counted.
pub(super) const ADDRESSES_NAMED_MAX: usize = 100;

/// Ports as people write them, runs as ranges: `tcp 22, 80-90; udp 53`.
pub(super) fn ports_text<'a>(ports: impl Iterator<Item = &'a (Transport, u16)>) -> String {
    let mut ranges: Vec<(Transport, u16, u16)> = Vec::new();
    for &(transport, port) in ports {
        match ranges.last_mut() {
            Some((last, _, end)) if *last == transport && end.checked_add(1) == Some(port) => *end = port,
            _ => ranges.push((transport, port, port)),
        }
    }
    let of = |wanted: Transport| {
        let texts: Vec<String> = ranges
            .iter()
            .filter(|(transport, ..)| *transport == wanted)
            .map(|(_, first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
            .collect();
        (!texts.is_empty()).then(|| format!("{} {}", wanted.as_str(), texts.join(", ")))
    };
    [of(Transport::Tcp), of(Transport::Udp)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The first so many of some texts, and how many more there are.
pub(super) fn first_of(mut texts: impl ExactSizeIterator<Item = String>, named_max: usize) -> String {
    let count = texts.len();
    let mut text = texts.by_ref().take(named_max).collect::<Vec<_>>().join(", ");
    if count > named_max {
        text.push_str(&format!(" and {} more", count - named_max));
    }
    text
}
