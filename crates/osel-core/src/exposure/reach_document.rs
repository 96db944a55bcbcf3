//! Questions and answers of `reach` as JSON: the wire form, so that the core's own types need not be
//! serialisable.
//!
//! A question is one JSON object, `{"from", "to", "protocol", "port"}` and, where wanted, `icmp_code`,
//! `network` and `port_id`; other keys are not looked at, so that a list of questions may carry labels, but for
//! those that are slips (`question_keys`). What is wrong with a question is said by field.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::question_keys::meant;
use super::reach::{CandidateVerdict, Hop, Question, Verdict};
use crate::ids::{ID_BYTES_MAX, Id};
use crate::model::{Protocol, net_text};

/// The most characters of a bad value that an error repeats: enough to recognise it in a line.
const VALUE_CHARS_MAX: usize = 60;

/// Why a question cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// It is no JSON object, or has a key twice.
    #[error("not a question: {0}")]
    NotAnObject(String),
    /// A key is nearly that of a field that is not there.
    #[error("`{key}` is no key of a question: is `{field}` meant?")]
    Slip {
        /// The key, cut to a limit.
        key: String,
        /// The field.
        field: &'static str,
    },
    /// A field that there must be is not there.
    #[error("`{field}` is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("`{field}` is not {wanted}: {value}")]
    Bad {
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is, cut to a limit.
        value: String,
    },
}

/// The fields as they come; what they mean is decided after that, so that an error can name its field.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawQuestion {
    from: Value,
    to: Value,
    protocol: Value,
    port: Value,
    icmp_code: Value,
    network: Value,
    port_id: Value,
    #[serde(flatten)]
    labels: BTreeMap<String, IgnoredAny>,
}

impl RawQuestion {
    /// The first label that is none.
    fn slip(&self) -> Option<QuestionError> {
        if self.labels.is_empty() {
            return None;
        }
        let fields = [
            ("from", &self.from),
            ("to", &self.to),
            ("protocol", &self.protocol),
            ("port", &self.port),
            ("icmp_code", &self.icmp_code),
            ("network", &self.network),
            ("port_id", &self.port_id),
        ];
        let absent: Vec<&'static str> =
            fields.into_iter().filter(|(_, value)| value.is_null()).map(|(field, _)| field).collect();
        self.labels.keys().find_map(|key| {
            let field = meant(key, &absent)?;
            Some(QuestionError::Slip { key: cut(key), field })
        })
    }
}

/// Reads a question from one JSON object.
///
/// # Errors
/// When the text is no JSON object, or a field is missing or has no meaning.
pub fn read_question(text: &str) -> Result<Question, QuestionError> {
    if !text.trim_start().starts_with('{') {
        return Err(QuestionError::NotAnObject("a JSON object is expected".to_owned()));
    }
    let raw: RawQuestion =
        serde_json::from_str(text).map_err(|error| QuestionError::NotAnObject(error.to_string()))?;
    if let Some(slip) = raw.slip() {
        return Err(slip);
    }
    let (from, to) = (address("from", &raw.from)?, address("to", &raw.to)?);
    let protocol = match &raw.protocol {
        Value::Null => return Err(QuestionError::Missing { field: "protocol" }),
        Value::String(text) => Question::protocol(text, to.is_ipv6()),
        Value::Number(number) => Question::protocol(&number.to_string(), to.is_ipv6()),
        _ => None,
    };
    let protocol = protocol.ok_or_else(|| bad("protocol", PROTOCOL_WANTED, &raw.protocol))?;
    let port = number("port", "a number from 0 to 65535", u64::from(u16::MAX), &raw.port)?;
    let port = port.and_then(|port| u16::try_from(port).ok());
    if protocol.is_icmp() && port.is_some_and(|icmp_type| icmp_type > u16::from(u8::MAX)) {
        return Err(bad("port", "an ICMP type from 0 to 255", &raw.port));
    }
    let icmp_code = number("icmp_code", "a number from 0 to 255", u64::from(u8::MAX), &raw.icmp_code)?;
    let icmp_code = icmp_code.and_then(|code| u8::try_from(code).ok());
    let (network, port_id) = (id("network", &raw.network)?, id("port_id", &raw.port_id)?);
    Ok(Question { from, to, protocol, port, icmp_code, network, port_id })
}

/// What a protocol should be.
const PROTOCOL_WANTED: &str = "the name or number of a protocol";

impl Question {
    /// The protocol with this name or number, for a packet of this family; `any` for some protocol.
    pub fn protocol(text: &str, ipv6: bool) -> Option<Protocol> {
        let known = |protocol: &Protocol| !matches!(protocol, Protocol::Other(_));
        (!text.trim().is_empty()).then(|| Protocol::read(Some(text), ipv6)).filter(known)
    }
}

fn bad(field: &'static str, wanted: &'static str, value: &Value) -> QuestionError {
    QuestionError::Bad { field, wanted, value: cut(&value.to_string()) }
}

