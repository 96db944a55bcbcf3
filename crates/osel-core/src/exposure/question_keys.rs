//! Keys of a question that are slips: whoever writes `form` for `from` does not mean a label.
//!
//! A question may carry labels of any name, so an unknown key is no mistake by itself. It is one where it is nearly the name of a key that
//! the question does not have.

/// The shortest beginning of a key that is taken for the key: of `icmp_code` three letters say what is meant, two nothing.
const BEGINNING_MIN: usize = 3;

/// From so many letters on two of a key may be wrong; of a shorter one, one; of two letters none, or half of all labels would be `to`.
const LONG: usize = 6;

/// The key that is meant by another, if one is.
pub(super) fn meant(key: &str, absent: &[&'static str]) -> Option<&'static str> {
    let plain: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|sign| sign.to_ascii_lowercase()).collect();
    let near = |known: &&str| {
        let known: String = known.chars().filter(|sign| *sign != '_').collect();
        let most = match known.len() {
            0..3 => 0,
            3..LONG => 1,
            _ => 2,
        };
        let is_beginning = plain.len() >= BEGINNING_MIN && known.starts_with(&plain);
        let distance = distance(plain.as_bytes(), known.as_bytes());
        (is_beginning || distance <= most).then_some(distance)
    };
    let near = absent.iter().filter_map(|known| Some((near(known)?, *known)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// How many letters are missing, too many, wrong, or in the place of their neighbour; more than a few for a long text, whatever it is.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let width = other.len() + 1;
    // The last two rows: what it takes to make each beginning of the one into each of the other.
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (vec![0; width], (0..width).collect());
    for (row, sign) in one.iter().enumerate() {
        let mut next = vec![row + 1; width];
        for column in 1..width {
            let is_other = usize::from(*sign != other[column - 1]);
            next[column] = (next[column - 1] + 1).min(last[column] + 1).min(last[column - 1] + is_other);
            let is_turned =
                row > 0 && column > 1 && *sign == other[column - 2] && one[row - 1] == other[column - 1];
            if is_turned {
                next[column] = next[column].min(before[column - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, next);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 7] = ["from", "to", "protocol", "port", "icmp_code", "network", "port_id"];

    #[test]
    fn a_slip_is_known_from_a_label() {
        for (key, wanted) in [
            ("form", Some("from")),
            ("fro", Some("from")),
            ("From", Some("from")),
            ("frmo", Some("from")),
            ("TO", Some("to")),
            ("prot", Some("port")),
            ("proto", Some("protocol")),
            ("protocoll", Some("protocol")),
            ("ports", Some("port")),
            ("dport", Some("port")),
            ("icmp-code", Some("icmp_code")),
            ("icmp", Some("icmp_code")),
            ("networks", Some("network")),
            ("netwrok", Some("network")),
            ("portid", Some("port_id")),
            ("label", None),
            ("id", None),
            ("t", None),
            ("tag", None),
            ("name", None),
            ("rule", None),
            ("from_name", None),
            ("comment", None),
            ("", None),
            ("\u{1f600}", None),
        ] {
            assert_eq!(meant(key, &KEYS), wanted, "{key}");
        }
        assert_eq!(meant("prot", &["protocol", "network"]), Some("protocol"), "the port is there");
        assert_eq!(meant("post", &["network"]), None, "the port is there");
        assert_eq!(meant(&"form".repeat(10_000), &KEYS), None);
    }
}
