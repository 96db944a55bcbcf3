//! What an operator can set about the engine, and its written form.
//!
//! What is set is an input like any other: it stands in the journal, so that folding old entries uses the options of their time.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::model::ModelOptions;
use crate::plan::ScanPolicy;

/// What an operator can set about the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// About the cloud models.
    pub model: ModelOptions,
    /// What may be scanned without an order of a person; none plans no scans.
    pub scan: Option<ScanPolicy>,
}

/// The form in which options are kept, in journals for ever and in snapshots. What a later version adds has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionsLine {
    group_members_include_pairs: bool,
    routed_prefixes: Vec<IpNet>,
    /// None where nothing is scanned by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scan: Option<ScanPolicy>,
}

impl From<&EngineOptions> for OptionsLine {
    fn from(options: &EngineOptions) -> Self {
        let EngineOptions { model: ModelOptions { group_members_include_pairs, routed_prefixes }, scan } =
            options;
        Self {
            group_members_include_pairs: *group_members_include_pairs,
            routed_prefixes: routed_prefixes.clone(),
            scan: scan.clone(),
        }
    }
}

impl From<OptionsLine> for EngineOptions {
    fn from(line: OptionsLine) -> Self {
        let OptionsLine { group_members_include_pairs, routed_prefixes, scan } = line;
        Self { model: ModelOptions { group_members_include_pairs, routed_prefixes }, scan }
    }
}

impl Engine {
    /// The options that an input or a snapshot told; none while the engine goes by those that it was made with.
    pub fn told_options(&self) -> Option<&EngineOptions> {
        self.options_told.then_some(&self.options)
    }

    /// Goes by other options from now on.
    pub(super) fn set_options(&mut self, options: EngineOptions) {
        for cloud in self.clouds.values_mut() {
            cloud.set_options(options.model.clone());
        }
        self.options = options;
        self.scans.reconsider();
        self.options_told = true;
    }
}
