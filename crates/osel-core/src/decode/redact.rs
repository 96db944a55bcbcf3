//! What must not leave the decoder, and how it is taken out.
//!
//! Secrets are known by the key they stand under ([`secrecy`], asked by the scanner for every key), by their
//! shape ([`shapes`]: Fernet and signed tokens, private keys, passwords in addresses) and as parameters of an
//! address. What cannot be parsed is for `unparsed`. Nothing here decides what a message means.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::tape::{MASK, Span};

/// How far before an `@` a user name and a password are looked for.
const USERINFO_BYTES_MAX: usize = 256;
/// The parts of a signed token (`eyJ….….…`) are longer than this; words with dots in between are not.
const SIGNED_PART_BYTES_MIN: usize = 10;
/// What the audit middleware puts between the first and the last characters of a token.
const AUDIT_MIDDLE: &[u8] = b" xxxxxxxx ";

/// What the value under a key may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Plain,
    /// A secret, whatever its type.
    Secret,
    /// An address with parameters, some of which may be secrets.
    Address,
}

/// Endings of keys whose values are secrets, in lower case and with `_` for `-`.
const SECRET_KEYS: [&[u8]; 24] = [
    b"token",
    b"authorization",
    b"token_info",
    b"connection_info",
    b"service_catalog",
    b"adminpass",
    b"_pass",
    b"password",
    b"passwd",
    b"pwd",
    b"secret",
    b"private_key",
    b"privatekey",
    b"secret_key",
    b"secretkey",
    b"auth_key",
    b"access_key",
    b"psk",
    b"connector",
    b"user_data",
    b"userdata",
    b"passcode",
    b"passphrase",
    b"cookie",
];
/// Endings of keys whose values are addresses with parameters.
const ADDRESS_KEYS: [&[u8]; 6] = [b"path", b"query_string", b"url", b"request_uri", b"referer", b"path_info"];

/// For the last letter, the one before it and the one before that: one bit for each ending that has this
/// letter there.
const LETTERS: [[u32; 32]; 3] = {
    let mut letters = [[0; 32]; 3];
    let mut ending = 0;
    while ending < SECRET_KEYS.len() + ADDRESS_KEYS.len() {
        let key = if ending < SECRET_KEYS.len() {
            SECRET_KEYS[ending]
        } else {
            ADDRESS_KEYS[ending - SECRET_KEYS.len()]
        };
        let mut back = 0;
        while back < 3 {
            letters[back][(key[key.len() - 1 - back] & 31) as usize] |= 1 << ending;
            back += 1;
        }
        ending += 1;
    }
    letters
};

/// What a key says about its value. Capitals and `-` for `_` make no difference: environments and headers are
/// among them.
#[inline]
pub(super) fn secrecy(key: &[u8]) -> Secrecy {
    let [.., c, b, a] = key else { return Secrecy::Plain };
    // Asked for each key of each message, so nearly all of them are ruled out without a branch.
    let letter = |back: usize, byte: &u8| LETTERS[back][(byte & 31) as usize];
    let candidates = letter(0, a) & letter(1, b) & letter(2, c);
    if candidates == 0 { Secrecy::Plain } else { secrecy_of(key, candidates) }
}

/// What a key says about its value, when it may have one of these endings.
#[cold]
fn secrecy_of(key: &[u8], mut candidates: u32) -> Secrecy {
    while candidates != 0 {
        let ending = candidates.trailing_zeros() as usize;
        match ending.checked_sub(SECRET_KEYS.len()) {
            None if ends_with(key, SECRET_KEYS[ending]) => return Secrecy::Secret,
            Some(address) if ends_with(key, ADDRESS_KEYS[address]) => return Secrecy::Address,
            _ => candidates &= candidates - 1,
        }
    }
    Secrecy::Plain
}

fn ends_with(key: &[u8], suffix: &[u8]) -> bool {
    let Some(from) = key.len().checked_sub(suffix.len()) else { return false };
    key[from..]
        .iter()
        .zip(suffix)
        .all(|(byte, wanted)| byte.to_ascii_lowercase() == *wanted || (*wanted == b'_' && *byte == b'-'))
}

