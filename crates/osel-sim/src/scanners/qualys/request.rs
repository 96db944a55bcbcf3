//! A request as the service sees it, free of HTTP.

use std::net::IpAddr;

/// What somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path as it came.
    pub(super) path: String,
    /// What stands in the query, and then what stands in the form.
    pub(super) parameters: Vec<(String, String)>,
    /// `Authorization`.
    pub(super) authorization: Option<String>,
    /// `X-Requested-With`.
    pub(super) requested_with: Option<String>,
    /// `Cookie`.
    pub(super) cookie: Option<String>,
    /// Scheme and host as the asker named them.
    pub(super) origin: String,
}

impl Request {
    /// The value of a parameter that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The action.
    pub(super) fn action(&self) -> &str {
        self.get("action").unwrap_or_default()
    }

    /// Method, path and parameters in one line, without what is secret.
    pub(super) fn line(&self) -> String {
        let shown: Vec<String> = self
            .parameters
            .iter()
            .filter(|(name, _)| name != "password")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} {} {}", self.method, self.path, shown.join("&"))
    }
}

/// Whether a text is of numbers alone.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A comma list of addresses and ranges, as pairs of the first and the last address.
pub(super) fn ranges(text: &str) -> Option<Vec<(IpAddr, IpAddr)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last && first.is_ipv4() == last.is_ipv4()).then_some((first, last))
    };
    text.split(',').map(|part| range(part.trim())).collect()
}

/// The addresses of ranges, in order, each once; none where they are more than a scan may have.
pub(super) fn addresses(ranges: &[(IpAddr, IpAddr)], most: usize) -> Option<Vec<IpAddr>> {
    let mut all = Vec::new();
    for &(first, last) in ranges {
        let mut next = first;
        loop {
            all.push(next);
            if all.len() > most {
                return None;
            }
            if next >= last {
                break;
            }
            next = match next {
                IpAddr::V4(address) => IpAddr::V4((u32::from(address) + 1).into()),
                IpAddr::V6(address) => IpAddr::V6((u128::from(address) + 1).into()),
            };
        }
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}
