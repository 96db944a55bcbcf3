//! What drivers of receivers over HTTP have in common: how one is reached, and what it means when there is no answer or a refusal.
//!
//! What a receiver's own words mean is the affair of its driver.

use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use osel_core::forward::{Refusal, RefusalKind};
use osel_core::scan::{TEXT_CHARS_MAX, cut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::config::{HttpReceiverConfig, Secret};
use crate::http::{Http, HttpError, Proxy, Trust, without_login};
use crate::telemetry::chain;

/// The longest answer that is read: receivers say a line or two, and some a page of HTML.
pub(super) const ANSWER_BYTES_MAX: usize = 65_536;
/// What stands in the place of a secret that a receiver sends back to us.
const HIDDEN: &str = "***";

/// A way to the receiver, over connections that are kept: what is sent again after a lost answer has the same ids. It reads the files that
/// the configuration names, so it blocks.
///
/// # Errors
/// When a file cannot be read, or the proxy is none.
pub(super) fn reached(config: &HttpReceiverConfig, is_tls: bool) -> Result<Http, Refusal> {
    let misconfigured = |error: &dyn std::error::Error| refusal(RefusalKind::Denied, &chain(error));
    let trust = is_tls.then(|| Trust::read(&config.tls, true, None)).transpose();
    let trust = trust.map_err(|error| misconfigured(&error))?;
    let proxy = match &config.proxy {
        None => None,
        Some(given) => {
            let proxy = Proxy::new(&given.url).map_err(|error| misconfigured(&error))?;
            Some(match &given.login {
                None => proxy,
                Some((user, password)) => proxy.with_login(user.expose(), password.expose()),
            })
        }
    };
    Ok(Http::new(trust).over(proxy).within(Duration::from_secs(config.answer_seconds.into())).keeping())
}

/// Headers of the configuration, whose values are secrets.
///
/// # Errors
/// When one is none, which the configuration has refused.
pub(super) fn configured(headers: &[(String, Secret)]) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let header = |(name, value): &(String, Secret)| {
        let wrong = "a header of the configuration is no header";
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| refusal(RefusalKind::Denied, wrong))?;
        let value = HeaderValue::from_str(value.expose()).map_err(|_| refusal(RefusalKind::Denied, wrong));
        let mut value = value?;
        value.set_sensitive(true);
        Ok((name, value))
    };
    headers.iter().map(header).collect()
}

/// A refusal of which nothing was taken.
pub(super) fn refusal(kind: RefusalKind, words: &str) -> Refusal {
    Refusal { kind, words: cut(words, TEXT_CHARS_MAX), taken: 0, wait: None }
}

/// What it means that there is no answer.
pub(super) fn of_http(error: &HttpError) -> Refusal {
    let kind = match error {
        HttpError::Unreachable(..) | HttpError::Broken(..) => RefusalKind::Unavailable,
        // 407: it wants to know who we are, or did not like it.
        HttpError::NoTunnel { status, .. } if status.as_u16() != 407 => RefusalKind::Unavailable,
        HttpError::Slow(_) => RefusalKind::Silent,
        HttpError::TooLarge(..) => RefusalKind::Garbled,
        HttpError::Url(_)
        | HttpError::Trust(_)
        | HttpError::Proxy(_)
        | HttpError::NoTunnel { .. }
        | HttpError::Untrusted(..)
        | HttpError::Request(_) => RefusalKind::Denied,
    };
    refusal(kind, &chain(error))
}

/// Whether a request without an answer may have been taken.
pub(super) fn may_have_arrived(error: &HttpError) -> bool {
    matches!(error, HttpError::Broken(..) | HttpError::Slow(_) | HttpError::TooLarge(..))
}

/// What a status means that is none of success, where nothing else is known of the answer.
pub(super) fn of_status(status: u16) -> RefusalKind {
    match status {
        408 => RefusalKind::Silent,
        413 => RefusalKind::TooLarge,
        429 | 502..=504 => RefusalKind::Unavailable,
        // It may be because of what it was sent.
        400 | 422 | 500..=599 => RefusalKind::Failed,
        // It leads elsewhere, where nobody is followed to, or there is nothing.
        300..=399 | 404 | 410 => RefusalKind::Misplaced,
        400..=499 => RefusalKind::Denied,
        _ => RefusalKind::Garbled,
    }
}

/// An answer in words: its status, where a redirect leads, and what is said besides.
pub(super) fn answers(status: u16, leads_to: Option<&str>, said: &str) -> String {
    match (status, leads_to) {
        (300..=399, Some(to)) => format!(
            "{status}, a redirect, which osel does not follow: if `{to}` is the receiver, configure that URL"
        ),
        (300..=399, None) => {
            format!(
                "{status}, a redirect, which osel does not follow: configure where it leads{}",
                quoted(said)
            )
        }
        _ => format!("{status}{}", quoted(said)),
    }
}

/// What is said, behind what it is said to; nothing where nothing is.
pub(super) fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": `{said}`") }
}