/// Finds the values of parameters that are secrets (`?token=…`), in a string from `start` to `end`.
pub(super) fn secret_parameters(bytes: &[u8], start: u32, end: u32, found: &mut Vec<Span>) {
    let (start, end) = (start as usize, end as usize);
    if memchr::memchr(b'=', &bytes[start..end]).is_none() {
        return;
    }
    let mut at = start;
    for part in bytes[start..end].split(|byte| matches!(byte, b'?' | b'&' | b';' | b'#')) {
        if let Some(equals) = memchr::memchr(b'=', part) {
            let (name, value) = (&part[..equals], &part[equals + 1..]);
            let signs = ends_with(name, b"signature") || ends_with(name, b"_sig");
            if !value.is_empty() && (signs || secrecy(name) == Secrecy::Secret || hides_parameter(value)) {
                let from = (at + equals + 1) as u32;
                found.push(Span { start: from, end: from + value.len() as u32, whole: false });
            }
        }
        at += part.len() + 1;
    }
}

/// Whether a value is itself an address with a secret parameter, percent-encoded (consoles:
/// `path=%3Ftoken%3D…`).
fn hides_parameter(value: &[u8]) -> bool {
    value
        .windows(3)
        .enumerate()
        .any(|(at, three)| three.eq_ignore_ascii_case(b"%3d") && secrecy(&value[..at]) == Secrecy::Secret)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')
}

fn token_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| !is_token_byte(*byte)).map_or(bytes.len(), |length| at + length)
}

/// Finds what has the shape of a secret, wherever it stands; in order and apart.
pub(super) fn shapes(bytes: &[u8]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut done = 0;
    // Where the word ends in which the last `eyJ` stands: others in it must not measure it again.
    let mut word_end = 0;
    let mut authority = Authority::default();
    // One of these three bytes is in each of the shapes, and all three are rare in notifications.
    for hit in memchr::memchr3_iter(b'A', b'J', b'@', bytes) {
        if hit < done {
            continue;
        }
        let span = match bytes[hit] {
            b'A' => fernet(bytes, hit).or_else(|| private_key(bytes, hit)),
            b'J' => signed(bytes, hit, &mut word_end),
            _ => authority.password_before(bytes, hit),
        };
        let Some((start, end)) = span.filter(|(start, end)| start < end) else { continue };
        let mut found = Span { start: start as u32, end: end as u32, whole: false };
        // A password with an `@` in it, or with what looks like a token: what was found inside of it is part of it.
        while let Some(inside) = spans.pop_if(|last| last.end > found.start) {
            found.start = found.start.min(inside.start);
            found.end = found.end.max(inside.end);
        }
        spans.push(found);
        done = found.end as usize;
    }
    spans
}

/// Pieces of which one stands in each name of a secret that people and programs write into texts: of [`SECRET_KEYS`] that are told with a text,
/// not with an object, in small letters, capitals and with a capital at its beginning. `pwd`, `psk` and `user_data` are left out: with
/// words of three letters decoding took a quarter longer. Their values are found by key wherever a message is JSON.
const WORDS: [&[u8]; 20] = [
    b"oken",
    b"OKEN",
    b"uthorization",
    b"UTHORIZATION",
    b"pass",
    b"Pass",
    b"PASS",
    b"ecret",
    b"ECRET",
    b"_key",
    b"_Key",
    b"_KEY",
    b"-key",
    b"-Key",
    b"-KEY",
    b"vatekey",
    b"vateKey",
    b"VATEKEY",
    b"ookie",
    b"OOKIE",
];

/// Finds all of [`WORDS`] in one pass, and is built once: each message is searched.
static WORDS_FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    // The kind of match that lets several bytes be looked at together. Words that overlap stand in one name, which is looked at as a whole.
    let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(WORDS);
    finder.expect("a few short words are far below any limit of the automaton")
});

/// Finds secrets that a text tells behind their name, whatever the quotes: `auth_token=…`, `X-Auth-Token: …`, `{'password': '…'`,
/// JSON within a text, a header's name and value in a list. With `all` every value counts; without, only those that look made
/// by a machine, so that sentences about passwords stay readable. Spans may overlap: see [`merge`].
pub(super) fn told(bytes: &[u8], all: bool) -> Vec<Span> {
    let words = WORDS_FINDER.find_iter(bytes);
    let mut run = Run::default();
    let mut spans: Vec<Span> =
        words.filter_map(|word| told_at(bytes, word.start(), word.end(), &mut run, all)).collect();
    spans.sort_unstable();
    // A name may have two of the words.
    spans.dedup();
    spans
}

