//! Random bytes, random JSON, and recorded messages with random damage: never a panic, and nothing accepted
//! that is no JSON.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::scan::scan;
use super::super::tape::{Token, Value};
use super::super::{DefectKind, decode, read_object};
use super::message;
use crate::event::{Compression, Kind};

static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let names = ["dev-2026", "dev-v1basic", "dev-glance", "icehouse"];
    names.iter().flat_map(|name| super::corpus::recording(name)).step_by(7).map(|raw| raw.body).collect()
});

/// What the tape says, as another library's value.
fn as_json(value: Value<'_>) -> Json {
    match value.token() {
        Token::Null => Json::Null,
        Token::True => Json::Bool(true),
        Token::False => Json::Bool(false),
        Token::Number => serde_json::from_str(value.number().unwrap()).unwrap(),
        Token::Array => value.items().map(as_json).collect(),
        Token::Object => {
            let members = value
                .members()
                .map(|(key, value)| (String::from_utf8(key.to_vec()).unwrap(), as_json(value)));
            Json::Object(members.collect())
        }
        _ => Json::String(value.text().unwrap().into_owned()),
    }
}

fn json() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        Just(String::new()),
        "[a-z_]{1,12}",
        any::<String>().prop_map(|text| text.replace('\0', "0"))
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 80, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::btree_map(text.clone(), inner, 0..8)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// What the scanner refuses on purpose although the grammar allows it.
fn is_stricter(kind: DefectKind) -> bool {
    matches!(
        kind,
        DefectKind::DuplicateKey
            | DefectKind::TooDeep
            | DefectKind::Nul
            | DefectKind::NumberRange
            | DefectKind::LoneSurrogate
    )
}

fn agrees_with_the_other_library(text: &str) -> Result<(), TestCaseError> {
    match (scan(text), serde_json::from_str::<Json>(text)) {
        (Ok(_), Err(error)) => prop_assert!(false, "accepted what is no JSON: {error}: {text}"),
        (Err(fault), Ok(_)) => prop_assert!(is_stricter(fault.kind), "refused as {:?}: {text}", fault.kind),
        _ => {}
    }
    Ok(())
}

fn survives(body: Vec<u8>) -> Result<(), TestCaseError> {
    let mut raw = message(body);
    for compression in [None, Some(Compression::Gzip)] {
        raw.properties.compression = compression;
        let decoded = decode(&raw);
        let again = decode(&raw);
        prop_assert_eq!(decoded.digest, again.digest);
        prop_assert_eq!(format!("{:?}", decoded.result), format!("{:?}", again.result));
        if let Ok(event) = &decoded.result {
            prop_assert!(serde_json::from_slice::<Json>(&decoded.body).is_ok());
            prop_assert_eq!(Some(&event.event_type), decoded.event_type.as_ref());
            // What was kept is read as what it was.
            let mut kept = raw.clone();
            kept.properties.compression = None;
            kept.body = decoded.body.to_vec();
            let reread = decode(&kept);
            prop_assert_eq!(format!("{:?}", reread.result), format!("{:?}", decoded.result));
            prop_assert_eq!(&reread.body[..], &decoded.body[..]);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(body in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(body)?;
    }

    #[test]
    fn random_texts_of_json_letters(text in r#"[\[\]{}:,"\\u0189adfnrst\-.eE+ ]{0,60}"#) {
        agrees_with_the_other_library(&text)?;
        survives(text.into_bytes())?;
    }

    #[test]
    fn random_trees_are_read_as_they_are(tree in json()) {
        for text in [serde_json::to_string(&tree).unwrap(), serde_json::to_string_pretty(&tree).unwrap()] {
            let tape = scan(&text).unwrap();
            prop_assert_eq!(as_json(tape.root()), serde_json::from_str::<Json>(&text).unwrap());
        }
    }

    #[test]
    fn random_trees_as_payloads(tree in json(), at in 0..6_usize) {
        let event_type = ["port.create.end", "security_group_rule.create.start", "identity.user.updated", "audit.http.response", "instance.update", "volume.attach.end"][at];
        let body = super::plain(event_type, &tree.to_string());
        let envelope = serde_json::json!({"oslo.version": "2.0", "oslo.message": body}).to_string();
        let (plain, wrapped) = (message(body.clone()), message(envelope));
        let (plain, wrapped) = (decode(&plain), decode(&wrapped));
        prop_assert_eq!(plain.digest, wrapped.digest);
        prop_assert_eq!(format!("{:?}", plain.result), format!("{:?}", wrapped.result));
        survives(body.into_bytes())?;
    }

    #[test]
    fn random_trees_as_objects(tree in json(), kind in prop::sample::select(Kind::ALL.to_vec())) {
        let _ = read_object(kind, tree.to_string().as_bytes());
    }

    #[test]
    fn damaged_recordings(which in any::<prop::sample::Index>(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6)) {
        let mut body = BODIES[which.index(BODIES.len())].clone();
        for (at, byte, how) in damage {
            if body.is_empty() {
                break;
            }
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        if let Ok(text) = std::str::from_utf8(&body) {
            agrees_with_the_other_library(text)?;
        }
        survives(body)?;
    }

    #[test]
    fn a_planted_token_is_never_kept(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        const TOKEN: &[u8] = b"gAAAAABplantedByTheTest_0123456789";
        let mut body = BODIES[which.index(BODIES.len())].clone();
        let at = at.index(body.len());
        body.splice(at..at, TOKEN.iter().copied());
        let raw = message(body);
        let decoded = decode(&raw);
        let kept = String::from_utf8_lossy(&decoded.body).into_owned();
        prop_assert!(!kept.contains("plantedByTheTest"), "{}", kept);
        let told = format!("{:?} {:?} {:?}", decoded.message_id, decoded.event_type, decoded.result);
        prop_assert!(!told.contains("plantedByTheTest"), "{}", told);
    }
}
