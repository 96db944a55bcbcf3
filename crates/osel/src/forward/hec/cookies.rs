//! Cookies of a balancer before several collectors: with them it leads each request to the collector that it led the first to, which is
//! the only one that knows the acknowledgements.

use hyper::HeaderMap;
use hyper::header::{HeaderValue, SET_COOKIE};

/// The most cookies; a balancer sets one or two.
const COOKIES_MAX: usize = 8;
/// The longest cookie, as browsers have it.
const COOKIE_BYTES_MAX: usize = 4096;

/// The cookies of one collector's URL. Whether they end is not looked at: a balancer that does not know one any more sets another.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Keeps what an answer sets.
    pub(super) fn keep(&mut self, headers: &HeaderMap) {
        let set = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        for cookie in set.filter(|cookie| cookie.len() <= COOKIE_BYTES_MAX) {
            let pair = cookie.split(';').next().and_then(|pair| pair.trim().split_once('='));
            let Some((name, value)) = pair.filter(|(name, _)| !name.is_empty()) else { continue };
            self.0.retain(|(known, _)| known != name);
            if self.0.len() < COOKIES_MAX {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The header for the next request.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_last_is_sent_back() {
        let mut cookies = Cookies::default();
        assert_eq!(cookies.header(), None);
        for set in [
            "AWSALB=one; Expires=Thu, 03 Dec 2026 10:00:00 GMT; Path=/",
            "lb=2",
            "AWSALB=three; Path=/",
            "none",
            "=x",
        ] {
            let headers = [(SET_COOKIE, HeaderValue::from_static(set))].into_iter().collect();
            cookies.keep(&headers);
        }
        assert_eq!(cookies.header().unwrap(), "lb=2; AWSALB=three");
    }
}
