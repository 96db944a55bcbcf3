//! Records that no recording has: of osel itself, and of people who are called whatever they like.

use std::collections::BTreeMap;

use super::super::{About, KEY_BYTES, PseudonymKey, pseudonymised};
use crate::engine::record::{Detail, PersonalPart, Record, TargetPart, sentence};
use crate::format::tests::recorded::{STORE, others, record};
use crate::format::{Format, Subject, render};
use crate::ids::Id;
use crate::names::Directory;
use crate::trail::{PartClass, RecordKind};

fn key() -> PseudonymKey {
    PseudonymKey::new([7; KEY_BYTES])
}

fn lines(format: Format, record: &Record) -> String {
    let (scans, names) = (BTreeMap::new(), Directory::new());
    let mut lines = Vec::new();
    render(
        format,
        &Subject { record, message: None, scans: &scans, names: &names, store: STORE },
        &mut lines,
    );
    lines.into_iter().map(|line| String::from_utf8(line).expect("UTF-8")).collect::<Vec<_>>().join("\n")
}

fn login(user: &str, reason: &str) -> Record {
    let mut record = record(RecordKind::Authentication, "failure", &[("reason", reason)]);
    record.body.user_id = Some(Id::new("u1"));
    record.body.message_id = Some("m1".into());
    record.body.project_name = Some("shop".into());
    record.personal = PersonalPart {
        user_name: Some(user.into()),
        address: Some("192.0.2.77".into()),
        agent: Some("curl/8".into()),
        ..PersonalPart::default()
    };
    record
}

#[test]
fn who_was_erased_is_seen_by_a_pseudonym_too() {
    let facts = [
        ("erased_user", "0134e963d2cb47acb1cbded3d170eb51"),
        ("text", "ops ordered that the person behind user 0134e963d2cb47acb1cbded3d170eb51 is erased"),
    ];
    let view = pseudonymised(record(RecordKind::System, "success", &facts), &key());
    let shown = serde_json::to_string(&view.document()).expect("it can be written");
    assert!(!shown.contains("0134e963d2cb47acb1cbded3d170eb51"), "{shown}");
    assert_eq!(
        view.body.detail["erased_user"],
        key().pseudonym(About::User, "0134e963d2cb47acb1cbded3d170eb51")
    );
}

#[test]
fn a_view_says_the_same_in_other_words() {
    let view = pseudonymised(login("ada", "The account is locked for user: u1."), &key());
    let name = |about, text| key().pseudonym(about, text);
    let (user, called) = (name(About::User, "u1"), name(About::Name, "ada"));
    assert_eq!(
        sentence(&view),
        format!(
            "login of {called} (project shop) from {} failed: The account is locked for user: {user}.",
            name(About::Address, "192.0.2.77")
        )
    );
    assert_eq!(view.body.user_id, Some(Id::new(&user)));
    assert_eq!(view.missing, [PartClass::Payload], "the message names everybody");
    // Another key, other pseudonyms; no message, nothing is missing.
    let mut silent = login("ada", "");
    silent.body.message_id = None;
    let other = pseudonymised(silent, &PseudonymKey::new([8; KEY_BYTES]));
    assert_ne!(other.personal.user_name, view.personal.user_name);
    assert_eq!(other.missing, []);
}

#[test]
fn hostile_names_mangle_no_other_text() {
    let reason = "a token is a token, adam";
    for user in ["a", "", "is", "ada", "dam", "\u{1}", "token-", "adam.x"] {
        let view = pseudonymised(login(user, reason), &key());
        assert_eq!(view.body.detail["reason"], reason, "{user}");
        let called = view.personal.user_name.as_deref().expect("a name");
        assert_eq!(called.is_empty(), user.is_empty());
        assert_eq!(view.body.project_name.as_deref(), Some("shop"));
    }
    // Called as a role is: the role stays.
    let facts = [("verb", "grant"), ("role", "r1"), ("role_name", "admin"), ("user", "u2")];
    let mut granted = record(RecordKind::Change, "success", &facts);
    granted.personal.user_name = Some("admin".into());
    granted.personal.detail = Detail::from([("user_name".into(), "admin".to_owned())]);
    let view = pseudonymised(granted, &key());
    assert_eq!(view.body.detail["role_name"], "admin");
    assert_eq!(view.body.detail["user"], key().pseudonym(About::User, "u2"));
    assert_eq!(view.personal.detail["user_name"], key().pseudonym(About::Name, "admin"));
}

#[test]
fn a_user_to_whom_something_was_done_is_nobody_either() {
    let mut changed = record(RecordKind::Change, "success", &[("verb", "update")]);
    changed.body.event_type = Some("identity.user.updated".into());
    changed.body.user_id = Some(Id::new("u1"));
    changed.body.target =
        Some(TargetPart { kind: "user".into(), id: Some(Id::new("u2")), ..TargetPart::default() });
    changed.personal.target_name = Some("bob".into());
    for format in Format::ALL {
        let told = lines(format, &pseudonymised(changed.clone(), &key()));
        assert!(
            !told.contains("bob") && !told.contains("\"u2\"") && !told.contains("\"u1\""),
            "{format}: {told}"
        );
    }
}

#[test]
fn operators_and_what_they_asked_for_are_not_named() {
    let read = [
        ("text", "hopper read the trail: search --actor mallory --address 203.0.113.7"),
        ("reader", "hopper"),
        ("read", "search"),
        ("asked", "--actor mallory --address 203.0.113.7"),
    ];
    let acknowledged = [
        ("text", "hopper acknowledged the finding: planned"),
        ("ordered_by", "hopper"),
        ("kind", "exposed_answering"),
        ("address", "198.51.100.9"),
    ];
    for facts in [&read[..], &acknowledged] {
        let view = pseudonymised(record(RecordKind::System, "success", facts), &key());
        for format in Format::ALL {
            let told = lines(format, &view);
            for named in ["hopper", "mallory", "203.0.113.7"] {
                assert!(!told.contains(named), "{format}: {told}");
            }
        }
    }
    let view = pseudonymised(record(RecordKind::Finding, "success", &acknowledged), &key());
    assert_eq!(view.body.detail["address"], "198.51.100.9", "a server is no person");
    for record in others() {
        let view = pseudonymised(record, &key());
        for format in Format::ALL {
            let told = lines(format, &view);
            for named in ["ada", "bob", "u1", "\"u2\""] {
                let is_word =
                    told.split(|char: char| !char.is_alphanumeric() && char != '"').any(|word| word == named);
                assert!(!is_word, "{format}: {named}: {told}");
            }
        }
    }
}