/// Where a redirect leads, if it says so: without a login and without what stands behind `?` or `#`, which may be secrets.
pub(super) fn leads_to<'s>(
    headers: &HeaderMap,
    secrets: impl IntoIterator<Item = &'s Secret>,
) -> Option<String> {
    let url = headers.get(LOCATION)?.as_bytes();
    let path = url.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    let path = without_login(&String::from_utf8_lossy(path));
    Some(said(path.as_bytes(), secrets)).filter(|path| !path.is_empty())
}

/// What a receiver says, without our secrets and in a line. It is cut last: half a secret would not be found.
pub(super) fn said<'s>(text: &[u8], secrets: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut parts: Vec<String> =
        secrets.into_iter().map(Secret::expose).flat_map(told_parts).flat_map(spellings).collect();
    // The longest first: what is left of one of which a part is hidden would not be found.
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    let text = String::from_utf8_lossy(text).into_owned();
    let text = parts.iter().fold(text, |text, part| text.replace(part, HIDDEN));
    cut(&text, TEXT_CHARS_MAX)
}

/// The shortest part of a URL that is taken for a secret by itself. Those of the services have 24 characters and more, but whoever makes a
/// receiver of their own may choose shorter ones.
const SECRET_PART_CHARS_MIN: usize = 6;
/// From this length on every part is; a shorter one is unless it is a word, such as `webhook` or `api-version`, or a date: those are what a
/// receiver's answer speaks of.
const SECRET_WORD_CHARS_MIN: usize = 16;

fn may_be_secret(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_');
    let is_date = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    let is_plain = part.bytes().all(is_word) || (part.contains('-') && part.bytes().all(is_date));
    part.len() >= SECRET_PART_CHARS_MIN && (part.len() >= SECRET_WORD_CHARS_MIN || !is_plain)
}

/// What a URL leaves as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of a secret as a receiver may write it: as it stands, without the escapes of a URL and with them, in either case, and each of
/// these as JSON of some has a `/`.
fn spellings(part: &str) -> impl Iterator<Item = String> {
    let plain = percent_decode_str(part).decode_utf8_lossy().into_owned();
    let escaped = || utf8_percent_encode(&plain, ESCAPED);
    // Each escape is a piece of its own.
    let is_escape = |piece: &&str| piece.starts_with('%');
    let lower =
        escaped().map(|piece| if is_escape(&piece) { piece.to_lowercase() } else { piece.to_owned() });
    let spelled = [part.to_owned(), lower.collect(), escaped().to_string(), plain];
    spelled
        .into_iter()
        .flat_map(|part| [part.replace('/', "\\/"), part])
        .filter(|part| part.len() >= SECRET_CHARS_MIN)
}

/// A single character is no secret, and stands everywhere.
const SECRET_CHARS_MIN: usize = 2;

/// A secret as a receiver may repeat it: whole; of a URL what stands behind its host, with and without its question, and each long part of
/// that, as a service names a webhook by its id; of a header what stands behind the last space, as of `Bearer TOKEN`.
fn told_parts(secret: &str) -> impl Iterator<Item = &str> {
    let behind_host = secret
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
        .filter(|path| path.len() > 1);
    let path = behind_host.and_then(|path| path.split_once('?')).map(|(path, _)| path);
    let last = secret.rsplit_once(' ').map(|(_, last)| last);
    let parts = behind_host.into_iter().flat_map(|path| path.split(['/', '?', '&', '=']));
    let parts = parts.filter(|part| may_be_secret(part));
    [Some(secret), behind_host, path, last]
        .into_iter()
        .flatten()
        .filter(|part| part.len() >= SECRET_CHARS_MIN)
        .chain(parts)
}

