//! What goes wrong with one request, and what that means: by the code first, and by the status only where there is none.

use std::error::Error;

use hyper::HeaderMap;
use osel_core::scan::{TEXT_CHARS_MAX, Trouble, cut};

use crate::http::HttpError;
use crate::telemetry::chain;

/// What is told of a wrong password, for which there may be another reason.
const NOT_KNOWN: &str = "user or password is wrong, or the account has no access to the API, or `url` is the host of another platform: \
                         Qualys gives all three the same answer";

/// Why a request has no answer that is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It has not reached the service: why.
    Unsent(String),
    /// It has been sent, and what became of it is not known: why.
    Lost(String),
    /// The proxy does not know us.
    Stopped(String),
    /// The service says no.
    Refused(Refusal),
    /// What came back is no answer of the service, or is larger than may be: why.
    Garbled(String),
    /// Another place was named.
    Elsewhere(String),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// None where something before the service answers.
    pub(super) code: Option<u32>,
    pub(super) text: String,
    /// What the headers say of waiting.
    pub(super) wait: Wait,
}

/// What an answer says of its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wait {
    /// Seconds until more may be asked.
    pub(super) seconds: Option<u32>,
    /// Whether as many requests are under way as may be.
    pub(super) is_full: bool,
}

impl Wait {
    /// As the headers have it, in either spelling.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let number = |name: &str| -> Option<u32> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
        let either = |end: &str| {
            number(&format!("x-concurrency-limit-{end}"))
                .or_else(|| number(&format!("x-concurrencylimit-{end}")))
        };
        let seconds = number("x-ratelimit-towait-sec").or_else(|| number("retry-after"));
        let is_full =
            matches!((either("limit"), either("running")), (Some(limit), Some(running)) if running >= limit);
        Self { seconds: seconds.filter(|&seconds| seconds > 0), is_full }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let words = words(&error);
        match error {
            HttpError::NoTunnel { status, .. } if status.as_u16() == 407 => Self::Stopped(words),
            HttpError::Slow(_) | HttpError::Broken(..) => Self::Lost(words),
            HttpError::TooLarge(..) => Self::Garbled(words),
            _ => Self::Unsent(words),
        }
    }
}

/// An error and its causes in one line.
pub(super) fn words(error: &dyn Error) -> String {
    cut(&chain(error), TEXT_CHARS_MAX)
}

impl Refusal {
    /// The refusal in a line.
    pub(super) fn words(&self) -> String {
        let text = cut(&self.text, TEXT_CHARS_MAX);
        match (self.code, text.is_empty()) {
            (Some(code), true) => format!("Qualys answers {code}"),
            (Some(code), false) => format!("Qualys answers {code}: {text}"),
            (None, _) => format!("an answer with the status {} that is none of Qualys", self.status),
        }
    }

    /// Whether it is about the addresses of a launch: one outside of the subscription comes with either code.
    pub(super) fn may_name_addresses(&self) -> bool {
        matches!(self.code, Some(999 | 1905 | 1907))
    }

    /// Whether it is about a scan that is not there.
    fn is_about_reference(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        self.code == Some(1905) && (text.contains("scan_ref") || text.contains("scan reference"))
    }

    /// What it means.
    fn trouble(&self) -> Trouble {
        let why = self.words();
        let after_seconds = self.wait.seconds;
        let busy = Trouble::Busy { after_seconds };
        let limited = Trouble::Limited { after_seconds };
        match self.code {
            Some(1960) => busy,
            Some(1965) => limited,
            // What blocks is not said: the headers are asked.
            Some(1920) if self.wait.is_full || after_seconds.is_none() => busy,
            Some(1920) => limited,
            Some(1981) => Trouble::Unavailable(format!("{why} (in progress)")),
            Some(1999) => Trouble::Unavailable(format!("{why} (maintenance)")),
            Some(2000) => Trouble::Denied(format!("{why}: {NOT_KNOWN}")),
            Some(2001..=2999) => Trouble::Denied(why),
            Some(999) if self.text.to_ascii_lowercase().contains("maximum number of concurrent") => busy,
            Some(999) => Trouble::Unavailable(why),
            _ if self.is_about_reference() => Trouble::Gone(why),
            Some(_) if self.status == 429 => limited,
            Some(_) if self.status >= 500 => Trouble::Unavailable(why),
            Some(_) => Trouble::Refused { why, addresses: Vec::new() },
            None => match self.status {
                401 => Trouble::Denied(format!("{why}: {NOT_KNOWN}")),
                403 => Trouble::Denied(why),
                407 => Trouble::Denied("the proxy does not know us".to_owned()),
                404 | 410 => Trouble::Refused {
                    why: format!(
                        "{why}: is `url` the host of the API, and is this version of the endpoint still served?"
                    ),
                    addresses: Vec::new(),
                },
                429 => limited,
                409 => busy,
                500.. => Trouble::Unavailable(why),
                _ => Trouble::Garbled(why),
            },
        }
    }
}