/// Bytes of a value that were measured last: `token=token=token=…` is one value of many beginnings, and is not measured for each.
#[derive(Default)]
struct Run {
    start: usize,
    end: usize,
}

impl Run {
    /// Where the value ends that begins at a place.
    fn end(&mut self, bytes: &[u8], at: usize) -> usize {
        if !(self.start..self.end).contains(&at) {
            let length = bytes[at..].iter().take_while(|byte| is_value_byte(**byte)).count();
            *self = Self { start: at, end: at + length };
        }
        self.end
    }
}

fn is_value_byte(byte: u8) -> bool {
    is_token_byte(byte)
        || matches!(byte, b'.' | b'+' | b'/' | b'~' | b'!' | b'$' | b'%' | b'@' | b'#' | b'*' | b'?' | b'^')
}

fn told_at(bytes: &[u8], hit: usize, word_end: usize, run: &mut Run, all: bool) -> Option<Span> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let start = hit - bytes[..hit].iter().rev().take(64).take_while(|byte| is_name(byte)).count();
    let word_end = word_end + bytes[word_end..].iter().take(64).take_while(|byte| is_name(byte)).count();
    let name = &bytes[start..word_end];
    if secrecy(name) != Secrecy::Secret {
        return None;
    }
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ' | b'\t');
    let skip = |at: usize| at + bytes[at..].iter().take(16).take_while(|byte| is_quote(byte)).count();
    let sign = skip(word_end);
    let is_header = name.contains(&b'-') || name.eq_ignore_ascii_case(b"authorization");
    match bytes.get(sign)? {
        b':' | b'=' => {}
        b',' if is_header => {}
        _ => return None,
    }
    let mut value = skip(sign + 1);
    for scheme in [&b"Bearer "[..], b"bearer ", b"Basic ", b"basic "] {
        if bytes[value..].starts_with(scheme) {
            value = skip(value + scheme.len());
        }
    }
    let length = run.end(bytes, value) - value;
    let text = &bytes[value..value + length];
    let is_nothing = matches!(text, b"" | b"null" | b"None" | b"true" | b"false" | b"***");
    let is_made = length >= 6 && (length >= 20 || text.iter().any(u8::is_ascii_digit));
    let counts = !is_nothing && (all || is_made);
    counts.then(|| Span { start: value as u32, end: (value + length) as u32, whole: false })
}

/// `gAAAAA…`, whole or with its middle taken out by the audit middleware.
fn fernet(bytes: &[u8], hit: usize) -> Option<(usize, usize)> {
    let start = hit.checked_sub(1)?;
    if !bytes[start..].starts_with(b"gAAAAA") {
        return None;
    }
    let mut end = token_end(bytes, start);
    if bytes[end..].starts_with(AUDIT_MIDDLE) {
        end = token_end(bytes, end + AUDIT_MIDDLE.len());
    }
    Some((start, end))
}

/// `eyJ….….…`, a signed token.
fn signed(bytes: &[u8], hit: usize, word_end: &mut usize) -> Option<(usize, usize)> {
    let start = hit.checked_sub(2)?;
    if !bytes[start..].starts_with(b"eyJ") {
        return None;
    }
    if *word_end <= hit {
        *word_end = token_end(bytes, start);
    }
    let head = *word_end;
    if head - start < SIGNED_PART_BYTES_MIN || bytes.get(head) != Some(&b'.') {
        return None;
    }
    let body = token_end(bytes, head + 1);
    if body - head < SIGNED_PART_BYTES_MIN {
        return None;
    }
    let end = if bytes.get(body) == Some(&b'.') { token_end(bytes, body + 1) } else { body };
    Some((start, end))
}

