//! Answers of nmap as it writes them, and as they arrive when something went wrong.

use osel_core::scan::{ProbeState, Severity, Transport};

use super::{Answer, read};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n<!-- Nmap 7.93 scan initiated -->\n\
    <nmaprun scanner=\"nmap\" args=\"nmap -oX - &#45;iL -\" version=\"7.93\" xmloutputversion=\"1.05\">\
    <scaninfo type=\"connect\" protocol=\"tcp\" numservices=\"4\" services=\"22,80-82\"/><verbose level=\"0\"/>\n";
const TAIL: &str = "<runstats><finished time=\"1\" elapsed=\"0.05\" summary=\"done\" exit=\"success\"/><hosts up=\"1\" down=\"0\" total=\"1\"/></runstats></nmaprun>";
const UP: &str = "<status state=\"up\" reason=\"user-set\" reason_ttl=\"0\"/><address addr=\"192.0.2.1\" addrtype=\"ipv4\"/>\
    <address addr=\"02:00:00:00:00:01\" addrtype=\"mac\"/><hostnames></hostnames>";
const ASKED: [u16; 4] = [22, 80, 81, 82];

fn answer(hosts: &str) -> Result<Answer, String> {
    let text = format!("{HEAD}{hosts}{TAIL}");
    read(text.as_bytes(), Transport::Tcp, &ASKED).map_err(|error| error.to_string())
}

/// The ports of the only host, each as `PORT STATE`, and why they are not all.
fn ports(host: &str) -> (String, Option<String>) {
    let answer = answer(host).unwrap();
    assert_eq!((answer.scanner.as_str(), answer.hosts.len()), ("nmap 7.93", 1));
    let host = &answer.hosts[0];
    assert_eq!((host.address.to_string().as_str(), &host.not_scanned), ("192.0.2.1", &None));
    let told: Vec<_> =
        host.ports.iter().map(|found| format!("{} {}", found.port, found.state.as_str())).collect();
    (told.join(", "), host.partial.clone())
}

#[test]
fn ports_are_those_that_were_asked_for() {
    let port = |protocol: &str, port: u16, state: &str| {
        format!(
            "<port protocol=\"{protocol}\" portid=\"{port}\"><state state=\"{state}\" reason=\"x\"/></port>"
        )
    };
    let listed = port("tcp", 22, "open")
        + &port("tcp", 443, "open")
        + &port("udp", 80, "open")
        + &port("tcp", 82, "filtered");
    let named = "<extraports state=\"closed\" count=\"2\"><extrareasons reason=\"conn-refused\" count=\"2\" proto=\"tcp\" ports=\"79-81,22\"/></extraports>";
    let (told, partial) = ports(&format!("<host>{UP}<ports>{named}{listed}</ports></host>"));
    assert_eq!((told.as_str(), partial), ("22 open, 80 closed, 81 closed, 82 filtered", None));

    // Older versions do not name them: all that is left has that state, if their number is the same.
    let unnamed =
        "<extraports state=\"closed\" count=\"2\"><extrareasons reason=\"resets\" count=\"2\"/></extraports>";
    let (told, partial) = ports(&format!("<host>{UP}<ports>{unnamed}{listed}</ports></host>"));
    assert_eq!((told.as_str(), partial), ("22 open, 80 closed, 81 closed, 82 filtered", None));
    let other = "<extraports state=\"closed\" count=\"1\"/><extraports state=\"filtered\" count=\"1\"/>";
    let (told, partial) = ports(&format!("<host>{UP}<ports>{other}{listed}</ports></host>"));
    assert_eq!(
        (told.as_str(), partial.as_deref()),
        ("22 open, 82 filtered", Some("nmap says nothing of 2 ports"))
    );
}

