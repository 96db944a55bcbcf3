//! The result of a scan: asked for, read, and said for each address of the order.

use osel_core::scan::{HostResult, Trouble};

use super::addresses::Ranges;
use super::client::Client;
use super::document::Scan;
use super::launch::{self, IS_IPV6};
use super::refusal::Failure;
use super::result::{Around, Covers, Gathered};
use super::rows;
use crate::action::scanner::{ScanOrder, Seen};

/// What a scan has to tell of the addresses of an order.
pub(super) async fn gather(client: &Client, order: &ScanOrder, reference: &str) -> Result<Gathered, Trouble> {
    let form = vec![
        ("action", "fetch".to_owned()),
        ("scan_ref", reference.to_owned()),
        ("output_format", "json_extended".to_owned()),
        ("mode", "extended".to_owned()),
    ];
    let body = client.result(&form).await.map_err(Failure::trouble)?;
    let wanted = order.addresses().collect();
    // A large one takes seconds to read: not in the loop.
    let read = tokio::task::spawn_blocking(move || {
        let mut gathered = Gathered::new(wanted);
        rows::read(&body, |row| gathered.take(row)).map(|()| gathered)
    });
    match read.await {
        Ok(Ok(gathered)) => Ok(gathered),
        Ok(Err(error)) => {
            Err(Trouble::Garbled(format!("a result that is none: {}", client.told(&error.to_string()))))
        }
        Err(error) => Err(Trouble::Unavailable(error.to_string())),
    }
}

/// What was seen of each address. `scan` is what the list says of the scan, where the result does not say all.
pub(super) async fn judge(
    client: &Client,
    order: &ScanOrder,
    mut gathered: Gathered,
    scan: Option<&Scan>,
) -> Result<Seen, Trouble> {
    let mut around = Around { state: None, is_lonely: false, excluded: Ranges::default() };
    let mut untold = gathered.untold();
    untold.retain(|address| address.is_ipv4() || client.config.takes_ipv6);
    if let Some(scan) = scan {
        around.state = Some(scan.state.clone());
        around.is_lonely = scan.sub_state.eq_ignore_ascii_case("no_host");
    }
    if !untold.is_empty() && !around.is_lonely {
        // It only makes a reason clearer, so that a refusal of it is none of the result.
        around.excluded = launch::excluded(client, &untold).await.unwrap_or_default();
    }
    let covers = Covers { tcp: &client.config.covers_tcp, udp: &client.config.covers_udp };
    let hosts = order.command.targets.iter().map(|target| {
        if target.address.is_ipv6() && !client.config.takes_ipv6 {
            return HostResult::not_scanned(target.address, IS_IPV6);
        }
        gathered.host(target.address, &target.expected, &covers, &around)
    });
    Ok(Seen { scanner: "qualys".to_owned(), hosts: hosts.collect() })
}
