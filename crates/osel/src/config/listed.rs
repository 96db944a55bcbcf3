//! Names as people are told them: each in back quotes.
//!
//! How long they may be, and how many are told, is for whoever tells them.

/// The names in back quotes, with `between` between two of them.
pub fn listed(names: impl IntoIterator<Item = impl AsRef<str>>, between: &str) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push('`');
        text.push_str(name.as_ref());
        text.push('`');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_in_quotes_of_its_own() {
        assert_eq!(listed([""; 0], ", "), "");
        assert_eq!(listed(["a"], ", "), "`a`");
        assert_eq!(listed(["a".to_owned(), "b".to_owned(), "c".to_owned()], " or "), "`a` or `b` or `c`");
    }
}