/// Scheme, host and port of a URL: what of it everybody may see.
pub(super) fn origin(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    parts.map_or_else(
        || "a URL that is none".to_owned(),
        |(scheme, authority)| format!("{scheme}://{authority}"),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use osel_core::format::Severity;
    use osel_core::time::Timestamp;
    use osel_core::trail::RecordKind;

    use super::*;
    use crate::forward::receiver::Item;

    /// A record with that line.
    pub(in crate::forward) fn item(seq: u64, line: &str) -> Item {
        Item {
            seq,
            id: format!("00-{seq}"),
            time: Timestamp::from_micros(1_767_225_600_123_456),
            recorded_at: Timestamp::from_micros(1_767_225_600_200_000),
            kind: RecordKind::Change,
            severity: Severity::High,
            event_type: None,
            line: line.as_bytes().to_vec(),
        }
    }

    #[test]
    fn what_a_receiver_repeats_of_a_secret_is_hidden_whichever_part_of_it_that_is() {
        let secrets = ["https://h.example/hooks/T0/xyzzy?k=1", "Bearer hunter2"]
            .map(|text| Secret::new(text.to_owned()));
        for text in [
            "Cannot POST /hooks/T0/xyzzy",
            "POST /hooks/T0/xyzzy?k=1",
            "no such token: hunter2",
            "Bearer hunter2",
        ] {
            let said = said(text.as_bytes(), &secrets);
            assert!(!said.contains("xyzzy") && !said.contains("hunter2"), "{said}");
        }
        let url = Secret::new(
            "https://chat.example/hooks/k8hrsecrethookid9xyzzyabcd?sig=0123456789abcdef".to_owned(),
        );
        let words = "no payload for incoming webhook k8hrsecrethookid9xyzzyabcd (0123456789abcdef) at /hooks";
        assert_eq!(said(words.as_bytes(), [&url]), "no payload for incoming webhook *** (***) at /hooks");
    }

    #[test]
    fn what_an_answer_speaks_of_is_not_hidden_where_the_url_has_the_word_too() {
        let url = "https://siem.example/triggers/manual/x9Y2zz?api-version=2016-06-01&source=openstack";
        let url = Secret::new(url.to_owned());
        let words =
            "the trigger manual of 2016-06-01 needs api-version, and source from openstack, not x9Y2zz";
        let kept = "the trigger manual of 2016-06-01 needs api-version, and source from openstack, not ***";
        assert_eq!(said(words.as_bytes(), [&url]), kept);
    }

    #[test]
    fn a_secret_is_hidden_however_a_receiver_spells_it() {
        let url = Secret::new("https://h.example/hook/xyzzy%2b7/SECRETA2?sig=a%2Fb".to_owned());
        for text in [
            "unknown hook id SECRETA2",
            "unknown hook id xyzzy%2b7, that is xyzzy+7 or xyzzy%2B7",
            "no %2Fhook%2Fxyzzy%2B7%2FSECRETA2",
            "no %2fhook%2fxyzzy%2b7%2fSECRETA2",
            r#"{"path":"\/hook\/xyzzy%2b7\/SECRETA2"}"#,
            r#"{"url":"https:\/\/h.example\/hook\/xyzzy+7\/SECRETA2?sig=a\/b"}"#,
        ] {
            let said = said(text.as_bytes(), [&url]);
            assert!(!said.contains("xyzzy") && !said.contains("SECRETA2") && !said.contains("a/b"), "{said}");
        }
        // Of short parts only together with what stands before them.
        let url = Secret::new("https://h.example/in/xyz".to_owned());
        for text in ["no /in/xyz", "no %2Fin%2Fxyz", r"no \/in\/xyz"] {
            assert_eq!(said(text.as_bytes(), [&url]), "no ***");
        }
    }

    #[test]
    fn a_status_says_whether_waiting_helps_or_somebody_has_to_act() {
        for (status, wanted) in [
            (301, RefusalKind::Misplaced),
            (400, RefusalKind::Failed),
            (401, RefusalKind::Denied),
            (403, RefusalKind::Denied),
            (404, RefusalKind::Misplaced),
            (408, RefusalKind::Silent),
            (413, RefusalKind::TooLarge),
            (422, RefusalKind::Failed),
            (429, RefusalKind::Unavailable),
            (500, RefusalKind::Failed),
            (503, RefusalKind::Unavailable),
            (199, RefusalKind::Garbled),
        ] {
            assert_eq!(of_status(status), wanted, "{status}");
        }
    }

    #[test]
    fn an_answer_in_words_says_where_a_redirect_leads_and_quotes_nothing_that_is_not_there() {
        let told = |location: &str| {
            let location = (LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap());
            let secret = Secret::new("https://h.example/hooks/xyzzy".to_owned());
            let to = leads_to(&HeaderMap::from_iter([location]), [&secret]);
            answers(302, to.as_deref(), "moved")
        };
        let wanted = |to: &str| {
            format!(
                "302, a redirect, which osel does not follow: if `{to}` is the receiver, configure that URL"
            )
        };
        assert_eq!(told("https://new.example/in?token=hunter2#x"), wanted("https://new.example/in"));
        assert_eq!(
            told("https://ann:hunter2@new.example/\thooks/xyzzy"),
            wanted("https://new.example/ hooks/xyzzy")
        );
        assert_eq!(told("https://new.example/hooks/xyzzy"), wanted("https://new.example***"));
        assert!(told(&format!("/{}", "x".repeat(10_000))).chars().count() < TEXT_CHARS_MAX + 100);
        let nowhere = "302, a redirect, which osel does not follow: configure where it leads: `moved`";
        assert_eq!(told("?token=hunter2"), nowhere);
        assert_eq!(
            (answers(401, None, ""), answers(401, None, "no")),
            ("401".to_owned(), "401: `no`".to_owned())
        );
    }

    #[test]
    fn what_is_told_has_no_secret_and_is_a_line() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(said(b"Invalid\ntoken hunter2", [&secret]), "Invalid token ***");
        // A secret at the place where the text is cut.
        let long = format!("{}hunter2", "x".repeat(TEXT_CHARS_MAX - 4));
        assert!(!said(long.as_bytes(), [&secret]).contains("hun"));
        assert_eq!(origin("https://hooks.example:8443/T0/secret?x=1"), "https://hooks.example:8443");
    }
}
