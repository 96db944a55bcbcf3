//! What a manager has from its first day: scan configurations and scanners.

/// A thing with a name.
pub(super) struct Known {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

/// Scan configurations.
pub(super) const CONFIGS: &[Known] = &[
    Known { id: "daba56c8-73ec-11df-a475-002264764cea", name: "Full and fast" },
    Known { id: "2d3f051c-55ba-11e3-bf43-406186ea4fc5", name: "Host Discovery" },
    Known { id: "8715c877-47a0-438d-98a3-27c7a6ab2196", name: "Discovery" },
];

/// Scanners, each with its type.
pub(super) const SCANNERS: &[Known] = &[
    Known { id: "08b69003-5fc2-4037-a479-93b440211c73", name: "OpenVAS Default" },
    Known { id: "6acd0832-df90-11e4-b9d5-28d24461215b", name: "CVE" },
];
