//! Scanners asked by their adapters, one module for each kind.

mod builtin;
mod command;
mod gmp;
mod masscan;
mod nessus;
mod nmap;
mod program;
mod qualys;
mod qualys_run;
mod qualys_way;

use std::net::IpAddr;

use osel::action::scanner::ScanOrder;
use osel_core::scan::{Expected, ScanCommand, ScanReason, ScanTarget, Transport};
use osel_core::time::Timestamp;

/// An order to scan these ports of TCP, each expected to be exposed.
pub(crate) fn order(targets: &[(&str, &[u16])]) -> ScanOrder {
    let target = |(address, ports): &(&str, &[u16])| ScanTarget {
        address: address.parse::<IpAddr>().unwrap(),
        network_id: None,
        project_id: None,
        expected: ports.iter().map(|&port| ((Transport::Tcp, port), true)).collect::<Expected>(),
        partial: false,
        causes: vec![1],
    };
    ScanOrder {
        title: "osel-0123456789ab-scan-1".to_owned(),
        command: ScanCommand {
            id: "scan-1".into(),
            seq: 2,
            scanner: "tested".into(),
            kind: "tested".into(),
            region: None,
            targets: targets.iter().map(target).collect(),
            reason: ScanReason::Change,
            planned_at: Timestamp::EPOCH,
            expires_at: Timestamp::from_micros(i64::MAX),
        },
    }
}
