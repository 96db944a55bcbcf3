//! A message, or another text that was kept, without a person: names, addresses and agents of that person are replaced, all else is as it was.
//!
//! An object of the text is about the person when it has the person's id, or no user's id and the name, or neither and the address; an initiator of CADF is
//! whom [`cadf`](super::cadf) takes it for, so that messages and records are about the same. Within it the values under the keys that hold such things go. What else mentions a person, as the name of a server or a description, is not found: it
//! means nothing here. The text decodes as before, but for the names.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cadf::{UNKNOWN, is_made_up};
use crate::event::Actor;
use crate::ids::{ID_BYTES_MAX, Id};

/// What stands in the place of what was erased.
pub const ERASED: &str = "erased";

/// Somebody who is to be taken out of what was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The user's id; it stays where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the user was called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Addresses of clients that nothing else is known of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// The person is not in it.
    NotThere,
    /// The text without the person.
    Text(Vec<u8>),
    /// It names the person and is in no form that can be taken apart.
    Unreadable,
}

/// Keys that say which user an object is about.
const USER_ID_KEYS: [&str; 4] = ["user_id", "userid", "user", "http_x_user_id"];
/// Keys of names that are always a user's.
const USER_NAME_KEYS: [&str; 5] = ["user_name", "username", "http_x_user_name", "http_x_user", "email"];
/// Keys of where a request came from and by what.
const CLIENT_KEYS: [&str; 6] =
    ["remote_address", "remote_addr", "http_user_agent", "http_x_forwarded_for", "client_ip", "user_agent"];
/// The key of a reason in words, which may end with the name of a user: `Could not find user: NAME.`
const REASON_KEY: &str = "reasonType";
/// What stands before the keys of a request's context.
const CONTEXT: &str = "_context_";
/// What holds a client's address and agent in CADF.
const HOST: &str = "host";
/// What holds a message as a text, in the bus's envelope.
const ENVELOPE: &str = "oslo.message";
/// Who did something, in CADF.
const INITIATOR: &str = "initiator";
/// How deep texts of JSON are looked for in one another: a message in the bus's envelope is a text, and what it says are texts in that.
const TEXTS_WITHIN_MAX: usize = 3;
/// Names of an initiator.
const INITIATOR_NAME_KEYS: [&str; 3] = ["name", "username", "user_name"];

impl Subject {
    fn is_user(&self, value: &Value) -> bool {
        matches!((value, &self.user), (Value::String(text), Some(id)) if text == id)
    }

    fn is_named(&self, value: &Value) -> bool {
        let Value::String(text) = value else { return false };
        self.names.iter().any(|name| name.to_lowercase() == text.to_lowercase())
    }

    fn take_from_reason(&self, reason: &mut String) -> bool {
        let Some((what, word)) = reason.rsplit_once(": ") else { return false };
        let name = word.trim_end_matches('.');
        let is_named = self.is_named(&Value::String(name.to_owned()));
        if is_named {
            *reason = format!("{what}: {ERASED}{}", &word[name.len()..]);
        }
        is_named
    }

    fn is_at(&self, value: &Value) -> bool {
        matches!(value, Value::String(text) if self.has_address(text))
    }

    /// Whether somebody is the person: by the id where one is known, else by the name, else by where the request came from.
    pub fn is(&self, id: Option<&Id>, name: Option<&str>, address: Option<&str>) -> bool {
        match (id, name, address) {
            (Some(id), ..) => self.user.as_deref().is_some_and(|user| id.with_text(|id| id == user)),
            (None, Some(name), _) => {
                let name = name.to_lowercase();
                self.names.iter().any(|of| of.to_lowercase() == name)
            }
            (None, None, Some(address)) => self.has_address(address),
            (None, None, None) => false,
        }
    }

    /// Whether one of the addresses is meant, however it is written; what is no address is compared as it stands.
    fn has_address(&self, text: &str) -> bool {
        let meant = Actor::address_of(text);
        self.addresses.iter().any(|of| of == text || (meant.is_some() && Actor::address_of(of) == meant))
    }

