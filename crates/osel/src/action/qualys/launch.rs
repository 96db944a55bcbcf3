//! A launch: what is left out, what is checked before, and the form itself.

use std::collections::BTreeSet;
use std::net::IpAddr;

use osel_core::scan::{LeftOut, Trouble};

use super::addresses::{Ranges, list};
use super::client::{Client, Endpoint, Form};
use super::document::{self, Simple};
use super::refusal::{Failure, Refusal};
use crate::action::scanner::{Launched, ScanOrder};
use crate::config::{QualysAppliance, QualysProfile};

/// Why an address of IPv6 is left out.
pub(super) const IS_IPV6: &str = "addresses of IPv6 are not handed to Qualys (`ipv6 = \"never\"`)";
/// Why an address that Qualys never scans is left out.
pub(super) const IS_EXCLUDED: &str = "excluded at Qualys";
/// Qualys' own scanners in the internet, which are always there.
const EXTERNAL: &str = "External";

/// Begins a scan of what can be scanned.
pub(super) async fn launch(client: &Client, order: &ScanOrder) -> Result<Launched, Trouble> {
    let mut left_out = Vec::new();
    let mut addresses: BTreeSet<IpAddr> = order.addresses().collect();
    leave_out(&mut addresses, &mut left_out, IS_IPV6, |address| {
        address.is_ipv6() && !client.config.takes_ipv6
    });
    if !addresses.is_empty() {
        check_appliance(client).await?;
        let excluded = excluded(client, &addresses).await?;
        leave_out(&mut addresses, &mut left_out, IS_EXCLUDED, |address| excluded.contains(address));
    }
    if addresses.is_empty() {
        return Err(none_left(&left_out));
    }
    let failure = match begin(client, order, &addresses).await {
        Ok(reference) => return Ok(Launched { reference, left_out }),
        Err(failure) => failure,
    };
    let foreign = foreign(&failure, &addresses);
    if foreign.is_empty() {
        return Err(failure.trouble_of_launch());
    }
    let why = match &failure {
        Failure::Refused(refusal) => refusal.words(),
        _ => String::new(),
    };
    // A launch that was refused has had no effect: once more, with what stood in its way done or left out.
    if client.config.adds_addresses {
        add(client, &foreign).await?;
    } else {
        leave_out(&mut addresses, &mut left_out, &why, |address| foreign.contains(&address));
    }
    if addresses.is_empty() {
        return Err(Trouble::Refused { why, addresses: foreign.into_iter().collect() });
    }
    let reference =
        begin(client, order, &addresses).await.map_err(|failure| match failure.trouble_of_launch() {
            Trouble::Refused { why, .. } => {
                Trouble::Refused { why, addresses: foreign.into_iter().collect() }
            }
            trouble => trouble,
        })?;
    Ok(Launched { reference, left_out })
}

fn leave_out(
    addresses: &mut BTreeSet<IpAddr>,
    left_out: &mut Vec<LeftOut>,
    why: &str,
    is_out: impl Fn(IpAddr) -> bool,
) {
    let out: Vec<IpAddr> = addresses.iter().copied().filter(|&address| is_out(address)).collect();
    for address in out {
        addresses.remove(&address);
        left_out.push(LeftOut { address, why: why.to_owned() });
    }
}

fn none_left(left_out: &[LeftOut]) -> Trouble {
    let why: BTreeSet<&str> = left_out.iter().map(|left| left.why.as_str()).collect();
    Trouble::Refused {
        why: why.into_iter().collect::<Vec<_>>().join("; "),
        addresses: left_out.iter().map(|left| left.address).collect(),
    }
}

/// What is excluded of these.
///
/// Whoever may not ask for that goes on: it is told of an excluded address only that it is in no result.
pub(super) async fn excluded(client: &Client, addresses: &BTreeSet<IpAddr>) -> Result<Ranges, Trouble> {
    let mut all = Ranges::default();
    let form = vec![("action", "list".to_owned()), ("ips", list(addresses))];
    let asked = client.list(Endpoint::Exclusion, &form, document::address_set, |part| all.join(part)).await;
    match asked {
        Ok(()) => Ok(all),
        Err(Failure::Refused(Refusal { code: Some(2012 | 1901..=1908 | 999), .. })) => Ok(Ranges::default()),
        Err(failure) => Err(failure.trouble()),
    }
}

