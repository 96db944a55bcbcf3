//! Whether rows together admit everything that another one admits.

use crate::model::{Permission, Row};

/// Whether `row` is covered by the union of `others`, which are rows of the same address: those whose protocol is equal or
/// `any` and whose source is equal, a containing prefix or the whole family.
pub fn covered<'a>(row: &Row, others: impl Iterator<Item = &'a Row>) -> bool {
    permission_covered(&row.permission, others.map(|other| &other.permission))
}

/// The same of permissions that hold at one address.
pub(super) fn permission_covered<'a>(
    asked: &Permission,
    others: impl Iterator<Item = &'a Permission>,
) -> bool {
    let mut partial: Vec<&Permission> = Vec::new();
    for other in others {
        if other.ipv6 != asked.ipv6
            || !other.protocol.covers(&asked.protocol)
            || !other.source.covers(&asked.source)
        {
            continue;
        }
        let whole = other.ports.is_none() && other.icmp_type.is_none() && other.icmp_code.is_none();
        if whole || other.protocol != asked.protocol {
            return true;
        }
        partial.push(other);
    }
    if partial.is_empty() {
        return false;
    }
    if asked.protocol.is_icmp() { icmp_covered(asked, &partial) } else { ports_covered(asked, &partial) }
}

fn ports_covered(asked: &Permission, partial: &[&Permission]) -> bool {
    let (first, last) = asked.ports.unwrap_or((1, u16::MAX));
    let mut ranges: Vec<(u16, u16)> = partial.iter().filter_map(|other| other.ports).collect();
    ranges.sort_unstable();
    let mut next = u32::from(first);
    for (min, max) in ranges {
        if u32::from(min) > next {
            return false;
        }
        next = next.max(u32::from(max) + 1);
        if next > u32::from(last) {
            return true;
        }
    }
    next > u32::from(last)
}

fn icmp_covered(asked: &Permission, partial: &[&Permission]) -> bool {
    let types = match asked.icmp_type {
        Some(one) => one..=one,
        None => 0..=u8::MAX,
    };
    let codes = match asked.icmp_code {
        Some(one) => one..=one,
        None => 0..=u8::MAX,
    };
    types.into_iter().all(|icmp_type| {
        let of_type: Vec<_> =
            partial.iter().filter(|other| other.icmp_type.is_none_or(|other| other == icmp_type)).collect();
        of_type.iter().any(|other| other.icmp_code.is_none())
            || codes.clone().all(|code| of_type.iter().any(|other| other.icmp_code == Some(code)))
    })
}