    /// Whether a text may name the person at all. It may say so of a text that does not, and never the other way: names are compared without regard to
    /// case, and a text of JSON may have any character escaped, also within a text that it holds.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        let mut text = String::from_utf8_lossy(text);
        for _ in 0..TEXTS_WITHIN_MAX {
            if self.stands_in(&folded(&text)) {
                return true;
            }
            if memchr::memchr(b'\\', text.as_bytes()).is_none() {
                return false;
            }
            text = unescaped(&text).into();
        }
        self.stands_in(&folded(&text))
    }

    fn stands_in(&self, text: &str) -> bool {
        let mut words = self.user.iter().chain(&self.names).chain(&self.addresses);
        words.any(|word| memchr::memmem::find(text.as_bytes(), folded(word).as_bytes()).is_some())
            || self
                .addresses
                .iter()
                .filter_map(|word| Actor::address_of(word))
                .any(|address| has_address(text, address.ip))
    }
}

/// Whether an address stands in a text, however it is written; on which link is not looked at.
fn has_address(text: &str, wanted: IpAddr) -> bool {
    let is_of_one = |char: char| char.is_ascii_hexdigit() || matches!(char, ':' | '.');
    let words = text.split(|char| !is_of_one(char)).filter(|word| word.contains([':', '.']));
    words.filter_map(Actor::address_of).any(|address| address.ip == wanted)
}

/// A text without regard to case: what [`str::to_lowercase`] makes equal is equal here too, and wherever in a text it stands. So each character is taken by
/// itself, and the sigma that ends a word is any other.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.map(|char| if char == 'ς' { 'σ' } else { char }).collect()
}

/// What the texts within a text of JSON say: each escape is what it stands for, wherever it is.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        let (said, left) = escape(behind).unwrap_or(('\\', behind));
        out.push_str(before);
        out.push(said);
        rest = left;
    }
    out.push_str(rest);
    out
}

/// The character that an escape stands for, given without its backslash, and what comes behind it.
fn escape(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let said = match chars.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let (first, left) = unit(chars.as_str())?;
            if let Some(Ok(said)) = char::decode_utf16([first]).next() {
                return Some((said, left));
            }
            let (second, left) = left.strip_prefix("\\u").and_then(unit)?;
            return Some((char::decode_utf16([first, second]).next()?.ok()?, left));
        }
        said @ ('"' | '\\' | '/') => said,
        _ => return None,
    };
    Some((said, chars.as_str()))
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, left) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, left))
}

/// The text without the person. It is a JSON object, or lines of a word, a tab and a JSON object.
pub fn forget(text: &[u8], subject: &Subject) -> Forgotten {
    if !subject.may_be_in(text) {
        return Forgotten::NotThere;
    }
    if let Ok(mut whole) = serde_json::from_slice::<Value>(text) {
        // An envelope is kept only around what could not be read.
        let wrapped = whole.get(ENVELOPE).and_then(Value::as_str);
        if wrapped.is_some_and(|message| subject.may_be_in(message.as_bytes())) {
            return Forgotten::Unreadable;
        }
        return match without(&mut whole, "", subject) {
            true => serde_json::to_vec(&whole).map_or(Forgotten::Unreadable, Forgotten::Text),
            false => Forgotten::NotThere,
        };
    }
    let (mut out, mut changed) = (Vec::with_capacity(text.len()), false);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if !subject.may_be_in(line) {
            out.extend_from_slice(line);
            continue;
        }
        let Some(tab) = line.iter().position(|&byte| byte == b'\t') else { return Forgotten::Unreadable };
        let (word, object) = line.split_at(tab + 1);
        let Ok(mut object) = serde_json::from_slice::<Value>(object) else { return Forgotten::Unreadable };
        changed |= without(&mut object, "", subject);
        out.extend_from_slice(word);
        let Ok(()) = serde_json::to_writer(&mut out, &object) else { return Forgotten::Unreadable };
        out.extend(line.ends_with(b"\n").then_some(b'\n'));
    }
    if changed { Forgotten::Text(out) } else { Forgotten::NotThere }
}

/// Takes the person out of the value that stands under a key; whether anything was.
fn without(value: &mut Value, key: &str, subject: &Subject) -> bool {
    match value {
        Value::Object(members) => {
            let how = match key {
                INITIATOR => initiator_is(members, subject).then_some(How::Is),
                _ => whose(members, subject),
            };
            let mut changed = how.is_some_and(|how| clean(members, subject, how));
            if let Some(Value::String(reason)) = members.get_mut(REASON_KEY) {
                changed |= subject.take_from_reason(reason);
            }
            for (key, member) in members.iter_mut() {
                changed |= without(member, key, subject);
            }
            changed
        }
        Value::Array(values) => {
            values.iter_mut().fold(false, |changed, value| changed | without(value, key, subject))
        }
        _ => false,
    }
}

