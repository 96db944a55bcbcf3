//! A proxy on the way to an API: three keys that several tables have.

use super::section::{Section, text};
use super::{Secret, reference};

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// `http://HOST:PORT`.
    pub url: String,
    /// User and password, where it wants some.
    pub login: Option<(Secret, Secret)>,
}

/// The proxy of the keys `proxy`, `proxy_user` and `proxy_password`; none at all when what there is of it is wrong.
#[expect(clippy::option_option, reason = "no proxy, a proxy, and a wrong one are three things")]
pub(super) fn proxy(section: &mut Section<'_>) -> Option<Option<ProxyConfig>> {
    let url = section.read("proxy", |node| {
        let given = text(node)?.trim_end_matches('/');
        match given.strip_prefix("http://") {
            Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => Ok(given.to_owned()),
            _ => Err("must be `http://HOST:PORT`, with user and password in keys of their own".to_owned()),
        }
    });
    let has_user = reference::is_given(section, "proxy_user");
    let has_password = reference::is_given(section, "proxy_password");
    if !has_user && !has_password {
        // Nobody gave them; they are keys all the same.
        let _ = (section.take("proxy_user"), section.take("proxy_password"));
    }
    let login = if has_user || has_password {
        let user =
            reference::secret_if(|_| false, section, "proxy_user", "`proxy_password` is that of a user");
        let password = reference::secret(section, "proxy_password", "write { file = \"…\" }");
        Some((Secret::new(user?.0.to_string()), Secret::new(password?.0.to_string())))
    } else {
        None
    };
    match url {
        Some(url) => Some(Some(ProxyConfig { url, login })),
        None if section.was_given("proxy") => None,
        None if login.is_some() => {
            section.missing("proxy", "there are user and password for one");
            None
        }
        None => Some(None),
    }
}