impl Failure {
    /// What it means of a request that changes nothing, or may be made twice.
    pub(super) fn trouble(self) -> Trouble {
        match self {
            Self::Unsent(why) | Self::Lost(why) => Trouble::Unavailable(why),
            Self::Stopped(why) => Trouble::Denied(why),
            Self::Garbled(why) => Trouble::Garbled(why),
            Self::Elsewhere(to) => Trouble::Garbled(elsewhere(&to)),
            Self::Refused(refusal) => refusal.trouble(),
        }
    }

    /// What it means of a request that ends or deletes a scan. Whoever may not do that may do all the rest, so that it is no reason to
    /// leave the service alone.
    pub(super) fn trouble_of_end(self) -> Trouble {
        match self {
            Self::Refused(refusal) if refusal.code == Some(2012) => {
                Trouble::Refused { why: refusal.words(), addresses: Vec::new() }
            }
            other => other.trouble(),
        }
    }

    /// What it means of a launch: where it may have been taken, that is to be found out first.
    pub(super) fn trouble_of_launch(self) -> Trouble {
        match self {
            Self::Lost(why) | Self::Garbled(why) => Trouble::Uncertain(why),
            // A scan is made before its answer is written: an internal error, or one of something in between, may be of the answer alone.
            Self::Refused(refusal) => match refusal.trouble() {
                Trouble::Unavailable(why) if refusal.code != Some(1999) => Trouble::Uncertain(why),
                trouble => trouble,
            },
            other => other.trouble(),
        }
    }
}