/// As much of a text as an error repeats.
fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn address(field: &'static str, value: &Value) -> Result<IpAddr, QuestionError> {
    match value {
        Value::Null => Err(QuestionError::Missing { field }),
        Value::String(text) => text.parse().map_err(|_| bad(field, "an IP address", value)),
        _ => Err(bad(field, "an IP address", value)),
    }
}

fn number(
    field: &'static str,
    wanted: &'static str,
    max: u64,
    value: &Value,
) -> Result<Option<u64>, QuestionError> {
    match value {
        Value::Null => Ok(None),
        _ => match value.as_u64().filter(|number| *number <= max) {
            Some(number) => Ok(Some(number)),
            None => Err(bad(field, wanted, value)),
        },
    }
}

fn id(field: &'static str, value: &Value) -> Result<Option<Id>, QuestionError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if !text.is_empty() && text.len() <= ID_BYTES_MAX => Ok(Some(Id::new(text))),
        _ => Err(bad(field, "an id", value)),
    }
}

/// An answer as JSON.
#[derive(Debug, Serialize)]
pub struct VerdictDocument<'a> {
    reachable: bool,
    reason: &'static str,
    path: Vec<HopDocument<'a>>,
    rule_id: Option<&'a Id>,
    candidates: Vec<CandidateDocument<'a>>,
    /// Left out where there is nothing to say: the contract does not have it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_modelled: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct HopDocument<'a> {
    r#type: &'static str,
    id: Option<&'a Id>,
    name: Option<&'a str>,
    /// Left out where it is not known, or where there is none: the contract does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a str>,
    note: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct CandidateDocument<'a> {
    port_id: Option<&'a Id>,
    via: &'static str,
    address: String,
    fixed_ip: Option<String>,
    region: Option<&'a str>,
    reachable: bool,
    reason: &'static str,
    rule_id: Option<&'a Id>,
    path: Vec<HopDocument<'a>>,
}

impl<'a> From<&'a Verdict> for VerdictDocument<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        Self {
            reachable: verdict.reachable,
            reason: verdict.reason.as_str(),
            path: path(&verdict.path),
            rule_id: verdict.rule_id.as_ref(),
            candidates: verdict.candidates.iter().map(CandidateDocument::from).collect(),
            not_modelled: verdict.not_modelled.iter().map(|what| what.text()).collect(),
        }
    }
}

impl<'a> From<&'a CandidateVerdict> for CandidateDocument<'a> {
    fn from(candidate: &'a CandidateVerdict) -> Self {
        Self {
            port_id: candidate.port_id.as_ref(),
            via: candidate.via.as_str(),
            address: net_text(candidate.address),
            fixed_ip: candidate.fixed_ip.map(net_text),
            region: candidate.region.as_deref(),
            reachable: candidate.reachable(),
            reason: candidate.reason.as_str(),
            rule_id: candidate.rule_id.as_ref(),
            path: path(&candidate.path),
        }
    }
}

