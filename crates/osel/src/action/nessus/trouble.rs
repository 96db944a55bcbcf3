//! What an answer that is no good means, in the words that all scanners have for it.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use hyper::StatusCode;
use osel_core::scan::{TEXT_CHARS_MAX, Trouble, cut};
use serde::Deserialize;

use crate::http::HttpError;
use crate::telemetry::chain;

/// What is said of a product whose API makes no scans.
const NO_API: &str = "its API makes and launches no scans (`API is not available`), as that of Nessus Professional, Expert and Essentials: \
                      use Nessus Manager or Tenable Vulnerability Management";

/// Whether a request changes something: then an answer that is lost leaves open whether it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only asks, or may be repeated without harm.
    None,
    /// It makes or launches something.
    Once,
    /// It ends or deletes something, again without harm. Whoever may not do that may do all the rest.
    Last,
}

/// An answer that is no success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// What it says of itself, free of secrets.
    pub(super) text: String,
}

/// What a scanner says is wrong.
#[derive(Deserialize)]
struct Said {
    error: String,
}

/// The text of an error document; of anything else, that it is no such document.
pub(super) fn said(body: &[u8]) -> String {
    match serde_json::from_slice::<Said>(body) {
        Ok(said) => said.error,
        Err(_) => "without an error in JSON".to_owned(),
    }
}

impl Refusal {
    /// What follows from it; `what` was asked.
    pub(super) fn trouble(self, what: &str, effect: Effect) -> Trouble {
        let Self { status, retry_after, text } = self;
        let after_seconds = retry_after.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        let told = format!("`{what}` was answered {}: {text}", status.as_u16());
        match status.as_u16() {
            403 if effect == Effect::Last => Trouble::Refused { why: told, addresses: Vec::new() },
            401 | 403 => Trouble::Denied(told),
            404 | 410 => Trouble::Gone(told),
            405 | 412 if text.contains("not available") => {
                Trouble::Refused { why: NO_API.to_owned(), addresses: Vec::new() }
            }
            409 => Trouble::Busy { after_seconds },
            429 => Trouble::Limited { after_seconds },
            // It says that it has not even looked.
            503 => Trouble::Unavailable(told),
            300..=399 => Trouble::Garbled(format!("{told}; no redirect is followed")),
            500.. if effect == Effect::Once => Trouble::Uncertain(told),
            500.. => Trouble::Unavailable(told),
            _ => Trouble::Refused { why: told, addresses: Vec::new() },
        }
    }
}

/// What follows from an answer that did not come, or not whole.
pub(super) fn of_http(error: &HttpError, effect: Effect) -> Trouble {
    let told = told(error);
    match error {
        HttpError::TooLarge(..) if effect != Effect::Once => Trouble::Garbled(told),
        HttpError::Slow(_) | HttpError::Broken(..) | HttpError::TooLarge(..) if effect == Effect::Once => {
            Trouble::Uncertain(told)
        }
        // What follows was never sent, or asks for nothing but an answer.
        _ => Trouble::Unavailable(told),
    }
}

/// What follows from an answer that cannot be read.
pub(super) fn garbled(what: &str, why: &str, effect: Effect) -> Trouble {
    let told = format!("the answer to `{what}` is not one of this scanner: {}", cut(why, TEXT_CHARS_MAX));
    match effect {
        Effect::None | Effect::Last => Trouble::Garbled(told),
        Effect::Once => Trouble::Uncertain(told),
    }
}

/// An error with its causes, cut to a limit.
pub(super) fn told(error: &dyn Error) -> String {
    cut(&chain(error), TEXT_CHARS_MAX)
}

/// The addresses of an order that a text names.
pub(super) fn named(text: &str, addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let is_between = |c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'));
    let named: Vec<IpAddr> =
        text.split(is_between).filter_map(|word| word.trim_end_matches(['.', ':']).parse().ok()).collect();
    addresses.filter(|address| named.contains(address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_trouble_and_which_depends_on_the_effect() {
        let trouble = |status, text: &str, effect| {
            let status = StatusCode::from_u16(status).unwrap();
            let refusal =
                Refusal { status, retry_after: Some(Duration::from_secs(7)), text: text.to_owned() };
            format!("{:?}", refusal.trouble("GET /scans", effect))
        };
        let word = |status, effect| trouble(status, "no", effect).split('(').next().unwrap().to_owned();
        for (status, asking, making) in [
            (302, "Garbled", "Garbled"),
            (401, "Denied", "Denied"),
            (403, "Denied", "Denied"),
            (404, "Gone", "Gone"),
            (409, "Busy { after_seconds: Some", "Busy { after_seconds: Some"),
            (429, "Limited { after_seconds: Some", "Limited { after_seconds: Some"),
            (500, "Unavailable", "Uncertain"),
            (502, "Unavailable", "Uncertain"),
            (503, "Unavailable", "Unavailable"),
        ] {
            assert_eq!(word(status, Effect::None), asking, "{status}");
            assert_eq!(word(status, Effect::Once), making, "{status}");
        }
        // To leave the scanner alone for that would keep it from all that it lets us do.
        assert_eq!(
            word(403, Effect::Last),
            "Refused { why: \"`GET /scans` was answered 403: no\", addresses: [] }"
        );
        assert_eq!(word(401, Effect::Last), "Denied");
        assert!(trouble(412, "API is not available", Effect::Once).contains("Nessus Manager"));
        assert!(!trouble(412, "no", Effect::Once).contains("Nessus Manager"));
    }

    #[test]
    fn what_an_error_says_is_read_and_names_addresses() {
        assert_eq!(said(br#"{"error": "Invalid 'name' field"}"#), "Invalid 'name' field");
        assert_eq!(said(b"<html>Bad Gateway</html>"), "without an error in JSON");
        let addresses: Vec<IpAddr> =
            ["192.0.2.1", "192.0.2.10", "2001:db8::1"].iter().map(|it| it.parse().unwrap()).collect();
        let named = |text| named(text, addresses.iter().copied());
        assert_eq!(named("Invalid target: 192.0.2.10."), [addresses[1]]);
        assert_eq!(named("2001:db8::1, 192.0.2.1 are not licensed"), [addresses[0], addresses[2]]);
        assert!(named("Invalid 'targets' field").is_empty());
    }
}
