//! `[[openstack]]` and the clouds file together: the account that a table means, and what is wrong with what stands outside of the
//! configuration. Nothing is connected to.

use crate::config::{
    ApiInterface, Config, OpenStackConfig, Remark, is_open_to_others, open_to_others, read_file,
};
use crate::openstack::Account;
use crate::openstack::clouds::{self, Cloud, FILE_BYTES_MAX, Interface, Selection};
use crate::telemetry::chain;

/// Keys of a clouds file whose values are secrets.
const SECRETS: [&str; 4] = ["password:", "secret:", "token:", "passcode:"];

/// The account of a table, as the files say it now.
///
/// # Errors
/// When there is none, in words.
pub(super) fn account(api: &OpenStackConfig) -> Result<Account, String> {
    let cloud = cloud(api)?;
    Ok(Account { cloud, requests_per_second: api.requests_per_second, insecure: api.insecure })
}

fn cloud(api: &OpenStackConfig) -> Result<Cloud, String> {
    let selection = Selection {
        cloud: api.cloud.clone(),
        file: api.clouds_file.clone(),
        region: api.region_name.clone(),
        ..Selection::of_process()
    };
    let mut cloud = clouds::read(&selection).map_err(|error| chain(&error))?;
    if let Some(interface) = api.interface {
        cloud.interface = match interface {
            ApiInterface::Public => Interface::Public,
            ApiInterface::Internal => Interface::Internal,
            ApiInterface::Admin => Interface::Admin,
        };
    }
    Ok(cloud)
}

/// Problems and warnings about the accounts of a configuration.
pub(super) fn remarks(config: &Config) -> (Vec<Remark>, Vec<Remark>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for (index, api) in config.openstack.iter().enumerate() {
        let remark = |key: &str, what| Remark {
            place: api.place.clone(),
            key: format!("openstack[{index}].{key}"),
            what,
        };
        let cloud = match cloud(api) {
            Ok(cloud) => cloud,
            Err(words) => {
                problems.push(remark("cloud", format!("gives no account: {words}")));
                continue;
            }
        };
        if !cloud.verify && !api.insecure {
            let what = "is a cloud whose certificate is not to be verified: give it the authority by `cacert`, or set `insecure`";
            problems.push(remark("cloud", what.to_owned()));
        }
        let open = cloud.files.iter().filter(|file| is_open_to_others(file) && holds_secret(file));
        warnings.extend(open.map(|file| remark("clouds_file", open_to_others(file))));
    }
    (problems, warnings)
}

/// Whether a clouds file has a secret in it, as far as its keys tell.
fn holds_secret(file: &std::path::Path) -> bool {
    let bytes = read_file(file, FILE_BYTES_MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    SECRETS
        .into_iter()
        // JSON has its keys in quotes.
        .any(|key| {
            text.lines()
                .any(|line| !line.trim_start().starts_with('#') && line.replace('"', "").contains(key))
        })
}