/// How an object is about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It is the user: its name is the user's.
    Is,
    /// It names the user: it may have a name of its own.
    Names,
}

/// Whether an initiator is the person, by the same members and in the same order as [`Cadf::actor`](super::cadf::Cadf::actor).
fn initiator_is(members: &Map<String, Value>, subject: &Subject) -> bool {
    fn known(value: &Value) -> Option<&str> {
        value.as_str().filter(|text| !text.is_empty() && *text != UNKNOWN)
    }
    let member = |key: &str| members.get(key).and_then(known);
    let federated = || {
        let user = members.get("credential")?.get("user")?;
        known(user.get("id").unwrap_or(user))
    };
    // One that is too long is none to the record either.
    let fits = |id: &&str| id.len() <= ID_BYTES_MAX;
    let id = member("user_id").filter(fits).or_else(|| federated().filter(fits));
    let id = id.or_else(|| member("id").filter(fits).filter(|id| !is_made_up(id)));
    let name = INITIATOR_NAME_KEYS.into_iter().find_map(member);
    let address = members.get(HOST).and_then(|host| host.get("address")).and_then(known);
    subject.is(id.map(Id::new).as_ref(), name, address)
}

fn whose(members: &Map<String, Value>, subject: &Subject) -> Option<How> {
    let bare = |key: &str| key.strip_prefix(CONTEXT).unwrap_or(key).to_ascii_lowercase();
    let is_person = members
        .get("typeURI")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("account/user") || kind.ends_with("security/account"));
    let is = if is_person { How::Is } else { How::Names };
    if members.get("id").is_some_and(|id| subject.is_user(id)) {
        return Some(How::Is);
    }
    let (mut is_user, mut is_other, mut is_named, mut is_other_name) = (false, false, false, false);
    let said = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    for (key, value) in members.iter().filter(|(_, value)| said(value)) {
        let key = bare(key);
        if USER_ID_KEYS.contains(&key.as_str()) {
            is_user |= subject.is_user(value);
            is_other |= !subject.is_user(value) && !subject.is_named(value);
        }
        if USER_NAME_KEYS.contains(&key.as_str()) || (is_person && key == "name") || key == "user" {
            is_named |= subject.is_named(value);
            is_other_name |= !subject.is_named(value) && !subject.is_user(value);
        }
    }
    if is_user || (is_named && !is_other) {
        return Some(is);
    }
    let host = members.get(HOST).and_then(|host| host.get("address"));
    let client =
        members.iter().filter(|(key, _)| CLIENT_KEYS.contains(&bare(key).as_str())).map(|(_, value)| value);
    let is_at = host.into_iter().chain(client).any(|value| subject.is_at(value));
    (is_at && !is_other && !is_other_name).then_some(is)
}

/// Takes what is personal out of an object that is about the person; whether anything was.
fn clean(members: &mut Map<String, Value>, subject: &Subject, how: How) -> bool {
    let mut changed = false;
    for (key, value) in members.iter_mut() {
        let key = key.strip_prefix(CONTEXT).unwrap_or(key).to_ascii_lowercase();
        if key == HOST {
            if let Value::Object(host) = value {
                for key in ["address", "agent"] {
                    changed |= host.get_mut(key).is_some_and(erase);
                }
            }
            continue;
        }
        let is_name = USER_NAME_KEYS.contains(&key.as_str())
            || (key == "name" && (how == How::Is || subject.is_named(value)))
            || (key == "user" && !subject.is_user(value) && subject.is_named(value));
        if is_name || CLIENT_KEYS.contains(&key.as_str()) {
            changed |= erase(value);
        }
    }
    changed
}

