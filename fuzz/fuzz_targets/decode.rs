//! Any bytes, with any header: decoding ends, says the same twice, and keeps no token.
//!
//! The first byte chooses the compression header, the second where a token is planted, the rest is the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use osel_core::decode::{decode, read_named, read_object};
use osel_core::event::{Compression, Kind, Properties, RawMessage};
use osel_core::time::Timestamp;

/// Looks like a Fernet token; its tail cannot come from the fuzzer by chance.
const TOKEN: &[u8] = b"gAAAAABfuzz_0f8b2c4e6a9d71";
const TAIL: &[u8] = b"fuzz_0f8b2c4e6a9d71";

fuzz_target!(|data: &[u8]| {
    let [header, place, body @ ..] = data else { return };
    let compression = match header % 8 {
        1 => Some(Compression::Gzip),
        2 => Some(Compression::Bzip2),
        3 => Some(Compression::Unknown),
        _ => None,
    };
    let mut raw = message(body.to_vec(), compression);
    let decoded = decode(&raw);
    let again = decode(&raw);
    assert_eq!(decoded.digest, again.digest);
    assert_eq!(format!("{:?}", decoded.result), format!("{:?}", again.result));
    if decoded.result.is_ok() {
        // What is kept is read as what it was.
        let kept = message(decoded.body.to_vec(), None);
        assert_eq!(format!("{:?}", decode(&kept).result), format!("{:?}", decoded.result));
    }
    if compression.is_none() && !contains(&raw.body, TAIL) {
        let at = usize::from(*place) * raw.body.len() / 255;
        raw.body.splice(at..at, TOKEN.iter().copied());
        let decoded = decode(&raw);
        assert!(!contains(&decoded.body, TAIL));
        let told = format!("{:?} {:?} {:?}", decoded.message_id, decoded.event_type, decoded.result);
        assert!(!contains(told.as_bytes(), TAIL));
    }
    let _ = read_object(Kind::ALL[usize::from(*header) % Kind::ALL.len()], body);
    let _ = read_named(body);
});

fn message(body: Vec<u8>, compression: Option<Compression>) -> RawMessage {
    RawMessage {
        source: "fuzz".into(),
        region: None,
        exchange: "neutron".into(),
        routing_key: "notifications.info".into(),
        redelivered: false,
        received_at: Timestamp::EPOCH,
        properties: Properties { compression, ..Properties::default() },
        body,
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
