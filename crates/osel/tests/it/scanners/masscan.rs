//! The real masscan by its adapter, on Ethernet of a testbed: it writes packets of its own, and so never sees the loopback.

use std::num::NonZeroU32;
use std::path::PathBuf;

use osel::action::local::Local;
use osel::action::open_ports::{OpenPorts, OpenPortsProgram};
use osel::action::program::Confined;
use osel::action::scanner::Scanner;
use osel::config::RatedConfig;
use osel_core::scan::{Coverage, ProbeState};
use serde_json::json;

use super::command::{Script, states};
use super::nmap::program;
use super::order;
use crate::testbed::Testbed;

/// Who is silent about everything.
const SILENT: &str = "10.77.1.3";

#[tokio::test]
async fn the_real_masscan_names_open_ports_and_proves_nothing_where_nobody_answers() {
    let testbed = Testbed::start(&json!({
        "hosts": {"10.77.1.1": [22, 443], "10.77.1.2": [80]}, "silent": {SILENT: []}, "ethernet": true,
    }));
    // `ip` becomes what it runs, so that the program's parent is still who asked for it.
    let osel = format!("exec ip netns exec {} {} \"$@\"", testbed.namespace, env!("CARGO_BIN_EXE_osel"));
    let osel = Script::new("osel-in-testbed", &osel);
    let config = RatedConfig { program: program("masscan"), rate: NonZeroU32::new(100).unwrap() };
    let confined = Confined::through(PathBuf::from(osel.name()));
    let masscan = Local(OpenPorts::new(OpenPortsProgram::Masscan, config, confined));

    let ports: &[u16] = &[22, 80, 443];
    let all = order(&[("10.77.1.1", ports), ("10.77.1.2", ports), (SILENT, ports)]);
    let nobody = order(&[(SILENT, ports)]);
    let (all, nobody) = tokio::join!(masscan.fetch(&all, ""), masscan.fetch(&nobody, ""));
    let (all, nobody) = (all.unwrap(), nobody.unwrap());

    assert_eq!(all.scanner, "masscan");
    let (open, silent) = (ProbeState::Open, ProbeState::Filtered);
    let wanted = [[open, silent, open], [silent, open, silent], [silent, silent, silent]];
    for (host, wanted) in all.hosts.iter().zip(wanted) {
        let wanted: Vec<_> = ports.iter().copied().zip(wanted).collect();
        assert_eq!((states(host), &host.coverage), (wanted, &Coverage::Whole), "{}", host.address);
    }
    assert_eq!(all.hosts.len(), 3);
    let [host] = &nobody.hosts[..] else { panic!("{nobody:?}") };
    assert!(matches!(host.coverage, Coverage::NotScanned(_)), "{host:?}");
    assert!(states(host).iter().all(|(_, state)| *state == ProbeState::NotProbed), "{host:?}");
}