#[test]
fn an_address_that_was_given_up_or_left_out_is_told() {
    let (told, partial) = ports(&format!("<host timedout=\"true\">{UP}</host>"));
    assert_eq!((told.as_str(), partial.as_deref()), ("", Some("nmap gave up on it: it took too long")));
    let down = "<host><status state=\"down\" reason=\"no-response\"/><address addr=\"192.0.2.1\" addrtype=\"ipv4\"/></host>";
    let skipped = "<target specification=\"192.0.2.9\" status=\"skipped\" reason=\"invalid\"/>";
    let hosts =
        answer(&format!("{down}{skipped}<target specification=\"x\" status=\"skipped\"/>")).unwrap().hosts;
    let told: Vec<_> = hosts.iter().map(|host| host.not_scanned.clone().unwrap()).collect();
    assert_eq!(told, ["nmap says that it is down", "nmap skipped it: invalid"]);
}

#[test]
fn services_are_those_that_answered() {
    let host = format!(
        "<host>{UP}<ports><port protocol=\"tcp\" portid=\"22\"><state state=\"open\"/><service name=\"http\" product=\"nginx\" version=\"1.22.1\" \
         tunnel=\"ssl\" method=\"probed\" conf=\"10\"><cpe>cpe:/a:igor_sysoev:nginx:1.22.1</cpe></service></port>\
         <port protocol=\"tcp\" portid=\"80\"><state state=\"open\"/><service name=\"http\" method=\"table\" conf=\"3\"/></port></ports></host>"
    );
    let ports = answer(&host).unwrap().hosts.remove(0).ports;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let told = |place: usize| {
        [&ports[place].service, &ports[place].product, &ports[place].version].map(word).join(" ")
    };
    assert_eq!([told(0), told(1)], ["ssl/http nginx 1.22.1", "  "]);
    assert_eq!(ports[1].state, ProbeState::Open);
}

#[test]
fn scripts_say_whether_something_is_wrong() {
    let script = |output: &str| {
        format!(
            "<host>{UP}<ports><port protocol=\"tcp\" portid=\"80\"><state state=\"open\"/>\
             <script id=\"http-vuln\" output=\"{output}\"><table/></script></port></ports></host>"
        )
    };
    let told = |output: &str| answer(&script(output)).unwrap().hosts.remove(0).vulnerabilities;
    let sure = told("&#xa;  VULNERABLE:&#xa;  IDs: CVE:CVE-2021-41773").remove(0);
    assert_eq!((sure.id.as_str(), sure.severity, sure.is_certain), ("nmap:http-vuln", Severity::High, true));
    assert_eq!((sure.cves, sure.at), (vec!["CVE-2021-41773".to_owned()], Some((Transport::Tcp, 80))));
    assert!(!told("State: LIKELY VULNERABLE")[0].is_certain);
    assert!(told("State: NOT VULNERABLE").is_empty());
    let several =
        told("a&#xa; State: NOT VULNERABLE&#xa;b&#xa; State: VULNERABLE&#xa;c&#xa; State: NOT VULNERABLE");
    assert_eq!(several[0].severity, Severity::High, "one of several");
    assert_eq!(told("Apache")[0].severity, Severity::Info);
}

#[test]
fn a_run_that_did_not_come_to_its_end_is_no_answer() {
    let whole = format!("{HEAD}<host>{UP}</host>{TAIL}");
    for length in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..length], Transport::Tcp, &ASKED).is_err(), "{}", &whole[..length]);
    }
    let failed = whole.replace("exit=\"success\"", "exit=\"error\" errormsg=\"no route\"");
    let told = read(failed.as_bytes(), Transport::Tcp, &ASKED).unwrap_err().to_string();
    assert_eq!(told, "nmap did not succeed: error no route");
    let unsaid = format!("{HEAD}</nmaprun>");
    assert!(
        read(unsaid.as_bytes(), Transport::Tcp, &ASKED)
            .unwrap_err()
            .to_string()
            .contains("does not say how it ended")
    );
    let page = "<!DOCTYPE html><html><body>Sorry</body></html>";
    assert!(
        read(page.as_bytes(), Transport::Tcp, &ASKED)
            .unwrap_err()
            .to_string()
            .contains("begins with `<html>`")
    );
}
