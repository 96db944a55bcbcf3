//! Persons in texts that people read: reasons, notes, paths and the like, of which nobody knows where in them somebody is named.
//!
//! What is known of the record is replaced where it stands as a whole word, so that neither `adam` nor `ada-2` loses the `ada` in it. A
//! text that nobody knows is taken for a user's id where the words before it say so.

use super::key::About;

/// Words that a user's id follows, whatever it looks like: in paths of APIs, and in Keystone's reasons.
const CUES: [&str; 3] = ["/users/", "user_id=", "user: "];
/// The word that a user's id follows if it looks like one: in sentences, where anything may follow.
const LOOSE_CUE: &str = "user ";
/// The shortest text that looks like an id by itself: half of one of OpenStack's.
const ID_CHARS_MIN: usize = 16;
/// Shorter ones are not looked for within texts: `a` or `it` would be found in half of all sentences.
const TEXT_CHARS_MIN: usize = 3;

/// What is known of a record and may stand in its texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Longer ones first, so that a name that has another in it is found whole.
    texts: Vec<(About, Box<str>)>,
}

impl Known {
    /// One more, unless it is too short to be looked for.
    pub(super) fn add(&mut self, about: About, text: &str) {
        if text.chars().count() >= TEXT_CHARS_MIN {
            let place = self.texts.partition_point(|(_, other)| other.len() >= text.len());
            self.texts.insert(place, (about, text.into()));
        }
    }
}

/// A text with everybody in it replaced by what `name` gives; `is_told` says that the words before an id can be relied on.
pub(super) fn replaced(
    text: &str,
    known: &Known,
    is_told: bool,
    name: &mut dyn FnMut(About, &str) -> String,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut place = 0;
    while let Some(next) = text[place..].chars().next() {
        let (before, rest) = text.split_at(place);
        let found = if is_boundary(before, rest) { find(before, rest, known, is_told) } else { None };
        if let Some((about, found)) = found {
            out.push_str(&name(about, found));
            place += found.len();
        } else {
            out.push(next);
            place += next.len_utf8();
        }
    }
    out
}

/// Who is named where `rest` begins.
fn find<'t>(before: &str, rest: &'t str, known: &Known, is_told: bool) -> Option<(About, &'t str)> {
    let whole = known.texts.iter().find_map(|(about, text)| {
        let (found, after) = rest.split_at_checked(text.len())?;
        (found == &**text && is_boundary(found, after)).then_some((*about, found))
    });
    whole.or_else(|| {
        let word = word(rest);
        let is_sure = CUES.iter().any(|cue| before.ends_with(cue));
        let is_id = is_sure || before.ends_with(LOOSE_CUE) && (is_told || looks_like_id(word));
        (is_id && !word.is_empty()).then_some((About::User, word))
    })
}

/// The word that a text begins with; a full stop is part of it if more follows.
fn word(text: &str) -> &str {
    let is_end = |place: usize| place > 0 && is_boundary(&text[..place], &text[place..]);
    let end = text.char_indices().map(|(place, _)| place).find(|place| is_end(*place));
    let word = end.map_or(text, |end| &text[..end]);
    // What ends the text ends its last sentence too.
    let word = word.trim_end_matches(is_joint);
    if word.starts_with(is_of_word) { word } else { "" }
}

/// Whether a word may end or begin between two texts.
fn is_boundary(before: &str, after: &str) -> bool {
    let mut ahead = after.chars();
    let is_within = match (before.chars().next_back(), ahead.next()) {
        (Some(last), Some(first)) if is_of_word(last) && is_joint(first) => {
            ahead.next().is_some_and(is_of_word)
        }
        (Some(last), Some(first)) if is_joint(last) => {
            before.chars().rev().nth(1).is_some_and(is_of_word) && is_of_word(first)
        }
        (Some(last), Some(first)) => is_of_word(last) && is_of_word(first),
        _ => false,
    };
    !is_within
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-')
}

/// What joins words to a name, as in `ada.lovelace@example.org`, and else ends a sentence.
fn is_joint(char: char) -> bool {
    matches!(char, '.' | '@')
}

fn looks_like_id(word: &str) -> bool {
    word.len() >= ID_CHARS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, known: &[(About, &str)], wanted: &str) {
        let mut all = Known::default();
        known.iter().for_each(|(about, text)| all.add(*about, text));
        let found = replaced(text, &all, false, &mut |about, text| format!("<{} {text}>", about.as_str()));
        assert_eq!(found, wanted);
    }

    #[test]
    fn who_is_known_is_replaced_as_a_whole_word() {
        let ada = [(About::Name, "ada")];
        check("", &ada, "");
        check("ada", &ada, "<name ada>");
        check("by ada, not adam or ada-2 or xada", &ada, "by <name ada>, not adam or ada-2 or xada");
        check("locked: ada.", &ada, "locked: <name ada>.");
        check("ada.lovelace@example.org", &ada, "ada.lovelace@example.org");
        check("\u{e9}ada ada\u{301} ada", &ada, "\u{e9}ada <name ada>\u{301} <name ada>");
        let both = [(About::Name, "ada"), (About::Name, "ada lovelace"), (About::User, "ada")];
        check("ada lovelace and ada", &both, "<name ada lovelace> and <name ada>");
    }

    #[test]
    fn short_names_mangle_nothing() {
        check(
            "a rule is a rule",
            &[(About::Name, "a"), (About::Name, ""), (About::Name, "is")],
            "a rule is a rule",
        );
    }

    #[test]
    fn an_id_is_known_by_the_words_before_it() {
        let id = "0134e963d2cb47acb1cbded3d170eb51";
        let user = format!("<user {id}>");
        check(&format!("/v3/users/{id}/projects"), &[], &format!("/v3/users/{user}/projects"));
        check("/v3/users/x.y/z", &[], "/v3/users/<user x.y>/z");
        check("/v3/users", &[], "/v3/users");
        check("/v3/users/", &[], "/v3/users/");
        check(&format!("role r to user {id} on p"), &[], &format!("role r to user {user} on p"));
        check(&format!("locked for user: {id}."), &[], &format!("locked for user: {user}."));
        check("the user interface", &[], "the user interface");
    }
}