fn elsewhere(to: &str) -> String {
    format!("an answer that leads to `{to}`, which is not followed: is `url` the host of the API?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: u32, text: &str, seconds: Option<u32>, is_full: bool) -> Refusal {
        let code = Some(code).filter(|&code| code > 0);
        Refusal { status, code, text: text.to_owned(), wait: Wait { seconds, is_full } }
    }

    #[test]
    fn a_refusal_means_what_its_code_says_whatever_its_status() {
        let word = |trouble: Trouble| match trouble {
            Trouble::Busy { after_seconds } => format!("busy {after_seconds:?}"),
            Trouble::Limited { after_seconds } => format!("limited {after_seconds:?}"),
            Trouble::Unavailable(_) => "unavailable".to_owned(),
            Trouble::Uncertain(_) => "uncertain".to_owned(),
            Trouble::Denied(_) => "denied".to_owned(),
            Trouble::Refused { .. } => "refused".to_owned(),
            Trouble::Gone(_) => "gone".to_owned(),
            Trouble::Garbled(_) => "garbled".to_owned(),
        };
        for (status, code, text, seconds, is_full, wanted, of_launch) in [
            (409, 1960, "", None, true, "busy None", "busy None"),
            (409, 1965, "", Some(90), false, "limited Some(90)", "limited Some(90)"),
            (400, 1965, "", Some(90), false, "limited Some(90)", "limited Some(90)"),
            (200, 1965, "", None, false, "limited None", "limited None"),
            (409, 1920, "", Some(9), true, "busy Some(9)", "busy Some(9)"),
            (409, 1920, "", Some(9), false, "limited Some(9)", "limited Some(9)"),
            (409, 1920, "", None, false, "busy None", "busy None"),
            (202, 1981, "", None, false, "unavailable", "uncertain"),
            (503, 1999, "", None, false, "unavailable", "unavailable"),
            (501, 1999, "", None, false, "unavailable", "unavailable"),
            (500, 999, "Internal error", None, false, "unavailable", "uncertain"),
            (
                200,
                999,
                "You have reached the maximum number of concurrent running scans",
                None,
                false,
                "busy None",
                "busy None",
            ),
            (401, 2000, "Bad Login/Password", None, false, "denied", "denied"),
            (200, 2002, "", None, false, "denied", "denied"),
            (401, 2003, "", None, false, "denied", "denied"),
            (409, 2011, "", None, false, "denied", "denied"),
            (403, 2012, "", None, false, "denied", "denied"),
            (400, 1901, "", None, false, "refused", "refused"),
            (400, 1903, "", None, false, "refused", "refused"),
            (200, 1904, "", None, false, "refused", "refused"),
            (400, 1905, "parameter option_id has invalid value", None, false, "refused", "refused"),
            (400, 1905, "parameter scan_ref has invalid value", None, false, "gone", "gone"),
            (400, 1907, "", None, false, "refused", "refused"),
            (400, 1908, "", None, false, "refused", "refused"),
            (429, 0, "", Some(3), false, "limited Some(3)", "limited Some(3)"),
            (401, 0, "", None, false, "denied", "denied"),
            (403, 0, "", None, false, "denied", "denied"),
            (404, 0, "", None, false, "refused", "refused"),
            (502, 0, "", None, false, "unavailable", "uncertain"),
            (418, 0, "", None, false, "garbled", "garbled"),
        ] {
            let failure = Failure::Refused(refusal(status, code, text, seconds, is_full));
            assert_eq!(word(failure.clone().trouble()), wanted, "{status} {code}");
            assert_eq!(word(failure.trouble_of_launch()), of_launch, "launch: {status} {code}");
        }
    }

    #[test]
    fn whoever_may_not_delete_may_do_all_the_rest() {
        let of_end = |code| Failure::Refused(refusal(403, code, "", None, false)).trouble_of_end();
        assert!(matches!(of_end(2012), Trouble::Refused { .. }));
        assert!(matches!(of_end(2000), Trouble::Denied(_)));
    }

    #[test]
    fn a_wrong_password_may_be_a_wrong_host() {
        let Trouble::Denied(why) = refusal(401, 2000, "Bad Login/Password", None, false).trouble() else {
            panic!("it is denied");
        };
        assert!(
            why.starts_with("Qualys answers 2000: Bad Login/Password: user or password is wrong"),
            "{why}"
        );
        assert!(why.contains("another platform"), "{why}");
    }

    #[test]
    fn headers_tell_of_waiting_in_either_spelling() {
        let wait = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            let Wait { seconds, is_full } = Wait::of(&headers);
            (seconds, is_full)
        };
        assert_eq!(wait(&[("x-ratelimit-towait-sec", "181")]), (Some(181), false));
        assert_eq!(wait(&[("x-ratelimit-towait-sec", "0")]), (None, false));
        assert_eq!(wait(&[("retry-after", "7")]), (Some(7), false));
        assert_eq!(
            wait(&[("x-concurrency-limit-limit", "2"), ("x-concurrency-limit-running", "2")]),
            (None, true)
        );
        assert_eq!(
            wait(&[("x-concurrencylimit-limit", "2"), ("x-concurrencylimit-running", "1")]),
            (None, false)
        );
        assert_eq!(wait(&[("x-ratelimit-towait-sec", "soon")]), (None, false));
    }

    #[test]
    fn what_may_have_been_sent_is_uncertain_for_a_launch_alone() {
        let lost = || Failure::from(HttpError::Slow("q:443".to_owned()));
        assert!(matches!(lost().trouble(), Trouble::Unavailable(_)));
        assert!(matches!(lost().trouble_of_launch(), Trouble::Uncertain(_)));
        let away =
            || Failure::from(HttpError::Unreachable("q:443".to_owned(), std::io::ErrorKind::TimedOut.into()));
        assert!(matches!(away().trouble_of_launch(), Trouble::Unavailable(_)));
        assert!(matches!(Failure::Garbled("x".to_owned()).trouble_of_launch(), Trouble::Uncertain(_)));
        assert!(matches!(Failure::Elsewhere("x".to_owned()).trouble_of_launch(), Trouble::Garbled(_)));
    }
}