fn path(hops: &[Hop]) -> Vec<HopDocument<'_>> {
    let hops = hops.iter().map(|hop| HopDocument {
        r#type: hop.kind.singular(),
        id: hop.id.as_ref(),
        name: hop.name.as_deref(),
        server: hop.server.as_deref(),
        note: hop.note.as_deref(),
    });
    hops.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure::{NotModelled, Reason};
    use crate::model::{Kind, Via};

    fn error(text: &str) -> String {
        read_question(text).expect_err(text).to_string()
    }

    #[test]
    fn a_question_has_four_keys_and_three_more() {
        let question = read_question(
            r#" {"from":"198.51.100.7","to":"10.0.0.5","protocol":"tcp","port":22,"label":"web"}"#,
        );
        let expected = Question::new(
            IpAddr::from([198, 51, 100, 7]),
            IpAddr::from([10, 0, 0, 5]),
            Protocol::Number(6),
            Some(22),
        );
        assert_eq!(question, Ok(expected.clone()));
        let question = read_question(
            r#"{"from":"198.51.100.7","to":"10.0.0.5","protocol":1,"port":null,"icmp_code":0,
                "network":"n1","port_id":"p1"}"#,
        );
        let (network, port_id) = (Some(Id::new("n1")), Some(Id::new("p1")));
        let (protocol, icmp_code) = (Protocol::Number(1), Some(0));
        assert_eq!(question, Ok(Question { protocol, port: None, icmp_code, network, port_id, ..expected }));
    }

    #[test]
    fn icmp_is_the_one_of_the_family() {
        let question = read_question(r#"{"from":"2001:db8::1","to":"2001:db8::2","protocol":"icmp"}"#);
        assert_eq!(question.map(|question| question.protocol), Ok(Protocol::Number(58)));
    }

    #[test]
    fn an_error_names_the_field() {
        let with = |field: &str| format!(r#"{{"from":"10.0.0.1","to":"10.0.0.2","protocol":"tcp",{field}}}"#);
        assert_eq!(error(r#"{"to":"10.0.0.2","protocol":"tcp"}"#), "`from` is missing");
        assert_eq!(error(r#"{"from":"10.0.0.1","to":null,"protocol":"tcp"}"#), "`to` is missing");
        assert_eq!(error(r#"{"from":"10.0.0.1","to":"10.0.0.2"}"#), "`protocol` is missing");
        assert_eq!(
            error(r#"{"from":"10.0.0.0/8","to":"10.0.0.2","protocol":"tcp"}"#),
            "`from` is not an IP address: \"10.0.0.0/8\""
        );
        for protocol in [r#""warp""#, r#""""#, "300", "-2", "6.5", "true", "[6]"] {
            let text = format!(r#"{{"from":"10.0.0.1","to":"10.0.0.2","protocol":{protocol}}}"#);
            let expected = format!("`protocol` is not the name or number of a protocol: {protocol}");
            assert_eq!(error(&text), expected);
        }
        for port in ["65536", "-1", "22.5", r#""22""#] {
            let expected = format!("`port` is not a number from 0 to 65535: {port}");
            assert_eq!(error(&with(&format!(r#""port":{port}"#))), expected);
        }
        assert_eq!(error(&with(r#""icmp_code":256"#)), "`icmp_code` is not a number from 0 to 255: 256");
        assert_eq!(error(&with(r#""network":7"#)), "`network` is not an id: 7");
        assert_eq!(error(&with(r#""port_id":"""#)), "`port_id` is not an id: \"\"");
        assert_eq!(
            error(r#"{"from":"10.0.0.1","to":"10.0.0.2","protocol":"icmp","port":256}"#),
            "`port` is not an ICMP type from 0 to 255: 256"
        );
    }

    /// It was taken for a label, and the question was another one than was meant.
    #[test]
    fn a_slip_in_a_key_was_taken_for_a_label() {
        let with = |field: &str| format!(r#"{{"from":"10.0.0.1","to":"10.0.0.2","protocol":"tcp",{field}}}"#);
        assert_eq!(error(&with(r#""prot":22"#)), "`prot` is no key of a question: is `port` meant?");
        assert_eq!(
            error(r#"{"from":"10.0.0.1","to":"10.0.0.2","port":22,"prot":"tcp"}"#),
            "`prot` is no key of a question: is `protocol` meant?"
        );
        assert!(read_question(&with(r#""port":22,"prot":"a label","id":{"a":[1]}"#)).is_ok());
    }

    #[test]
    fn what_is_no_object_is_no_question() {
        for text in
            ["", "[1,2]", r#"["10.0.0.1","10.0.0.2","tcp"]"#, "null", "{", r#"{"from":"a","from":"b"}"#]
        {
            assert!(error(text).starts_with("not a question: "), "{text}");
        }
    }

    #[test]
    fn an_error_repeats_no_long_value() {
        let text = format!(r#"{{"from":"{}","to":"10.0.0.2","protocol":"tcp"}}"#, "é".repeat(10_000));
        assert!(error(&text).len() < 200);
    }

    #[test]
    fn an_answer_has_its_keys_even_where_there_is_nothing_to_say() {
        let path = vec![Hop {
            kind: Kind::Port,
            id: Some(Id::new("p1")),
            name: None,
            server: None,
            note: Some("port security is off".to_owned()),
            blocked: false,
        }];
        let candidate = CandidateVerdict {
            port_id: Some(Id::new("p1")),
            via: Via::Fixed,
            address: IpAddr::from([10, 0, 0, 5]).into(),
            fixed_ip: Some(IpAddr::from([10, 0, 0, 5]).into()),
            region: None,
            reason: Reason::Admitted,
            rule_id: None,
            path: path.clone(),
            not_modelled: Vec::new(),
        };
        let verdict = Verdict {
            reachable: true,
            reason: Reason::Admitted,
            path,
            rule_id: None,
            candidates: vec![candidate],
            not_modelled: Vec::new(),
        };
        let json = serde_json::to_string(&VerdictDocument::from(&verdict));
        let path = r#"[{"type":"port","id":"p1","name":null,"note":"port security is off"}]"#;
        let expected = [
            r#"{"reachable":true,"reason":"admitted","path":"#,
            path,
            r#","rule_id":null,"candidates":[{"port_id":"p1","via":"fixed","address":"10.0.0.5","#,
            r#""fixed_ip":"10.0.0.5","region":null,"reachable":true,"reason":"admitted","#,
            r#""rule_id":null,"path":"#,
            path,
            "}]}",
        ];
        assert_eq!(json.ok(), Some(expected.concat()));
    }

    #[test]
    fn an_answer_says_what_it_does_not_know() {
        let not_modelled = vec![NotModelled::Pools];
        let (path, candidates) = (Vec::new(), Vec::new());
        let reason = Reason::Admitted;
        let verdict = Verdict { reachable: true, reason, path, rule_id: None, candidates, not_modelled };
        let json = serde_json::to_value(VerdictDocument::from(&verdict)).unwrap_or_default();
        assert_eq!(json["not_modelled"], serde_json::json!([NotModelled::Pools.text()]));
    }
}
