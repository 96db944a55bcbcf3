//! Why something that changed is not scanned: always one of these, and always told.

use super::queue::PENDING_SCANS_MAX;

/// Why an address is not scanned, or a part of its ports is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyNot {
    /// It is on the list of what is never scanned.
    Never,
    /// The policy leaves its project out.
    Project,
    /// Too many others wait.
    Full,
    /// The scanner does no UDP: these ports are left out.
    Udp,
    /// The scanner does no IPv6.
    Ipv6,
    /// It waited longer than anything may.
    Waited,
    /// The scanner that it waited for is not there any more.
    Scanner,
}

impl WhyNot {
    /// The word of it in the trail, the same for ever.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never_prefix",
            Self::Project => "project",
            Self::Full => "full",
            Self::Udp => "udp",
            Self::Ipv6 => "ipv6",
            Self::Waited => "waited",
            Self::Scanner => "scanner",
        }
    }

    /// The same for people, after a colon.
    pub fn text(self) -> String {
        match self {
            Self::Never => "on the list of what is never scanned".to_owned(),
            Self::Project => "the policy leaves the project out".to_owned(),
            Self::Full => format!("{PENDING_SCANS_MAX} others wait already"),
            Self::Udp => "the scanner does no UDP, and only ports of UDP are left out".to_owned(),
            Self::Ipv6 => "the scanner does no IPv6".to_owned(),
            Self::Waited => "the wait was longer than any may be".to_owned(),
            Self::Scanner => "the scanner is not configured any more".to_owned(),
        }
    }
}