/// What follows `-----BEGIN … PRIVATE KEY-----`, to its end or that of the string.
fn private_key(bytes: &[u8], hit: usize) -> Option<(usize, usize)> {
    let start = hit + b"ATE KEY-----".len();
    if hit < 4 || !bytes[hit - 4..].starts_with(b"PRIVATE KEY-----") {
        return None;
    }
    let mut at = start;
    while at < bytes.len() && bytes[at] != b'"' && !bytes[at..].starts_with(b"-----END") {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    Some((start, at.min(bytes.len())))
}

/// The part of an address before its host, `scheme://user:password@`, as far as it was looked for: many `@`
/// in a row must not look at the same bytes again.
#[derive(Default)]
struct Authority {
    looked_to: usize,
    /// The last byte before it that cannot be part of it.
    edge: Option<usize>,
    /// The first colon after the edge.
    colon: Option<usize>,
}

impl Authority {
    /// The password that ends at this `@`.
    fn password_before(&mut self, bytes: &[u8], hit: usize) -> Option<(usize, usize)> {
        let from = self.looked_to.max(hit.saturating_sub(USERINFO_BYTES_MAX));
        self.looked_to = hit;
        for (at, byte) in (from..hit).zip(&bytes[from..hit]) {
            match byte {
                b'/' | b'"' | b' ' | b'\\' => (self.edge, self.colon) = (Some(at), None),
                b':' => self.colon = self.colon.or(Some(at)),
                _ => {}
            }
        }
        let (edge, colon) = (self.edge?, self.colon?);
        let is_near = hit - edge <= USERINFO_BYTES_MAX && colon > edge;
        (is_near && bytes[..=edge].ends_with(b"://")).then_some((colon + 1, hit))
    }
}

/// Orders spans that were found in different ways and joins those that overlap.
pub(super) fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps && !kept.whole {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    spans
}

/// The text with a mask in the place of each span; they are in order and apart.
pub(super) fn apply(bytes: &[u8], spans: &[Span]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for span in spans {
        kept.extend_from_slice(&bytes[from..span.start as usize]);
        if span.whole {
            kept.push(b'"');
        }
        kept.extend_from_slice(MASK.as_bytes());
        if span.whole {
            kept.push(b'"');
        }
        from = span.end as usize;
    }
    kept.extend_from_slice(&bytes[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_the_keys_of_secrets() {
        for key in [
            "_context_auth_token",
            "_context_service_token",
            "_context_service_catalog",
            "_context_auth_token_info",
            "auth_token",
            "service_catalog",
            "token",
            "X-Auth-Token",
            "HTTP_X_SUBJECT_TOKEN",
            "HTTP_AUTHORIZATION",
            "adminPass",
            "admin_pass",
            "password",
            "original_password",
            "secret",
            "connection_info",
            "connector",
            "user_data",
            "private_key",
            "auth_key",
            "psk",
            "passcode",
            "HTTP_COOKIE",
        ] {
            assert_eq!(secrecy(key.as_bytes()), Secrecy::Secret, "{key}");
        }
        for key in [
            "id",
            "",
            "mac_address",
            "tokens_total",
            "password_expires_at",
            "key",
            "floor",
            "bypass",
            "secret_ref",
        ] {
            assert_eq!(secrecy(key.as_bytes()), Secrecy::Plain, "{key}");
        }
        assert_eq!(secrecy(b"requestPath"), Secrecy::Address);
    }

    /// What [`told`] means, one word after the other.
    fn told_by_each_word(bytes: &[u8], all: bool) -> Vec<Span> {
        let mut spans = Vec::new();
        for word in WORDS {
            for hit in memchr::memmem::find_iter(bytes, word) {
                spans.extend(told_at(bytes, hit, hit + word.len(), &mut Run::default(), all));
            }
        }
        spans.sort_unstable();
        spans.dedup();
        spans
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_pass_for_each_word_finds(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60),
            letters in "[A-Za-z0-9 :=,\"'\\\\_-]{0,80}",
            all in any::<bool>(),
        ) {
            let text = pieces.concat() + &letters;
            prop_assert_eq!(told(text.as_bytes(), all), told_by_each_word(text.as_bytes(), all));
        }
    }

    /// What texts with secrets are made of.
    const PIECES: &[&str] = &[
        "token",
        "TOKEN",
        "oken",
        "secret",
        "SECRET",
        "ecret",
        "password",
        "PASSWORD",
        "Authorization",
        "AUTHORIZATION",
        "X-Auth-Token",
        "auth_",
        "e",
        "s",
        "o",
        ":",
        "=",
        ",",
        "\"",
        "\\\"",
        "'",
        " ",
        "Bearer ",
        "basic ",
        "abc123",
        "adminPass",
        "pass",
        "Pass",
        "_key",
        "ookie",
        "0123456789abcdef0123456789abcdef",
        "null",
        "ü",
        "/",
        "[",
        "]",
        "{",
        "}",
        "\\u0074",
    ];

    fn masked(text: &str) -> String {
        String::from_utf8(apply(text.as_bytes(), &shapes(text.as_bytes()))).unwrap()
    }

    #[test]
    fn knows_secrets_by_their_shape() {
        assert_eq!(masked("a gAAAAABk_x-9= b"), "a *** b");
        assert_eq!(masked("gAAAAABrAOiDZ xxxxxxxx ktx2l8N\","), "***\",");
        assert_eq!(masked("Bearer eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2ln-_x x"), "Bearer *** x");
        assert_eq!(masked("rabbit://osel:geheim@host:5672/"), "rabbit://osel:***@host:5672/");
        assert_eq!(masked("rabbit://u:p@ss@h1,u:p@h2/ x://u:p@h"), "rabbit://u:***@h2/ x://u:***@h");
        // Its first letter was kept: the token within was found first.
        assert_eq!(masked("rabbit://u:pgAAAAABk_x@h/"), "rabbit://u:***@h/");
        assert_eq!(
            masked("-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END"),
            "-----BEGIN RSA PRIVATE KEY-----***-----END"
        );
        for text in
            ["AAAAA BAAAAA", "eyJ.x", "someone@example.org", "http://host/a:b@c", "A", "J", "@", "gAAAA"]
        {
            assert_eq!(masked(text), text);
        }
    }

    fn without_told(text: &str, all: bool) -> String {
        String::from_utf8(apply(text.as_bytes(), &merge(told(text.as_bytes(), all)))).unwrap()
    }

    #[test]
    fn names_in_texts_are_those_of_keys() {
        for (text, wanted) in [
            ("{'adminPass': 'q2TOKSEC', 'passwd': 'x1'}", "{'adminPass': '***', 'passwd': '***'}"),
            ("admin_pass=hunter2 auth_key: abc", "admin_pass=*** auth_key: ***"),
            (
                "secret_key=s1 X-Secret-Key: s2 AUTH_TOKEN=t",
                "secret_key=*** X-Secret-Key: *** AUTH_TOKEN=***",
            ),
            ("password=ab*cd?ef^g next", "password=*** next"),
            (
                "token_count=3 bypass=yes passed: all routing_key=info",
                "token_count=3 bypass=yes passed: all routing_key=info",
            ),
        ] {
            assert_eq!(without_told(text, true), wanted);
        }
        // A sentence about a password is none.
        assert_eq!(
            without_told("password: wrong, passphrase=abc123", false),
            "password: wrong, passphrase=***"
        );
    }

    #[test]
    fn what_is_secret_in_an_object_is_secret_in_a_text() {
        // The first have objects or lists, whose members are looked at one by one.
        const LEFT_OUT: [&[u8]; 7] =
            [b"connection_info", b"service_catalog", b"connector", b"pwd", b"psk", b"user_data", b"userdata"];
        for key in SECRET_KEYS.into_iter().filter(|key| !LEFT_OUT.contains(key)) {
            let small = std::str::from_utf8(key).unwrap();
            let capital = format!("X-{}{}", small[..1].to_uppercase(), &small[1..]);
            let forms = [small.to_owned(), small.to_uppercase(), small.replace('_', "-"), capital];
            for name in forms {
                let text = format!("{{'{name}': 'abc123'}}");
                let wanted = format!("{{'{name}': '***'}}");
                assert_eq!(without_told(&text, true), wanted);
            }
        }
    }

    /// Each beginning measured the value to its end: the time grew with the square of the length.
    #[test]
    fn a_value_with_many_beginnings_is_measured_once() {
        let text = "token=".repeat(700_000);
        assert_eq!(merge(told(text.as_bytes(), true)).len(), 1);
    }

    #[test]
    fn finds_parameters() {
        let parameters = |text: &str| {
            let mut found = Vec::new();
            secret_parameters(text.as_bytes(), 0, text.len() as u32, &mut found);
            String::from_utf8(apply(text.as_bytes(), &found)).unwrap()
        };
        assert_eq!(parameters("/v2/x?limit=5&X-Auth-Token=abc&a=b"), "/v2/x?limit=5&X-Auth-Token=***&a=b");
        assert_eq!(
            parameters("/v1/o?temp_url_sig=ff&temp_url_expires=9"),
            "/v1/o?temp_url_sig=***&temp_url_expires=9"
        );
        assert_eq!(parameters("/vnc.html?path=%3Ftoken%3Dabc"), "/vnc.html?path=***");
        assert_eq!(parameters("/v2.0/ports?device_id="), "/v2.0/ports?device_id=");
    }
}
