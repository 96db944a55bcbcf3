//! What an object is called: `PREFIX STORE/YYYY/MM/DD/FIRST-LAST-DIGEST.EXTENSION`.
//!
//! FIRST and LAST are lines, in so many digits that names in their order are lines in the order of the trail. DIGEST is of the lines, so that
//! a name says for certain what is in its object: what is written again has the same name, and other lines have another one.

use sha2::{Digest, Sha256};

use crate::forward::receiver::Item;

/// How much of the digest a name has, in bytes: nobody but us writes there, and one in 2^64 is no chance.
const DIGEST_BYTES: usize = 8;

/// Where the objects that begin with one line lie: what their names have before the last line.
pub(super) fn beginning(prefix: &str, first: &Item) -> String {
    let (store, _) = split(first);
    // Records are in the order in which they were recorded, so that days are too.
    let time = first.recorded_at.to_string();
    let day = time.split('T').next().unwrap_or_default().replace('-', "/");
    format!("{prefix}{store}/{day}/{}-", line(first))
}

/// What follows the beginning in the name of an object with that last line: all but the extension.
pub(super) fn ending(last: &Item, digest: &LinesDigest) -> String {
    format!("{}-{}", line(last), digest.shown())
}

/// The store and which line of its record it is, by its id: `STORE-RECORD` or `STORE-RECORD-N`.
fn split(item: &Item) -> (&str, Option<&str>) {
    let (store, rest) = item.id.split_once('-').unwrap_or((item.id.as_str(), ""));
    (store, rest.split_once('-').map(|(_, line)| line))
}

/// A line in so many digits as order needs: twelve for a record, as files that were rotated have it, and six behind a point for a further
/// line of it.
pub(super) fn line(item: &Item) -> String {
    match split(item).1 {
        None => format!("{:012}", item.seq),
        Some(line) => format!("{:012}.{line:0>6}", item.seq),
    }
}

/// What is in an object, in few letters.
#[derive(Clone, Debug, Default)]
pub(super) struct LinesDigest(Sha256);

impl LinesDigest {
    /// One more line.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.0.update(line);
        self.0.update(b"\n");
    }

    /// As it stands in a name.
    pub(super) fn shown(&self) -> String {
        let whole = self.0.clone().finalize();
        whole.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::http::tests::item;

    #[test]
    fn names_are_in_the_order_of_lines_and_say_what_is_in_their_object() {
        let further = |line: &str| Item { id: format!("00-7-{line}"), ..item(7, "{}") };
        let in_order =
            [item(7, "{}"), further("1"), further("2"), further("10"), item(8, "{}"), item(10, "{}")];
        let mut names: Vec<String> = in_order.iter().map(|item| beginning("osel/", item)).collect();
        assert_eq!(names[0], "osel/00/2026/01/01/000000000007-");
        assert_eq!(names[1], "osel/00/2026/01/01/000000000007.000001-");
        let told = names.clone();
        names.sort();
        assert_eq!(names, told);
        let mut digest = LinesDigest::default();
        digest.add(b"{}");
        // printf '{}\n' | sha256sum
        assert_eq!(ending(&item(9, "{}"), &digest), "000000000009-ca3d163bab055381");
        digest.add(b"");
        assert_ne!(digest.shown(), "ca3d163bab055381");
    }
}
