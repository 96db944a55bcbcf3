//! The pages of the tree as they lie in a package: where a file went, links to it lead there, and what is not packed is named and not linked to.

use std::collections::BTreeMap;

use crate::tidy::{is_elsewhere, resolve};

/// Where files of the tree lie in the package, by their paths in the tree.
pub(crate) type Places = BTreeMap<String, String>;

/// A page with the links that it has in the package.
pub(crate) fn page(path: &str, text: &str, places: &Places) -> String {
    let Some(place) = places.get(path) else { return text.to_owned() };
    relinked(text, |target| {
        let (file, heading) = target.split_at(target.find('#').unwrap_or(target.len()));
        if file.is_empty() || is_elsewhere(target) {
            return Some(target.to_owned());
        }
        let to = places.get(&resolve(path, file)?)?;
        Some(format!("{}{heading}", relative(place, to)))
    })
}

/// The way from one file to another.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let folders = from.len() - 1;
    let shared = from.iter().zip(&to).take(folders).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", folders - shared);
    up.chain(to.iter().skip(shared).copied()).collect::<Vec<_>>().join("/")
}

/// A text whose links, outside code, have other targets; of one without a target only its text is left.
fn relinked(text: &str, target: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    // Where in `out` the brackets stand that are not closed yet.
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[', ']']) {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let (mark, after) = behind.split_at(1);
        rest = after;
        match mark {
            "`" => {
                // Code goes on to as many backticks.
                let fence = behind.len() - behind.trim_start_matches('`').len();
                let (fence, code) = behind.split_at(fence);
                let end = code.find(fence).map_or(behind.len(), |end| end + 2 * fence.len());
                let (code, after) = behind.split_at(end);
                out.push_str(code);
                rest = after;
            }
            "[" => {
                open.push(out.len());
                out.push('[');
            }
            _ => {
                let begin = open.pop();
                let link = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
                let (Some(begin), Some((old, after))) = (begin, link) else {
                    out.push(']');
                    continue;
                };
                rest = after;
                match target(old) {
                    Some(new) => out.push_str(&format!("]({new})")),
                    None => drop(out.remove(begin)),
                }
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_what_is_packed_or_are_none() {
        let places: Places = [
            ("docs/a.md", "doc/a.md"),
            ("docs/deep/b.md", "doc/deep/b.md"),
            ("packaging/openstack/account.sh", "doc/openstack/account.sh"),
        ]
        .map(|(path, place)| (path.to_owned(), place.to_owned()))
        .into();
        let check = |path: &str, text: &str, wanted: &str| assert_eq!(page(path, text, &places), wanted);
        check("docs/a.md", "See [b](deep/b.md#one), [here](#two).", "See [b](deep/b.md#one), [here](#two).");
        check("docs/deep/b.md", "[a\nis](../a.md)", "[a\nis](../a.md)");
        check("docs/a.md", "[`it`](../packaging/openstack/account.sh)", "[`it`](openstack/account.sh)");
        check(
            "docs/deep/b.md",
            "[it](../../packaging/openstack/account.sh)",
            "[it](../openstack/account.sh)",
        );
        check("docs/a.md", "([0007](decisions/0007-x.md)) [[x]](gone.md)", "(0007) [x]");
        check(
            "docs/a.md",
            "[out](https://example.org/a.md) [m](mailto:a@b)",
            "[out](https://example.org/a.md) [m](mailto:a@b)",
        );
        check(
            "docs/a.md",
            "`[x](gone.md)` ```\n[y](gone.md)\n``` [z](gone.md)",
            "`[x](gone.md)` ```\n[y](gone.md)\n``` z",
        );
        check("docs/a.md", "`a [x](b) ] [y]", "`a [x](b) ] [y]");
        check("docs/a.md", "[x] [y", "[x] [y");
        check("elsewhere.md", "[x](gone.md)", "[x](gone.md)");
    }
}
