//! From the body of a request to events, as the collector reads it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use super::collector::Indexed;
use super::options::{Options, Token};

/// The most that a packed body may become; the collector's own limit is 800 MB.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why an event is not taken: the code, its text, and its place where it has one.
pub(super) struct Refused(pub(super) u16, pub(super) Option<usize>);

/// The body as it was before it was packed.
pub(super) fn unpacked(body: &[u8], encoding: Option<&str>) -> Option<Vec<u8>> {
    match encoding {
        None | Some("identity") => Some(body.to_vec()),
        Some("gzip") => {
            let mut unpacked = Vec::new();
            GzDecoder::new(body).take(BODY_BYTES_MAX).read_to_end(&mut unpacked).ok()?;
            Some(unpacked)
        }
        Some(_) => None,
    }
}

/// The objects of a body, one behind the other; those before a bad one are taken.
pub(super) fn events(
    body: &[u8],
    defaults: &Indexed,
    token: &Token,
    options: &Options,
) -> (Vec<Indexed>, Option<Refused>) {
    let mut events = Vec::new();
    for (place, read) in serde_json::Deserializer::from_slice(body).into_iter::<Value>().enumerate() {
        let event = match read {
            Ok(Value::Object(object)) => event(object, defaults, token),
            Ok(_) | Err(_) => Err(6),
        };
        let poison = |event: &Indexed| {
            options.poison.as_ref().is_some_and(|poison| event.event.to_string().contains(poison))
        };
        match event {
            Ok(event) if !poison(&event) => events.push(event),
            Ok(_) => return (events, Some(Refused(6, Some(place)))),
            Err(code) => return (events, Some(Refused(code, Some(place)))),
        }
    }
    let refused = events.is_empty().then_some(Refused(5, None));
    (events, refused)
}

fn event(mut object: Map<String, Value>, defaults: &Indexed, token: &Token) -> Result<Indexed, u16> {
    let event = match object.remove("event") {
        None | Some(Value::Null) => return Err(12),
        Some(Value::String(text)) if text.is_empty() => return Err(13),
        Some(
            event @ (Value::String(_)
            | Value::Object(_)
            | Value::Array(_)
            | Value::Number(_)
            | Value::Bool(_)),
        ) => event,
    };
    let time = match object.remove("time") {
        None => None,
        Some(Value::Number(time)) => time.as_f64(),
        Some(Value::String(time)) => Some(time.parse().map_err(|_| 6_u16)?),
        Some(_) => return Err(6),
    };
    let mut text = |key: &str, default: &str| match object.remove(key) {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(6_u16),
    };
    let (host, source) = (text("host", &defaults.host)?, text("source", &defaults.source)?);
    let (sourcetype, index) = (text("sourcetype", &defaults.sourcetype)?, text("index", &defaults.index)?);
    if !allows(token, &index) {
        return Err(7);
    }
    let fields = match object.remove("fields") {
        None => Map::new(),
        Some(Value::Object(fields)) if fields.values().all(is_flat) => fields,
        Some(_) => return Err(15),
    };
    // What else is in it the collector leaves out.
    Ok(Indexed { time, host, source, sourcetype, index, fields, event, is_written: false })
}

/// A text, a number, or a list of them.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => true,
        Value::Array(values) => values.iter().all(Value::is_string),
        Value::Null | Value::Object(_) => false,
    }
}

/// The lines of a body, of which each is an event where the source type breaks lines.
pub(super) fn lines(body: &[u8], defaults: &Indexed, token: &Token) -> (Vec<Indexed>, Option<Refused>) {
    if !allows(token, &defaults.index) {
        return (Vec::new(), Some(Refused(7, None)));
    }
    let text = String::from_utf8_lossy(body);
    let lines = text.split(['\n', '\r']).filter(|line| !line.is_empty());
    let events: Vec<Indexed> = lines.map(|line| Indexed { event: line.into(), ..defaults.clone() }).collect();
    let refused = events.is_empty().then_some(Refused(5, None));
    (events, refused)
}

fn allows(token: &Token, index: &str) -> bool {
    token.indexes.is_empty() || token.indexes.iter().any(|allowed| allowed == index)
}
