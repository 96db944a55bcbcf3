//! Who we are to the scanner: keys in each request, or a session that is begun and ends when the scanner has enough of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::header::{HeaderName, HeaderValue};
use osel_core::scan::Trouble;

use crate::config::{NessusLogin, Secret};

/// The header of keys.
pub(super) const KEYS: HeaderName = HeaderName::from_static("x-apikeys");
/// The header of a session.
pub(super) const COOKIE: HeaderName = HeaderName::from_static("x-cookie");
/// The longest token of a session: real ones have 48 characters.
const TOKEN_CHARS_MAX: usize = 512;

/// The session that was begun last, for as long as it is good. After a crash there is none, and the next one is begun.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Option<Begun>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Begun {
    /// By whom and how: another user's session is not ours.
    login: NessusLogin,
    token: Secret,
}

impl Sessions {
    /// The token of the session, if there is one of this user.
    pub(super) fn token(&self, login: &NessusLogin) -> Option<Secret> {
        self.begun().as_ref().filter(|begun| begun.login == *login).map(|begun| begun.token.clone())
    }

    /// A session has begun.
    pub(super) fn keep(&self, login: &NessusLogin, token: &Secret) {
        *self.begun() = Some(Begun { login: login.clone(), token: token.clone() });
    }

    /// A session has ended.
    pub(super) fn forget(&self, token: &Secret) {
        let mut begun = self.begun();
        if begun.as_ref().is_some_and(|begun| begun.token == *token) {
            *begun = None;
        }
    }

    fn begun(&self) -> MutexGuard<'_, Option<Begun>> {
        // Whoever panicked has put one in or taken one out, or has not.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header of keys with its value.
///
/// # Errors
/// When they cannot stand in a header.
pub(super) fn keys(access: &Secret, secret: &Secret) -> Result<(HeaderName, HeaderValue), Trouble> {
    let value = format!("accessKey={}; secretKey={}", access.expose(), secret.expose());
    header(KEYS, &value)
        .ok_or_else(|| Trouble::Denied("the keys hold more than letters and digits".to_owned()))
}

/// The header of a session with its value.
///
/// # Errors
/// When the token is none.
pub(super) fn cookie(token: &Secret) -> Result<(HeaderName, HeaderValue), Trouble> {
    let value = format!("token={}", token.expose());
    let is_token = !token.expose().is_empty() && value.len() <= TOKEN_CHARS_MAX;
    let header = if is_token { header(COOKIE, &value) } else { None };
    header.ok_or_else(|| Trouble::Garbled("the scanner began a session without a usable token".to_owned()))
}

fn header(name: HeaderName, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
