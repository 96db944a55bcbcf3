//! From `[[openstack]]` to what the daemon's parts ask for.

use std::sync::Arc;
use std::time::Duration;

use super::super::config::ConfigArg;
use super::super::open::now;
use super::super::openstack::account;
use crate::config::{Config, OpenStackConfig};
use crate::openstack;
use crate::runtime::service::{ApiSchedule, ApiSettings};

/// The APIs that are asked as a second opinion.
pub(super) fn apis(config: &Config, file: &ConfigArg) -> Vec<ApiSettings> {
    config.openstack.iter().map(|api| of_api(api, file.clone())).collect()
}

/// When they are asked.
pub(super) fn schedules(config: &Config) -> Vec<ApiSchedule> {
    let schedule = |api: &OpenStackConfig| ApiSchedule { region: region(api), every: every(api) };
    config.openstack.iter().map(schedule).collect()
}

/// What of the tables holds until a restart.
pub(super) fn fixed(config: &Config) -> Vec<(Option<&str>, bool)> {
    config.openstack.iter().map(|api| (api.region.as_deref(), api.names)).collect()
}

fn of_api(api: &OpenStackConfig, file: ConfigArg) -> ApiSettings {
    let started_with = api.clone();
    let driver = openstack::Settings {
        name: Arc::from(api.region.as_deref().or(api.cloud.as_deref()).unwrap_or("openstack")),
        // Passwords are exchanged while we run, as those of the sources are: what is configured now is what counts.
        account: Arc::new(move || {
            let read = file.load_quietly().map(|config| config.openstack);
            let now = read.and_then(|all| all.into_iter().find(|api| api.region == started_with.region));
            account(now.as_ref().unwrap_or(&started_with))
        }),
        names: api.names,
        clock: now,
    };
    ApiSettings { region: region(api), every: every(api), driver }
}

fn region(api: &OpenStackConfig) -> Option<Arc<str>> {
    api.region.as_deref().map(Arc::from)
}

fn every(api: &OpenStackConfig) -> Duration {
    Duration::from_secs(api.every_seconds.get().into())
}
