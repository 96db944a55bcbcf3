//! `[[scanner]]` of the type `gmp`.

use std::time::Duration;

use super::*;
use crate::config::{GmpAddress, GmpConfig, ScannerKind, Secret, TlsConfig};

const SECRET: (&str, &str) = ("GMP", "hunter2");
const SCANNER: &str =
    "[[scanner]]\nname = 'g'\ntype = 'gmp'\nusername = 'osel'\npassword = { env = 'GMP' }\n";

fn read(keys: &str) -> GmpConfig {
    let (config, warnings) = good(&format!("{SMALLEST}{SCANNER}{keys}"), &[URL, SECRET]);
    assert_eq!(warnings, Vec::<String>::new());
    match &config.scanners[0].kind {
        ScannerKind::Gmp(config) => config.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_and_a_password_are_enough() {
    let wanted = GmpConfig {
        address: GmpAddress::Socket(None),
        username: "osel".to_owned(),
        password: Secret::new("hunter2".to_owned()),
        scan_config: "Full and fast".to_owned(),
        engine: "OpenVAS Default".to_owned(),
        min_qod: 30,
        hosts_at_once: None,
        tests_at_once: None,
        answer_time: Duration::from_secs(60),
        keep: false,
    };
    assert_eq!(read(""), wanted);
    assert!(!format!("{wanted:?}").contains("hunter2"));
}

#[test]
fn an_address_is_a_socket_or_a_host() {
    let address = |text: &str| read(&format!("address = '{text}'\n")).address;
    let tls = |host: &str, port| GmpAddress::Tls { host: host.to_owned(), port, tls: TlsConfig::default() };
    assert_eq!(address("/run/gvm/gvmd.sock"), GmpAddress::Socket(Some("/run/gvm/gvmd.sock".into())));
    assert_eq!(address("gvm.example"), tls("gvm.example", 9390));
    assert_eq!(address("192.0.2.1:9391"), tls("192.0.2.1", 9391));
    assert_eq!(address("2001:db8::1"), tls("2001:db8::1", 9390));
    assert_eq!(address("[2001:db8::1]:9391"), tls("2001:db8::1", 9391));
}

#[test]
fn what_is_wrong_is_told() {
    let text = format!(
        "{SMALLEST}[[scanner]]\nname = 'g'\ntype = 'gmp'\naddress = 'gvm.example:70000'\nmin_qod = 101\nscan_config = 'a\"b'\n\
         key_file = '/dev/null/k'\nhosts_at_once = 0\nkeep = 'yes'\n"
    );
    let line = |number: usize| format!("osel.toml:{}", SMALLEST.lines().count() + number);
    check_bad(
        &text,
        &[URL],
        &[
            &format!("{}: scanner[0].username: is missing: give osel a user of its own at gvmd", line(1)),
            &format!(
                "{}: scanner[0].password: is missing: name where it is, such as {{ file = \"/etc/osel/gmp_password\" }}",
                line(1)
            ),
            &format!(
                "{}: scanner[0].address: must be the path of a unix socket, `HOST` or `HOST:PORT`",
                line(4)
            ),
            &format!("{}: scanner[0].min_qod: must be a number from 0 to 100", line(5)),
            &format!("{}: scanner[0].scan_config: holds a quotation mark or a control character", line(6)),
            &format!(
                "{}: scanner[0].key_file: `/dev/null/k` cannot be read: Not a directory (os error 20)",
                line(7)
            ),
            &format!("{}: scanner[0].hosts_at_once: must be a number from 1 to 1000", line(8)),
            &format!("{}: scanner[0].keep: must be `true` or `false`, not a text", line(9)),
        ],
    );
    let line = SMALLEST.lines().count() + 1;
    check_bad(
        &format!("{SMALLEST}{SCANNER}server_name = 'gvm.internal'\n"),
        &[URL, SECRET],
        &[&format!(
            "osel.toml:{line}: scanner[0].server_name: is for TLS, and `address` is a unix socket: name a host, or leave it out"
        )],
    );
}