/// Says so where an appliance that is to scan cannot.
async fn check_appliance(client: &Client) -> Result<(), Trouble> {
    let QualysAppliance::Named(names) = &client.config.appliance else { return Ok(()) };
    let wanted: Vec<&String> = names.iter().filter(|name| *name != EXTERNAL).collect();
    if !client.config.checks_appliance || wanted.is_empty() {
        return Ok(());
    }
    let mut known = Vec::new();
    let form = vec![("action", "list".to_owned())];
    let asked =
        client.list(Endpoint::Appliance, &form, document::appliances, |part| known.extend(part)).await;
    asked.map_err(Failure::trouble)?;
    for name in wanted {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, true)) => {}
            Some((_, false)) => {
                return Err(Trouble::Unavailable(format!("the appliance `{name}` is offline")));
            }
            None => {
                let why = format!("the appliance `{name}` is not in the account");
                return Err(Trouble::Refused { why, addresses: Vec::new() });
            }
        }
    }
    Ok(())
}

/// The addresses of a launch that a refusal names: those are not in the subscription.
fn foreign(failure: &Failure, addresses: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    match failure {
        Failure::Refused(refusal) if refusal.may_name_addresses() => {
            let named = Ranges::of(&refusal.text);
            addresses.iter().copied().filter(|&address| named.contains(address)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Adds addresses to the subscription.
async fn add(client: &Client, addresses: &BTreeSet<IpAddr>) -> Result<(), Trouble> {
    let form = vec![
        ("action", "add".to_owned()),
        ("ips", list(addresses)),
        ("tracking_method", "IP".to_owned()),
        ("enable_vm", "1".to_owned()),
    ];
    // An address that is there already may be added once more.
    match client.order(Endpoint::Address, &form).await {
        Ok(_) => Ok(()),
        // Whoever may not add may do all the rest: it is the end for these addresses alone.
        Err(Failure::Refused(refusal)) if refusal.code == Some(2012) => {
            Err(Trouble::Refused { why: refusal.words(), addresses: addresses.iter().copied().collect() })
        }
        Err(failure) => Err(failure.trouble()),
    }
}

/// Sends the launch, and reads the reference.
async fn begin(client: &Client, order: &ScanOrder, addresses: &BTreeSet<IpAddr>) -> Result<String, Failure> {
    let Simple { items, text, .. } = client.order(Endpoint::Scan, &form(client, order, addresses)).await?;
    let reference = items.into_iter().find(|(key, _)| key == "REFERENCE").map(|(_, value)| value);
    reference
        .filter(|reference| !reference.is_empty())
        .ok_or_else(|| Failure::Garbled(format!("`{text}`, without a reference")))
}

fn form(client: &Client, order: &ScanOrder, addresses: &BTreeSet<IpAddr>) -> Form {
    let config = &client.config;
    let mut form = vec![
        ("action", "launch".to_owned()),
        ("scan_title", order.title.clone()),
        ("ip", list(addresses)),
        match &config.profile {
            QualysProfile::Title(title) => ("option_title", title.clone()),
            QualysProfile::Id(id) => ("option_id", id.to_string()),
        },
        match &config.appliance {
            QualysAppliance::Named(names) => ("iscanner_name", names.join(",")),
            QualysAppliance::Default => ("default_scanner", "1".to_owned()),
            QualysAppliance::OfGroups => ("scanners_in_ag", "1".to_owned()),
        },
    ];
    if !config.asset_groups.is_empty() {
        form.push(("asset_groups", config.asset_groups.join(",")));
    }
    if config.priority > 0 {
        form.push(("priority", config.priority.to_string()));
    }
    form.extend(config.network_id.map(|id| ("ip_network_id", id.to_string())));
    form
}