/// Erases a text; whether there was one.
fn erase(value: &mut Value) -> bool {
    match value {
        Value::String(text) if !text.is_empty() && text != ERASED => {
            ERASED.clone_into(text);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Subject {
        Subject {
            user: Some("u1".into()),
            names: vec!["Ada".into(), "Zoë".into()],
            addresses: vec!["192.0.2.7".into()],
        }
    }

    /// What is left of a text, whatever the order of its keys.
    fn check(text: &str, wanted: &str) {
        let got = match forget(text.as_bytes(), &ada()) {
            Forgotten::NotThere => "-".to_owned(),
            Forgotten::Unreadable => "?".to_owned(),
            Forgotten::Text(text) => String::from_utf8(text).expect("JSON is text"),
        };
        let lines = |text: &str| -> Vec<(String, Option<Value>)> {
            let parts = text.lines().map(|line| line.split_once('\t').unwrap_or(("", line)));
            parts.map(|(word, object)| (word.to_owned(), serde_json::from_str(object).ok())).collect()
        };
        if wanted.len() > 1 && got.len() > 1 {
            assert_eq!(lines(&got), lines(wanted), "{text}");
        } else {
            assert_eq!(got, wanted, "{text}");
        }
    }

    #[test]
    fn a_context_loses_name_and_address() {
        check(
            r#"{"_context_user_id":"u1","_context_user_name":"ada","_context_remote_address":"10.0.0.1","_context_project_name":"ada"}"#,
            r#"{"_context_user_id":"u1","_context_user_name":"erased","_context_remote_address":"erased","_context_project_name":"ada"}"#,
        );
    }

    #[test]
    fn an_initiator_and_a_target_lose_theirs() {
        check(
            r#"{"payload":{"initiator":{"id":"u1","name":"ada","host":{"address":"10.0.0.1","agent":"curl"}},"target":{"id":"u2","name":"bob"}}}"#,
            r#"{"payload":{"initiator":{"id":"u1","name":"erased","host":{"address":"erased","agent":"erased"}},"target":{"id":"u2","name":"bob"}}}"#,
        );
        check(
            r#"{"initiator":{"user_id":"u2","name":"bob"},"target":{"typeURI":"data/security/account/user","id":"u1","name":"ada"}}"#,
            r#"{"initiator":{"user_id":"u2","name":"bob"},"target":{"typeURI":"data/security/account/user","id":"u1","name":"erased"}}"#,
        );
        check(
            r#"{"HTTP_X_USER_ID":"u1","HTTP_X_USER_NAME":"ada","REMOTE_ADDR":"10.0.0.1","HTTP_X_PROJECT_NAME":"p"}"#,
            r#"{"HTTP_X_USER_ID":"u1","HTTP_X_USER_NAME":"erased","REMOTE_ADDR":"erased","HTTP_X_PROJECT_NAME":"p"}"#,
        );
    }

    #[test]
    fn what_a_user_owns_keeps_its_name() {
        check(r#"{"user_id":"u1","name":"web-1","display_name":"web-1"}"#, "-");
    }

    #[test]
    fn a_name_without_an_id_is_the_persons_and_with_anothers_is_not() {
        check(r#"{"initiator":{"user_name":"ADA"}}"#, r#"{"initiator":{"user_name":"erased"}}"#);
        check(r#"{"user_name":"Zo\u00eb"}"#, r#"{"user_name":"erased"}"#);
        check(
            r#"{"_context_user_id":"u2","_context_user_name":"ada","_context_remote_address":"192.0.2.7"}"#,
            "-",
        );
        check(r#"{"project_name":"ada","name":"ada"}"#, "-");
    }

    #[test]
    fn an_address_alone_is_the_persons_where_nobody_is_named() {
        check(
            r#"{"initiator":{"id":"2567b5bf-b909-5c12-bf6a-697ce729afd9","host":{"address":"192.0.2.7","agent":"curl"}}}"#,
            r#"{"initiator":{"id":"2567b5bf-b909-5c12-bf6a-697ce729afd9","host":{"address":"erased","agent":"erased"}}}"#,
        );
        check(r#"{"initiator":{"id":"u2","host":{"address":"192.0.2.7","agent":"curl"}}}"#, "-");
        check(r#"{"initiator":{"user_name":"bob","host":{"address":"192.0.2.7"}}}"#, "-");
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let at = |address: &str| Subject { addresses: vec![address.into()], ..Subject::default() };
        let check = |asked: &str, written: &str, is_it: bool| {
            let text = format!(r#"{{"initiator":{{"host":{{"address":"{written}","agent":"curl"}}}}}}"#);
            let is_found = matches!(forget(text.as_bytes(), &at(asked)), Forgotten::Text(_));
            assert_eq!(is_found, is_it, "{asked} {written}");
            assert_eq!(at(asked).is(None, None, Some(written)), is_it, "{asked} {written}");
        };
        for written in ["2001:db8::1", "2001:DB8:0::0001", "2001:0db8:0000:0000:0000:0000:0000:0001"] {
            check("2001:db8::1", written, true);
            check(written, "2001:db8::1", true);
            check(written, "2001:db8::11", false);
        }
        check("192.0.2.7", "::ffff:192.0.2.7", true);
        check("192.0.2.7", "::FFFF:c000:207", true);
        check("192.0.2.7", "192.0.2.70", false);
        for written in ["fe80::1%eth0", "fe80:0::1%eth0", "FE80:0000::0001%eth0"] {
            check("fe80::1%eth0", written, true);
            check(written, "fe80::1%eth0", true);
            // On another link, or on one that is not named, it may be another's.
            for other in ["fe80::1", "fe80::1%eth1", "fe80::1%ETH0", "fe80::1%", "fe80::2%eth0"] {
                check(written, other, false);
                check(other, written, false);
            }
        }
    }

    #[test]
    fn a_reason_loses_the_name_that_it_ends_with() {
        check(
            r#"{"reason":{"reasonType":"Could not find user: ADA."}}"#,
            r#"{"reason":{"reasonType":"Could not find user: erased."}}"#,
        );
        check(r#"{"reason":{"reasonType":"Could not find project: ada-1."}}"#, "-");
    }

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let who = |names: &[&str]| Subject {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Subject::default()
        };
        let check = |name: &str, written: &str| {
            let text = format!(r#"{{"user_name":"{written}"}}"#);
            let Forgotten::Text(left) = forget(text.as_bytes(), &who(&[name])) else {
                panic!("{name:?} is not found in {text}")
            };
            assert_eq!(String::from_utf8(left).unwrap(), r#"{"user_name":"erased"}"#);
            let envelope = serde_json::json!({"oslo.version": "2.0", "oslo.message": text}).to_string();
            assert_eq!(forget(envelope.as_bytes(), &who(&[name])), Forgotten::Unreadable, "{envelope}");
        };
        for written in
            ["zoë.nobody", "ZOË.NOBODY", r"zo\u00eb.nobody", r"ZO\u00CB.NOBODY", r"\u007ao\u00eb.nobody"]
        {
            check("zoë.nobody", written);
            check("ZOË.NOBODY", written);
        }
        for written in [r"a\tb\nc", r"A\u0009B\u000aC"] {
            check("a\tb\nc", written);
        }
        for written in ["ΟΔΥΣΣΕΥΣ", "οδυσσευς", r"\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3"]
        {
            check("Οδυσσευς", written);
        }
        // The sign of kelvin is a K in another case.
        check("kim", "\u{212a}im");
        check("kim", r"\u212AIM");
        check("x\u{1f600}/y", r"X\ud83d\ude00\/y");
        check(r#"a"\b"#, r#"a\"\\b"#);
        assert!(!who(&["zoë"]).may_be_in(r#"{"user_name":"zoe\u0308\ud83d\q\u12"}"#.as_bytes()));
    }

    #[test]
    fn lines_of_a_read_lose_theirs() {
        check(
            "users\t{\"id\":\"u2\",\"name\":\"bob\"}\nusers\t{\"id\":\"u1\",\"name\":\"ada\"}\n",
            "users\t{\"id\":\"u2\",\"name\":\"bob\"}\nusers\t{\"id\":\"u1\",\"name\":\"erased\"}\n",
        );
    }

    #[test]
    fn what_cannot_be_taken_apart_is_said_only_where_the_person_may_be_in_it() {
        check("{\"user_id\":\"u1\"", "?");
        check("{\"user_id\":\"v1\"", "-");
        check(
            r#"{"oslo.version":"2.0","oslo.message":"{\"_context_user_id\":\"u1\",\"_context_user_name\":\"ad"}"#,
            "?",
        );
        check(r#"{"oslo.version":"2.0","oslo.message":"{\"_context_user_id\":\"v1\""}"#, "-");
        check("", "-");
    }
}
