//! `[[scanner]]` of the types `nessus` and `tenable`.

use osel_core::scan::Transport;

use super::*;
use crate::config::{CoveredPorts, NessusConfig, NessusLogin, NessusProduct, ScannerKind, Secret};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// The only scanner of a text, behind the smallest one, and what is warned of.
fn read(text: &str) -> (NessusConfig, Vec<String>) {
    let variables = [URL, ("KEY", "0123abcd"), ("SECRET", "hunter2")];
    let (config, warnings) = good(&format!("{SMALLEST}[[scanner]]\nname = 'it'\n{text}"), &variables);
    match config.scanners.into_iter().next().unwrap().kind {
        ScannerKind::Nessus(config) | ScannerKind::Tenable(config) => (*config, warnings),
        other => panic!("{other:?}"),
    }
}

const KEYS: &str = "access_key = { env = 'KEY' }\nsecret_key = { env = 'SECRET' }\n";

#[test]
fn the_smallest_scanners_ask_by_keys_where_the_products_are() {
    let login = NessusLogin::Keys { access_key: secret("0123abcd"), secret_key: secret("hunter2") };
    for (kind, product, url) in [
        ("nessus", NessusProduct::Nessus, "https://localhost:8834"),
        ("tenable", NessusProduct::Cloud, "https://cloud.tenable.com"),
    ] {
        let (config, warnings) = read(&format!("type = '{kind}'\n{KEYS}"));
        assert_eq!((config.product, config.url.as_str(), &config.login), (product, url, &login));
        assert_eq!(
            (config.template.as_str(), config.answer_seconds.get(), config.keep),
            ("basic", 60, false)
        );
        assert_eq!(warnings, [""; 0]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

#[test]
fn all_keys_of_nessus_have_their_meaning() {
    let (config, warnings) = read(
        "type = 'nessus'\nurl = 'https://nessus.example:8834/'\nusername = 'osel'\npassword = { env = 'SECRET' }\npolicy = 'Perimeter'\n\
         scanner = 'dmz-1'\nfolder = 'osel'\ncovers = ['1-1024', '8080', '53/udp']\nkeep = true\nserver_name = 'n'\nanswer_seconds = 5\n",
    );
    let covered = |transport, ports| CoveredPorts { transport, ports };
    assert_eq!(warnings, [""; 0]);
    assert_eq!(
        config.login,
        NessusLogin::Session { username: "osel".to_owned(), password: secret("hunter2") }
    );
    assert_eq!(config.url, "https://nessus.example:8834");
    assert_eq!(
        config.covers,
        [
            covered(Transport::Tcp, 1..=1024),
            covered(Transport::Tcp, 8080..=8080),
            covered(Transport::Udp, 53..=53)
        ]
    );
    let names = (config.policy.as_deref(), config.scanner.as_deref(), config.folder.as_deref());
    assert_eq!(names, (Some("Perimeter"), Some("dmz-1"), Some("osel")));
    assert_eq!(
        (config.keep, config.answer_seconds.get(), config.tls.server_name.as_deref()),
        (true, 5, Some("n"))
    );
    // Without TLS only on this host.
    let (config, warnings) = read(&format!(
        "type = 'nessus'\nurl = 'http://[::1]:8834'\n{KEYS}username = 'osel'\npassword = 'x'\n"
    ));
    assert_eq!(config.url, "http://[::1]:8834");
    assert_eq!(warnings, ["osel.toml:13: scanner[0].username: is not used: the keys say who osel is"]);
}

#[test]
fn what_is_wrong_with_them_is_told_at_once_and_without_secrets() {
    let place = Place::new();
    place.write(
        "osel.toml",
        format!(
            "{SMALLEST}[[scanner]]\nname = 'a'\ntype = 'nessus'\nurl = 'http://nessus.example:8834'\nsecret_key = {{ env = 'SECRET' }}\n\
             covers = ['0', '9-8', '80/icmp', '443']\nca_file = 'none.pem'\nanswer_seconds = 1000\ninsecure = true\n\
             [[scanner]]\nname = 'b'\ntype = 'tenable'\nurl = 'https://osel:hunter2@cloud.example'\nusername = 'osel'\n\
             [[scanner]]\nname = 'c'\ntype = 'nessus'\npassword = {{ env = 'SECRET' }}\n"
        ),
    );
    let told = place.without_path(&place.load(&[URL, ("SECRET", "hunter2")]).unwrap_err().to_string());
    for line in [
        "scanner[0].url: would show the keys to everybody on the way: write `https`",
        "scanner[0].access_key: is missing: write { file = \"/etc/osel/nessus_access_key\" }",
        "scanner[0].covers[0]: must be ports such as `22`, `1-1024` or `53/udp`, not `0`",
        "scanner[0].covers[1]: must be ports such as `22`, `1-1024` or `53/udp`, not `9-8`",
        "scanner[0].covers[2]: must be ports such as `22`, `1-1024` or `53/udp`, not `80/icmp`",
        "scanner[0].ca_file: `none.pem` ",
        "scanner[0].answer_seconds: must be a number from 1 to 120",
        "scanner[0].insecure: is no key of osel",
        "scanner[1].url: must be a URL such as `https://cloud.tenable.com`, without a login",
        "scanner[1].access_key: is missing: write { file = \"/etc/osel/tenable_access_key\" }",
        "scanner[1].secret_key: is missing: write { file = \"/etc/osel/tenable_secret_key\" }",
        "scanner[1].username: is no key of osel",
        "scanner[2].username: is missing: give osel a user of its own at the scanner",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert_eq!(told.lines().count(), 13, "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}
