//! What `reach` does not know: the one list of it, and when a part of it could make an answer another one.
//!
//! An answer carries only what could matter for its question. What could matter for every question stands in [`GENERAL`] and in
//! `docs/reach.md`, which tells all of it.

/// Something that is not modelled and could matter for some answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotModelled {
    /// Replies of a stateless group.
    StatelessReplies,
    /// Whether the outside sends packets for an address that is not translated.
    UpstreamRoutes,
    /// Physical routers on provider networks.
    PhysicalRouters,
    /// VPNaaS.
    Vpn,
    /// Servers that forward.
    Appliances,
    /// What every backend lets through.
    BaseRules,
    /// Trunks that go on carrying.
    TrunkBackends,
    /// Pools and members.
    Pools,
    /// Load balancers without an instance of their own.
    BalancerBackends,
    /// Load balancers of which no listener is known.
    UnknownListeners,
}

impl NotModelled {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::StatelessReplies,
        Self::UpstreamRoutes,
        Self::PhysicalRouters,
        Self::Vpn,
        Self::Appliances,
        Self::BaseRules,
        Self::TrunkBackends,
        Self::Pools,
        Self::BalancerBackends,
        Self::UnknownListeners,
    ];

    /// What an answer says of it.
    pub fn text(self) -> &'static str {
        match self {
            Self::StatelessReplies => {
                "a security group of the port is stateless: whether replies get back is up to its egress rules"
            }
            Self::UpstreamRoutes => {
                "whether the outside sends packets for this address to the router (BGP, static routes, prefix \
                 delegation, ndp_proxy) is not known"
            }
            Self::PhysicalRouters => {
                "a router outside of Neutron may serve the network (provider networks); `routed_prefixes` tells of it"
            }
            Self::Vpn => "a site-to-site connection (VPNaaS) of a router on the network may lead there",
            Self::Appliances => {
                "an extra route on the sender's side leads over a server, and what it forwards is not known"
            }
            Self::BaseRules => {
                "DHCP and neighbour discovery are let through by every backend, whatever the rules say"
            }
            Self::TrunkBackends => "some backends go on carrying the ports of a trunk that is down",
            Self::Pools => "what stands behind the listener (pools, members, L7 policies) is not asked",
            Self::BalancerBackends => {
                "with the OVN provider the groups of a load balancer's port do not filter"
            }
            Self::UnknownListeners => {
                "no listener of the load balancer is known: only the groups of its port were asked"
            }
        }
    }
}

/// What could matter for every question, so that no answer says it.
pub const GENERAL: [&str; 8] = [
    "connections that are open already: they may outlive the rule that let them in (conntrack)",
    "whether the server runs, its port is bound and anything listens there",
    "vendor plugins, and the priorities of ACLs that somebody put into OVN beside Neutron",
    "QoS limits, MTU, and what packet logging or mirrors see",
    "FWaaS v1, service chains (networking-sfc) and BGP VPNs (networking-bgpvpn)",
    "local IPs and the metadata address",
    "the firewall of the sender's own port, as little as its egress rules",
    "overlapping ranges of networks on one router: a router delivers to the network that is asked about",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_all_of_it() {
        let page = include_str!("../../../../docs/reach.md");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = words(page);
        for text in NotModelled::ALL.map(NotModelled::text).iter().chain(&GENERAL) {
            assert!(page.contains(&words(text)), "docs/reach.md lacks: {text}");
        }
    }
}
