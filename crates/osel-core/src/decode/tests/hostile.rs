//! Bodies that are broken, or meant to break something; and what is kept of them.

use std::io::Write;

use super::super::{BODY_BYTES_MAX, Decoded, DefectKind, decode};
use super::{body_text, message, plain};
use crate::event::{Compression, RawMessage};

/// Looks like a token, and is one nowhere.
const TOKEN: &str = "gAAAAABnotReallyATokenButItLooksLikeOne_0123456789-abcdef==";

fn envelope(inner: &str) -> String {
    serde_json::json!({"oslo.version": "2.0", "oslo.message": inner}).to_string()
}

fn kind(body: impl Into<Vec<u8>>) -> DefectKind {
    decode(&message(body)).result.expect_err("this is a bad message").kind
}

#[test]
fn each_kind_of_breakage_has_its_reason() {
    assert_eq!(kind(""), DefectKind::Syntax);
    assert_eq!(kind("{"), DefectKind::Syntax);
    assert_eq!(kind(&plain("a.b", "{}")[..80]), DefectKind::Syntax);
    assert_eq!(kind(b"\xff\xfe{".to_vec()), DefectKind::NotUtf8);
    assert_eq!(kind(vec![b' '; BODY_BYTES_MAX + 1]), DefectKind::TooLarge);
    assert_eq!(kind(plain("a.b", &("[".repeat(100) + &"]".repeat(100)))), DefectKind::TooDeep);
    assert_eq!(kind(plain("a.b", r#"{"a":1,"a":1}"#)), DefectKind::DuplicateKey);
    assert_eq!(kind(plain("a.b", r#""\ud800""#)), DefectKind::LoneSurrogate);
    assert_eq!(kind(plain("a.b", r#""\u0000""#)), DefectKind::Nul);
    assert_eq!(kind(plain("a.b", "1e999")), DefectKind::NumberRange);
    assert_eq!(kind("[]"), DefectKind::NotANotification);
    assert_eq!(kind("5"), DefectKind::NotANotification);
    assert_eq!(kind(r#"{"event_type":null}"#), DefectKind::NotANotification);
    assert_eq!(kind(r#"{"event_type":7}"#), DefectKind::WrongType);
    assert_eq!(kind(r#"{"event_type":"a","message_id":{}}"#), DefectKind::WrongType);
    assert_eq!(kind(format!(r#"{{"event_type":"{}"}}"#, "a".repeat(256))), DefectKind::TooLong);
}

#[test]
fn the_same_inside_of_an_envelope() {
    for (payload, wanted) in [
        (r#"{"a":1,"a":1}"#, DefectKind::DuplicateKey),
        (r#""\ud800""#, DefectKind::LoneSurrogate),
        (r#""\u0000""#, DefectKind::Nul),
        ("1e999", DefectKind::NumberRange),
        ("1 2", DefectKind::Syntax),
        ("tr ue", DefectKind::Syntax),
    ] {
        assert_eq!(kind(envelope(&plain("a.b", payload))), wanted, "{payload}");
    }
    let rpc = r#"{"method":"report_state","args":{},"_msg_id":"m","_reply_q":"q"}"#;
    assert_eq!(kind(envelope(rpc)), DefectKind::NotANotification);
    assert_eq!(kind(envelope(&envelope(&plain("a.b", "{}")))), DefectKind::NotANotification);
    assert_eq!(kind(r#"{"oslo.version":"2.0","oslo.message":{}}"#), DefectKind::WrongType);
    assert_eq!(kind(r#"{"oslo.version":2,"oslo.message":"{}"}"#), DefectKind::WrongType);
    assert_eq!(kind(r#"{"oslo.version":"2.0","oslo.message":"\ud800"}"#), DefectKind::LoneSurrogate);
    assert_eq!(kind(r#"{"oslo.version":"2.0","oslo.message":"{}"#), DefectKind::Syntax);
    assert_eq!(kind(r#"{"oslo.version":"2.0","oslo.message":"{}"} x"#), DefectKind::Syntax);
}

#[test]
fn the_place_in_an_envelope_is_counted_as_sent() {
    let body = r#"{"oslo.version": "2.0", "oslo.message": "{\"a\": 1, \"b\": x}"}"#;
    let defect = decode(&message(body)).result.unwrap_err();
    assert_eq!(defect.at.as_ref(), "byte 14 of `oslo.message`");
    assert_eq!(defect.to_string(), "the body is not valid JSON, at byte 14 of `oslo.message`");
}

#[test]
fn an_unknown_version_is_kept_in_its_envelope() {
    let inner = plain("a.b", "{}");
    for version in ["2.1", "3.0", "1.0", "2", ""] {
        let body = serde_json::json!({"oslo.version": version, "oslo.message": inner}).to_string();
        let raw = message(body.clone());
        let decoded = decode(&raw);
        assert_eq!(decoded.result.as_ref().unwrap_err().kind, DefectKind::UnknownVersion);
        assert_eq!(body_text(&decoded), body);
        assert_eq!(
            (decoded.message_id.as_deref(), decoded.event_type.as_deref()),
            (Some("m-1"), Some("a.b"))
        );
    }
}

#[test]
fn an_unknown_version_does_not_show_a_token() {
    let inner = plain("a.b", "{}").replace("m-1", TOKEN);
    let raw = message(serde_json::json!({"oslo.version": "3.0", "oslo.message": inner}).to_string());
    let decoded = decode(&raw);
    assert_eq!(decoded.message_id.as_deref(), Some("***"));
    assert!(!body_text(&decoded).contains("notReally"));
}

#[test]
fn envelopes_in_any_order_are_opened() {
    let inner = plain("a.b", "{}");
    let text = serde_json::to_string(&inner).unwrap();
    for body in [
        format!(r#"{{"oslo.message":{text},"oslo.version":"2.0"}}"#),
        format!(r#"{{"oslo.version":"2.0","oslo.message":{text},"more":[1]}}"#),
        format!("\n{{ \"oslo.version\" : \"2.0\" , \"oslo.message\" : {text} }}\n"),
    ] {
        let raw = message(body);
        let decoded = decode(&raw);
        assert_eq!(decoded.result.as_ref().unwrap().event_type.as_ref(), "a.b");
        assert_eq!(body_text(&decoded), inner);
    }
}

#[test]
fn copies_have_one_digest_and_others_have_another() {
    let digest = |body: &str| decode(&message(body)).digest;
    let first = plain("a.b", r#"{"x": [1, 2], "y": "a  b\" c"}"#);
    let spaced = serde_json::from_str::<serde_json::Value>(&first)
        .is_ok()
        .then(|| first.replace("\",\"", "\" ,\n\""))
        .unwrap();
    let again = first.replace("\"u1\"", "\"u2\"");
    let without = first.replace(",\"_unique_id\":\"u1\"", "");
    let in_front = without.replacen('{', "{\"_unique_id\": \"u3\", ", 1);
    for copy in
        [&spaced, &again, &without, &in_front, &envelope(&first), &envelope(&spaced), &envelope(&again)]
    {
        assert_eq!(digest(copy), digest(&first), "{copy}");
    }
    assert_ne!(digest(&first.replace("a  b", "a b")), digest(&first));
    assert_ne!(digest(&first.replace("[1, 2]", "[12]")), digest(&first));
}

#[test]
fn a_plain_body_without_secrets_is_not_copied() {
    let raw = message(plain("port.delete.end", r#"{"port_id":"p1"}"#));
    assert!(matches!(decode(&raw).body, std::borrow::Cow::Borrowed(_)));
}

fn secrets_gone(raw: &RawMessage) -> String {
    let decoded = decode(raw);
    let text = body_text(&decoded);
    for part in [text.as_str(), &format!("{:?}", Decoded { body: (&[][..]).into(), ..decoded })] {
        assert!(!part.contains("notReally") && !part.contains("geheim"), "{part}");
    }
    text
}

#[test]
fn secrets_are_masked_wherever_they_stand() {
    let whole = plain(
        "port.update.end",
        &format!(
            r#"{{"port":{{"id":"p1","name":"{TOKEN}"}},"a":{{"password":"geheim","adminPass":{{"x":["geheim"]}},"secret":null}},
            "note":"use {TOKEN}, or rabbit://u:geheim@h/","HTTP_X_SUBJECT_TOKEN":"geheim","url":"http://h/?token=geheim&a=1"}}"#
        ),
    );
    let with_context = whole.replacen(
        '{',
        &format!(r#"{{"_context_auth_token":"{TOKEN}","_context_service_catalog":[{{"x":"geheim"}}],"#),
        1,
    );
    for text in
        [secrets_gone(&message(with_context.clone())), secrets_gone(&message(envelope(&with_context)))]
    {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["_context_auth_token"], "***");
        assert_eq!(value["_context_service_catalog"], "***");
        assert_eq!(value["payload"]["a"]["secret"], serde_json::Value::Null);
        assert_eq!(value["payload"]["port"]["name"], "***");
        assert_eq!(value["payload"]["note"], "use ***, or rabbit://u:***@h/");
        assert_eq!(value["payload"]["url"], "http://h/?token=***&a=1");
    }
    let raw = message(with_context);
    assert_eq!(decode(&raw).result.unwrap().target.unwrap().name.as_deref(), Some("***"));
}

#[test]
fn secrets_are_masked_in_what_cannot_be_read() {
    let whole = plain("port.update.end", &format!(r#"{{"password": "geheim", "x": "{TOKEN}", "port": 1}}"#));
    secrets_gone(&message(whole.clone()));
    for body in [whole.clone(), envelope(&whole)] {
        for cut in 0..body.len() {
            let raw = message(&body.as_bytes()[..cut]);
            let text = body_text(&decode(&raw));
            assert!(!text.contains("notReally"), "{text}");
            assert!(!text.contains("gehei"), "{text}");
        }
    }
    let raw = message(envelope(&whole) + "x");
    let decoded = decode(&raw);
    assert_eq!(decoded.message_id.as_deref(), Some("m-1"));
    assert_eq!(decoded.event_type.as_deref(), Some("port.update.end"));
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(body: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn packed(body: Vec<u8>, compression: Compression) -> RawMessage {
    let mut raw = message(body);
    raw.properties.compression = Some(compression);
    raw
}

#[test]
fn compressed_bodies_are_unpacked_within_a_bound() {
    let body = envelope(&plain("port.delete.end", r#"{"port_id":"p1"}"#));
    let plain_digest = decode(&message(body.clone())).digest;
    let unpacked = |bytes: &[u8], compression| {
        let raw = packed(bytes.to_vec(), compression);
        decode(&raw).result.map(|_| ()).map_err(|defect| defect.kind)
    };
    let packed_bodies = [
        (zlib(body.as_bytes()), Compression::Gzip),
        (gzip(body.as_bytes()), Compression::Gzip),
        (bzip2(body.as_bytes()), Compression::Bzip2),
    ];
    for (bytes, compression) in packed_bodies {
        assert_eq!(decode(&packed(bytes.clone(), compression)).digest, plain_digest);
        assert_eq!(unpacked(&bytes, compression), Ok(()));
        for cut in [1, 3, bytes.len() / 2, bytes.len() - 5] {
            let cut = &bytes[..bytes.len() - cut];
            assert_eq!(unpacked(cut, compression), Err(DefectKind::BrokenCompression), "{compression:?}");
        }
        let more = [&bytes[..], b"\0"].concat();
        assert_eq!(unpacked(&more, compression), Err(DefectKind::BrokenCompression), "{compression:?}");
        assert_eq!(unpacked(b"no such thing", compression), Err(DefectKind::BrokenCompression));
    }
    let spaces = vec![b' '; BODY_BYTES_MAX + 1];
    let bombs = [(zlib(&spaces), Compression::Gzip), (BZIP2_BOMB.to_vec(), Compression::Bzip2)];
    for (bomb, compression) in bombs {
        assert_eq!(unpacked(&bomb, compression), Err(DefectKind::TooLarge), "{compression:?}");
    }
}

/// So many spaces that one byte is too many, as Python's `bz2.compress` packs them.
const BZIP2_BOMB: &[u8] =
    b"BZh91AY&SYB-\xf6 \x00\x80\x81\x10\x00\xc0\x00\x00\x08 \x000\x80*iP\x06\x01f\x01\x80qw$S\x85\x09\x04\x22\xdfb\x00";

#[test]
fn streams_behind_the_first_one_cost_nothing() {
    let empty = bzip2(b"");
    let raw = packed(empty.repeat(BODY_BYTES_MAX / empty.len()), Compression::Bzip2);
    assert_eq!(decode(&raw).result.unwrap_err().kind, DefectKind::BrokenCompression);
}

#[test]
fn a_compression_that_cannot_be_undone_is_named() {
    for (compression, at) in [
        (Compression::Lzma, "the body, packed by lzma"),
        (Compression::Zstd, "the body, packed by zstd"),
        (Compression::Brotli, "the body, packed by brotli"),
        (Compression::Unknown, "the body"),
    ] {
        let raw = packed(b"BZh9".to_vec(), compression);
        let defect = decode(&raw).result.unwrap_err();
        assert_eq!((defect.kind, &*defect.at), (DefectKind::UnknownCompression, at));
    }
}

#[test]
fn a_damaged_compressed_body_does_not_keep_its_secrets() {
    let body = plain("a.b", &format!(r#"{{"password":"geheim","x":"{TOKEN}","y":"{}"}}"#, "z".repeat(500)));
    let mut bytes = zlib(body.as_bytes());
    let end = bytes.len() - 2;
    bytes[end] ^= 0xff;
    secrets_gone(&packed(bytes, Compression::Gzip));
}

/// A token of Keystone's old form has no shape of its own: it is known by the name before it, however that is written.
#[test]
fn tokens_are_masked_behind_their_names_in_any_text() {
    const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let texts = [
        "auth_token: '%'",
        "{'auth_token': '%'",
        "auth_token=%",
        "X-Auth-Token: %",
        "Authorization: Bearer %",
        "curl -H \"X-Auth-Token:%\"",
        "{\"auth_token\": \"%\"}",
        "X_SUBJECT_TOKEN=%",
    ];
    let check = |body: String| {
        let raw = message(body.clone());
        let decoded = decode(&raw);
        let stored = String::from_utf8_lossy(&decoded.body).into_owned();
        assert!(!stored.contains(TOKEN), "{body}: {stored}");
        assert!(!format!("{:?}", decoded.result).contains(TOKEN), "{body}: {:?}", decoded.result);
    };
    for text in texts {
        let text = text.replace('%', TOKEN);
        check(format!("{{bad {text}"));
        let quoted = serde_json::to_string(&text).unwrap();
        check(format!("{{\"event_type\": \"error_notification\", \"payload\": {{\"error\": {quoted}}}}}"));
        check(format!(
            "{{\"event_type\": \"port.create.end\", \"payload\": {{\"port\": {{\"id\": \"p\", \"name\": {quoted}}}}}}}"
        ));
    }
    check(format!("{{bad \"_context_auth_\\u0074oken\": \"{TOKEN}\""));
    check(format!(
        "{{\"event_type\": \"x\", \"payload\": {{\"headers\": [\"X-Auth-Token\", \"{TOKEN}\"]}}}}"
    ));
}
