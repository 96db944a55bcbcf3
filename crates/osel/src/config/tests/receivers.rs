//! `[[forward]]` of the types `file` and `syslog`.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::config::{
    FileCompression, FileReceiverConfig, ReceiverConfig, SyslogConfig, SyslogFraming, SyslogMessage,
    SyslogTransport, TlsConfig,
};

fn read(keys: &str) -> ReceiverConfig {
    let (config, warnings) = good(&format!("{SMALLEST}[[forward]]\nname = 'f'\n{keys}"), &[URL]);
    assert_eq!(warnings, Vec::<String>::new());
    config.forwards[0].receiver.clone()
}

fn syslog(keys: &str) -> SyslogConfig {
    of_syslog(read(&format!("type = 'syslog'\n{keys}")))
}

fn of_syslog(receiver: ReceiverConfig) -> SyslogConfig {
    match receiver {
        ReceiverConfig::Syslog(config) => *config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_needs_a_path_and_takes_the_rest() {
    let smallest = FileReceiverConfig {
        path: "/l/r".into(),
        mode: 0o640,
        rotate_bytes: None,
        daily: false,
        keep: NonZeroU32::new(14).unwrap(),
        compression: FileCompression::Gzip,
    };
    assert_eq!(read("type = 'file'\npath = '/l/r'\n"), ReceiverConfig::File(Box::new(smallest.clone())));
    let all = FileReceiverConfig {
        mode: 0o600,
        rotate_bytes: 65_536.try_into().ok(),
        daily: true,
        keep: NonZeroU32::MIN,
        compression: FileCompression::Zstd,
        ..smallest
    };
    let keys = "type = 'file'\npath = '/l/r'\nmode = '0600'\nrotate_bytes = 65536\nrotate = 'daily'\nkeep = 1\ncompress = 'zstd'\n";
    assert_eq!(read(keys), ReceiverConfig::File(Box::new(all)));
}

#[test]
fn a_syslog_server_is_reached_over_tls_unless_another_way_is_named() {
    let wanted = SyslogConfig {
        transport: SyslogTransport::Tls {
            host: "logs.example".to_owned(),
            port: 6514,
            tls: TlsConfig::default(),
        },
        message: SyslogMessage::Rfc5424,
        facility: 16,
        app_name: "osel".to_owned(),
        host_name: None,
        enterprise_number: NonZeroU32::new(32_473).unwrap(),
        bom: false,
        message_bytes_max: None,
        settle: Duration::from_secs(2),
    };
    assert_eq!(syslog("address = 'logs.example'\n"), wanted);
    let tcp = syslog(
        "transport = 'tcp'\naddress = '[::1]:601'\nframing = 'lf'\nfacility = 'audit'\nmessage = 'rfc3164'\n",
    );
    let host = "::1".to_owned();
    let transport = SyslogTransport::Tcp { host, port: 601, framing: SyslogFraming::LineFeed };
    let wanted = SyslogConfig { transport, facility: 13, message: SyslogMessage::Rfc3164, ..wanted };
    assert_eq!(tcp, wanted);
    let keys = "[[forward]]\nname = 'f'\ntype = 'syslog'\ntransport = 'udp'\naddress = 'l'\n";
    let (udp, warnings) = good(&format!("{SMALLEST}{keys}"), &[URL]);
    let place = format!("osel.toml:{}: forward[0].transport: loses records", SMALLEST.lines().count() + 4);
    assert!(matches!(&*warnings, [warning] if warning.starts_with(&place)), "{warnings:?}");
    let udp = of_syslog(udp.forwards[0].receiver.clone());
    assert_eq!(udp.transport, SyslogTransport::Udp { host: "l".to_owned(), port: 514 });
    assert_eq!(udp.message_bytes_max.map(std::num::NonZero::get), Some(2048));
    let path = "/dev/log".into();
    let wanted = SyslogTransport::Unix { path, framing: SyslogFraming::LineFeed };
    assert_eq!(syslog("transport = 'unix'\n").transport, wanted);
}

#[test]
fn a_file_has_one_forwarder_and_is_a_file() {
    let line = |number: usize| format!("osel.toml:{}", SMALLEST.lines().count() + number);
    let file =
        |name: &str, path: &str| format!("[[forward]]\nname = '{name}'\ntype = 'file'\npath = '{path}'\n");
    let (one, other, device) = (file("a", "/l/r"), file("b", "/l/r"), file("c", "/dev/null"));
    check_bad(
        &format!("{SMALLEST}{one}{other}{device}"),
        &[URL],
        &[
            &format!(
                "{}: forward[1].path: forwarder `a` writes this file already: each needs its own",
                line(5)
            ),
            &format!("{}: forward[2].path: `/dev/null` is there and is no file", line(12)),
        ],
    );
}

#[test]
fn what_is_wrong_with_a_receiver_is_told() {
    let line = |number: usize| format!("osel.toml:{}", SMALLEST.lines().count() + number);
    check_bad(
        &format!(
            "{SMALLEST}[[forward]]\nname = 'f'\ntype = 'syslog'\ntransport = 'tpc'\naddress = 'logs.example'\n"
        ),
        &[URL],
        &[&format!(
            "{}: forward[0].transport: must be `tls` or `tcp` or `udp` or `unix`, not `tpc`",
            line(4)
        )],
    );
    check_bad(
        &format!(
            "{SMALLEST}[[forward]]\nname = 'f'\ntype = 'file'\nmode = '0777'\nrotate_bytes = 1\ncompress = 'xz'\nkeep = 0\nrotate = 'hourly'\n"
        ),
        &[URL],
        &[
            &format!(
                "{}: forward[0].path: is missing: name the file, such as \"/var/log/osel/records.jsonl\"",
                line(1)
            ),
            &format!(
                "{}: forward[0].mode: must be octal digits from `0600` to `0666`, such as `0640`",
                line(4)
            ),
            &format!(
                "{}: forward[0].rotate_bytes: must be a number from 65536 to 9223372036854775807",
                line(5)
            ),
            &format!("{}: forward[0].compress: must be `none` or `gzip` or `zstd`, not `xz`", line(6)),
            &format!("{}: forward[0].keep: must be a number from 1 to 10000", line(7)),
            &format!("{}: forward[0].rotate: must be `never` or `daily`, not `hourly`", line(8)),
        ],
    );
    check_bad(
        &format!(
            "{SMALLEST}[[forward]]\nname = 'f'\ntype = 'syslog'\ntransport = 'udp'\nframing = 'lf'\nserver_name = 'l'\n\
             facility = 'local8'\napp_name = 'o s'\nmessage_bytes_max = 70000\n"
        ),
        &[URL],
        &[
            &format!(
                "{}: forward[0].server_name: is for TLS: write transport = \"tls\", or leave it out",
                line(1)
            ),
            &format!("{}: forward[0].framing: is for streams: over UDP each message is a datagram", line(1)),
            &format!(
                "{}: forward[0].address: is missing: name the server, such as \"logs.example\"",
                line(1)
            ),
            &format!(
                "{}: forward[0].facility: must be the name of a facility, such as `local0` or `authpriv`",
                line(7)
            ),
            &format!("{}: forward[0].app_name: must be up to 48 visible ASCII characters", line(8)),
            &format!("{}: forward[0].message_bytes_max: must be a number from 1024 to 65507", line(9)),
        ],
    );
    check_bad(
        &format!(
            "{SMALLEST}[[forward]]\nname = 'f'\ntype = 'syslog'\naddress = 'l:0'\nframing = 'lf'\nsettle_seconds = 200\n"
        ),
        &[URL],
        &[
            &format!("{}: forward[0].framing: must be `octet-counting` over TLS, by RFC 5425", line(1)),
            &format!("{}: forward[0].address: must be `HOST` or `HOST:PORT`", line(4)),
            &format!("{}: forward[0].settle_seconds: must be a number from 1 to 120", line(6)),
        ],
    );
}
