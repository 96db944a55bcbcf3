//! Reports in the format `nessus`, version 2, as both products write them.

use std::fmt::Write;

use super::hosts::{Host, Item, PING, SCAN_INFORMATION};

/// The report of a scan of these hosts.
pub(super) fn report(name: &str, targets: &[String], hosts: &[&Host]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" ?>\n<NessusClientData_v2>\n<Policy><policyName>Basic Network Scan</policyName>\n",
    );
    let preference = |xml: &mut String, name: &str, value: &str| {
        let (name, value) = (escaped(name), escaped(value));
        // Writing into a text does not fail.
        let _ = writeln!(xml, "<preference><name>{name}</name><value>{value}</value></preference>");
    };
    xml.push_str("<Preferences><ServerPreferences>\n");
    preference(&mut xml, "TARGET", &targets.join(","));
    preference(&mut xml, "port_range", "default");
    xml.push_str("</ServerPreferences></Preferences>\n</Policy>\n");
    let _ = writeln!(xml, "<Report name=\"{}\" xmlns:cm=\"http://www.nessus.org/cm\">", escaped(name));
    for host in hosts {
        one(&mut xml, host);
    }
    xml.push_str("</Report>\n</NessusClientData_v2>\n");
    xml
}

fn one(xml: &mut String, host: &Host) {
    let address = host.address.to_string();
    let name = host.name.as_deref().unwrap_or(&address);
    let _ = writeln!(xml, "<ReportHost name=\"{}\"><HostProperties>", escaped(name));
    let properties = [
        ("HOST_START", "Thu Nov 26 03:00:00 2026"),
        ("host-ip", address.as_str()),
        ("HOST_END", "Thu Nov 26 03:01:00 2026"),
    ];
    for (name, value) in properties {
        let _ = writeln!(xml, "<tag name=\"{name}\">{value}</tag>");
    }
    xml.push_str("</HostProperties>\n");
    if host.is_dead {
        let mut dead = Item::new(PING, "Ping the remote host", "tcp", 0, "general");
        dead.output = format!("The remote host ({address}) is considered as dead - not scanning\n");
        item(xml, &dead);
    } else {
        for found in &host.items {
            item(xml, found);
        }
        let mut information = Item::new(SCAN_INFORMATION, "Nessus Scan Information", "tcp", 0, "general");
        information.output =
            "Information about this scan :\n\nNessus version : 10.9.3\nNessus build : 20030\n\
             Scan type : Normal\nScanner IP : 192.0.2.250\nPort scanner(s) : nessus_syn_scanner \n\
             Port range : default\n"
                .to_owned();
        item(xml, &information);
    }
    xml.push_str("</ReportHost>\n");
}

fn item(xml: &mut String, item: &Item) {
    let Item { plugin, protocol, port, severity, .. } = item;
    let _ = writeln!(
        xml,
        "<ReportItem port=\"{port}\" svc_name=\"{}\" protocol=\"{protocol}\" severity=\"{severity}\" pluginID=\"{plugin}\" \
         pluginName=\"{}\" pluginFamily=\"General\">",
        escaped(&item.service),
        escaped(&item.name)
    );
    let child = |xml: &mut String, name: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(xml, "<{name}>{}</{name}>", escaped(text));
        }
    };
    for cve in &item.cves {
        child(xml, "cve", cve);
    }
    child(xml, "cvss3_base_score", item.cvss3.as_deref().unwrap_or_default());
    child(xml, "description", &item.description);
    child(xml, "plugin_type", "remote");
    let risk = ["None", "Low", "Medium", "High", "Critical"];
    child(xml, "risk_factor", risk.get(usize::from(*severity)).unwrap_or(&"None"));
    child(xml, "solution", "n/a");
    child(xml, "plugin_output", &item.output);
    xml.push_str("</ReportItem>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
