//! How the emulated services fail, and when.

use std::str::FromStr;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The connection is closed without an answer, as by a service that is down behind its balancer.
    Down,
    /// No answer ever comes.
    Hang,
    /// The answer comes late.
    Slow(Duration),
    /// An error that a proxy or a service gives, with the value of `Retry-After` where it says one.
    Status {
        /// The status.
        code: u16,
        /// The header's value.
        retry_after: Option<String>,
    },
    /// The token has just expired: it is refused, now and later.
    ExpiredToken,
    /// The body ends before its end.
    CutBody,
    /// The body is not JSON.
    Garbage,
    /// Links to the next page name a host that nobody can reach.
    ForeignLinks,
    /// The link to the next page leads to the same page again.
    LoopingLinks,
    /// The object after which the page was to begin was just deleted.
    MarkerGone,
    /// Pages behind the first are empty, and the list ends there: as from a server without the policy by which all is shown.
    Blind,
}

/// A failure of some requests: those whose path and query hold its part.
pub type Fault = crate::fault::Fault<What>;

/// A text that is no fault.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no fault: see the words in the help")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    /// `WHAT[@PATH[@AFTER[@TIMES]]]`, with `WHAT` one of `down`, `hang`, `slow=SECONDS`, a status such as `503` or `429=SECONDS` (with
    /// `Retry-After`), `expired`, `cut`, `garbage`, `foreign-links`, `looping-links`, `marker-gone`, `blind`.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault(text.to_owned());
        let number = |text: &str| text.parse::<u64>().map_err(|_| unknown());
        let mut parts = text.split('@');
        let word = parts.next().unwrap_or_default();
        let (word, value) = word.split_once('=').map_or((word, None), |(word, value)| (word, Some(value)));
        let what = match (word, value) {
            ("down", None) => What::Down,
            ("hang", None) => What::Hang,
            ("slow", Some(seconds)) => What::Slow(Duration::from_secs(number(seconds)?)),
            ("expired", None) => What::ExpiredToken,
            ("cut", None) => What::CutBody,
            ("garbage", None) => What::Garbage,
            ("foreign-links", None) => What::ForeignLinks,
            ("looping-links", None) => What::LoopingLinks,
            ("marker-gone", None) => What::MarkerGone,
            ("blind", None) => What::Blind,
            (code, after) => {
                let code = code.parse().ok().filter(|code| (400..600).contains(code)).ok_or_else(unknown)?;
                What::Status { code, retry_after: after.map(str::to_owned) }
            }
        };
        let mut fault = Self::new(what).on(parts.next().unwrap_or_default());
        if let Some(after) = parts.next() {
            fault = fault.after(usize::try_from(number(after)?).unwrap_or(usize::MAX));
        }
        if let Some(times) = parts.next() {
            fault = fault.times(usize::try_from(number(times)?).unwrap_or(usize::MAX));
        }
        if parts.next().is_some() { Err(unknown()) } else { Ok(fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_word() {
        let status = |code, after: Option<&str>| What::Status { code, retry_after: after.map(str::to_owned) };
        for (text, wanted) in [
            ("down", Fault::new(What::Down)),
            ("slow=3@/ports", Fault::new(What::Slow(Duration::from_secs(3))).on("/ports")),
            ("429=7@/ports@10", Fault::new(status(429, Some("7"))).on("/ports").after(10)),
            ("503@@0@1", Fault::new(status(503, None)).times(1)),
        ] {
            assert_eq!(text.parse::<Fault>().unwrap(), wanted, "{text}");
        }
        for text in ["", "up", "slow", "slow=x", "200", "503@a@b", "503@a@1@1@1"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
