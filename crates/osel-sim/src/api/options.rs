//! How the emulated services are set up; may be changed while they run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::accounts::Account;
use super::key_manager::Secret;

/// How the emulated services are set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may authenticate.
    pub accounts: Vec<Account>,
    /// The regions of the catalog; all show the same cloud.
    pub regions: Vec<String>,
    /// How long a token is valid.
    pub token_lifetime: Duration,
    /// The role to which Neutron shows the objects of all projects, besides `admin`.
    pub auditor_role: Option<String>,
    /// Collections whose lists are refused to all by policy (403).
    pub refused: BTreeSet<String>,
    /// Collections of which everybody is shown the own project's objects only, whatever the role: the policy of a cloud may say so.
    pub hidden: BTreeSet<String>,
    /// Collections that do not exist (404), as where an extension is not loaded; and extensions that are not loaded.
    pub absent: BTreeSet<String>,
    /// The most objects of a page of Neutron, also where nobody asked for pages (`pagination_max_limit`).
    pub network_page_max: Option<usize>,
    /// The most objects of a page of Keystone (`max_db_limit`).
    pub identity_page_max: usize,
    /// Whether Keystone knows pages at all: a release before 2025.1 cuts its lists at `identity_page_max`, and shows no way on.
    pub has_identity_pages: bool,
    /// Whether Neutron refuses filters that it does not know, or ignores them.
    pub validates_filters: bool,
    /// What Barbican has, by id; without any there is no Barbican.
    pub secrets: BTreeMap<String, Secret>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            accounts: vec![Account::admin(), Account::reader()],
            regions: vec!["RegionOne".to_owned()],
            // Keystone's own default.
            token_lifetime: Duration::from_hours(1),
            auditor_role: Some("auditor".to_owned()),
            refused: BTreeSet::new(),
            hidden: BTreeSet::new(),
            absent: BTreeSet::new(),
            network_page_max: None,
            // Keystone's own default.
            identity_page_max: 1000,
            has_identity_pages: true,
            validates_filters: true,
            secrets: BTreeMap::new(),
        }
    }
}
